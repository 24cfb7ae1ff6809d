// Keys of a key storage provider, over the double of ncrypt.dll that lies beside this program.
#include <windows.h>

#include <gmock/gmock.h>

#include <algorithm>

#include "backends/wincert/windows_store.h"
#include "identity/certificate.h"
#include "identity/software_key.h"
#include "tests/support/handles.h"
#include "tests/support/ncrypt_double.h"
#include "tests/support/windows_store.h"

namespace devtrust {
namespace {

using ::testing::HasSubstr;
using testing::Leaf;
using testing::Pki;
using testing::TempDir;
using testing::WindowsStore;

template <typename Function>
Function* of_the_double(const char* name) {
  return reinterpret_cast<Function*>(reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"ncrypt.dll"), name)));
}

class NcryptDouble : public ::testing::Test {
 protected:
  // One for all: each openssl command takes a while under wine.
  static void SetUpTestSuite() { shared_ = std::make_unique<Shared>(); }
  static void TearDownTestSuite() { shared_.reset(); }
  NcryptDouble() {
    EXPECT_NE(handles_, nullptr) << "the system's own ncrypt.dll was loaded";
    SetEnvironmentVariableW(L"NCRYPT_DOUBLE_KEYS", folder_.path().wstring().c_str());
  }

  /// The key of a leaf that is put into MY.
  std::shared_ptr<const PrivateKey> key(const std::string& type, const std::string& properties = {},
                                        const StoreConfig& config = {}) {
    const Leaf leaf = pki_.issue({.key = type});
    place_ = my_.add_with_cng_key(leaf);
    testing::write_file(folder_ / (place_.container + ".properties"), properties);
    source_ = windows_stores(config);
    const auto contents = source_->stores().at(0)->read();
    const auto certificate = Certificate::parse(as_bytes(testing::pem_der(leaf.certificate)));
    if (!contents || !certificate) return nullptr;
    for (const auto& found : contents->keys) {
      if (found->public_key() == (*certificate)->public_key()) return found;
    }
    return nullptr;
  }
  static void expect_signature(const PrivateKey& key, const SignScheme& scheme, const Bytes& input) {
    ASSERT_TRUE(key.can_sign(scheme));
    Bytes signature(key.public_key().max_signature_size());
    const auto length = key.sign(scheme, input, signature);
    ASSERT_TRUE(length) << length.error().message;
    signature.resize(*length);
    EXPECT_TRUE(key.public_key().verify(scheme, input, signature));
  }

  testing::NcryptDoubleHandles* const handles_ = of_the_double<testing::NcryptDoubleHandles>("ncrypt_double_handles");
  struct Shared {
    TempDir folder;
    Pki pki{folder.path()};
  };
  static inline std::unique_ptr<Shared> shared_;
  Pki& pki_ = shared_->pki;
  const TempDir folder_;
  WindowsStore my_;
  KeyPlace place_;  // of the newest key
  std::unique_ptr<StoreSource> source_;
};

constexpr std::array kDigests{Digest::kSha1, Digest::kSha256, Digest::kSha384, Digest::kSha512};
constexpr SignScheme kPkcs1Sha256{SignAlgorithm::kRsaPkcs1, Digest::kSha256, Digest::kNone, 0};
constexpr SignScheme kEcdsa{SignAlgorithm::kEcdsa, Digest::kNone, Digest::kNone, 0};

TEST_F(NcryptDouble, SignsPkcs1) {
  const auto rsa = key("rsa:2048");
  ASSERT_TRUE(rsa);
  for (const Digest digest : kDigests) {
    expect_signature(*rsa, {SignAlgorithm::kRsaPkcs1, digest, Digest::kNone, 0}, Bytes(digest_size(digest), 0x42));
  }
  expect_signature(*rsa, {SignAlgorithm::kRsaPkcs1, Digest::kSha224, Digest::kNone, 0}, Bytes(28, 0x42));
  const SignScheme bare{SignAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, 0};
  expect_signature(*rsa, bare, Bytes(36, 0x42));
  expect_signature(*rsa, bare, Bytes(245, 0x42));
  Bytes signature(256);
  EXPECT_EQ(rsa->sign(bare, Bytes(246, 0x42), signature).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(rsa->sign(kPkcs1Sha256, Bytes(20, 0x42), signature).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(NcryptDouble, SignsPss) {
  const auto rsa = key("rsa:2048");
  ASSERT_TRUE(rsa);
  for (const Digest digest : kDigests) {
    for (const std::size_t salt : {std::size_t{0}, digest_size(digest)}) {
      expect_signature(*rsa, {SignAlgorithm::kRsaPss, digest, digest, static_cast<std::uint16_t>(salt)},
                       Bytes(digest_size(digest), 0x42));
    }
  }
  EXPECT_FALSE(rsa->can_sign({SignAlgorithm::kRsaPss, Digest::kSha224, Digest::kSha224, 28}));
  EXPECT_FALSE(rsa->can_sign({SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha1, 32}));
  EXPECT_FALSE(rsa->can_sign({SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 255}));
  EXPECT_FALSE(rsa->can_sign({SignAlgorithm::kRsaRaw, Digest::kNone, Digest::kNone, 0}));
}

TEST_F(NcryptDouble, PromisesOnlyTheSaltsThatATpmMakes) {
  const auto of_digest_size = key("rsa:2048", "PSS Salt Size=2\n");
  ASSERT_TRUE(of_digest_size);
  EXPECT_TRUE(of_digest_size->can_sign({SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 32}));
  EXPECT_FALSE(of_digest_size->can_sign({SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 20}));
  const auto longest = key("rsa:2048", "PSS Salt Size=1\n");
  ASSERT_TRUE(longest);
  EXPECT_TRUE(longest->can_sign({SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 222}));
  EXPECT_FALSE(longest->can_sign({SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 32}));
}

TEST_F(NcryptDouble, SignsEcdsa) {
  for (const std::string curve : {"P-256", "P-384", "P-521"}) {
    const auto ec = key("ec:" + curve);
    ASSERT_TRUE(ec) << curve;
    for (const std::size_t length : {20U, 32U, 48U, 64U}) expect_signature(*ec, kEcdsa, Bytes(length, 0x42));
    EXPECT_FALSE(ec->can_derive()) << curve;
    EXPECT_FALSE(ec->can_sign(kPkcs1Sha256));
  }
}

TEST_F(NcryptDouble, Derives) {
  for (const std::string curve : {"P-256", "P-384", "P-521"}) {
    const auto ec = key("ec:" + curve, "Algorithm Group=ECDH\n");
    ASSERT_TRUE(ec) << curve;
    ASSERT_TRUE(ec->can_derive()) << curve;
    expect_signature(*ec, kEcdsa, Bytes(32, 0x42));
    // Often enough that a secret begins with a zero.
    for (int i = 0; i < 300; ++i) {
      EvpPkeyPtr made(EVP_PKEY_Q_keygen(libctx(), nullptr, "EC", curve.c_str()));
      const auto peer_public = PublicKey::from_evp(made.get());
      ASSERT_TRUE(peer_public);
      const auto peer = SoftwareKey::from_evp(std::move(made), *peer_public, {});
      ASSERT_TRUE(peer);
      const auto ours = ec->derive(peer_public->ec_point());
      ASSERT_TRUE(ours) << ours.error().message;
      const auto theirs = (*peer)->derive(ec->public_key().ec_point());
      ASSERT_TRUE(theirs);
      ASSERT_EQ(*ours, *theirs);
    }
    Bytes no_point = to_bytes(ec->public_key().ec_point());
    no_point.back() ^= 1;
    EXPECT_EQ(ec->derive(no_point).error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(NcryptDouble, Decrypts) {
  const auto rsa = key("rsa:2048");
  ASSERT_TRUE(rsa);
  const Bytes secret{'s', 'e', 'c', 'r', 'e', 't'};
  std::vector<CipherScheme> schemes{{CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}}};
  for (const Digest digest : kDigests) {
    schemes.push_back({CipherAlgorithm::kRsaOaep, digest, digest, {}});
    schemes.push_back({CipherAlgorithm::kRsaOaep, digest, digest, {'l'}});
  }
  for (const CipherScheme& scheme : schemes) {
    ASSERT_TRUE(rsa->can_decrypt(scheme));
    const auto ciphertext = rsa->public_key().encrypt(scheme, secret);
    ASSERT_TRUE(ciphertext);
    const auto plaintext = rsa->decrypt(scheme, *ciphertext);
    ASSERT_TRUE(plaintext) << plaintext.error().message;
    EXPECT_TRUE(equal(*plaintext, secret));
    EXPECT_EQ(rsa->decrypt(scheme, Bytes(256, 0x11)).error().code, ErrorCode::kDecryptionFailed);
  }
  EXPECT_FALSE(rsa->can_decrypt({CipherAlgorithm::kRsaOaep, Digest::kSha256, Digest::kSha1, {}}));
  EXPECT_FALSE(rsa->can_decrypt({CipherAlgorithm::kRsaRaw, Digest::kNone, Digest::kNone, {}}));
}

TEST_F(NcryptDouble, PromisesNothingThatTheKeyIsNotFor) {
  const auto signs = key("rsa:2048", "Key Usage=2\n");
  ASSERT_TRUE(signs);
  EXPECT_TRUE(signs->can_sign(kPkcs1Sha256));
  EXPECT_FALSE(signs->can_decrypt({CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}}));
  const auto decrypts = key("rsa:2048", "Key Usage=1\n");
  ASSERT_TRUE(decrypts);
  EXPECT_FALSE(decrypts->can_sign(kPkcs1Sha256));
}

TEST_F(NcryptDouble, NeverAsksTheUserUnlessThatIsAllowed) {
  const auto silent = key("ec:P-256", "asks=yes\n");
  ASSERT_TRUE(silent);
  Bytes signature(silent->public_key().max_signature_size());
  const auto refused = silent->sign(kEcdsa, Bytes(32, 0x42), signature);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kAccessDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("prompt = true"));
  EXPECT_TRUE(silent->intact());
  StoreConfig config;
  config.prompt = true;
  const auto asking = key("ec:P-256", "asks=yes\n", config);
  ASSERT_TRUE(asking);
  expect_signature(*asking, kEcdsa, Bytes(32, 0x42));
}

TEST_F(NcryptDouble, OpensAKeyAnewThatWentStale) {
  const auto ec = key("ec:P-256");
  ASSERT_TRUE(ec);
  expect_signature(*ec, kEcdsa, Bytes(32, 0x42));
  of_the_double<testing::NcryptDoubleGoStale>("ncrypt_double_go_stale")();
  expect_signature(*ec, kEcdsa, Bytes(32, 0x42));
}

TEST_F(NcryptDouble, RefusesAKeyThatIsNotTheCertificatesOrIsGone) {
  const auto ec = key("ec:P-256");
  ASSERT_TRUE(ec);
  const Leaf other = pki_.issue({.key = "ec:P-256"});
  my_.import_cng_key(other.key, place_.container);
  EXPECT_EQ(ec->prepare().error().code, ErrorCode::kKeyMismatch);
  EXPECT_FALSE(ec->intact());
  my_.delete_key(place_);
  EXPECT_EQ(ec->prepare().error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(ec->intact());
}

TEST_F(NcryptDouble, HandlesDoNotGrow) {
  const auto ec = key("ec:P-256", "Algorithm Group=ECDH\n");
  ASSERT_TRUE(ec);
  const Bytes digest(32, 0x42);
  Bytes signature(ec->public_key().max_signature_size());
  ASSERT_TRUE(ec->prepare());
  const auto store = source_->stores().at(0);
  ASSERT_TRUE(store->read());
  const long before = handles_();
  const auto of_process = testing::handle_count();
  for (int i = 0; i < testing::refreshes() * 10; ++i) ASSERT_TRUE(ec->sign(kEcdsa, digest, signature));
  for (int i = 0; i < testing::refreshes(); ++i) ASSERT_TRUE(ec->derive(ec->public_key().ec_point()));
  for (int i = 0; i < testing::refreshes(); ++i) ASSERT_TRUE(store->read());
  EXPECT_EQ(handles_(), before);
  EXPECT_LE(testing::handle_count(), of_process + 2);
}

}  // namespace
}  // namespace devtrust
