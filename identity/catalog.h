// Holds the newest snapshot and replaces it when a store changes.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "identity/profile.h"
#include "identity/snapshot.h"
#include "identity/store.h"

namespace devtrust {

/// Thread-safe. After a fork the child makes a catalog of its own: the parent's locks may be held in it for ever.
class Catalog {
 public:
  Catalog(std::vector<std::unique_ptr<StoreSource>> sources, std::vector<Profile> profiles);
  ~Catalog();

  /// The newest snapshot. Stores are read again only where a version differs; where another thread is reading, the last
  /// snapshot is given at once (the first one is waited for). A store whose read fails keeps its last contents and
  /// reports the error. Never null.
  std::shared_ptr<const Snapshot> snapshot();
  /// The last snapshot without looking at the stores; reads them if that never happened.
  std::shared_ptr<const Snapshot> last();

 private:
  struct Entry;
  /// Lists the sources' stores again where a source changed; true where anything differs.
  bool list_stores();
  /// Reads what changed and publishes a new snapshot where there is something new.
  void refresh(Time now);
  std::shared_ptr<const Snapshot> build(Time now) const;
  void publish(std::shared_ptr<const Snapshot> snapshot);

  std::vector<std::unique_ptr<StoreSource>> sources_;
  std::vector<Profile> profiles_;
  std::mutex refresh_mutex_;
  std::vector<Entry> entries_;  // guarded by refresh_mutex_
  bool listed_ = false;         // guarded by refresh_mutex_
  mutable std::mutex current_mutex_;
  std::shared_ptr<const Snapshot> current_;  // guarded by current_mutex_
};

}  // namespace devtrust
