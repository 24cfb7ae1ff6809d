// Looks at a shared library as a program that loads it would.
#pragma once

#include <string>

namespace devtrust::cli {

/// Loaded, and never unloaded.
class SharedLibrary {
 public:
  explicit SharedLibrary(const std::string& path);
  explicit operator bool() const { return library_ != nullptr; }
  const std::string& why_not() const { return why_not_; }
  bool exports(const char* name) const;

 private:
  void* library_ = nullptr;
  std::string why_not_;
};

}  // namespace devtrust::cli
