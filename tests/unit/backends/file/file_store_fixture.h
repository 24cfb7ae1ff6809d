// File stores, and what is read from them.
#pragma once

#include "backends/file/file_store.h"
#include "tests/unit/backends/file/fixture.h"

namespace devtrust::testing {

inline std::shared_ptr<Store> store_at(const fs::path& path, const fs::path& key_path = {}, const fs::path& pin = {}) {
  StoreConfig config{"file", path.string(), key_path.string(), pin.empty() ? "" : "file:" + pin.string(), false};
  const auto source = file_store_at(config);
  EXPECT_TRUE(source->explicitly_configured());
  EXPECT_FALSE(source->changed());
  EXPECT_THAT(source->problems(), ::testing::IsEmpty());
  return source->stores().at(0);
}

inline StoreContents contents_of(Store& store) {
  auto contents = store.read();
  if (!contents) throw std::runtime_error(contents.error().message);
  return *std::move(contents);
}

inline const PrivateKey* key_of(const StoreContents& contents, const fs::path& certificate) {
  const std::string der = must_run({"openssl", "x509", "-in", certificate.string(), "-outform", "DER"});
  const auto parsed = Certificate::parse(as_bytes(der));
  for (const auto& key : contents.keys) {
    if (key->public_key() == (*parsed)->public_key()) return key.get();
  }
  return nullptr;
}

inline Result<std::size_t> sign(const PrivateKey& key, Bytes& signature) {
  const bool rsa = key.public_key().type() == KeyType::kRsa;
  const SignScheme scheme{rsa ? SignAlgorithm::kRsaPkcs1 : SignAlgorithm::kEcdsa, Digest::kSha256, Digest::kNone, 0};
  signature.resize(key.public_key().max_signature_size());
  return key.sign(scheme, Bytes(32, 7), signature);
}

/// Whether it makes a signature that its public key verifies.
inline bool signs(const PrivateKey* key) {
  if (key == nullptr) return false;
  Bytes signature;
  const auto length = sign(*key, signature);
  if (!length) return false;
  signature.resize(*length);
  const bool rsa = key->public_key().type() == KeyType::kRsa;
  const SignScheme scheme{rsa ? SignAlgorithm::kRsaPkcs1 : SignAlgorithm::kEcdsa, Digest::kSha256, Digest::kNone, 0};
  return key->public_key().verify(scheme, Bytes(32, 7), signature).has_value();
}

inline ErrorCode sign_error(const PrivateKey* key) {
  Bytes signature;
  return sign(*key, signature).error().code;
}

inline std::vector<std::string> messages(const StoreContents& contents) {
  std::vector<std::string> list;
  for (const Error& problem : contents.problems) list.push_back(problem.message);
  return list;
}

class FileStore : public FileTest {
 protected:
  static std::string chain() { return read_file(pki().intermediate()) + read_file(pki().root()); }
  fs::path pin(const std::string& password) const { return write("pin", password + '\n'); }
};

}  // namespace devtrust::testing
