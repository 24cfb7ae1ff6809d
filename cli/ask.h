// Asks the person at the keyboard for a secret.
#pragma once

#include <optional>
#include <string>

#include "identity/bytes.h"

namespace devtrust::cli {

/// What came of asking. Nothing: nobody could be asked.
struct Answer {
  std::optional<SecureBytes> password;
  bool cancelled = false;
};

/// In a dialog, where the system has one for us, else on the terminal. `error`: what was wrong with the answer before;
/// empty the first time.
Answer ask_password(const std::string& description, const std::string& error);

}  // namespace devtrust::cli
