// A slot and the token in it: one profile's identities, followed through renewals.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "identity/snapshot.h"
#include "pkcs11/object.h"

namespace devtrust::pkcs11 {

/// What a token shows at one moment. Immutable.
struct View {
  std::shared_ptr<const Snapshot> snapshot;
  Time from, until;         ///< the clock must be within, `until` not included
  std::uint64_t epoch = 0;  ///< of the login
  std::size_t intact = 0;   ///< identities whose key had not failed
  std::string description;  ///< where the identity comes from, or why there is none
  std::vector<ObjectPtr> objects;
  std::vector<std::shared_ptr<const PrivateKey>> keys;  ///< all that the profile has, shown or not
  std::vector<std::shared_ptr<Login>> logins;           ///< of the shown identities, the current one's first
};
using ViewPtr = std::shared_ptr<const View>;

/// What a token says of itself for as long as it is in its slot: NSS reads it once.
struct TokenIdentity {
  std::string profile;  ///< empty: a token that explains why there is none
  std::string label;
  bool login_required = false;
  bool has_keys = false;  ///< whether its mechanisms are those of a token with keys

  friend bool operator==(const TokenIdentity&, const TokenIdentity&) = default;
};

/// Longer passwords than NSS allows are refused.
inline constexpr CK_ULONG kMaxPinLength = 500;

/// The one thing that tells one object handle from another everywhere in a library.
using HandleCounter = std::atomic<CK_OBJECT_HANDLE>;

/// Thread-safe. Slots live as long as their library.
class Slot {
 public:
  /// `problem`: why there can be no profile at all (a configuration that does not parse); may be empty.
  Slot(CK_SLOT_ID id, TokenIdentity token, bool chain_trusted, std::string problem, HandleCounter& handles);

  CK_SLOT_ID id() const { return id_; }
  TokenIdentity token() const;
  /// The token that a profile has with this snapshot. What nothing in it contradicts stays as in `before`.
  static TokenIdentity token_of(const Snapshot& snapshot, const Profile& profile, Time now,
                                const TokenIdentity& before);
  /// Takes the token out and puts another in: sessions and logins are gone.
  void replace_token(TokenIdentity token);

  ViewPtr view(const std::shared_ptr<const Snapshot>& snapshot, Time now);
  CK_SLOT_INFO slot_info(const View& view) const;
  CK_TOKEN_INFO token_info() const;

  void session_opened(CK_SESSION_HANDLE session, bool read_write);
  /// Its objects die with it.
  void session_closed(CK_SESSION_HANDLE session);
  bool has_sessions() const;

  bool logged_in() const { return logged_in_.load(std::memory_order_acquire); }
  std::uint64_t login_epoch() const { return epoch_.load(std::memory_order_acquire); }
  void set_logged_in();
  /// Private objects' handles are invalid from here on.
  void set_logged_out();

  /// Any object that was ever given out and that something still holds, or null. Private ones only while logged in.
  ObjectPtr find(CK_OBJECT_HANDLE handle) const;
  /// CKR_SESSION_HANDLE_INVALID where the session was closed in the meantime.
  Answer<ObjectPtr> add_session_object(CK_SESSION_HANDLE session, std::vector<Attribute> attributes,
                                       SecureBytes secret);
  /// False where there is none of this handle.
  bool destroy_session_object(CK_OBJECT_HANDLE handle);
  std::vector<ObjectPtr> session_objects() const;

 private:
  struct Known {
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    std::weak_ptr<const Object> object;
  };
  struct SessionObject {
    CK_SESSION_HANDLE owner;
    ObjectPtr object;
  };
  bool up_to_date(const std::shared_ptr<const Snapshot>& snapshot, Time now) const;
  ViewPtr build(const std::shared_ptr<const Snapshot>& snapshot, Time now);
  CK_OBJECT_HANDLE next_handle() { return handles_.fetch_add(1, std::memory_order_relaxed); }

  const CK_SLOT_ID id_;
  const bool chain_trusted_;
  const std::string problem_;
  HandleCounter& handles_;
  std::atomic<bool> logged_in_{false};
  std::atomic<std::uint64_t> epoch_{1};

  mutable std::mutex mutex_;  // guards what follows
  TokenIdentity token_;
  ViewPtr view_;
  std::map<std::string, Known> known_;  // by Description::content
  std::unordered_map<CK_OBJECT_HANDLE, std::weak_ptr<const Object>> by_handle_;
  std::vector<SessionObject> session_objects_;
  std::unordered_map<CK_SESSION_HANDLE, bool> sessions_;  // value: read/write
};

/// `text` into a blank-padded field of PKCS#11. One that is too long ends in an ellipsis, never within a character.
void fill_field(std::span<unsigned char> field, std::string_view text);

}  // namespace devtrust::pkcs11
