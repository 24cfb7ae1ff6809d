#include "backends/file/pkcs12.h"

#include "tests/unit/backends/file/pkcs12_fixture.h"

namespace devtrust {
namespace {

using std::filesystem::path;
using ::testing::HasSubstr;
using testing::Pkcs12;
using testing::read_file;

TEST_F(Pkcs12, OpensWhatOpensslWrites) {
  expect_whole(pkcs12("aes.p12", leaf(), "secret"), "secret", leaf());
  expect_whole(pkcs12("rsa.p12", rsa_leaf(), "secret"), "secret", rsa_leaf());
  expect_whole(pkcs12("utf8.p12", leaf(), "pässwörd"), "pässwörd", leaf());
  expect_whole(pkcs12("3des.p12", leaf(), "secret",
                      {"-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"}),
               "secret", leaf());
  expect_whole(pkcs12("clear.p12", leaf(), "secret", {"-certpbe", "NONE", "-keypbe", "NONE"}), "secret", leaf());
  expect_whole(pkcs12("nomac.p12", leaf(), "secret", {"-nomac"}), "secret", leaf());
}

TEST_F(Pkcs12, TriesTheEmptyPasswordAndNoneAtAll) {
  expect_whole(pkcs12("empty.p12", leaf(), ""), std::nullopt, leaf());
  expect_whole(pkcs12("empty.p12", leaf(), ""), "", leaf());
  expect_whole(pkcs12("empty3des.p12", leaf(), "", {"-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES"}),
               std::nullopt, leaf());
}

TEST_F(Pkcs12, SaysThatAPasswordIsNeededOrWrong) {
  const path file = pkcs12("a.p12", leaf(), "secret");
  const auto none = read(file, std::nullopt);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kWrongPassword);
  EXPECT_THAT(none.error().message, HasSubstr("pin_source"));
  const auto wrong = read(file, "Secret");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kWrongPassword);
  EXPECT_THAT(wrong.error().message, HasSubstr("the password does not open it"));
}

TEST_F(Pkcs12, NoticesAWrongPasswordWithoutAMac) {
  const auto contents = read(pkcs12("key.p12", leaf(), "secret", {"-nomac"}), "Secret");
  ASSERT_TRUE(contents) << "only the key is encrypted";
  EXPECT_EQ(contents->certificates.size(), 3U);
  EXPECT_TRUE(contents->keys.empty());
  EXPECT_THAT(contents->problems,
              ::testing::ElementsAre(::testing::Field(&Error::message, HasSubstr("a private key is passed over"))));
  const auto all = read(pkcs12("all.p12", leaf(), "secret", {"-nomac", "-certpbe", "AES-256-CBC"}), "Secret");
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, ErrorCode::kWrongPassword);
}

TEST_F(Pkcs12, SaysWhenACipherIsTooOld) {
  const auto old = read(pkcs12("rc2.p12", leaf(), "secret", {"-legacy"}), "secret");
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(old.error().message, HasSubstr("encrypt it anew"));
}

TEST_F(Pkcs12, RefusesToCountForEver) {
  // The MAC's iterations are the last number in the file: 70,000 becomes 8,388,607.
  std::string content = read_file(pkcs12("mac.p12", leaf(), "secret", {"-iter", "70000"}));
  const std::string number("\x02\x03\x01\x11\x70", 5);
  ASSERT_TRUE(content.ends_with(number));
  content.replace(content.size() - 3, 3, "\x7f\xff\xff", 3);
  const auto costly = read_pkcs12(as_bytes(content), "secret");
  ASSERT_FALSE(costly);
  EXPECT_EQ(costly.error().code, ErrorCode::kUnsupported);
}

TEST_F(Pkcs12, ADamagedFileIsRefusedWhereverTheDamageIs) {
  const std::string content = read_file(pkcs12("a.p12", leaf(), ""));
  EXPECT_FALSE(read_pkcs12(as_bytes(content.substr(0, content.size() / 2)), std::nullopt));
  for (std::size_t at = 0; at < content.size(); at += 7) {
    std::string damaged = content;
    damaged[at] ^= 0x55;
    const auto contents = read_pkcs12(as_bytes(damaged), std::nullopt);
    EXPECT_FALSE(contents) << "the MAC covers byte " << at;
  }
}

TEST_F(Pkcs12, IsToldFromACertificate) {
  const std::string der = testing::must_run({"openssl", "x509", "-in", leaf().certificate.string(), "-outform", "DER"});
  EXPECT_FALSE(looks_like_pkcs12(as_bytes(der)));
  EXPECT_FALSE(looks_like_pkcs12({}));
  const Bytes short_form{0x30, 0x03, 0x02, 0x01, 0x03};
  EXPECT_TRUE(looks_like_pkcs12(short_form));
  const Bytes indefinite{0x30, 0x80, 0x02, 0x01, 0x03};
  EXPECT_TRUE(looks_like_pkcs12(indefinite));
  const Bytes cut{0x30, 0xFF, 0x02};
  EXPECT_FALSE(looks_like_pkcs12(cut));
}

}  // namespace
}  // namespace devtrust
