#include "backends/file/file_store.h"
#include "backends/firefox_profiles.h"
#include "backends/registry.h"
#include "backends/token/token_store.h"
#include "backends/wincert/windows_store.h"

namespace devtrust {

Result<std::vector<std::unique_ptr<StoreSource>>> open_sources(const Config& config) {
  std::vector<std::unique_ptr<StoreSource>> sources;
  for (const StoreConfig& store : config.stores) {
    if (store.kind == "windows" && !store.path.empty()) {
      return fail(ErrorCode::kInvalidConfig,
                  "a store of kind \"windows\" is this user's and the machine's certificates: take out its path");
    }
    if (store.kind == "windows") {
      sources.push_back(windows_stores(store));
    } else if (store.kind == "file") {
      sources.push_back(file_store_at(store));
    } else if (store.kind == "token") {
      sources.push_back(token_store_at(store));
    } else {
      return fail(ErrorCode::kInvalidConfig,
                  "stores of kind \"" + store.kind + "\" are not in this build, which has: windows, file, token");
    }
  }
  if (config.stores.empty()) sources.push_back(windows_stores({}));
  return sources;
}

std::vector<std::string> firefox_profile_folders(const std::string& root, std::vector<Error>& problems) {
  return read_profiles(root, problems);
}

}  // namespace devtrust
