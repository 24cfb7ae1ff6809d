// A place that the configuration names, with one store in it.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "identity/store.h"

namespace devtrust {

class ConfiguredStore final : public StoreSource {
 public:
  explicit ConfiguredStore(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  bool changed() const override { return false; }
  std::vector<std::shared_ptr<Store>> stores() override { return {store_}; }
  std::vector<Error> problems() const override { return {}; }
  bool explicitly_configured() const override { return true; }

 private:
  const std::shared_ptr<Store> store_;
};

}  // namespace devtrust
