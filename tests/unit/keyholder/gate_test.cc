#include "keyholder/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/command.h"

namespace devtrust::keyholder {
namespace {

namespace fs = std::filesystem;
using devtrust::testing::TempDir;
using devtrust::testing::write_file;
using ::testing::HasSubstr;

constexpr uid_t kSelf = 1000;

Peer peer(uid_t user, std::string program = "/usr/bin/curl") { return {user, 4711, std::move(program)}; }

std::string refusal(const Peer& who, const std::vector<std::string>& programs = {}) {
  const auto admitted = admit(who, kSelf, programs);
  if (admitted) return "";
  EXPECT_EQ(admitted.error().code, ErrorCode::kAccessDenied);
  return admitted.error().message;
}

std::vector<std::string> left_of(std::vector<StoreConfig> stores) {
  Config config;
  config.stores = std::move(stores);
  std::vector<std::string> kinds;
  for (const StoreConfig& store : without_own_stores(std::move(config)).stores) kinds.push_back(store.kind);
  return kinds;
}

StoreConfig store(const std::string& kind, const std::string& path = {}) {
  StoreConfig config;
  config.kind = kind;
  config.path = path;
  return config;
}
StoreConfig token(const std::string& path) { return store("token", path); }

TEST(GateTest, LetsThisUserAndRootIn) {
  EXPECT_EQ(refusal(peer(kSelf)), "");
  EXPECT_EQ(refusal(peer(kSelf, "")), "");
  EXPECT_EQ(refusal(peer(0)), "");
  EXPECT_EQ(refusal(peer(1001)),
            "/usr/bin/curl (process 4711, user 1001) was refused: only user 1000 and root may use this key");
}

TEST(GateTest, LetsListedProgramsIn) {
  EXPECT_EQ(refusal(peer(kSelf), {"/usr/bin/git", "/usr/bin/curl"}), "");
  EXPECT_THAT(refusal(peer(kSelf), {"/usr/bin/git"}), HasSubstr("it is not among the programs of [keyholder]"));
  EXPECT_THAT(refusal(peer(kSelf), {"/usr/bin"}), HasSubstr("/usr/bin/curl (process 4711"));
  EXPECT_THAT(refusal(peer(0), {"/usr/bin/git"}), HasSubstr("it is not among"));
  EXPECT_THAT(refusal(peer(1001), {"/usr/bin/curl"}), HasSubstr("only user 1000"));
}

TEST(GateTest, AProgramThatCannotBeFoundOutIsNotListed) {
  EXPECT_THAT(refusal(peer(kSelf, ""), {"/usr/bin/curl", ""}), HasSubstr("a program that cannot be found out"));
}

TEST(GateTest, ListedLinksAreFollowed) {
  const TempDir folder;
  write_file(folder / "program-12", "");
  fs::create_symlink("program-12", folder / "program");
  EXPECT_EQ(refusal(peer(kSelf, fs::canonical(folder / "program-12")), {folder / "program"}), "");
}

TEST(GateTest, NamesProgramsInAuditLinesByTheirFile) {
  EXPECT_EQ(name_for_audit(peer(kSelf)), "curl");
  EXPECT_EQ(name_for_audit(peer(kSelf, "")), "unknown");
}

TEST(GateTest, PassesStoresOverThatLeadBack) {
  EXPECT_EQ(left_of({token("/usr/lib/pkcs11/p11-kit-client.so"), store("nss"), token("/usr/lib/p11-kit-proxy.so"),
                     token("/usr/lib/libp11-kit.so.0"), token("/opt/lib/devtrust-pkcs11.so")}),
            std::vector<std::string>{"nss"});
  EXPECT_EQ(left_of({token("/usr/lib/softhsm/libsofthsm2.so"), store("file", "/etc/p11-kit-client.so")}),
            (std::vector<std::string>{"token", "file"}));
  EXPECT_TRUE(left_of({token("/usr/lib/pkcs11/p11-kit-client.so")}).empty()) << "the usual places, then";
}

TEST(GateTest, PassesALinkToSuchAModuleOver) {
  const TempDir folder;
  write_file(folder / "p11-kit-client.so", "");
  fs::create_symlink("p11-kit-client.so", folder / "other.so");
  EXPECT_TRUE(left_of({token(folder / "other.so")}).empty());
}

}  // namespace
}  // namespace devtrust::keyholder
