#include "tests/provider/fixture.h"

#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

namespace devtrust::testing {
namespace {

LeafOptions with_key(LeafOptions options, const std::string& key) {
  options.key = key;
  return options;
}

}  // namespace

FileStore::FileStore(const std::string& key, const LeafOptions& options)
    : pki_(std::make_unique<Pki>(folder_ / "pki", "ec:P-256")),
      leaf_(pki_->issue(with_key(options, key))),
      config_(folder_ / "config.toml"),
      chain_(folder_ / "chain.pem") {
  write(leaf_);
}

void FileStore::write(const Leaf& leaf, const std::string& more) {
  std::string pem = read_file(leaf.certificate);
  for (const auto& issuer : leaf.issuers) pem += read_file(issuer);
  write_file(chain_, pem);
  const std::filesystem::path key = folder_ / "key.pem";
  write_file(key, read_file(leaf.key));
  write_file(config_, more + "[[store]]\nkind = \"file\"\npath = '" + chain_.string() + "'\nkey_path = '" +
                          key.string() + "'\n");
}

FileStore& file_store(const std::string& key) {
  static std::map<std::string, std::unique_ptr<FileStore>> all;
  auto& store = all[key];
  if (store == nullptr) store = std::make_unique<FileStore>(key);
  return *store;
}

const std::vector<std::string>& key_kinds() {
  static const std::vector<std::string> all{"rsa:2048", "rsa-pss:2048", "ec:P-256", "ec:P-384",
                                            "ec:P-521", "ed25519",      "ed448"};
  return all;
}

std::string kind_name_of(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace_if(
      name, [](char c) { return c == ':' || c == '-'; }, '_');
  return name;
}

Host::Host(const std::filesystem::path& config, const std::string& section) : context_(OSSL_LIB_CTX_new()) {
  const std::filesystem::path cnf = folder_ / "openssl.cnf";
  write_file(cnf,
             "openssl_conf = init\n[init]\nproviders = all\n[all]\ndefault = default_sect\ndevtrust = ours\n"
             "[default_sect]\nactivate = 1\n[ours]\nmodule = " DEVTRUST_PROVIDER "\nactivate = 1\nconfig = " +
                 config.generic_string() + '\n' + section);
  if (OSSL_LIB_CTX_load_config(context_, cnf.string().c_str()) != 1)
    throw std::runtime_error("no provider: " + errors());
}
Host::~Host() { OSSL_LIB_CTX_free(context_); }

std::vector<std::string> Host::names(const std::string& uri, int expected) const {
  std::vector<std::string> all;
  OSSL_STORE_CTX* store =
      OSSL_STORE_open_ex(uri.c_str(), context_, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  if (store == nullptr) return {"error"};
  if (expected != 0) {
    EXPECT_EQ(OSSL_STORE_expect(store, expected), 1);
  }
  while (OSSL_STORE_eof(store) == 0) {
    OSSL_STORE_INFO* info = OSSL_STORE_load(store);
    switch (info != nullptr ? OSSL_STORE_INFO_get_type(info) : -1) {
      case OSSL_STORE_INFO_PKEY:
        all.emplace_back("key");
        break;
      case OSSL_STORE_INFO_PUBKEY:
        all.emplace_back("public");
        break;
      case OSSL_STORE_INFO_CERT: {
        std::array<char, 256> name{};
        X509_NAME_get_text_by_NID(X509_get_subject_name(OSSL_STORE_INFO_get0_CERT(info)), NID_commonName, name.data(),
                                  name.size());
        all.emplace_back(std::string("certificate:") + name.data());
        break;
      }
      default:
        if (info != nullptr || ERR_peek_error() != 0) all.emplace_back("error");
    }
    OSSL_STORE_INFO_free(info);
  }
  OSSL_STORE_close(store);
  return all;
}

EvpPkeyPtr Host::key(const std::string& uri, const UI_METHOD* ui, void* data) const {
  OSSL_STORE_CTX* store = OSSL_STORE_open_ex(uri.c_str(), context_, nullptr, ui, data, nullptr, nullptr, nullptr);
  if (store == nullptr) return nullptr;
  OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
  OSSL_STORE_INFO* info = OSSL_STORE_load(store);
  EvpPkeyPtr found(info != nullptr ? OSSL_STORE_INFO_get1_PKEY(info) : nullptr);
  OSSL_STORE_INFO_free(info);
  OSSL_STORE_close(store);
  return found;
}

EvpPkeyPtr Host::file_key(const std::filesystem::path& path) const {
  const BioPtr file(BIO_new_file(path.string().c_str(), "r"));
  return EvpPkeyPtr(PEM_read_bio_PrivateKey_ex(
      file.get(), nullptr, [](char* /*out*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }, nullptr,
      context_, nullptr));
}

EvpPkeyPtr Host::public_key(const std::filesystem::path& certificate) const {
  const BioPtr file(BIO_new_file(certificate.string().c_str(), "r"));
  X509* parsed = X509_new_ex(context_, nullptr);
  PEM_read_bio_X509(file.get(), &parsed, nullptr, nullptr);
  const X509Ptr owner(parsed);
  return EvpPkeyPtr(X509_get_pubkey(parsed));
}

std::string errors() {
  std::string text;
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    std::array<char, 256> line{};
    ERR_error_string_n(code, line.data(), line.size());
    text += std::string(line.data()) + ':' + ((flags & ERR_TXT_STRING) != 0 ? data : "") + '\n';
  }
  return text;
}

}  // namespace devtrust::testing
