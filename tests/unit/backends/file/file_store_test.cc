#include "backends/file/file_store.h"

#include <sys/stat.h>

#include <chrono>

#include "tests/unit/backends/file/fixture.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Leaf;
using testing::read_file;

std::shared_ptr<Store> store_at(const fs::path& path, const fs::path& key_path = {}, const fs::path& pin = {}) {
  StoreConfig config{"file", path.string(), key_path.string(), pin.empty() ? "" : "file:" + pin.string(), false};
  const auto source = file_store_at(config);
  EXPECT_TRUE(source->explicitly_configured());
  EXPECT_FALSE(source->changed());
  EXPECT_THAT(source->problems(), IsEmpty());
  return source->stores().at(0);
}

StoreContents contents_of(Store& store) {
  auto contents = store.read();
  if (!contents) throw std::runtime_error(contents.error().message);
  return *std::move(contents);
}

const PrivateKey* key_of(const StoreContents& contents, const fs::path& certificate) {
  const std::string der = testing::must_run({"openssl", "x509", "-in", certificate.string(), "-outform", "DER"});
  const auto parsed = Certificate::parse(as_bytes(der));
  for (const auto& key : contents.keys) {
    if (key->public_key() == (*parsed)->public_key()) return key.get();
  }
  return nullptr;
}

Result<std::size_t> sign(const PrivateKey& key, Bytes& signature) {
  const bool rsa = key.public_key().type() == KeyType::kRsa;
  const SignScheme scheme{rsa ? SignAlgorithm::kRsaPkcs1 : SignAlgorithm::kEcdsa, Digest::kSha256, Digest::kNone, 0};
  signature.resize(key.public_key().max_signature_size());
  return key.sign(scheme, Bytes(32, 7), signature);
}

/// Whether it makes a signature that its public key verifies.
bool signs(const PrivateKey* key) {
  if (key == nullptr) return false;
  Bytes signature;
  const auto length = sign(*key, signature);
  if (!length) return false;
  signature.resize(*length);
  const bool rsa = key->public_key().type() == KeyType::kRsa;
  const SignScheme scheme{rsa ? SignAlgorithm::kRsaPkcs1 : SignAlgorithm::kEcdsa, Digest::kSha256, Digest::kNone, 0};
  return key->public_key().verify(scheme, Bytes(32, 7), signature).has_value();
}

ErrorCode sign_error(const PrivateKey* key) {
  Bytes signature;
  return sign(*key, signature).error().code;
}

std::vector<std::string> messages(const StoreContents& contents) {
  std::vector<std::string> list;
  for (const Error& problem : contents.problems) list.push_back(problem.message);
  return list;
}

class FileStore : public testing::FileTest {
 protected:
  static std::string chain() { return read_file(pki().intermediate()) + read_file(pki().root()); }
  fs::path pin(const std::string& password) const { return write("pin", password + '\n'); }
};

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

TEST_F(FileStore, TellsOfAKeyThatOthersMayRead) {
  const fs::path file = write("all.pem", read_file(leaf().certificate) + read_file(leaf().key));
  const auto told = [&](mode_t mode) {
    chmod(file.c_str(), mode);
    const auto contents = contents_of(*store_at(file));
    EXPECT_EQ(contents.keys.size(), 1U) << "it is used all the same";
    return !contents.problems.empty() && contents.problems[0].message.find("chmod") != std::string::npos;
  };
  EXPECT_TRUE(told(0644));
  EXPECT_TRUE(told(0660));
  EXPECT_FALSE(told(0640));
  EXPECT_FALSE(told(0600));

  const fs::path open = pkcs12("open.p12", leaf(), "");
  chmod(open.c_str(), 0644);
  EXPECT_THAT(messages(contents_of(*store_at(open))), ElementsAre(HasSubstr("chmod")));
  const fs::path closed = pkcs12("closed.p12", leaf(), "secret");
  chmod(closed.c_str(), 0644);
  EXPECT_THAT(messages(contents_of(*store_at(closed, {}, pin("secret")))), IsEmpty());
  const fs::path certificate = write("tls.crt", read_file(leaf().certificate));
  chmod(certificate.c_str(), 0644);
  EXPECT_THAT(messages(contents_of(*store_at(certificate))), IsEmpty());
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
  const fs::path fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(refusal(fifo).message, HasSubstr("is not a regular file"));
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

TEST_F(FileStore, FollowsAMountedSecretsLink) {
  fs::create_directory(folder_ / "first");
  fs::create_directory(folder_ / "second");
  write("first/tls.pem", read_file(leaf().certificate) + read_file(leaf().key));
  write("second/tls.pem", read_file(rsa_leaf().certificate) + read_file(rsa_leaf().key));
  fs::create_directory_symlink("first", folder_ / "data");
  fs::create_symlink("data/tls.pem", folder_ / "tls.pem");
  const auto store = store_at(folder_ / "tls.pem");
  const StoreVersion before = store->version();
  EXPECT_EQ(before, store->version());
  EXPECT_NE(key_of(contents_of(*store), leaf().certificate), nullptr);

  fs::create_directory_symlink("second", folder_ / "new");
  fs::rename(folder_ / "new", folder_ / "data");
  EXPECT_FALSE(before == store->version());
  EXPECT_NE(key_of(contents_of(*store), rsa_leaf().certificate), nullptr);
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
  testing::write_file(file, read_file(leaf().certificate));
  EXPECT_FALSE(contents_of(*store).version) << "a second write now could leave no trace";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::optional<StoreVersion> version;
  while (!version && std::chrono::steady_clock::now() < deadline) version = contents_of(*store).version;
  ASSERT_TRUE(version);
  EXPECT_EQ(*version, store->version());
}

}  // namespace
}  // namespace devtrust
