#include "backends/keychain/keychain_place.h"

#include <filesystem>

#include "backends/keychain/keychain_error.h"

namespace devtrust {
namespace {

constexpr std::string_view kNewForm = "-db";

}  // namespace

KeychainPlace::KeychainPlace(const std::string& path) : name_(path.empty() ? "the data-protection keychain" : path) {
  if (path.empty()) return;
  const std::string stem = path.ends_with(kNewForm) ? path.substr(0, path.size() - kNewForm.size()) : path;
  paths_ = {stem + std::string(kNewForm), stem};
}

security::Outcome<std::string> KeychainPlace::path() const {
  for (const std::string& path : paths_) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) return path;
    if (error) return tl::unexpected(security::Failure{security::Domain::kOther, error.value(), error.message()});
  }
  return std::string();
}

security::Outcome<std::vector<KeychainPlace::Item>> KeychainPlace::items(security::ItemClass item_class,
                                                                         bool silent) const {
  security::Object keychain;
  std::string own_path;
  if (is_file()) {
    auto there = path();
    if (!there) return tl::unexpected(there.error());
    auto opened = security::open_keychain(*there);
    if (!opened) return tl::unexpected(opened.error());
    // As macOS writes it, without symbolic links.
    auto canonical = security::path_of(*opened);
    if (!canonical) return tl::unexpected(canonical.error());
    own_path = *std::move(canonical);
    keychain = *std::move(opened);
  }
  auto found = security::items(keychain, item_class, silent);
  if (!found && nothing_found(found.error())) return std::vector<Item>();
  if (!found) return tl::unexpected(found.error());
  std::vector<Item> list;
  for (security::Object& object : *found) {
    auto certificate = item_class == security::ItemClass::kIdentity ? security::certificate_of(object)
                                                                    : security::Outcome<security::Object>(object);
    if (!certificate) continue;  // gone since the search
    if (is_file()) {
      const auto owner = security::keychain_of(*certificate);
      if (!owner || security::path_of(*owner) != own_path) continue;
    }
    auto der = security::der_of(*certificate);
    if (der) list.push_back({std::move(object), *std::move(der)});
  }
  return list;
}

security::Outcome<security::KeychainState> KeychainPlace::state() const {
  const auto there = path();
  if (!there) return tl::unexpected(there.error());
  const auto keychain = security::open_keychain(*there);
  if (!keychain) return tl::unexpected(keychain.error());
  return security::state_of(*keychain);
}

}  // namespace devtrust
