// A session: its running operations and the objects that it has seen.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "pkcs11/operation.h"
#include "pkcs11/slot.h"

namespace devtrust::pkcs11 {

struct FindOperation {
  std::vector<ObjectPtr> found;
  std::uint64_t epoch = 0;  ///< of the login that let private ones be found
  std::size_t given = 0;
};

/// One kind of operation runs beside the others: finding, digesting, signing, verifying, encrypting and decrypting do
/// not exclude one another. Calls lock `mutex()` for as long as they last.
class Session {
 public:
  Session(CK_SESSION_HANDLE handle, Slot& slot, bool read_write)
      : handle_(handle), slot_(slot), read_write_(read_write) {}

  CK_SESSION_HANDLE handle() const { return handle_; }
  Slot& slot() const { return slot_; }
  bool read_write() const { return read_write_; }
  CK_SESSION_INFO info() const;
  std::mutex& mutex() { return mutex_; }

  // All below only with the mutex held.

  std::optional<FindOperation> finding;
  std::optional<DigestOperation> digesting;
  bool digest_in_parts = false;  ///< C_DigestUpdate or C_DigestKey was called
  std::optional<SignOperation> signing;
  bool sign_recover = false;  ///< `signing` was begun by C_SignRecoverInit
  std::optional<VerifyOperation> verifying;
  bool verify_recover = false;
  std::optional<EncryptOperation> encrypting;
  std::optional<DecryptOperation> decrypting;

  bool any_cryptographic_operation() const { return digesting || signing || verifying || encrypting || decrypting; }

  /// The next of what was found, or null. It stays usable in this session although searches may no longer give it.
  ObjectPtr next_found();
  /// CKR_OBJECT_HANDLE_INVALID where there is none.
  Answer<ObjectPtr> find_object(CK_OBJECT_HANDLE handle);
  /// A key for an operation that `permission` (CKA_SIGN, …) allows: CKR_KEY_HANDLE_INVALID, CKR_KEY_TYPE_INCONSISTENT,
  /// CKR_KEY_FUNCTION_NOT_PERMITTED.
  Answer<ObjectPtr> find_key(CK_OBJECT_HANDLE handle, CK_OBJECT_CLASS object_class, CK_ATTRIBUTE_TYPE permission);

 private:
  struct Seen {
    ObjectPtr object;
    std::uint64_t epoch;
  };

  void remember(const ObjectPtr& object, std::uint64_t epoch);

  const CK_SESSION_HANDLE handle_;
  Slot& slot_;
  const bool read_write_;
  std::mutex mutex_;
  std::map<CK_OBJECT_HANDLE, Seen> seen_;  // token objects; handles grow, so the oldest come first
};
using SessionPtr = std::shared_ptr<Session>;

}  // namespace devtrust::pkcs11
