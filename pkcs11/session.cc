#include "pkcs11/session.h"

namespace devtrust::pkcs11 {
namespace {

// A session that is never closed holds at most so many objects of former renewals: three each, so more than ten years.
constexpr std::size_t kMostSeen = 1024;

}  // namespace

CK_SESSION_INFO Session::info() const {
  CK_SESSION_INFO info{};
  info.slotID = slot_.id();
  const bool user = slot_.logged_in();
  info.state = read_write_ ? (user ? CKS_RW_USER_FUNCTIONS : CKS_RW_PUBLIC_SESSION)
                           : (user ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION);
  info.flags = CKF_SERIAL_SESSION | (read_write_ ? CKF_RW_SESSION : 0);
  return info;
}

ObjectPtr Session::next_found() {
  while (finding->given < finding->found.size()) {
    const ObjectPtr& object = finding->found[finding->given++];
    if (object->is_private() && finding->epoch != slot_.login_epoch()) continue;  // logged out in the meantime
    if (object->is(CKA_TOKEN)) remember(object, finding->epoch);
    return object;
  }
  return nullptr;
}

void Session::remember(const ObjectPtr& object, std::uint64_t epoch) {
  seen_[object->handle()] = {object, epoch};
  if (seen_.size() > kMostSeen) seen_.erase(seen_.begin());
}

Answer<ObjectPtr> Session::find_object(CK_OBJECT_HANDLE handle) {
  const auto seen = seen_.find(handle);
  if (seen != seen_.end()) {
    const auto& [object, epoch] = seen->second;
    if (!object->is_private() || epoch == slot_.login_epoch()) return object;
    seen_.erase(seen);
    return refuse(CKR_OBJECT_HANDLE_INVALID);
  }
  const std::uint64_t epoch = slot_.login_epoch();
  auto object = slot_.find(handle);
  if (!object) return refuse(CKR_OBJECT_HANDLE_INVALID);
  if (object->is(CKA_TOKEN)) remember(object, epoch);
  return object;
}

Answer<ObjectPtr> Session::find_key(CK_OBJECT_HANDLE handle, CK_OBJECT_CLASS object_class,
                                    CK_ATTRIBUTE_TYPE permission) {
  auto object = find_object(handle);
  if (!object) return refuse(CKR_KEY_HANDLE_INVALID);
  const CK_OBJECT_CLASS found = (*object)->object_class();
  if (found != CKO_PRIVATE_KEY && found != CKO_PUBLIC_KEY && found != CKO_SECRET_KEY) {
    return refuse(CKR_KEY_HANDLE_INVALID, "the object is not a key");
  }
  if (found != object_class) return refuse(CKR_KEY_TYPE_INCONSISTENT, "the key is of another class");
  if (!(*object)->is(permission)) return refuse(CKR_KEY_FUNCTION_NOT_PERMITTED, "the key may not be used for this");
  return object;
}

}  // namespace devtrust::pkcs11
