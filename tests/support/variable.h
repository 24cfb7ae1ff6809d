// Environment variables that tests change.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace devtrust::testing {

/// Of this process; none where it is unset.
std::optional<std::string> variable(const std::string& name);
/// None unsets it.
void set_variable(const std::string& name, const std::optional<std::string>& value);

/// Sets a variable, or unsets it, until the test ends.
class Variable {
 public:
  Variable(std::string name, const std::optional<std::string>& value)
      : name_(std::move(name)), before_(variable(name_)) {
    set_variable(name_, value);
  }
  ~Variable() { set_variable(name_, before_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  std::string name_;
  std::optional<std::string> before_;
};

}  // namespace devtrust::testing
