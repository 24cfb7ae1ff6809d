// A store in memory that a test changes at will, with real keys and certificates.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "identity/catalog.h"
#include "pkcs11/library.h"
#include "tests/unit/identity/keys.h"

namespace devtrust::testing {

/// A password gate that remembers what was done with it.
class FakeLogin final : public Login {
 public:
  explicit FakeLogin(std::string password) : password_(std::move(password)) {}
  Result<void> unlock(std::string_view password) override {
    if (password != password_) return fail(ErrorCode::kWrongPassword, "the password is wrong");
    unlocked_ = true;
    return {};
  }
  void lock() override { unlocked_ = false; }
  bool unlocked() const override { return unlocked_; }

 private:
  std::string password_;
  std::atomic<bool> unlocked_{false};
};

class FakeStore final : public Store {
 public:
  std::string_view kind() const override { return "fake"; }
  const std::string& location() const override { return location_; }
  StoreVersion version() const override { return {{version_.load()}}; }
  Result<StoreContents> read() override {
    const std::lock_guard lock(mutex_);
    StoreContents contents = contents_;
    contents.version = version();
    return contents;
  }
  void set(StoreContents contents) {
    const std::lock_guard lock(mutex_);
    contents_ = std::move(contents);
    ++version_;
  }

 private:
  std::string location_ = "/fake/store";
  std::atomic<std::uint64_t> version_{1};
  std::mutex mutex_;
  StoreContents contents_;
};

class FakeSource final : public StoreSource {
 public:
  explicit FakeSource(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  bool changed() const override { return false; }
  std::vector<std::shared_ptr<Store>> stores() override { return {store_}; }
  std::vector<Error> problems() const override { return {}; }
  bool explicitly_configured() const override { return true; }

 private:
  std::shared_ptr<Store> store_;
};

/// One leaf with its key, as a store holds it.
struct Enrolled {
  CertificatePtr leaf;
  std::shared_ptr<const PrivateKey> key;
};

/// A chain in a temporary folder, leaves from it, and a library on a store that holds what the test puts there.
class StoreTest : public ::testing::Test {
 protected:
  static std::shared_ptr<Pki> shared_pki() {
    static const auto folder = std::make_shared<TempDir>();
    static const auto pki = std::make_shared<Pki>(*folder / "pki", "ec:P-256");
    return pki;
  }

  static Enrolled enrol(const LeafOptions& options) {
    const Leaf made = shared_pki()->issue(options);
    const CertificatePtr leaf = load_certificate(made.certificate);
    auto key = SoftwareKey::from_evp(load_key(made.key), leaf->public_key(), KeyTraits{});
    if (!key) throw std::runtime_error(key.error().message);
    return {leaf, *key};
  }
  static Enrolled enrol(const std::string& key = "ec:P-256", int from_days = -10, int to_days = 20) {
    LeafOptions options;
    options.key = key;
    options.valid_from_days = from_days;
    options.valid_to_days = to_days;
    return enrol(options);
  }

  void hold(const std::vector<Enrolled>& identities, std::shared_ptr<Login> login = nullptr) {
    StoreContents contents;
    for (const Enrolled& identity : identities) {
      contents.certificates.push_back(identity.leaf);
      contents.keys.push_back(identity.key);
    }
    contents.certificates.push_back(load_certificate(shared_pki()->intermediate()));
    contents.certificates.push_back(load_certificate(shared_pki()->root()));
    contents.login = std::move(login);
    store_->set(std::move(contents));
  }

  std::unique_ptr<Catalog> make_catalog(std::vector<Profile> profiles = built_in_profiles()) const {
    std::vector<std::unique_ptr<StoreSource>> sources;
    sources.push_back(std::make_unique<FakeSource>(store_));
    return std::make_unique<Catalog>(std::move(sources), std::move(profiles));
  }
  std::unique_ptr<pkcs11::Library> make_library(bool chain_trusted = false,
                                                std::vector<Profile> profiles = built_in_profiles()) const {
    return std::make_unique<pkcs11::Library>(make_catalog(std::move(profiles)),
                                             std::make_unique<const Audit>("", false), chain_trusted, "");
  }
  /// The first built-in profile as if the configuration named it.
  static std::vector<Profile> configured(Show show = Show::kCurrent) {
    Profile profile = built_in_profiles().front();
    profile.built_in = false;
    profile.show = show;
    return {profile};
  }

  std::shared_ptr<FakeStore> store_ = std::make_shared<FakeStore>();
};

inline Time now_seconds() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

/// The value of an attribute, or nothing.
inline std::optional<Bytes> attribute_of(const pkcs11::Object& object, CK_ATTRIBUTE_TYPE type) {
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  if (object.read(attribute) != CKR_OK) return std::nullopt;
  Bytes value(attribute.ulValueLen);
  attribute.pValue = value.data();
  if (object.read(attribute) != CKR_OK) return std::nullopt;
  return value;
}
inline std::optional<std::string> text_of(const pkcs11::Object& object, CK_ATTRIBUTE_TYPE type) {
  const auto value = attribute_of(object, type);
  if (!value) return std::nullopt;
  return std::string(as_text(*value));
}
inline std::optional<CK_ULONG> number_of(const pkcs11::Object& object, CK_ATTRIBUTE_TYPE type) {
  const auto value = attribute_of(object, type);
  if (!value || value->size() != sizeof(CK_ULONG)) return std::nullopt;
  CK_ULONG number = 0;
  std::memcpy(&number, value->data(), sizeof number);
  return number;
}

inline std::string field_text(std::span<const unsigned char> field) {
  std::string text(field.begin(), field.end());
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

}  // namespace devtrust::testing
