#include "backends/file/pem.h"

#include "tests/unit/backends/file/fixture.h"

namespace devtrust {
namespace {

using std::filesystem::path;
using ::testing::HasSubstr;
using testing::read_file;
using testing::spki_of;

class Pem : public testing::FileTest {
 protected:
  static Result<EvpPkeyPtr> key_in(const path& file, std::optional<std::string_view> password) {
    const std::string text = read_file(file);
    const PemBlocks pem = pem_blocks(as_bytes(text));
    for (const PemBlock& block : pem.blocks) {
      if (block.label.ends_with("PRIVATE KEY")) return pem_private_key(block, password);
    }
    return fail(ErrorCode::kNotFound, "no private key");
  }
};

TEST_F(Pem, BlocksAreFoundAmongOtherText) {
  const std::string text =
      "Bag Attributes\r\n-----BEGIN A-----\r\nAAAA\r\n-----END A-----\r\n-----BEGIN -----\nnoise\n-----END -----\n"
      "x-----BEGIN B C-----\nBBBB\n-----END B C-----trailing";
  const PemBlocks pem = pem_blocks(as_bytes(text));
  ASSERT_EQ(pem.blocks.size(), 3U);
  EXPECT_EQ(pem.blocks[0].label, "A");
  EXPECT_EQ(as_text(pem.blocks[0].text), "-----BEGIN A-----\r\nAAAA\r\n-----END A-----");
  EXPECT_EQ(pem_content(pem.blocks[0]), (Bytes{0, 0, 0}));
  EXPECT_EQ(pem.blocks[2].label, "B C");
  EXPECT_FALSE(pem.cut_off);
}

TEST_F(Pem, ABlockThatDoesNotEndIsTold) {
  for (const char* text : {"-----BEGIN A-----\nAAAA\n", "-----BEGIN A-----\nAAAA\n-----END B-----", "-----BEGIN A"}) {
    const PemBlocks pem = pem_blocks(as_bytes(text));
    EXPECT_TRUE(pem.blocks.empty()) << text;
    EXPECT_TRUE(pem.cut_off) << text;
  }
  EXPECT_FALSE(pem_blocks(as_bytes("no PEM")).cut_off);
}

TEST_F(Pem, MillionsOfBlocksAreNotTaken) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "-----BEGIN A-----\n-----END A-----\n";
  const PemBlocks pem = pem_blocks(as_bytes(text));
  EXPECT_EQ(pem.blocks.size(), 4096U);
  EXPECT_TRUE(pem.cut_off);
}

TEST_F(Pem, ContentThatIsNoBase64IsNone) {
  const PemBlocks pem = pem_blocks(as_bytes("-----BEGIN A-----\n!!!!\n-----END A-----\n"));
  ASSERT_EQ(pem.blocks.size(), 1U);
  EXPECT_FALSE(pem_content(pem.blocks[0]));
}

TEST_F(Pem, OpensEveryUsualFormOfAKey) {
  const auto traditional = [this](const std::string& name, const testing::Leaf& of, std::vector<std::string> more) {
    more.insert(more.begin(), {"pkey", "-traditional", "-in", of.key.string()});
    return make(name, more);
  };
  EXPECT_THAT(read_file(traditional("rsa.pem", rsa_leaf(), {})), HasSubstr("BEGIN RSA PRIVATE KEY"));
  EXPECT_THAT(read_file(traditional("ec.pem", leaf(), {})), HasSubstr("BEGIN EC PRIVATE KEY"));
  EXPECT_THAT(read_file(traditional("rsa-aes.pem", rsa_leaf(), {"-aes256", "-passout", "pass:secret"})),
              HasSubstr("DEK-Info: AES-256-CBC"));
  traditional("ec-aes.pem", leaf(), {"-aes128", "-passout", "pass:secret"});
  traditional("rsa-3des.pem", rsa_leaf(), {"-des3", "-passout", "pass:secret"});
  encrypted_key("rsa-pbes2.pem", rsa_leaf(), "secret");
  encrypted_key("ec-pbes2.pem", leaf(), "secret", {"-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"});
  encrypted_key("ec-scrypt.pem", leaf(), "secret", {"-scrypt"});
  encrypted_key("ec-3des.pem", leaf(), "secret", {"-v1", "PBE-SHA1-3DES"});

  for (const auto& [name, of, encrypted] : std::vector<std::tuple<std::string, testing::Leaf, bool>>{
           {"rsa.pem", rsa_leaf(), false},
           {"ec.pem", leaf(), false},
           {"rsa-aes.pem", rsa_leaf(), true},
           {"ec-aes.pem", leaf(), true},
           {"rsa-3des.pem", rsa_leaf(), true},
           {"rsa-pbes2.pem", rsa_leaf(), true},
           {"ec-pbes2.pem", leaf(), true},
           {"ec-scrypt.pem", leaf(), true},
           {"ec-3des.pem", leaf(), true},
       }) {
    const auto key = key_in(folder_ / name, encrypted ? std::optional<std::string_view>("secret") : std::nullopt);
    ASSERT_TRUE(key) << name << ": " << key.error().message;
    EXPECT_EQ(spki_of(*key), spki_of(of.key)) << name;
    if (!encrypted) continue;
    EXPECT_EQ(key_in(folder_ / name, std::nullopt).error().code, ErrorCode::kLoginRequired) << name;
    for (const char* wrong : {"Secret", "", "secret "}) {
      EXPECT_EQ(key_in(folder_ / name, wrong).error().code, ErrorCode::kWrongPassword) << name;
    }
  }
}

TEST_F(Pem, OpensEdwardsKeys) {
  const path key = make("ed.pem", {"genpkey", "-algorithm", "ed25519"});
  const auto opened = key_in(key, std::nullopt);
  ASSERT_TRUE(opened);
  EXPECT_EQ(spki_of(*opened), spki_of(key));
}

TEST_F(Pem, SaysWhenACipherIsTooOld) {
  const auto key = key_in(
      encrypted_key("old.pem", leaf(), "secret", {"-v1", "PBE-MD5-DES", "-provider", "legacy", "-provider", "default"}),
      "secret");
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(key.error().message, HasSubstr("encrypt it anew"));
}

TEST_F(Pem, ADamagedKeyIsNone) {
  std::string text = read_file(leaf().key);
  text[text.find('\n') + 5] ^= 1;
  EXPECT_EQ(key_in(write("damaged.pem", text), std::nullopt).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(key_in(write("empty.pem", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"), "x").error().code,
            ErrorCode::kCorrupt);
  EXPECT_EQ(key_in(write("certificate.pem", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), "x")
                .error()
                .code,
            ErrorCode::kCorrupt);
  EXPECT_EQ(
      key_in(write("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"),
             "x")
          .error()
          .code,
      ErrorCode::kCorrupt);
}

TEST_F(Pem, APublicKeyIsNoPrivateOne) {
  std::string text = testing::must_print({"openssl", "pkey", "-in", leaf().key.string(), "-pubout"});
  for (std::size_t at = text.find("PUBLIC"); at != std::string::npos; at = text.find("PUBLIC")) {
    text.replace(at, 6, "PRIVATE");
  }
  EXPECT_EQ(key_in(write("public.pem", text), std::nullopt).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace devtrust
