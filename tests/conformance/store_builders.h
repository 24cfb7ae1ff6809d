// What stores are built with, for those of every operating system.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/stores.h"

namespace devtrust::testing {

constexpr const char* kPassword = "correct horse";

Pki& make_pki(BuiltStore& built);
/// The current identity, of the store's kind of key.
Leaf& make_leaf(BuiltStore& built);
/// Our module, with a configuration of these lines.
void configure(BuiltStore& built, const std::string& text);

/// The operating system's own stores, and the judges that it has.
std::vector<Store> system_stores();
std::vector<Store> keychain_stores();

}  // namespace devtrust::testing
