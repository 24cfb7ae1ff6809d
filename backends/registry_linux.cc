#include "backends/nss/discovery.h"
#include "backends/registry.h"
#include "backends/system_store.h"

namespace devtrust {

const char* const kSystemStore = "nss";

Result<std::unique_ptr<StoreSource>> system_store_at(const StoreConfig& store) {
  return store.path.empty() ? nss_usual_places() : nss_store_at(store);
}

std::vector<std::string> firefox_profile_folders(const std::string& root, std::vector<Error>& problems) {
  return firefox_profiles(root, problems);
}

}  // namespace devtrust
