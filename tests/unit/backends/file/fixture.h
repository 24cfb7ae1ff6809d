// Identities in files, and a process in which libcrypto's default context is of no use.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <filesystem>
#include <string>

#include "identity/bytes.h"
#include "identity/openssl.h"
#include "tests/support/pki.h"

namespace devtrust::testing {

namespace fs = std::filesystem;

/// One PKI for all tests of a suite. Whatever asks the host's context for an algorithm gets none, as in a host whose
/// openssl.cnf names another provider; and nothing is left on the host's error queue.
class FileTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    EVP_set_default_properties(nullptr, "provider=nobody");
    shared() = new Shared;
  }
  static void TearDownTestSuite() {
    delete shared();
    shared() = nullptr;
  }
  void TearDown() override { EXPECT_EQ(ERR_peek_error(), 0U); }

  static Pki& pki() { return shared()->pki; }
  static const Leaf& leaf() { return shared()->ec; }       ///< P-256
  static const Leaf& rsa_leaf() { return shared()->rsa; }  ///< RSA-2048

  /// `arguments` to openssl; returns the file `name`, which they are to write.
  fs::path make(const std::string& name, std::vector<std::string> arguments) const {
    const fs::path path = folder_ / name;
    arguments.insert(arguments.begin(), "openssl");
    arguments.insert(arguments.end(), {"-out", path.string()});
    must_run(arguments);
    return path;
  }
  fs::path write(const std::string& name, const std::string& content) const {
    const fs::path path = folder_ / name;
    write_file(path, content);
    make_private(path);
    return path;
  }
  /// The key as PKCS#8 with a password; further arguments to openssl pkcs8.
  fs::path encrypted_key(const std::string& name, const Leaf& of, const std::string& password,
                         const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"pkcs8", "-topk8", "-in", of.key.string(), "-passout", "pass:" + password};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return make(name, arguments);
  }
  /// A PKCS#12 file; further arguments to openssl pkcs12.
  fs::path pkcs12(const std::string& name, const Leaf& of, const std::string& password,
                  const std::vector<std::string>& more = {}) const {
    write("chain.pem", read_file(of.issuers[0]) + read_file(of.issuers[1]));
    std::vector<std::string> arguments{"pkcs12",   "-export",         "-in",       of.certificate.string(),
                                       "-inkey",   of.key.string(),   "-certfile", (folder_ / "chain.pem").string(),
                                       "-passout", "pass:" + password};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return make(name, arguments);
  }

  const TempDir folder_;

 private:
  struct Shared {
    TempDir folder;
    Pki pki{folder.path(), "ec:P-256"};
    Leaf ec = pki.issue({.key = "ec:P-256"});
    Leaf rsa = pki.issue({.key = "rsa:2048"});
  };
  static Shared*& shared() {
    static Shared* one = nullptr;
    return one;
  }
};

/// The public key as PEM.
inline std::string spki_of(const fs::path& private_key) {
  return must_print({"openssl", "pkey", "-in", private_key.string(), "-pubout"});
}
inline std::string spki_of(const EvpPkeyPtr& key) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  EXPECT_EQ(PEM_write_bio_PUBKEY_ex(out.get(), key.get(), libctx(), nullptr), 1);
  char* text = nullptr;
  const long length = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(length)};
}

}  // namespace devtrust::testing
