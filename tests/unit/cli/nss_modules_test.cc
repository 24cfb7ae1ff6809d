#include "cli/setup/nss_modules.h"

#include <gtest/gtest.h>

namespace devtrust::cli {
namespace {

bool is_ours(const std::string& library) { return NssModule{"name", library}.is_devtrust(); }

TEST(NssModules, OursIsKnownByItsFilesNameOnEverySystem) {
  EXPECT_TRUE(is_ours("/usr/lib/pkcs11/devtrust-pkcs11.so"));
  EXPECT_TRUE(is_ours("/usr/lib/pkcs11/devtrust-p11-kit.so"));
  EXPECT_TRUE(is_ours("/opt/homebrew/opt/devtrust/lib/pkcs11/devtrust-pkcs11.dylib"));
  EXPECT_TRUE(is_ours("C:\\Program Files\\devtrust\\lib\\pkcs11\\devtrust-pkcs11.dll"));
  for (const char* other :
       {"", "/usr/lib/devtrust-pkcs11", "/usr/lib/devtrust-pkcs11.so.1", "/devtrust-pkcs11.so/p11.so"})
    EXPECT_FALSE(is_ours(other)) << other;
}

}  // namespace
}  // namespace devtrust::cli
