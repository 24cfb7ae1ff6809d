// The process's one library, over a store of the test's.
#pragma once

#include "pkcs11/instance.h"
#include "tests/unit/pkcs11/fake_store.h"

namespace devtrust::testing {

class InstanceTest : public StoreTest {
 protected:
  ~InstanceTest() override { (void)pkcs11::finalize_library(); }
  pkcs11::Answer<> initialize() {
    return pkcs11::initialize_library([this] { return make_library(); });
  }
  /// The library holds the store, so its end shows in the count.
  bool library_is_gone() const { return store_.use_count() == 1; }
};

}  // namespace devtrust::testing
