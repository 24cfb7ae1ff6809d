// An OpenSSL provider for openssl.cnf that leaves a trace of having been loaded in the file $DEVTRUST_TEST_MARKER.
// Where $DEVTRUST_TEST_MODULE names our module, it signs with it while libcrypto is still reading its configuration, as
// providers on top of PKCS#11 do.
#include <openssl/core.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "tests/interop/hosts/host.h"

namespace {

void leave_marker(const std::string& text) {
  if (std::FILE* marker = std::fopen(std::getenv("DEVTRUST_TEST_MARKER"), "a"); marker != nullptr) {
    std::fputs((text + "\n").c_str(), marker);
    std::fclose(marker);
  }
}

constexpr OSSL_DISPATCH kNoFunctions[] = {{0, nullptr}};

}  // namespace

extern "C" __attribute__((visibility("default"))) int OSSL_provider_init(const OSSL_CORE_HANDLE* /*handle*/,
                                                                         const OSSL_DISPATCH* /*in*/,
                                                                         const OSSL_DISPATCH** out, void** context) {
  leave_marker("loaded");
  *out = kNoFunctions;
  *context = nullptr;
  const char* path = std::getenv("DEVTRUST_TEST_MODULE");
  if (path == nullptr) return 1;
  try {
    const devtrust::testing::Module module(path);
    const CK_RV rv = module.initialize();
    if (rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) devtrust::testing::check(rv, "C_Initialize");
    module.sign_and_verify();
    // Where the host has initialised the module itself, it is not ours to finalize.
    if (rv == CKR_OK) devtrust::testing::check(module->C_Finalize(nullptr), "C_Finalize");
    leave_marker("signed");
  } catch (const std::exception& error) {
    leave_marker(error.what());
  }
  return 1;
}
