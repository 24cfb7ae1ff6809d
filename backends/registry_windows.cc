#include "backends/file/file_store.h"
#include "backends/registry.h"

namespace devtrust {

Result<std::vector<std::unique_ptr<StoreSource>>> open_sources(const Config& config) {
  std::vector<std::unique_ptr<StoreSource>> sources;
  for (const StoreConfig& store : config.stores) {
    if (store.kind == "file") {
      sources.push_back(file_store_at(store));
    } else {
      return fail(ErrorCode::kInvalidConfig,
                  "stores of kind \"" + store.kind + "\" are not in this build, which has: windows, file");
    }
  }
  return sources;
}

}  // namespace devtrust
