// A host's library context with the provider in it, and stores for it to find.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "identity/openssl.h"
#include "tests/support/pki.h"

namespace devtrust::testing {

using X509Ptr = std::unique_ptr<X509, OpensslDeleter<X509_free>>;

/// A folder with a chain, its leaf's key, and a configuration that names both as a file store.
class FileStore {
 public:
  /// `key` as LeafOptions::key.
  explicit FileStore(const std::string& key, const LeafOptions& options = {});
  const std::filesystem::path& config() const { return config_; }
  const Leaf& leaf() const { return leaf_; }
  const std::filesystem::path& chain() const { return chain_; }  ///< PEM: leaf, intermediate, root
  Pki& pki() { return *pki_; }
  /// Replaces key and chain by those of `leaf`, and writes the configuration anew with `more` before the store.
  void write(const Leaf& leaf, const std::string& more = {});
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  TempDir folder_;
  std::unique_ptr<Pki> pki_;
  Leaf leaf_;
  std::filesystem::path config_, chain_;
};

/// One for each kind of key, made once.
FileStore& file_store(const std::string& key);
/// "rsa:2048", "rsa-pss:2048", "ec:P-256", …
const std::vector<std::string>& key_kinds();
/// For INSTANTIATE_TEST_SUITE_P.
std::string kind_name_of(const ::testing::TestParamInfo<std::string>& info);

/// A library context that openssl.cnf set up: default, then devtrust.
class Host {
 public:
  explicit Host(const std::filesystem::path& config, const std::string& section = {});
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  OSSL_LIB_CTX* context() const { return context_; }

  /// All of a URI, in order. Names: "key", "public", "certificate:COMMON NAME", "error".
  std::vector<std::string> names(const std::string& uri, int expected = 0) const;
  /// Null with the reason on the queue.
  EvpPkeyPtr key(const std::string& uri = "devtrust:", const UI_METHOD* ui = nullptr, void* data = nullptr) const;
  /// Of the key in a PEM file, by the default provider.
  EvpPkeyPtr file_key(const std::filesystem::path& path) const;
  /// Of a certificate.
  EvpPkeyPtr public_key(const std::filesystem::path& certificate) const;

 private:
  TempDir folder_;
  OSSL_LIB_CTX* context_;
};

/// All that is on the error queue, which is empty then.
std::string errors();

}  // namespace devtrust::testing
