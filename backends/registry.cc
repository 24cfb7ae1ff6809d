#include "backends/registry.h"

#include "backends/file/file_store.h"
#include "backends/system_store.h"
#include "backends/token/token_store.h"

namespace devtrust {

Result<std::vector<std::unique_ptr<StoreSource>>> open_sources(const Config& config) {
  std::vector<std::unique_ptr<StoreSource>> sources;
  const auto add_system_store = [&](const StoreConfig& store) -> Result<void> {
    auto source = system_store_at(store);
    if (!source) return fail(source);
    sources.push_back(*std::move(source));
    return {};
  };
  for (const StoreConfig& store : config.stores) {
    if (store.kind == kSystemStore) {
      if (auto added = add_system_store(store); !added) return fail(added);
    } else if (store.kind == "file") {
      sources.push_back(file_store_at(store));
    } else if (store.kind == "token") {
      sources.push_back(token_store_at(store));
    } else {
      return fail(
          ErrorCode::kInvalidConfig,
          "stores of kind \"" + store.kind + "\" are not in this build, which has: " + kSystemStore + ", file, token");
    }
  }
  if (config.stores.empty()) {
    if (auto added = add_system_store({}); !added) return fail(added);
  }
  return sources;
}

}  // namespace devtrust
