// What tests of keychains begin with: a folder to have them in, and at the end nothing that anybody still holds.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "backends/keychain/keychain_store.h"
#include "tests/support/keychain_file.h"
#include "tests/support/security_double/double.h"

namespace devtrust::testing {

class KeychainTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { shared_ = std::make_unique<Shared>(); }
  static void TearDownTestSuite() { shared_.reset(); }

  void SetUp() override {
    security_double_reset();
    if (const char* home = std::getenv("HOME")) home_before_ = home;
    setenv("HOME", home_.path().c_str(), 1);
  }
  void TearDown() override {
    EXPECT_EQ(security_double_live_objects(), 0U);
    setenv("HOME", home_before_.c_str(), 1);
  }

  std::filesystem::path keychains() const { return home_ / "Library/Keychains"; }
  KeychainFile keychain(const std::string& name = "test.keychain-db") const { return KeychainFile(keychains() / name); }
  static std::shared_ptr<Store> store_at(const std::filesystem::path& path, bool prompt = false) {
    return keychain_at({"keychain", path.string(), "", "", prompt})->stores().at(0);
  }
  static StoreContents read(Store& store) {
    auto contents = store.read();
    EXPECT_TRUE(contents) << contents.error().message;
    return contents ? *std::move(contents) : StoreContents();
  }
  static CertificatePtr parsed(const std::filesystem::path& pem) {
    const std::string text = must_run({"openssl", "x509", "-in", pem.string(), "-outform", "DER"});
    return *Certificate::parse(as_bytes(text));
  }
  static bool holds(const StoreContents& contents, const std::filesystem::path& pem) {
    const CertificatePtr wanted = parsed(pem);
    return std::ranges::any_of(contents.certificates,
                               [&](const auto& one) { return one->sha256() == wanted->sha256(); });
  }
  static std::shared_ptr<const PrivateKey> key_of(const StoreContents& contents, const Leaf& leaf) {
    const CertificatePtr wanted = parsed(leaf.certificate);
    for (const auto& key : contents.keys) {
      if (key->public_key() == wanted->public_key()) return key;
    }
    return nullptr;
  }
  /// The one leaf's key of a keychain that holds nothing else.
  static std::shared_ptr<const PrivateKey> only_key(const KeychainFile& file, bool prompt = false) {
    const auto store = store_at(file.path(), prompt);
    const StoreContents contents = read(*store);
    EXPECT_EQ(contents.keys.size(), 1U);
    return contents.keys.empty() ? nullptr : contents.keys.front();
  }
  static SignScheme usual_scheme(const PrivateKey& key) {
    if (key.public_key().type() == KeyType::kEc) return {SignAlgorithm::kEcdsa};
    return {SignAlgorithm::kRsaPkcs1, Digest::kSha256};
  }
  static Result<std::size_t> sign(const PrivateKey& key) {
    Bytes signature(key.public_key().max_signature_size());
    return key.sign(usual_scheme(key), Bytes(32, 0x42), signature);
  }
  static void expect_signature(const PrivateKey& key, const SignScheme& scheme, const Bytes& input) {
    Bytes signature(key.public_key().max_signature_size());
    const auto length = key.sign(scheme, input, signature);
    ASSERT_TRUE(length) << length.error().message;
    signature.resize(*length);
    EXPECT_TRUE(key.public_key().verify(scheme, input, signature));
  }
  static std::string problems_of(const StoreContents& contents) {
    std::string text;
    for (const Error& problem : contents.problems) text += problem.message + '\n';
    return text;
  }

  struct Shared {
    TempDir folder;
    Pki pki{folder.path() / "pki", "ec:P-256"};
    Leaf rsa = pki.issue({.key = "rsa:2048"});
    Leaf ec = pki.issue({.key = "ec:P-256"});
  };
  static inline std::unique_ptr<Shared> shared_;
  Pki& pki_ = shared_->pki;
  const Leaf& rsa_ = shared_->rsa;
  const Leaf& ec_ = shared_->ec;
  TempDir home_;

 private:
  std::string home_before_;
};

}  // namespace devtrust::testing
