#include "cli/range.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commit.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/subprocess.h"
#include "cli/validity.h"
#include "cli/verifier.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kBatch = std::size_t{16} << 20;  // of commits that are in memory at once

struct Judged {
  std::string commit;
  bool good = false;
  std::string verdict;  // verdict_name, or "unsigned", "not-x509", "damaged"
  std::string signer, fingerprint, reason;
  std::optional<Time> time;
  bool stamped = false;
  std::string author, committer;
};

struct Rule {
  const char *id, *text;
};
constexpr std::array<Rule, 12> kRules{{
    {"unsigned", "The commit has no signature."},
    {"not-x509", "The commit is signed with OpenPGP, SSH or something else that is not X.509."},
    {"damaged", "The signature is damaged: it is no CMS."},
    {"bad", "The commit or its signature was changed."},
    {"unsupported", "The signature uses an algorithm that is not believed."},
    {"no-certificate", "The signer's certificate is not in the signature."},
    {"untrusted", "The signer's certificate leads to no root that is believed."},
    {"rejected", "The signer's certificate, its chain or the policy does not allow this signature."},
    {"revoked", "The signer's certificate was revoked."},
    {"after-expiry", "The commit was signed after the certificate had expired."},
    {"before-valid", "The commit was signed before the certificate was valid."},
    {"expired-since", "The certificate has expired since, and no trusted time stamp says when the commit was signed."},
}};

int failure(const std::string& message) {
  complain(message);
  return 1;
}

bool is_nothing(std::string_view name) {
  return (name.size() == 40 || name.size() == 64) && name.find_first_not_of('0') == std::string_view::npos;
}

/// Whoever may push can push refs/replace/*, too: what git would show in a commit's place says nothing about it. A
/// repository's own grafts are no word on what a commit's parents are either; a missing file is none.
Result<std::string> git(const std::vector<std::string>& arguments, std::string_view input = {}) {
  std::vector<std::string> argv{"git", "--no-replace-objects"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto ended = run(argv, input, {{"GIT_GRAFT_FILE", "/dev/null/none"}});
  if (!ended) return fail(ended);
  if (ended->code == 0) return std::move(ended->output);
  std::string reason = ended->errors.substr(0, ended->errors.find('\n'));
  return fail(ErrorCode::kInvalidArgument, "git " + arguments[0] + " failed: " + reason);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(lines.back().size() + 1, text.size()));
  }
  return lines;
}

Error no_range(const std::string& range, const std::string& why) {
  return {ErrorCode::kInvalidArgument, "\"" + range + "\" is no range of commits: " + why};
}

/// Whether each end of the range is a commit: of a tag on a file git would list no commits, and all of none is good.
Result<void> check_ends(const std::string& range) {
  const auto ends = git({"rev-parse", range, "--"});
  if (!ends) return fail(ends);
  std::string names;
  bool any = false;
  for (const std::string_view line : lines_of(*ends)) {
    if (line == "--") continue;
    any = any || line[0] != '^';
    names.append(line[0] == '^' ? line.substr(1) : line).append("^{commit}\n");
  }
  const auto kinds = git({"cat-file", "--batch-check=%(objecttype)"}, names);
  if (!kinds) return fail(kinds);
  if (!any || std::ranges::any_of(lines_of(*kinds), [](std::string_view kind) { return kind != "commit"; })) {
    return tl::unexpected(no_range(range, any ? "one end of it is something else" : "expected A..B"));
  }
  return {};
}

/// The commits of the range, the oldest first, a line each.
Result<std::string> commits_of(const std::string& range) {
  if (range.empty() || range[0] == '-') return tl::unexpected(no_range(range, "expected A..B"));
  std::vector<std::string> arguments{"rev-list", "--reverse", range};
  std::string given = range;
  if (const std::size_t dots = range.find(".."); dots != std::string::npos) {
    const std::string from = range.substr(0, dots);
    const std::string to = range.substr(dots + 2);
    if (is_nothing(to)) return std::string();  // a branch that is deleted
    if (is_nothing(from) && !to.starts_with('-')) {
      // A branch that is new. While git receives it, what is not in the repository yet; afterwards a branch's own name
      // would take all of its commits away, so that all are looked at.
      given = to;
      arguments.back() = to;
      if (!environment("GIT_QUARANTINE_PATH").empty()) arguments.insert(arguments.end(), {"--not", "--all"});
    }
  }
  if (auto commits = check_ends(given); !commits) return fail(commits);
  arguments.emplace_back("--");
  return git(arguments);
}

Judged judge(Verifier& verifier, const std::string& id, std::string_view text, Time now) {
  const SignedCommit commit = parse_commit(text, id);
  Judged judged;
  judged.commit = id;
  judged.author = commit.author;
  judged.committer = commit.committer;
  const auto say = [&judged](std::string verdict, std::string reason) {
    judged.verdict = std::move(verdict);
    judged.reason = std::move(reason);
    return judged;
  };
  if (commit.signature.empty()) return say("unsigned", "it has no signature");
  if (commit.signature.find("BEGIN SIGNED MESSAGE") == std::string::npos) {
    return say("not-x509", "it is signed, but not with an X.509 certificate: \"" +
                               commit.signature.substr(0, commit.signature.find('\n')) + '"');
  }
  const auto reports = verifier.verify(as_bytes(commit.signature), as_bytes(commit.payload), now);
  if (!reports) return say("damaged", reports.error().message);
  // Of several signers the first one that is not good counts.
  const auto worst =
      std::ranges::find_if(*reports, [](const SignatureReport& report) { return !is_good(report.verdict); });
  const SignatureReport& report = worst != reports->end() ? *worst : reports->front();
  judged.good = is_good(report.verdict);
  judged.signer = report.subject;
  judged.fingerprint = report.fingerprint;
  if (report.stamped_time || report.signing_time) judged.time = report.time(now);
  judged.stamped = report.stamped_time.has_value();
  return say(verdict_name(report.verdict), report.reason);
}

/// Of `git cat-file --batch` or `--batch-check`: "NAME commit SIZE\n".
Result<std::size_t> size_in(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.rfind(' ');
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(line.data() + second + 1, line.data() + line.size(), size);
  if (first != std::string_view::npos && line.substr(first, second - first) == " commit" && error == std::errc() &&
      end == line.data() + line.size()) {
    return size;
  }
  return fail(ErrorCode::kCorrupt, "git cat-file answered something else than a commit: " + std::string(line));
}

/// Judges the commits that `git cat-file --batch` gave: for each a line as above, the commit, "\n".
Result<void> judge_batch(Verifier& verifier, std::string_view batch, Time now, std::vector<Judged>& all) {
  while (!batch.empty()) {
    const std::string_view line = batch.substr(0, batch.find('\n'));
    const auto size = size_in(line);
    if (!size) return fail(size);
    if (line.size() + 1 + *size + 1 > batch.size()) {
      return fail(ErrorCode::kCorrupt, "git cat-file ended in the middle of a commit: " + std::string(line));
    }
    all.push_back(
        judge(verifier, std::string(line.substr(0, line.find(' '))), batch.substr(line.size() + 1, *size), now));
    batch.remove_prefix(line.size() + 1 + *size + 1);
  }
  return {};
}

/// `names` a line each; some megabytes of them at a time.
Result<std::vector<Judged>> judge_all(Verifier& verifier, const std::string& names) {
  const Time now = current_time();
  std::vector<Judged> all;
  if (names.empty()) return all;
  const auto sizes = git({"cat-file", "--batch-check"}, names);
  if (!sizes) return fail(sizes);
  std::string wanted;
  std::size_t total = 0;
  const auto judge_wanted = [&]() -> Result<void> {
    if (wanted.empty()) return {};
    const auto batch = git({"cat-file", "--batch"}, wanted);
    wanted.clear();
    total = 0;
    return batch ? judge_batch(verifier, *batch, now, all) : fail(batch);
  };
  for (const std::string_view line : lines_of(*sizes)) {
    const auto size = size_in(line);
    if (!size) return fail(size);
    const std::string_view name = line.substr(0, line.find(' '));
    if (total + *size > kBatch) {
      if (auto judged = judge_wanted(); !judged) return fail(judged);
    }
    if (*size > kBatch) {
      Judged judged;
      judged.commit = name;
      judged.verdict = "damaged";
      judged.reason = fmt::format("the commit is longer than {} MiB", kBatch >> 20U);
      all.push_back(std::move(judged));
      continue;
    }
    wanted.append(name).append("\n");
    total += *size;
  }
  if (auto judged = judge_wanted(); !judged) return fail(judged);
  return all;
}

std::string text_of(const std::vector<Judged>& all, const Style& style) {
  std::string text;
  std::size_t good = 0;
  for (const Judged& judged : all) {
    good += judged.good ? 1 : 0;
    std::string what = judged.good ? style.good(judged.verdict) : style.bad(judged.verdict);
    std::string line = fmt::format("{} {}", judged.commit.substr(0, 12), what);
    if (!judged.signer.empty()) line += ": " + printable(judged.signer);
    if (!judged.reason.empty()) line += (judged.signer.empty() ? ": " : "; ") + printable(judged.reason);
    text += line + '\n';
  }
  return text +
         fmt::format("{} commit{}, {} good, {} not\n", all.size(), all.size() == 1 ? "" : "s", good, all.size() - good);
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json json_of(const std::vector<Judged>& all, const std::string& range) {
  Json answer = json_header(current_time());
  answer["range"] = range;
  answer["good"] = std::ranges::all_of(all, &Judged::good);
  Json commits = Json::array();
  for (const Judged& judged : all) {
    commits.push_back({{"commit", judged.commit},
                       {"good", judged.good},
                       {"verdict", judged.verdict},
                       {"reason", or_null(judged.reason)},
                       {"signer", or_null(judged.signer)},
                       {"fingerprint", or_null(judged.fingerprint)},
                       {"signed", judged.time ? Json(iso_text(*judged.time)) : Json()},
                       {"time_stamped", judged.stamped},
                       {"author", judged.author},
                       {"committer", judged.committer}});
  }
  answer["commits"] = std::move(commits);
  return answer;
}

/// SARIF 2.1.0 (OASIS): a result for each commit that is not good.
Json sarif_of(const std::vector<Judged>& all) {
  Json rules = Json::array();
  for (const Rule& rule : kRules) rules.push_back({{"id", rule.id}, {"shortDescription", {{"text", rule.text}}}});
  Json results = Json::array();
  for (const Judged& judged : all) {
    if (judged.good) continue;
    const std::string who = judged.signer.empty() ? std::string() : " (signed by " + judged.signer + ")";
    results.push_back(
        {{"ruleId", judged.verdict},
         {"level", "error"},
         {"message", {{"text", "commit " + judged.commit + " by " + judged.author + who + ": " + judged.reason}}},
         {"locations", Json::array({{{"logicalLocations",
                                      Json::array({{{"fullyQualifiedName", judged.commit}, {"kind", "commit"}}})}}})}});
  }
  return {
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
      {"version", "2.1.0"},
      {"runs",
       Json::array(
           {{{"tool", {{"driver", {{"name", "devtrust"}, {"version", DEVTRUST_VERSION}, {"rules", std::move(rules)}}}}},
             {"results", std::move(results)}}})}};
}

}  // namespace

int verify_range(const std::string& range, const std::string& policy, RangeFormat format) {
  auto verifier = Verifier::open(policy);
  if (!verifier) return failure(verifier.error().message);
  for (const std::string& problem : verifier->problems()) complain("warning: " + problem);
  const auto names = commits_of(range);
  if (!names) return failure(names.error().message);
  const auto judged = judge_all(*verifier, *names);
  if (!judged) return failure(judged.error().message);
  std::string text;
  switch (format) {
    case RangeFormat::kText:
      text = text_of(*judged, Style::of(kStandardOutput));
      break;
    case RangeFormat::kJson:
      text = json_text(json_of(*judged, range));
      break;
    case RangeFormat::kSarif:
      text = json_text(sarif_of(*judged));
      break;
  }
  if (!write_all(kStandardOutput, text)) return failure("the answer cannot be written to standard output");
  return std::ranges::all_of(*judged, &Judged::good) ? 0 : 1;
}

}  // namespace devtrust::cli
