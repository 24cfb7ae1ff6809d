#include "cli/setup/ssh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/command.h"
#include "tests/support/variable.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

/// A folder first on PATH with an ssh, and an ssh-keygen that does this.
class Programs {
 public:
  explicit Programs(const std::string& keygen)
      : path_("PATH", folder_.path().string() + ":" + devtrust::testing::variable("PATH").value_or("")) {
    for (const auto& [name, line] : {std::pair<const char*, std::string>("ssh", "exit 0"), {"ssh-keygen", keygen}}) {
      devtrust::testing::write_file(folder_ / name, "#!/bin/sh\n" + line + '\n');
      fs::permissions(folder_ / name, fs::perms::owner_all);
    }
  }

 private:
  devtrust::testing::TempDir folder_;
  devtrust::testing::Variable path_;
};

TEST(SshOfMacOs, IsBelievedWhatItLoads) {
  const Programs programs("echo ssh-rsa AAAA");
  EXPECT_TRUE(ssh_can_load("/p/devtrust-pkcs11.dylib"));
}

TEST(SshOfMacOs, SaysWhyItLoadsNothing) {
  const Programs programs("echo \"dlopen $2 failed: library validation\" >&2; exit 255");
  const auto can = ssh_can_load("/p/devtrust-pkcs11.dylib");
  ASSERT_FALSE(can);
  EXPECT_EQ(can.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(can.error().message, ::testing::HasSubstr("/ssh shows no key of the module (library validation): macOS"));
}

TEST(SshOfMacOs, MayRefuseTheModuleWithoutAWord) {
  const Programs programs("echo cannot read public key from pkcs11 >&2; exit 255");
  const auto can = ssh_can_load("/p/devtrust-pkcs11.dylib");
  ASSERT_FALSE(can);
  EXPECT_THAT(can.error().message, ::testing::HasSubstr("/ssh shows no key of the module: macOS"));
}

TEST(SshOfMacOs, AsksNobodyForAPin) {
  const Programs programs("[ \"$SSH_ASKPASS_REQUIRE $SSH_ASKPASS\" = \"force /usr/bin/false\" ] || exit 1");
  EXPECT_TRUE(ssh_can_load("/p/devtrust-pkcs11.dylib"));
}

}  // namespace
}  // namespace devtrust::cli
