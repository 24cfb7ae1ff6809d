#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <list>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "cli/fleet.h"
#include "cli/metrics.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/user_process.h"
#include "cli/users.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

using Json = nlohmann::ordered_json;
using Clock = UserProcess::Clock;

/// How many users' processes there are at a time: those that hang cost nothing, and one home in a hundred may.
constexpr std::size_t kAtOnce = 16;

/// What ranks higher in the exit code: what cannot be used for certain, then what could not be seen, then what can be
/// used yet. That a user has no certificate says nothing about a machine on which another one has.
constexpr std::array<State, 7> kWorstFirst{State::kExpired, State::kMisconfigured, State::kLocked,  State::kNoAnswer,
                                           State::kOverdue, State::kUsable,        State::kNotFound};

struct Report {
  State state = State::kNoAnswer;
  std::string profile, message;
  Json identities = Json::array(), stores = Json::array(), problems = Json::array();
};

/// A member that is text, or nothing.
std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// A member that is a list, and of it what has the right type.
Json list_of(const Json& object, const char* name, Json::value_t type) {
  Json list = Json::array();
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array()) return list;
  for (const Json& item : *found) {
    if (item.type() == type) list.push_back(item);
  }
  return list;
}

std::optional<State> state_named(const std::string& name) {
  const auto* found = std::ranges::find_if(
      kWorstFirst, [&name](State state) { return state != State::kNoAnswer && name == state_name(state); });
  return found != kWorstFirst.end() ? std::optional(*found) : std::nullopt;
}

Report without_answer(std::string message) {
  Report report;
  report.message = std::move(message);
  return report;
}

/// Nothing where it is no JSON, or nests deeper than any answer of ours: to write it anew would take as much stack.
Json parsed(const std::string& said) {
  constexpr int kDeepest = 16;
  bool too_deep = false;
  const auto look = [&too_deep](int depth, Json::parse_event_t /*event*/, Json& /*value*/) {
    too_deep = too_deep || depth > kDeepest;
    return !too_deep;
  };
  Json answer = Json::parse(said, look, false);
  return too_deep ? Json() : answer;
}

/// From what the user's process said, which is to be believed of that user only.
Report report_of(const User& user, const std::string& said) {
  if (const auto started = UserProcess::refusal(user, said); !started) {
    Report report = without_answer(started.error().message);
    if (started.error().code == ErrorCode::kNotFound) report.state = State::kNotFound;
    return report;
  }
  const Json answer = parsed(said);
  const auto state = answer.is_object() ? state_named(text_of(answer, "state")) : std::nullopt;
  if (!state) return without_answer("the status of this user cannot be read: run `devtrust status` as that user");
  return {*state,
          text_of(answer, "profile"),
          text_of(answer, "message"),
          list_of(answer, "identities", Json::value_t::object),
          list_of(answer, "stores", Json::value_t::object),
          list_of(answer, "problems", Json::value_t::string)};
}

class Fleet {
 public:
  Fleet(std::vector<User> users, std::vector<std::string> arguments, std::chrono::seconds timeout)
      : users_(std::move(users)), arguments_(std::move(arguments)), timeout_(timeout), reports_(users_.size()) {}

  const std::vector<User>& users() const { return users_; }

  /// In the order of the users.
  const std::vector<Report>& look() {
    while (next_ < users_.size() || !running_.empty()) {
      while (next_ < users_.size() && running_.size() < kAtOnce) start();
      listen();
    }
    return reports_;
  }

 private:
  struct Running {
    std::size_t user;
    UserProcess process;
  };

  void start() {
    const std::size_t user = next_++;
    auto process = UserProcess::start(users_[user], arguments_, Clock::now() + timeout_);
    if (process) {
      running_.push_back({user, *std::move(process)});
    } else {
      reports_[user] = without_answer(process.error().message);
    }
  }

  void listen() {
    std::vector<pollfd> waiting;
    Clock::time_point end = Clock::time_point::max();
    for (const auto& running : running_) {
      waiting.push_back({running.process.descriptor(), POLLIN, 0});
      end = std::min(end, running.process.end());
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    static_cast<void>(poll(waiting.data(), waiting.size(), static_cast<int>(std::max<std::int64_t>(left, 0))));
    std::size_t place = 0;
    std::erase_if(running_, [this, &waiting, &place](Running& running) {
      if (waiting[place++].revents != 0 && !running.process.read_some()) {
        reports_[running.user] = report_of(users_[running.user], running.process.said());
      } else if (Clock::now() >= running.process.end()) {
        reports_[running.user] = without_answer(
            fmt::format("no answer within {} s, so it was given up: see whether {} is on a file server that does not "
                        "answer",
                        timeout_.count(), users_[running.user].home));
      } else {
        return false;
      }
      return true;
    });
  }

  std::vector<User> users_;
  std::vector<std::string> arguments_;
  std::chrono::seconds timeout_;
  std::vector<Report> reports_;
  std::list<Running> running_;
  std::size_t next_ = 0;
};

State worst_of(const std::vector<Report>& reports) {
  for (const State state : kWorstFirst) {
    if (std::ranges::find(reports, state, &Report::state) != reports.end()) return state;
  }
  return State::kNotFound;
}

std::string text_of(const std::vector<User>& users, const std::vector<Report>& reports) {
  std::string text;
  for (std::size_t i = 0; i < users.size(); ++i) {
    text += fmt::format("{}: {}: {}\n", printable(users[i].name), state_name(reports[i].state),
                        printable(reports[i].message));
  }
  return text;
}

Json json_of(const std::vector<User>& users, const std::vector<Report>& reports, Time now) {
  Json answer = json_header(now);
  answer["exit_code"] = static_cast<int>(worst_of(reports));
  Json list = Json::array();
  for (std::size_t i = 0; i < users.size(); ++i) {
    const Report& report = reports[i];
    list.push_back({{"user", users[i].name},
                    {"uid", users[i].uid},
                    {"home", users[i].home},
                    {"state", state_name(report.state)},
                    {"exit_code", static_cast<int>(report.state)},
                    {"profile", report.profile.empty() ? Json() : Json(report.profile)},
                    {"message", report.message},
                    {"identities", report.identities},
                    {"stores", report.stores},
                    {"problems", report.problems}});
  }
  answer["users"] = std::move(list);
  return answer;
}

/// "2026-11-24T02:10:00Z" (as iso_text writes it).
std::optional<Time> time_of(const std::string& text) {
  const auto number = [&text](std::size_t at, std::size_t length) {
    int value = -1;
    const char* begin = text.data() + at;
    const auto [end, error] = std::from_chars(begin, begin + length, value);
    return error == std::errc() && end == begin + length ? value : -1;
  };
  if (text.size() != 20) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  const int hours = number(11, 2);
  const int minutes = number(14, 2);
  const int seconds = number(17, 2);
  if (!date.ok() || std::min({hours, minutes, seconds}) < 0) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hours) + std::chrono::minutes(minutes) +
         std::chrono::seconds(seconds);
}

void add_certificate(Metrics& metrics, const User& user, const Json& identity) {
  const auto not_before = time_of(text_of(identity, "not_before"));
  const auto not_after = time_of(text_of(identity, "not_after"));
  const auto renewal_due = time_of(text_of(identity, "renewal_due"));
  if (!not_before || !not_after || !renewal_due) return;
  const std::string profile = text_of(identity, "profile");
  const std::string sha256 = text_of(identity, "sha256");
  const auto place = identity.find("store");
  const std::string store = place != identity.end() && place->is_object() ? text_of(*place, "path") : std::string();
  const auto current = identity.find("current");
  metrics.add_certificate(user.name, {.profile = profile,
                                      .sha256 = sha256,
                                      .store = store,
                                      .current = current != identity.end() && *current == true,
                                      .not_before = *not_before,
                                      .not_after = *not_after,
                                      .renewal_due = *renewal_due});
}

std::string prometheus_text(const std::vector<User>& users, const std::vector<Report>& reports, Time now) {
  Metrics metrics(now);
  for (std::size_t i = 0; i < users.size(); ++i) {
    metrics.add_status(users[i].name, reports[i].profile, static_cast<int>(reports[i].state));
    for (const Json& identity : reports[i].identities) add_certificate(metrics, users[i], identity);
  }
  return metrics.text();
}

}  // namespace

int status_of_all_users(const std::string& profile, Format format, std::chrono::seconds timeout) {
  if (geteuid() != 0 || getuid() != 0) {
    complain("--all-users looks at each user's certificate as that user, which only root can: run it with sudo");
    return 1;
  }
  static_cast<void>(std::signal(SIGCHLD, SIG_DFL));  // where it is ignored, a process's number may soon be another's
  std::vector<std::string> arguments{"status", "--json"};
  if (!profile.empty()) arguments.push_back("--profile=" + profile);
  Fleet fleet(login_users(), std::move(arguments), timeout);
  if (fleet.users().empty()) complain("there is no user on this machine who may log in: see what getent passwd lists");
  const std::vector<Report>& reports = fleet.look();
  const Time now = current_time();
  const int code = static_cast<int>(worst_of(reports));
  if (format == Format::kPrometheus) return print_answer(prometheus_text(fleet.users(), reports, now), code);
  if (format == Format::kText) return print_answer(text_of(fleet.users(), reports), code);
  return print_answer(json_text(json_of(fleet.users(), reports, now)), code);
}

}  // namespace devtrust::cli
