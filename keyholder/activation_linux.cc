#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "keyholder/activation.h"

namespace devtrust::keyholder {
namespace {

constexpr int kFirst = 3;  // sd_listen_fds(3)
constexpr int kMost = 16;

/// A variable's number; 0 where it is none.
int number_in(const char* name) {
  const char* text = std::getenv(name);
  int number = 0;
  if (text == nullptr) return 0;
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() ? number : 0;
}

}  // namespace

Result<std::vector<int>> inherited_sockets() {
  std::vector<int> sockets;
  if (number_in("LISTEN_PID") != getpid()) return sockets;
  const int count = number_in("LISTEN_FDS");
  for (int i = 0; i < count && i < kMost; ++i) sockets.push_back(kFirst + i);
  return sockets;
}

}  // namespace devtrust::keyholder
