#include "backends/registry.h"

#include "backends/file/file_store.h"
#include "backends/nss/discovery.h"
#include "backends/token/token_store.h"

namespace devtrust {

Result<std::vector<std::unique_ptr<StoreSource>>> open_sources(const Config& config) {
  std::vector<std::unique_ptr<StoreSource>> sources;
  for (const StoreConfig& store : config.stores) {
    if (store.kind == "nss") {
      sources.push_back(store.path.empty() ? nss_usual_places() : nss_store_at(store));
    } else if (store.kind == "file") {
      sources.push_back(file_store_at(store));
    } else if (store.kind == "token") {
      sources.push_back(token_store_at(store));
    } else {
      return fail(ErrorCode::kInvalidConfig,
                  "stores of kind \"" + store.kind + "\" are not in this build, which has: nss, file, token");
    }
  }
  if (config.stores.empty()) sources.push_back(nss_usual_places());
  return sources;
}

std::vector<std::string> firefox_profile_folders(const std::string& root, std::vector<Error>& problems) {
  return firefox_profiles(root, problems);
}

}  // namespace devtrust
