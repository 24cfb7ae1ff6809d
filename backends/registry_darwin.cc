#include "backends/firefox_profiles.h"
#include "backends/keychain/keychain_store.h"
#include "backends/registry.h"
#include "backends/system_store.h"

namespace devtrust {

const char* const kSystemStore = "keychain";

Result<std::unique_ptr<StoreSource>> system_store_at(const StoreConfig& store) {
  if (!store.pin_source.empty()) {
    return fail(ErrorCode::kInvalidConfig,
                "a store of kind \"keychain\" is unlocked by macOS: take out its pin_source");
  }
  return store.path.empty() ? keychain_usual_places(store) : keychain_at(store);
}

std::vector<std::string> firefox_profile_folders(const std::string& root, std::vector<Error>& problems) {
  return read_profiles(root, problems);
}

}  // namespace devtrust
