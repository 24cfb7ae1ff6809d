#include "tests/fuzz/store_reader.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "backends/registry.h"
#include "identity/snapshot.h"
#include "tests/support/command.h"

namespace devtrust::fuzz {
namespace {

constexpr Time kNow{std::chrono::seconds(2'000'000'000)};

void require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

SignScheme usual_scheme(KeyType type) {
  switch (type) {
    case KeyType::kRsa:
      return {SignAlgorithm::kRsaPkcs1, Digest::kSha256};
    case KeyType::kEc:
      return {SignAlgorithm::kEcdsa};
    case KeyType::kEd25519:
    case KeyType::kEd448:
      break;
  }
  return {SignAlgorithm::kEddsa};
}

void use_key(const PrivateKey& key) {
  const PublicKey& own = key.public_key();
  const auto prepared = key.prepare();
  const SignScheme scheme = usual_scheme(own.type());
  const Bytes input(32, 0x42);
  Bytes signature(own.max_signature_size());
  const auto length = key.sign(scheme, input, signature);
  if (!length) {
    require(!length.error().message.empty(), "an error says what happened");
    return;
  }
  require(prepared.has_value(), "a key that signs could be prepared");
  require(*length <= signature.size(), "a signature is not longer than its buffer");
  signature.resize(*length);
  require(own.verify(scheme, input, signature).has_value(), "a key signs for its own public key");
}

void use_contents(const StoreReport& report, const StoreContents& contents) {
  if (contents.login != nullptr) {
    for (const char* password : {"wrong", "password", ""}) {
      const auto unlocked = contents.login->unlock(password);
      require(unlocked.has_value() == contents.login->unlocked(), "a login that succeeds unlocks");
      if (unlocked) break;
    }
  }
  for (const auto& key : contents.keys) use_key(*key);
  for (const CertificatePtr& certificate : contents.certificates) {
    require(Certificate::parse(certificate->der()).has_value(), "a certificate can be parsed again");
  }
  const auto& profiles = built_in_profiles();
  const auto snapshot = Snapshot::build(profiles, {{report, std::make_shared<const StoreContents>(contents)}}, kNow);
  for (const Profile& profile : profiles) {
    const auto shown = snapshot->shown(profile.name, kNow);
    const auto current = snapshot->current(profile.name, kNow);
    if (!current) continue;
    require((*current)->leaf->valid_at(kNow), "the current identity is valid");
    require((*current)->leaf->public_key() == (*current)->key->public_key(), "a key belongs to its certificate");
    require(!shown.empty() && *shown.front() == **current, "the current identity is shown first");
  }
}

}  // namespace

const std::filesystem::path& scratch() {
  static const testing::TempDir folder;
  return folder.path();
}

void overwrite(const std::filesystem::path& path, ByteView content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(as_text(content).data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out) std::abort();
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

void use_store(const StoreConfig& store) {
  Config config;
  config.stores = {store};
  const auto sources = open_sources(config);
  require(sources.has_value(), "this build has the store's kind");
  for (const auto& source : *sources) {
    for (const auto& opened : source->stores()) {
      const StoreReport report{std::string(opened->kind()), opened->location(), source->explicitly_configured(), {}};
      const auto contents = opened->read();
      if (contents) {
        use_contents(report, *contents);
      } else {
        require(!contents.error().message.empty(), "an error says what happened");
      }
    }
  }
}

}  // namespace devtrust::fuzz
