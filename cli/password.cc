#include "cli/password.h"

#include "cli/ask.h"
#include "cli/output.h"

namespace devtrust::cli {
namespace {

constexpr int kAttempts = 3;
}  // namespace

Result<void> unlock(const Identity& identity) {
  if (identity.login == nullptr || identity.login->unlocked()) return {};
  const std::string place = printable(identity.location);
  const std::string description = "The password of " + place + ", where the device's key lies";
  std::string wrong;
  for (int attempt = 1;; ++attempt) {
    const Answer answer = ask_password(description, wrong);
    if (answer.cancelled)
      return fail(ErrorCode::kLoginRequired, "the password of " + place + " was not given: cancelled");
    if (!answer.password) {
      return fail(ErrorCode::kLoginRequired,
                  place +
                      " needs its password, and there is neither a pinentry nor a terminal to ask for it: name a "
                      "pin_source for this store in the configuration");
    }
    auto unlocked = identity.login->unlock(as_text(*answer.password));
    if (unlocked || unlocked.error().code != ErrorCode::kWrongPassword || attempt == kAttempts) return unlocked;
    wrong = "This is not the password of " + place;
  }
}

}  // namespace devtrust::cli
