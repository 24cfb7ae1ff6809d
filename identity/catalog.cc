#include "identity/catalog.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "identity/trace.h"

namespace devtrust {
namespace {

using Clock = std::chrono::steady_clock;

// A read that failed is tried again, but not at each of the hundreds of searches that a browser makes for one page: a
// locked database costs a bounded wait each time.
constexpr auto kRetryAfter = std::chrono::milliseconds(250);
// An agent commits certificate and key to two files, one after the other: for so long a store that lost its identity
// without giving another keeps what it had.
constexpr auto kRenewalGrace = std::chrono::seconds(3);

void trace_read(const std::string& location, const Result<StoreContents>& read, const std::vector<Error>& problems) {
  const std::string store = "store " + location + ": ";
  if (read) {
    trace(store + "private keys: " + std::to_string(read->keys.size()) +
          ", certificates of theirs and of issuers: " + std::to_string(read->certificates.size()));
  } else if (problems.empty()) {
    trace(store + "is not there");
  }
  for (const Error& problem : problems) trace(store + problem.message);
}

Time wall_clock() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

}  // namespace

struct Catalog::Entry {
  std::size_t source = 0;
  std::shared_ptr<Store> store;
  StoreReport report;
  std::shared_ptr<const StoreContents> contents;
  std::optional<StoreVersion> version;       // of what `contents` holds; nothing: read again
  std::optional<StoreVersion> failed;        // the version that could not be read
  Clock::time_point retry_at{};              // when it may be tried again although its version is the same
  std::optional<Clock::time_point> lost_at;  // since when its identity is missing
};

Catalog::Catalog(std::vector<std::unique_ptr<StoreSource>> sources, std::vector<Profile> profiles)
    : sources_(std::move(sources)), profiles_(std::move(profiles)) {}
Catalog::~Catalog() = default;

std::shared_ptr<const Snapshot> Catalog::last() {
  {
    const std::lock_guard lock(current_mutex_);
    if (current_) return current_;
  }
  return snapshot();
}

std::shared_ptr<const Snapshot> Catalog::snapshot() {
  std::unique_lock refreshing(refresh_mutex_, std::try_to_lock);
  if (!refreshing) {
    {
      const std::lock_guard lock(current_mutex_);
      if (current_) return current_;
    }
    refreshing.lock();
  }
  refresh(wall_clock());
  const std::lock_guard lock(current_mutex_);
  return current_;
}

bool Catalog::list_stores() {
  const bool changed = !listed_ || std::ranges::any_of(sources_, [](const auto& source) { return source->changed(); });
  if (!changed) return false;
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    for (auto& store : sources_[i]->stores()) {
      const auto known = std::ranges::find(entries_, store, &Entry::store);
      if (known != entries_.end()) {
        entries.push_back(std::move(*known));
        continue;
      }
      Entry& entry = entries.emplace_back();
      entry.source = i;
      entry.store = std::move(store);
      entry.report.kind = entry.store->kind();
      entry.report.location = entry.store->location();
      entry.report.explicitly_configured = sources_[i]->explicitly_configured();
    }
  }
  entries_ = std::move(entries);
  listed_ = true;
  return true;
}

std::shared_ptr<const Snapshot> Catalog::build(Time now) const {
  std::vector<Snapshot::Source> sources;
  sources.reserve(entries_.size());
  for (const Entry& entry : entries_) sources.push_back({entry.report, entry.contents});
  for (const auto& source : sources_) {
    auto problems = source->problems();
    if (!problems.empty()) sources.push_back({{"", "", source->explicitly_configured(), std::move(problems)}, nullptr});
  }
  return Snapshot::build(profiles_, sources, now);
}

void Catalog::publish(std::shared_ptr<const Snapshot> snapshot) {
  const std::lock_guard lock(current_mutex_);
  current_ = std::move(snapshot);
}

void Catalog::refresh(Time now) {
  bool changed = list_stores();
  std::vector<std::pair<Entry*, Entry>> before;  // of those that were read again

  for (Entry& entry : entries_) {
    const StoreVersion version = entry.store->version();
    if (entry.version == version) continue;
    if (entry.failed == version && Clock::now() < entry.retry_at) continue;
    before.emplace_back(&entry, entry);
    auto read = entry.store->read();
    entry.report.problems.clear();
    entry.failed.reset();
    if (read) {
      entry.version = read->version;
      entry.report.problems = read->problems;
    } else if (read.error().code == ErrorCode::kNotFound) {
      entry.version = version;
      entry.contents = nullptr;
      if (entry.report.explicitly_configured) entry.report.problems.push_back(read.error());
    } else {
      entry.version.reset();
      entry.failed = version;
      entry.retry_at = Clock::now() + kRetryAfter;
      entry.report.problems.push_back(read.error());
    }
    if (trace_enabled()) trace_read(entry.report.location, read, entry.report.problems);
    if (read) entry.contents = std::make_shared<const StoreContents>(*std::move(read));
  }
  if (!changed && before.empty()) return;

  auto next = build(now);
  const auto previous = current_;  // only a refresh writes it
  bool held = false;
  for (auto& [entry, old] : before) {
    if (!previous || !entry->contents || !old.contents) continue;
    const bool lost = std::ranges::any_of(previous->profiles(), [&, &kept = old](const Profile& profile) {
      const auto had = previous->current(profile.name, now);
      return had && (*had)->location == kept.report.location && !next->current(profile.name, now);
    });
    if (!lost) {
      entry->lost_at.reset();
      continue;
    }
    if (!entry->lost_at) entry->lost_at = Clock::now();
    if (Clock::now() - *entry->lost_at < kRenewalGrace) {
      entry->contents = old.contents;
      entry->version.reset();
      held = true;
    } else {
      entry->lost_at.reset();
    }
  }
  publish(held ? build(now) : std::move(next));
}

}  // namespace devtrust
