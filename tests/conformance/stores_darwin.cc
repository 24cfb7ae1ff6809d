// Keychains that macOS' own tools make.
#include "tests/conformance/store_builders.h"

namespace devtrust::testing {

std::vector<Store> system_stores() { return keychain_stores(); }

}  // namespace devtrust::testing
