// Stands for a program that wine has not, git for instance: sends its name, arguments, variables and input to the test,
// which runs the system's own, and ends as that has ended.
#include <fcntl.h>
#include <io.h>
#include <winsock2.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "relay: %s\n", what);
  std::exit(125);
}

class Connection {
 public:
  Connection() {
    WSADATA data{};
    WSAStartup(MAKEWORD(2, 2), &data);
    const char* port = std::getenv("DEVTRUST_RELAY");
    if (port == nullptr) give_up("DEVTRUST_RELAY names no port");
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<u_short>(std::strtoul(port, nullptr, 10)));
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("nobody listens");
  }

  void send_text(std::string_view text) {
    send_number(static_cast<std::uint32_t>(text.size()));
    send_all(text);
  }
  void send_number(std::uint32_t number) {
    const std::uint32_t sent = htonl(number);
    send_all({reinterpret_cast<const char*>(&sent), sizeof sent});
  }
  std::uint32_t get_number() {
    const std::string bytes = get_bytes(sizeof(std::uint32_t));
    std::uint32_t number = 0;
    bytes.copy(reinterpret_cast<char*>(&number), sizeof number);
    return ntohl(number);
  }
  std::string get_text() { return get_bytes(get_number()); }

 private:
  void send_all(std::string_view text) const {
    while (!text.empty()) {
      const int sent = send(socket_, text.data(), static_cast<int>(text.size()), 0);
      if (sent <= 0) give_up("the test went away");
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  std::string get_bytes(std::size_t size) const {
    std::string bytes(size, '\0');
    for (std::size_t at = 0; at < size;) {
      const int got = recv(socket_, bytes.data() + at, static_cast<int>(size - at), 0);
      if (got <= 0) give_up("the test went away");
      at += static_cast<std::size_t>(got);
    }
    return bytes;
  }

  SOCKET socket_;
};

std::string standard_input() {
  std::string text;
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) text.append(buffer, got);
  return text;
}

}  // namespace

int main(int argc, char** argv, char** variables) {
  for (const int descriptor : {0, 1, 2}) _setmode(descriptor, _O_BINARY);
  Connection test;
  test.send_number(static_cast<std::uint32_t>(argc));
  for (int i = 0; i < argc; ++i) test.send_text(argv[i]);
  for (char** variable = variables; *variable != nullptr; ++variable) {
    if (std::string_view(*variable).starts_with("GIT_")) test.send_text(*variable);
  }
  test.send_text("");
  test.send_text(standard_input());
  const std::uint32_t code = test.get_number();
  const std::string output = test.get_text();
  const std::string errors = test.get_text();
  std::fwrite(output.data(), 1, output.size(), stdout);
  std::fwrite(errors.data(), 1, errors.size(), stderr);
  return static_cast<int>(code);
}
