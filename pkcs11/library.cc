#include "pkcs11/library.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "backends/registry.h"
#include "identity/selection.h"
#include "identity/trace.h"

namespace devtrust::pkcs11 {
namespace {

// How often a blocked C_WaitForSlotEvent looks at the stores: a few stats each time.
constexpr auto kEventInterval = std::chrono::seconds(1);

/// Handles start anywhere, so that one of a former library or of the parent process is not taken for one of ours.
CK_ULONG first_handle() {
  std::random_device device;
  return (device() & 0x3fffffffU) + 1;
}

TokenIdentity placeholder(bool problem) {
  return {"", problem ? "Device trust is misconfigured" : "No device-trust identity", false, false};
}

}  // namespace

std::unique_ptr<Library> Library::open(const InitOptions& options) {
  return open(load_config(options.config), options.chain_trusted);
}

std::unique_ptr<Library> Library::open(Result<Config> configuration, bool chain_trusted) {
  std::string problem;
  Config config;
  std::vector<std::unique_ptr<StoreSource>> sources;
  if (configuration) {
    config = *std::move(configuration);
    set_trace(config.trace);
    auto opened = open_sources(config);
    if (opened) {
      sources = *std::move(opened);
    } else {
      problem = opened.error().message;
    }
  } else {
    problem = configuration.error().message;
  }
  if (!problem.empty()) {
    trace(problem);
    config.profiles.clear();
  }
  return std::make_unique<Library>(std::make_unique<Catalog>(std::move(sources), std::move(config.profiles)),
                                   std::make_unique<const Audit>(config.audit, config.audit_required), chain_trusted,
                                   std::move(problem));
}

Library::Library(std::unique_ptr<Catalog> catalog, std::unique_ptr<const Audit> audit, bool chain_trusted,
                 std::string problem)
    : catalog_(std::move(catalog)),
      audit_(std::move(audit)),
      chain_trusted_(chain_trusted),
      problem_(std::move(problem)),
      object_handles_(first_handle()),
      session_handles_(first_handle()) {}

std::shared_ptr<const Snapshot> Library::refresh() {
  auto snapshot = catalog_->snapshot();
  std::vector<Slot*> replaced;
  {
    const std::lock_guard lock(slots_mutex_);
    if (snapshot == followed_) return snapshot;
    follow(*snapshot, replaced);
    followed_ = snapshot;
  }
  for (const Slot* slot : replaced) {
    forget_sessions(*slot);
    lock_stores(*slot);
    raise_event(slot->id());
  }
  return snapshot;
}

void Library::follow(const Snapshot& snapshot, std::vector<Slot*>& replaced) {
  const bool first = slots_.empty();
  const auto slot_of = [this](const std::string& profile) {
    const auto found = std::ranges::find_if(slots_, [&](const auto& slot) { return slot->token().profile == profile; });
    return found != slots_.end() ? found->get() : nullptr;
  };
  const auto add = [this](TokenIdentity token) {
    slots_.push_back(
        std::make_unique<Slot>(slots_.size() + 1, std::move(token), chain_trusted_, problem_, object_handles_));
    return slots_.back().get();
  };
  for (const Profile& profile : snapshot.profiles()) {
    Slot* slot = slot_of(profile.name);
    if (slot == nullptr) slot = slot_of("");  // the placeholder's place is taken by the first that comes
    if (slot == nullptr) {
      slot = add(Slot::token_of(snapshot, profile, current_time(), {}));
      if (!first) replaced.push_back(slot);
      continue;
    }
    const TokenIdentity before = slot->token();
    TokenIdentity token = Slot::token_of(snapshot, profile, current_time(), before);
    if (token == before) continue;
    slot->replace_token(std::move(token));
    replaced.push_back(slot);
  }
  if (slots_.empty()) add(placeholder(!problem_.empty()));
}

std::vector<CK_SLOT_ID> Library::list_slots(bool count_only) {
  refresh();
  const std::lock_guard lock(slots_mutex_);
  if (count_only || listed_ == 0) listed_ = slots_.size();
  std::vector<CK_SLOT_ID> ids;
  for (std::size_t i = 0; i < listed_; ++i) ids.push_back(slots_[i]->id());
  return ids;
}

Answer<Slot*> Library::find_slot(CK_SLOT_ID id) {
  std::unique_lock lock(slots_mutex_);
  if (slots_.empty()) {  // nobody has listed the slots yet
    lock.unlock();
    refresh();
    lock.lock();
  }
  if (id < 1 || id > slots_.size()) return refuse(CKR_SLOT_ID_INVALID);
  return slots_[id - 1].get();
}

ViewPtr Library::view(Slot& slot) { return slot.view(refresh(), current_time()); }

CK_SESSION_HANDLE Library::open_session(Slot& slot, bool read_write) {
  const CK_SESSION_HANDLE handle = session_handles_.fetch_add(1, std::memory_order_relaxed);
  auto session = std::make_shared<Session>(handle, slot, read_write);
  slot.session_opened(handle, read_write);
  Shard& place = shard(handle);
  const std::lock_guard lock(place.mutex);
  place.sessions.emplace(handle, std::move(session));
  return handle;
}

SessionPtr Library::find_session(CK_SESSION_HANDLE handle) {
  Shard& place = shard(handle);
  const std::lock_guard lock(place.mutex);
  const auto found = place.sessions.find(handle);
  return found != place.sessions.end() ? found->second : nullptr;
}

Answer<> Library::close_session(CK_SESSION_HANDLE handle) {
  SessionPtr session;
  {
    Shard& place = shard(handle);
    const std::lock_guard lock(place.mutex);
    const auto found = place.sessions.find(handle);
    if (found == place.sessions.end()) return refuse(CKR_SESSION_HANDLE_INVALID);
    session = std::move(found->second);
    place.sessions.erase(found);
  }
  Slot& slot = session->slot();
  slot.session_closed(handle);
  if (!slot.has_sessions() && slot.logged_in()) {
    slot.set_logged_out();
    lock_stores(slot);
  }
  return {};
}

void Library::close_all_sessions(Slot& slot) {
  std::vector<CK_SESSION_HANDLE> handles;
  for (Shard& place : shards_) {
    const std::lock_guard lock(place.mutex);
    for (const auto& [handle, session] : place.sessions) {
      if (&session->slot() == &slot) handles.push_back(handle);
    }
  }
  for (const CK_SESSION_HANDLE handle : handles) close_session(handle);
}

void Library::forget_sessions(const Slot& slot) {
  for (Shard& place : shards_) {
    const std::lock_guard lock(place.mutex);
    std::erase_if(place.sessions, [&slot](const auto& entry) { return &entry.second->slot() == &slot; });
  }
}

Answer<> Library::login(Slot& slot, std::string_view pin) {
  const ViewPtr shown = view(slot);
  const std::lock_guard lock(login_mutex_);
  auto& held = unlocked_[&slot];
  // A renewal may have brought a store that is still locked: a login is then not yet complete.
  const auto complete = [&held](const std::shared_ptr<Login>& login) {
    return login->unlocked() && std::ranges::find(held, login) != held.end();
  };
  if (slot.logged_in() && std::ranges::all_of(shown->logins, complete)) return refuse(CKR_USER_ALREADY_LOGGED_IN);
  for (const auto& login : shown->logins) {
    if (complete(login)) continue;
    if (pin.data() == nullptr) return refuse(CKR_ARGUMENTS_BAD, "this token needs its password");
    if (const auto done = login->unlock(pin); !done) {
      // the store of an older identity may have another password: the current one's decides
      if (login == shown->logins.front()) return refuse(done.error());
      trace(done.error().message);
      continue;
    }
    if (std::ranges::find(held, login) == held.end()) held.push_back(login);
  }
  slot.set_logged_in();
  return {};
}

Answer<> Library::logout(Slot& slot) {
  if (!slot.logged_in()) return refuse(CKR_USER_NOT_LOGGED_IN);
  slot.set_logged_out();
  lock_stores(slot);
  return {};
}

void Library::lock_stores(const Slot& slot) {
  const std::lock_guard lock(login_mutex_);
  const auto found = unlocked_.find(&slot);
  if (found == unlocked_.end()) return;
  const auto logins = std::move(found->second);
  unlocked_.erase(found);
  for (const auto& login : logins) {
    // another token may stand on the same store
    const bool shared = std::ranges::any_of(unlocked_, [&login](const auto& entry) {
      return std::ranges::find(entry.second, login) != entry.second.end();
    });
    if (!shared) login->lock();
  }
}

void Library::raise_event(CK_SLOT_ID id) {
  const std::lock_guard lock(event_mutex_);
  if (std::ranges::find(events_, id) == events_.end()) events_.push_back(id);
  event_.notify_all();
}

Answer<CK_SLOT_ID> Library::wait_for_slot_event(bool block) {
  while (true) {
    refresh();
    std::unique_lock lock(event_mutex_);
    if (stopping_) return refuse(CKR_CRYPTOKI_NOT_INITIALIZED);
    if (events_.empty()) {
      if (!block) return refuse(CKR_NO_EVENT);
      event_.wait_for(lock, kEventInterval);
    }
    if (stopping_) return refuse(CKR_CRYPTOKI_NOT_INITIALIZED);
    if (!events_.empty()) {
      const CK_SLOT_ID id = events_.front();
      events_.pop_front();
      return id;
    }
  }
}

void Library::stop() {
  const std::lock_guard lock(event_mutex_);
  stopping_ = true;
  event_.notify_all();
}

}  // namespace devtrust::pkcs11
