#include <windows.h>

#include "identity/utf16.h"
#include "tests/support/variable.h"

namespace devtrust::testing {

std::optional<std::string> variable(const std::string& name) {
  std::wstring value(32768, L'\0');  // no value is longer
  SetLastError(ERROR_SUCCESS);
  const DWORD length = GetEnvironmentVariableW(to_utf16(name).c_str(), value.data(), static_cast<DWORD>(value.size()));
  if (length == 0 && GetLastError() == ERROR_ENVVAR_NOT_FOUND) return std::nullopt;
  return to_utf8(value.substr(0, length));
}

void set_variable(const std::string& name, const std::optional<std::string>& value) {
  SetEnvironmentVariableW(to_utf16(name).c_str(), value ? to_utf16(*value).c_str() : nullptr);
}

}  // namespace devtrust::testing
