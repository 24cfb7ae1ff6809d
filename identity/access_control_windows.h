// Who may do what to a file, by Windows' access control lists.
#pragma once

#include <string>

namespace devtrust {

/// A security descriptor for new files: all for this user, the system and administrators, nothing for others.
class PrivateDescriptor {
 public:
  PrivateDescriptor();
  ~PrivateDescriptor();
  PrivateDescriptor(const PrivateDescriptor&) = delete;
  PrivateDescriptor& operator=(const PrivateDescriptor&) = delete;
  /// A PSECURITY_DESCRIPTOR; null, which means the folder's own rules, where Windows gave none.
  void* get() const { return descriptor_; }

 private:
  void* descriptor_ = nullptr;
};

/// Whether the file or folder of this HANDLE (opened with READ_CONTROL) belongs to this user, to administrators or to
/// Windows itself.
bool owner_is_trusted(void* handle);
/// Whether anybody else may write to it, replace it, or change who may.
bool writable_by_others(void* handle);
/// Whether anybody else may read it.
bool readable_by_others(void* handle);

}  // namespace devtrust
