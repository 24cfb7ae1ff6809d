#include "backends/file/file_store.h"

#include <chrono>

#include "tests/unit/backends/file/file_store_fixture.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using testing::contents_of;
using ::testing::ElementsAre;
using ::testing::Field;
using testing::FileStore;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::key_of;
using testing::Leaf;
using testing::messages;
using testing::read_file;
using testing::sign_error;
using testing::signs;
using testing::store_at;

TEST_F(FileStore, ReadsPemInAnyOrder) {
  const std::string certificate = read_file(leaf().certificate);
  const std::string key = read_file(leaf().key);
  for (const std::string& text :
       {certificate + key + chain(), key + chain() + certificate, chain() + key + certificate}) {
    const auto store = store_at(write("all.pem", text));
    EXPECT_EQ(store->kind(), "file");
    EXPECT_EQ(store->location(), (folder_ / "all.pem").string());
    const auto contents = contents_of(*store);
    EXPECT_EQ(contents.certificates.size(), 3U);
    EXPECT_EQ(contents.keys.size(), 1U);
    EXPECT_TRUE(signs(key_of(contents, leaf().certificate)));
    EXPECT_EQ(contents.login, nullptr);
    EXPECT_THAT(messages(contents), IsEmpty());
  }
}

TEST_F(FileStore, ReadsSeveralIdentities) {
  const auto contents =
      contents_of(*store_at(write("all.pem", read_file(leaf().certificate) + read_file(rsa_leaf().key) +
                                                 read_file(rsa_leaf().certificate) + read_file(leaf().key))));
  EXPECT_EQ(contents.keys.size(), 2U);
  EXPECT_TRUE(signs(key_of(contents, leaf().certificate)));
  EXPECT_TRUE(signs(key_of(contents, rsa_leaf().certificate)));
}

TEST_F(FileStore, ReadsAKeyInAFileOfItsOwn) {
  const auto contents = contents_of(
      *store_at(write("tls.crt", read_file(leaf().certificate) + chain()), write("tls.key", read_file(leaf().key))));
  EXPECT_EQ(contents.certificates.size(), 3U);
  EXPECT_TRUE(signs(key_of(contents, leaf().certificate)));
}

TEST_F(FileStore, ReadsADerCertificate) {
  const fs::path der = make("leaf.der", {"x509", "-in", leaf().certificate.string(), "-outform", "DER"});
  const auto contents = contents_of(*store_at(der, write("leaf.key", read_file(leaf().key))));
  EXPECT_EQ(contents.certificates.size(), 1U);
  EXPECT_TRUE(signs(key_of(contents, leaf().certificate)));
}

TEST_F(FileStore, ReadsPkcs12) {
  const fs::path file = pkcs12("a.p12", rsa_leaf(), "secret");
  const auto contents = contents_of(*store_at(file, {}, pin("secret")));
  EXPECT_EQ(contents.certificates.size(), 3U);
  EXPECT_TRUE(signs(key_of(contents, rsa_leaf().certificate)));
  EXPECT_EQ(contents.login, nullptr);
  EXPECT_THAT(messages(contents), IsEmpty());

  const auto closed = store_at(file)->read();
  ASSERT_FALSE(closed);
  EXPECT_THAT(closed.error().message, ::testing::AllOf(HasSubstr(file.string()), HasSubstr("pin_source")));
  const auto no_pin = store_at(file, {}, folder_ / "none")->read();
  ASSERT_FALSE(no_pin);
  EXPECT_NE(no_pin.error().code, ErrorCode::kNotFound) << "that would say that the store is not there";
  EXPECT_THAT(no_pin.error().message, HasSubstr((folder_ / "none").string()));
}

TEST_F(FileStore, AnEncryptedKeyWaitsForItsPassword) {
  const auto store =
      store_at(write("tls.crt", read_file(leaf().certificate) + chain()), encrypted_key("tls.key", leaf(), "secret"));
  const auto contents = contents_of(*store);
  const PrivateKey* key = key_of(contents, leaf().certificate);
  ASSERT_NE(key, nullptr);
  ASSERT_NE(contents.login, nullptr);
  EXPECT_FALSE(contents.login->unlocked());
  EXPECT_EQ(sign_error(key), ErrorCode::kLoginRequired);
  EXPECT_EQ(key->prepare().error().code, ErrorCode::kLoginRequired);
  EXPECT_TRUE(key->intact());
  EXPECT_TRUE(key->can_sign({SignAlgorithm::kEcdsa, Digest::kSha256, Digest::kNone, 0}));
  EXPECT_FALSE(key->can_sign({SignAlgorithm::kRsaPkcs1, Digest::kSha256, Digest::kNone, 0}));

  EXPECT_EQ(contents.login->unlock("Secret").error().code, ErrorCode::kWrongPassword);
  EXPECT_FALSE(contents.login->unlocked());
  ASSERT_TRUE(contents.login->unlock("secret"));
  EXPECT_TRUE(contents.login->unlocked());
  EXPECT_TRUE(key->prepare());
  EXPECT_TRUE(signs(key));

  contents.login->lock();
  EXPECT_FALSE(contents.login->unlocked());
  EXPECT_EQ(sign_error(key), ErrorCode::kLoginRequired) << "the opened key is forgotten, too";
}

TEST_F(FileStore, ALoginSurvivesARenewal) {
  const fs::path certificate = write("tls.crt", read_file(leaf().certificate));
  const fs::path key_path = encrypted_key("tls.key", leaf(), "secret");
  const auto store = store_at(certificate, key_path);
  const auto before = contents_of(*store);
  ASSERT_TRUE(before.login->unlock("secret"));

  const Leaf renewed = pki().issue({.key = "ec:P-256"});
  write("tls.crt", read_file(renewed.certificate));
  encrypted_key("tls.key", renewed, "secret");
  const auto after = contents_of(*store);
  EXPECT_EQ(after.login, before.login);
  EXPECT_TRUE(signs(key_of(after, renewed.certificate)));
  EXPECT_TRUE(signs(key_of(before, leaf().certificate))) << "an operation that was begun ends on the old key";

  encrypted_key("tls.key", renewed, "another");
  const auto changed = contents_of(*store);
  EXPECT_EQ(sign_error(key_of(changed, renewed.certificate)), ErrorCode::kLoginRequired);
  EXPECT_FALSE(changed.login->unlocked());
  EXPECT_FALSE(changed.login->unlock("secret"));
  ASSERT_TRUE(changed.login->unlock("another"));
  EXPECT_TRUE(signs(key_of(changed, renewed.certificate)));
}

TEST_F(FileStore, APinSourceOpensAnEncryptedKey) {
  const auto contents = contents_of(*store_at(write("tls.crt", read_file(leaf().certificate)),
                                              encrypted_key("tls.key", leaf(), "secret"), pin("secret")));
  EXPECT_EQ(contents.login, nullptr);
  EXPECT_TRUE(signs(key_of(contents, leaf().certificate)));
  EXPECT_THAT(messages(contents), IsEmpty());

  const auto wrong = contents_of(*store_at(folder_ / "tls.crt", folder_ / "tls.key", write("wrong", "hunter2\n")));
  EXPECT_TRUE(wrong.keys.empty());
  EXPECT_THAT(messages(wrong), ElementsAre(::testing::AllOf(HasSubstr("tls.key"), HasSubstr("password"),
                                                            ::testing::Not(HasSubstr("hunter2")))));
}

TEST_F(FileStore, SeveralEncryptedKeysNeedAPinSource) {
  encrypted_key("one", leaf(), "secret");
  encrypted_key("two", rsa_leaf(), "secret");
  const fs::path all = write("all.pem", read_file(leaf().certificate) + read_file(rsa_leaf().certificate) +
                                            read_file(folder_ / "one") + read_file(folder_ / "two"));
  EXPECT_THAT(messages(contents_of(*store_at(all))), ElementsAre(HasSubstr("name a pin_source")));
  EXPECT_EQ(contents_of(*store_at(all, {}, pin("secret"))).keys.size(), 2U);
}

TEST_F(FileStore, AnEncryptedKeyOfAnotherCertificateIsNeverUsed) {
  const auto contents = contents_of(
      *store_at(write("tls.crt", read_file(leaf().certificate)), encrypted_key("tls.key", rsa_leaf(), "secret")));
  const PrivateKey* key = key_of(contents, leaf().certificate);
  ASSERT_NE(key, nullptr);
  ASSERT_TRUE(contents.login->unlock("secret"));
  EXPECT_EQ(sign_error(key), ErrorCode::kKeyMismatch);
  EXPECT_FALSE(key->intact());
}

TEST_F(FileStore, OneDamagedPartDoesNotHideTheOthers) {
  std::string damaged = read_file(rsa_leaf().certificate);
  damaged[damaged.find('\n') + 3] ^= 1;
  std::string damaged_key = read_file(rsa_leaf().key);
  damaged_key[damaged_key.find('\n') + 3] ^= 1;
  const auto contents = contents_of(*store_at(write("all.pem", damaged + damaged_key + read_file(leaf().certificate) +
                                                                   read_file(leaf().key) + "-----BEGIN PRIVATE")));
  EXPECT_EQ(contents.certificates.size(), 1U);
  EXPECT_TRUE(signs(key_of(contents, leaf().certificate)));
  EXPECT_THAT(messages(contents), ElementsAre(HasSubstr("a certificate is passed over"),
                                              HasSubstr("a private key is passed over"), HasSubstr("is cut off")));
}

TEST_F(FileStore, TakesOnlySmallRegularFiles) {
  const auto refusal = [](const fs::path& path) {
    const auto read = store_at(path)->read();
    EXPECT_FALSE(read);
    EXPECT_THAT(read.error().message, HasSubstr(path.string()));
    return read.error();
  };
  EXPECT_THAT(refusal(folder_.path()).message, HasSubstr("is not a regular file"));
  const fs::path large = write("large", "");
  fs::resize_file(large, (16U << 20U) + 1);
  EXPECT_THAT(refusal(large).message, HasSubstr("is longer than 16 MiB"));
  EXPECT_EQ(refusal(folder_ / "none").code, ErrorCode::kNotFound);
  EXPECT_THAT(refusal(write("empty", "")).message, HasSubstr("is empty"));
  EXPECT_THAT(refusal(write("key.pem", read_file(leaf().key))).message, HasSubstr("has no certificate"));
}

TEST_F(FileStore, AMissingKeyFileLeavesTheCertificates) {
  const auto contents = contents_of(*store_at(write("tls.crt", read_file(leaf().certificate)), folder_ / "tls.key"));
  EXPECT_EQ(contents.certificates.size(), 1U);
  EXPECT_THAT(contents.problems, ElementsAre(Field(&Error::code, ErrorCode::kNotFound)));
}

TEST_F(FileStore, TextThatIsNothingIsAProblem) {
  EXPECT_THAT(messages(contents_of(*store_at(write("text", "hello")))), ElementsAre(HasSubstr("is passed over")));
}

TEST_F(FileStore, EachOfTheFilesChangesTheVersion) {
  const fs::path certificate = write("tls.crt", read_file(leaf().certificate));
  const fs::path key = encrypted_key("tls.key", leaf(), "secret");
  const auto store = store_at(certificate, key, pin("wrong"));
  const auto changes = [&](const fs::path& path) {
    const StoreVersion before = store->version();
    const std::string content = read_file(path);
    testing::write_file(path, content + "\n");
    const bool longer = !(before == store->version());
    fs::remove(path);
    const bool gone = !(before == store->version());
    testing::write_file(path, content);
    return longer && gone;
  };
  EXPECT_TRUE(changes(certificate));
  EXPECT_TRUE(changes(key));
  EXPECT_TRUE(changes(folder_ / "pin"));
}

TEST_F(FileStore, AVersionIsGivenOnceTheFilesAreAtRest) {
  const fs::path file = write("all.pem", read_file(leaf().certificate));
  const auto store = store_at(file);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  bool at_once = false;  // a busy machine may read too late
  while (!at_once && std::chrono::steady_clock::now() < deadline) {
    testing::write_file(file, read_file(leaf().certificate));
    at_once = !contents_of(*store).version;
  }
  EXPECT_TRUE(at_once) << "a second write now could leave no trace";
  std::optional<StoreVersion> version;
  while (!version && std::chrono::steady_clock::now() < deadline) version = contents_of(*store).version;
  ASSERT_TRUE(version);
  EXPECT_EQ(*version, store->version());
}

}  // namespace
}  // namespace devtrust
