// The password of a store, asked of the person at the keyboard.
#pragma once

#include "identity/snapshot.h"

namespace devtrust::cli {

/// Opens the store that `identity` lies in where it needs a password: by pinentry, where there is one that can show its
/// dialog, else on the terminal. A wrong answer is asked again, three times in all. kLoginRequired with what to do
/// where nobody can be asked.
Result<void> unlock(const Identity& identity);

}  // namespace devtrust::cli
