#include "cli/users.h"

#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>

namespace devtrust::cli {
namespace {

constexpr uid_t kDefaultFirst = 1000;
constexpr uid_t kNobody = 65534;
constexpr uid_t kNone = 65535;  // (uid_t)-1 where it had 16 bits

/// UID_MIN: with which number this system's people begin.
uid_t first_uid() {
  std::ifstream file("/etc/login.defs");
  std::string line;
  uid_t first = kDefaultFirst;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string key;
    std::string value;
    if (!(words >> key >> value) || key != "UID_MIN") continue;
    const bool hexadecimal = value.starts_with("0x");
    const std::string digits = hexadecimal ? value.substr(2) : value;
    uid_t number = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number, hexadecimal ? 16 : 10);
    // Never root and the system's own, whatever stands there.
    if (error == std::errc() && end == digits.data() + digits.size() && number > 0) first = number;
  }
  return first;
}

bool may_log_in(const passwd& entry, uid_t first) {
  if (entry.pw_uid < first || entry.pw_uid == kNobody || entry.pw_uid == kNone ||
      entry.pw_uid == static_cast<uid_t>(-1))
    return false;
  const std::string_view shell = entry.pw_shell != nullptr ? entry.pw_shell : "";
  const std::string_view program = shell.substr(shell.rfind('/') + 1);
  return program != "nologin" && program != "false";
}

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

}  // namespace

std::vector<User> login_users() {
  const uid_t first = first_uid();
  std::vector<User> users;
  setpwent();
  while (const passwd* entry = getpwent()) {  // NOLINT(concurrency-mt-unsafe): the command has one thread
    if (!may_log_in(*entry, first)) continue;
    User user{text_of(entry->pw_name), text_of(entry->pw_dir), entry->pw_uid, entry->pw_gid};
    // A name's first entry is the one that counts, also where a directory service has it again. A second name for the
    // same uid and home is the same person.
    const bool known = std::ranges::any_of(users, [&user](const User& other) {
      return other.name == user.name || (other.uid == user.uid && other.home == user.home);
    });
    if (!known && !user.name.empty()) users.push_back(std::move(user));
  }
  endpwent();
  std::ranges::sort(users, {}, &User::name);
  return users;
}

}  // namespace devtrust::cli
