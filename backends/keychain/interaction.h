// Whether macOS may ask the user while something is done.
#pragma once

namespace devtrust {

/// macOS has one setting for the whole process, the host included: it is off while anybody is silent, and then what it
/// was. Thread-safe. Not in a forked child.
class Silence {
 public:
  Silence();
  ~Silence();
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  bool counted_;
};

/// While the user may be asked. Begins once nobody is silent, who never takes long; who becomes silent meanwhile leaves
/// the setting alone, rather than wait for the user's answer.
class Asking {
 public:
  Asking();
  ~Asking();
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;
};

}  // namespace devtrust
