#include "backends/firefox_profiles.h"
#include "backends/registry.h"
#include "backends/system_store.h"
#include "backends/wincert/windows_store.h"

namespace devtrust {

const char* const kSystemStore = "windows";

Result<std::unique_ptr<StoreSource>> system_store_at(const StoreConfig& store) {
  if (!store.path.empty()) {
    return fail(ErrorCode::kInvalidConfig,
                "a store of kind \"windows\" is this user's and the machine's certificates: take out its path");
  }
  return windows_stores(store);
}

std::vector<std::string> firefox_profile_folders(const std::string& root, std::vector<Error>& problems) {
  return read_profiles(root, problems);
}

}  // namespace devtrust
