// The people who have an account on this machine.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace devtrust::cli {

struct User {
  std::string name, home;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// All who may log in, by their names: no system accounts, none whose shell is nologin or false, and each but once.
/// Nothing of theirs is looked at.
std::vector<User> login_users();

}  // namespace devtrust::cli
