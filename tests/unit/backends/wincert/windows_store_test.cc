#include "backends/wincert/windows_store.h"

#include <windows.h>

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>

#include "backends/registry.h"
#include "identity/catalog.h"
#include "tests/support/handles.h"
#include "tests/support/windows_store.h"

namespace devtrust {
namespace {

using testing::handle_count;
using ::testing::HasSubstr;
using testing::Leaf;
using testing::Pki;
using testing::refreshes;
using testing::TempDir;
using testing::WindowsStore;

constexpr SignScheme pkcs1(Digest digest) { return {SignAlgorithm::kRsaPkcs1, digest, Digest::kNone, 0}; }

/// This user's store and, where it exists, the machine's: what both hold.
class WindowsStoreTest : public ::testing::Test {
 protected:
  // One for all: each openssl command takes a while under wine.
  static void SetUpTestSuite() { shared_ = std::make_unique<Shared>(); }
  static void TearDownTestSuite() { shared_.reset(); }

  StoreContents read() {
    auto contents = source_->stores().at(0)->read();
    EXPECT_TRUE(contents) << contents.error().message;
    return contents ? *std::move(contents) : StoreContents();
  }
  static CertificatePtr parsed(const std::filesystem::path& pem) {
    return *Certificate::parse(as_bytes(testing::pem_der(pem)));
  }
  static bool holds(const StoreContents& contents, const std::filesystem::path& pem) {
    const auto wanted = parsed(pem);
    return std::ranges::any_of(contents.certificates, [&](const auto& c) { return c->sha256() == wanted->sha256(); });
  }
  static std::shared_ptr<const PrivateKey> key_of(const StoreContents& contents, const Leaf& leaf) {
    const auto certificate = parsed(leaf.certificate);
    for (const auto& key : contents.keys) {
      if (key->public_key() == certificate->public_key()) return key;
    }
    return nullptr;
  }
  static void expect_signature(const PrivateKey& key, const SignScheme& scheme, const Bytes& input) {
    Bytes signature(key.public_key().max_signature_size());
    const auto length = key.sign(scheme, input, signature);
    ASSERT_TRUE(length) << length.error().message;
    signature.resize(*length);
    EXPECT_TRUE(key.public_key().verify(scheme, input, signature));
  }

  struct Shared {
    TempDir folder;
    Pki pki{folder.path()};
  };
  static inline std::unique_ptr<Shared> shared_;
  Pki& pki_ = shared_->pki;
  WindowsStore my_;
  const std::unique_ptr<StoreSource> source_ = windows_stores({});
};

TEST_F(WindowsStoreTest, FindsTheLeafItsKeyAndItsIssuers) {
  const Leaf leaf = pki_.issue();
  my_.add_with_csp_key(leaf);
  const Leaf without_key = pki_.issue({.common_name = "without a key"});
  my_.add_certificate(without_key.certificate, "MY");
  const StoreContents contents = read();
  EXPECT_TRUE(holds(contents, leaf.certificate));
  EXPECT_TRUE(holds(contents, pki_.intermediate()));
  EXPECT_TRUE(holds(contents, pki_.root()));
  EXPECT_FALSE(holds(contents, without_key.certificate));
  ASSERT_TRUE(key_of(contents, leaf));
  EXPECT_TRUE(key_of(contents, leaf)->intact());
  EXPECT_FALSE(key_of(contents, without_key));
  EXPECT_EQ(source_->stores().at(0)->location(), "CurrentUser\\MY");
  EXPECT_EQ(source_->stores().at(1)->location(), "LocalMachine\\MY");
}

TEST_F(WindowsStoreTest, FindsAnIssuerThatLiesInMyWithoutAKey) {
  const Leaf leaf = pki_.issue();
  my_.add({{testing::pem_der(leaf.certificate), my_.import_csp_key(leaf.key)}});
  my_.add_certificate(pki_.intermediate(), "MY");
  EXPECT_TRUE(holds(read(), pki_.intermediate()));
}

TEST_F(WindowsStoreTest, SignsWithTheKeyOfACsp) {
  const Leaf leaf = pki_.issue();
  my_.add_with_csp_key(leaf);
  const auto key = key_of(read(), leaf);
  ASSERT_TRUE(key);
  for (const Digest digest : {Digest::kSha1, Digest::kSha256, Digest::kSha384, Digest::kSha512}) {
    EXPECT_TRUE(key->can_sign(pkcs1(digest)));
    expect_signature(*key, pkcs1(digest), Bytes(digest_size(digest), 0x42));
  }
}

TEST_F(WindowsStoreTest, SignsADigestInfoAndTls11sPairOfDigests) {
  const Leaf leaf = pki_.issue();
  my_.add_with_csp_key(leaf);
  const auto key = key_of(read(), leaf);
  ASSERT_TRUE(key);
  Bytes info{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
             0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
  info.resize(info.size() + 32, 0x17);
  EXPECT_TRUE(key->can_sign(pkcs1(Digest::kNone)));
  expect_signature(*key, pkcs1(Digest::kNone), info);
  expect_signature(*key, pkcs1(Digest::kNone), Bytes(36, 0x17));
}

TEST_F(WindowsStoreTest, PromisesNothingThatACspCannotDo) {
  const Leaf leaf = pki_.issue();
  my_.add_with_csp_key(leaf);
  const auto key = key_of(read(), leaf);
  ASSERT_TRUE(key);
  EXPECT_FALSE(key->can_sign(pkcs1(Digest::kSha224)));
  EXPECT_FALSE(key->can_sign({SignAlgorithm::kRsaPss, Digest::kSha256, Digest::kSha256, 32}));
  EXPECT_FALSE(key->can_sign({SignAlgorithm::kRsaRaw, Digest::kNone, Digest::kNone, 0}));
  EXPECT_FALSE(key->can_derive());
  Bytes signature(256);
  const auto refused = key->sign(pkcs1(Digest::kNone), Bytes(33, 1), signature);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr(leaf.common_name));
  EXPECT_EQ(key->sign(pkcs1(Digest::kSha256), Bytes(20, 1), signature).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(WindowsStoreTest, DecryptsWithTheKeyOfACsp) {
  const Leaf leaf = pki_.issue();
  my_.add_with_csp_key(leaf);
  const auto key = key_of(read(), leaf);
  ASSERT_TRUE(key);
  const Bytes secret{'s', 'e', 'c', 'r', 'e', 't'};
  for (const CipherScheme& scheme : {CipherScheme{CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}},
                                     CipherScheme{CipherAlgorithm::kRsaOaep, Digest::kSha1, Digest::kSha1, {}}}) {
    ASSERT_TRUE(key->can_decrypt(scheme));
    const auto ciphertext = key->public_key().encrypt(scheme, secret);
    ASSERT_TRUE(ciphertext);
    const auto plaintext = key->decrypt(scheme, *ciphertext);
    ASSERT_TRUE(plaintext) << plaintext.error().message;
    EXPECT_TRUE(equal(*plaintext, secret));
  }
  const CipherScheme pkcs1_cipher{CipherAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, {}};
  EXPECT_EQ(key->decrypt(pkcs1_cipher, Bytes(256, 0x11)).error().code, ErrorCode::kDecryptionFailed);
  EXPECT_EQ(key->decrypt(pkcs1_cipher, Bytes(255, 0x11)).error().code, ErrorCode::kDecryptionFailed);
  EXPECT_FALSE(key->can_decrypt({CipherAlgorithm::kRsaOaep, Digest::kSha256, Digest::kSha256, {}}));
}

TEST_F(WindowsStoreTest, SignsSha2WithAContainerOfAProviderThatHasNone) {
  const Leaf leaf = pki_.issue();
  my_.add_with_old_csp_key(leaf);
  const auto key = key_of(read(), leaf);
  ASSERT_TRUE(key);
  for (const Digest digest : {Digest::kSha1, Digest::kSha256, Digest::kSha512}) {
    EXPECT_TRUE(key->can_sign(pkcs1(digest)));
    expect_signature(*key, pkcs1(digest), Bytes(digest_size(digest), 0x42));
  }
}

TEST_F(WindowsStoreTest, RefusesAKeyThatIsNotTheCertificates) {
  const Leaf leaf = pki_.issue();
  const Leaf other = pki_.issue();
  my_.add({{testing::pem_der(leaf.certificate), my_.import_csp_key(other.key)}});
  const auto key = key_of(read(), leaf);
  ASSERT_TRUE(key);
  Bytes signature(256);
  const auto refused = key->sign(pkcs1(Digest::kSha256), Bytes(32, 1), signature);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kKeyMismatch);
  EXPECT_FALSE(key->intact());
}

TEST_F(WindowsStoreTest, SaysThatAContainerIsMissing) {
  const Leaf leaf = pki_.issue();
  my_.delete_key(my_.add_with_csp_key(leaf));
  const auto key = key_of(read(), leaf);
  ASSERT_TRUE(key);
  EXPECT_FALSE(key->intact());
  const auto refused = key->prepare();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(refused.error().message, HasSubstr(leaf.common_name));
}

TEST_F(WindowsStoreTest, TakesOverWhatDidNotChange) {
  const Leaf leaf = pki_.issue();
  my_.add_with_csp_key(leaf);
  const auto store = source_->stores().at(0);
  const auto first = store->read();
  const auto second = store->read();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(key_of(*first, leaf), key_of(*second, leaf));
  ASSERT_TRUE(first->version && second->version);
  EXPECT_EQ(*first->version, store->version());
}

TEST_F(WindowsStoreTest, SeesARenewal) {
  const Leaf first = pki_.issue();
  my_.add_with_csp_key(first);
  const auto store = source_->stores().at(0);
  const auto before = store->read();
  ASSERT_TRUE(before && before->version);
  const auto held = key_of(*before, first);

  const Leaf second = pki_.issue();
  my_.add_with_csp_key(second);
  my_.remove(first);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (store->version() == *before->version) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  const StoreContents after = read();
  EXPECT_TRUE(key_of(after, second));
  EXPECT_FALSE(key_of(after, first));
  // A session may still hold the old one.
  expect_signature(*held, pkcs1(Digest::kSha256), Bytes(32, 0x42));
}

TEST_F(WindowsStoreTest, SeesAnIssuerThatComesLater) {
  const Leaf leaf = pki_.issue();
  my_.add({{testing::pem_der(leaf.certificate), my_.import_csp_key(leaf.key)}});
  const auto store = source_->stores().at(0);
  const auto before = store->read();
  ASSERT_TRUE(before && before->version);
  EXPECT_FALSE(holds(*before, pki_.intermediate()));
  my_.add_certificate(pki_.intermediate(), "CA");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (store->version() == *before->version) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  EXPECT_TRUE(holds(read(), pki_.intermediate()));
}

TEST_F(WindowsStoreTest, HandlesDoNotGrow) {
  const Leaf leaf = pki_.issue({.key = "rsa:1024"});
  my_.add_with_csp_key(leaf);
  const auto store = source_->stores().at(0);
  const auto key = key_of(read(), leaf);
  ASSERT_TRUE(key);
  Bytes signature(128);
  const Bytes digest(32, 0x42);
  const auto use_all = [&](int reads) {
    for (int i = 0; i < reads; ++i) ASSERT_TRUE(store->read());
    for (int i = 0; i < reads * 10; ++i) ASSERT_TRUE(key->sign(pkcs1(Digest::kSha256), digest, signature));
  };
  use_all(2);
  const auto before = handle_count();
  use_all(refreshes());
  EXPECT_LE(handle_count(), before + 2);
}

TEST_F(WindowsStoreTest, HandlesDoNotGrowByChanges) {
  const Leaf leaf = pki_.issue({.key = "ec:P-256"});
  const auto store = source_->stores().at(0);
  const auto grown = [&](bool read) {
    const auto before = handle_count();
    for (int i = 0; i < refreshes(); ++i) {
      my_.add_certificate(leaf.certificate, "MY");
      EXPECT_TRUE(!read || store->read());
      my_.remove(leaf);
      EXPECT_TRUE(!read || store->read());
    }
    return handle_count() - before;
  };
  const auto by_the_changes = grown(false);  // wine 8 leaves some open where a certificate is deleted
  EXPECT_LE(grown(true), by_the_changes + 2);
}

/// As many as are wanted, each in a moment: all have one EC key, and the intermediate's signature.
class CertificateMill {
 public:
  explicit CertificateMill(const Pki& pki) {
    const std::string pem = testing::read_file(pki.folder() / "intermediate.key");
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    signer_ = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    key_ = EVP_EC_gen("P-256");
    ed25519_ = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    tiny_ = EVP_RSA_gen(512);
  }
  ~CertificateMill() {
    for (EVP_PKEY* key : {signer_, key_, ed25519_, tiny_}) EVP_PKEY_free(key);
  }
  CertificateMill(const CertificateMill&) = delete;
  CertificateMill& operator=(const CertificateMill&) = delete;

  enum class Fault { kNone, kTinyKey, kOtherKeyType };
  std::string make(const std::string& common_name, long serial, Fault fault = Fault::kNone) const {
    X509* certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    const auto add = [](X509_NAME* name, const std::string& text) {
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.c_str()), -1,
                                 -1, 0);
    };
    add(X509_get_subject_name(certificate), common_name);
    X509_NAME* issuer = X509_NAME_new();
    add(issuer, "device-trust.intermediate");
    X509_set_issuer_name(certificate, issuer);
    X509_NAME_free(issuer);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, fault == Fault::kNone ? key_ : fault == Fault::kTinyKey ? tiny_ : ed25519_);
    X509_sign(certificate, signer_, EVP_sha256());
    unsigned char* der = nullptr;
    const int length = i2d_X509(certificate, &der);
    X509_free(certificate);
    std::string made(reinterpret_cast<char*>(der), static_cast<std::size_t>(length));
    OPENSSL_free(der);
    return made;
  }

 private:
  EVP_PKEY *signer_ = nullptr, *key_ = nullptr, *ed25519_ = nullptr, *tiny_ = nullptr;
};

TEST_F(WindowsStoreTest, FindsTheOneIdentityAmongAThousandCertificates) {
  const CertificateMill mill(pki_);
  const KeyPlace nowhere{"devtrust-test-no-such-container", "Microsoft Enhanced RSA and AES Cryptographic Provider", 24,
                         1, false};
  const KeyPlace no_provider{"devtrust-test-no-such-container", "No Such Provider", 24, 1, false};
  const KeyPlace no_cng_key{"devtrust-test-no-such-container", "Microsoft Software Key Storage Provider", 0, 0, false};
  std::vector<WindowsStore::Entry> entries;
  for (long i = 0; i < 999; ++i) {
    using Fault = CertificateMill::Fault;
    // Newer ones of the very product, whose keys are gone, and others' in all conditions.
    const std::string name = i % 7 == 0 ? "JumpCloud Device Trust Certificate – gone" : "other " + std::to_string(i);
    const Fault fault = i % 5 == 0 ? Fault::kTinyKey : i % 5 == 1 ? Fault::kOtherKeyType : Fault::kNone;
    const KeyPlace& place = i % 3 == 0 ? nowhere : i % 3 == 1 ? no_provider : no_cng_key;
    entries.push_back({mill.make(name, 1000 + i, fault), i % 2 == 0 ? std::optional(place) : std::nullopt});
  }
  my_.add(entries);
  const Leaf leaf = pki_.issue();
  my_.add_with_csp_key(leaf);

  const auto config = parse_config("", "test");
  ASSERT_TRUE(config) << config.error().message;
  auto sources = open_sources(*config);
  ASSERT_TRUE(sources) << sources.error().message;
  Catalog catalog(*std::move(sources), config->profiles);
  const auto snapshot = catalog.snapshot();
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto current = snapshot->current("jumpcloud", now);
  ASSERT_TRUE(current) << current.error().message;
  EXPECT_EQ((*current)->leaf->sha256(), parsed(leaf.certificate)->sha256());
  EXPECT_TRUE((*current)->chain.complete);
  expect_signature(*(*current)->key, pkcs1(Digest::kSha256), Bytes(32, 0x42));
  // The broken ones are told of.
  std::string problems;
  for (const auto& report : snapshot->reports()) {
    for (const Error& problem : report.problems) problems += problem.message + '\n';
  }
  EXPECT_THAT(problems, HasSubstr("a certificate is passed over"));
  EXPECT_THAT(problems, HasSubstr("Ed25519 keys cannot be used there"));
}

}  // namespace
}  // namespace devtrust
