// The library's state between C_Initialize and C_Finalize: slots, sessions, logins, and the catalog behind them.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "identity/audit.h"
#include "identity/catalog.h"
#include "identity/config.h"
#include "pkcs11/init_string.h"
#include "pkcs11/session.h"

namespace devtrust::pkcs11 {

/// Thread-safe.
class Library {
 public:
  /// Reads the configuration; a wrong one gives a library with one token that says so.
  static std::unique_ptr<Library> open(const InitOptions& options);
  static std::unique_ptr<Library> open(Result<Config> configuration, bool chain_trusted);
  /// `problem`: why there are no stores; may be empty.
  Library(std::unique_ptr<Catalog> catalog, std::unique_ptr<const Audit> audit, bool chain_trusted,
          std::string problem);

  const Audit& audit() const { return *audit_; }

  /// Slots in the order of their ids. `count_only` begins a new listing: the list stays the same until the next one.
  std::vector<CK_SLOT_ID> list_slots(bool count_only);
  /// CKR_SLOT_ID_INVALID.
  Answer<Slot*> find_slot(CK_SLOT_ID id);
  /// What the slot's token shows now.
  ViewPtr view(Slot& slot);

  CK_SESSION_HANDLE open_session(Slot& slot, bool read_write);
  /// Null where it was closed, or where its token was taken out.
  SessionPtr find_session(CK_SESSION_HANDLE handle);
  /// CKR_SESSION_HANDLE_INVALID.
  Answer<> close_session(CK_SESSION_HANDLE handle);
  void close_all_sessions(Slot& slot);

  /// `pin` may have no data (NULL): that is enough where no password is needed.
  Answer<> login(Slot& slot, std::string_view pin);
  Answer<> logout(Slot& slot);

  /// A slot whose token was put in or taken out. CKR_NO_EVENT; after stop(), CKR_CRYPTOKI_NOT_INITIALIZED.
  Answer<CK_SLOT_ID> wait_for_slot_event(bool block);
  /// Wakes whoever waits. Everything else goes on working for the calls that are inside.
  void stop();

 private:
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<CK_SESSION_HANDLE, SessionPtr> sessions;
  };
  Shard& shard(CK_SESSION_HANDLE handle) { return shards_[handle % shards_.size()]; }

  /// The newest snapshot; the slots follow it.
  std::shared_ptr<const Snapshot> refresh();
  void follow(const Snapshot& snapshot, std::vector<Slot*>& replaced);
  void raise_event(CK_SLOT_ID id);
  void forget_sessions(const Slot& slot);
  void lock_stores(const Slot& slot);

  const std::unique_ptr<Catalog> catalog_;
  const std::unique_ptr<const Audit> audit_;
  const bool chain_trusted_;
  const std::string problem_;
  HandleCounter object_handles_;
  std::atomic<CK_SESSION_HANDLE> session_handles_;

  std::mutex slots_mutex_;
  std::vector<std::unique_ptr<Slot>> slots_;  // the id is the index and one; only ever grows
  std::size_t listed_ = 0;
  std::shared_ptr<const Snapshot> followed_;

  std::array<Shard, 32> shards_;

  std::mutex login_mutex_;
  std::map<const Slot*, std::vector<std::shared_ptr<Login>>> unlocked_;  // by C_Login on that slot

  std::mutex event_mutex_;
  std::condition_variable event_;
  std::deque<CK_SLOT_ID> events_;
  bool stopping_ = false;
};

}  // namespace devtrust::pkcs11
