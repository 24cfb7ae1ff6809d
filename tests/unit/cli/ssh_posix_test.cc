#include "cli/setup/ssh.h"

#include <gtest/gtest.h>

namespace devtrust::cli {
namespace {

TEST(Ssh, AModuleThatItCannotLoadHasAReason) {
  EXPECT_EQ(load_failure("dlopen /p/devtrust-pkcs11.dylib failed: dlopen(/p/devtrust-pkcs11.dylib, 0x0002): code "
                         "signature not valid\ncannot read public key from pkcs11\n"),
            "dlopen(/p/devtrust-pkcs11.dylib, 0x0002): code signature not valid");
  EXPECT_EQ(load_failure("cannot read public key from pkcs11\n"), "");
  EXPECT_EQ(load_failure(""), "");
}

TEST(Ssh, ItsModuleIsTheLineOfItsSettings) {
  EXPECT_EQ(ssh_module("host x\npkcs11provider /p/devtrust-pkcs11.dylib\nport 22\n"), "/p/devtrust-pkcs11.dylib");
  EXPECT_EQ(ssh_module("host x\npkcs11provider none\n"), "");
  EXPECT_EQ(ssh_module("host x\nport 22\n"), "");
}

}  // namespace
}  // namespace devtrust::cli
