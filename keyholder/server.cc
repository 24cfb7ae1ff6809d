#include "keyholder/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <system_error>

namespace devtrust::keyholder {
namespace {

using Clock = std::chrono::steady_clock;

// What Library and SQLite take is far less; the default would be 8 MiB for each that connects and says nothing.
constexpr std::size_t kStack = std::size_t{1} << 20U;
constexpr auto kOutOfDescriptors = std::chrono::milliseconds(100);

constexpr char kEnd = 'e';
constexpr char kOver = 'o';  // a connection is

void set(int descriptor, int flags) {
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  fcntl(descriptor, F_SETFL, flags);
}

int milliseconds_until(Clock::time_point time) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, INT_MAX));
}

}  // namespace

struct Server::Connection {
  Server* server;
  int socket;
  pthread_t thread{};
  std::atomic<bool> over{false};
};

Server::Server(std::function<void(int)> serve, std::function<void(std::string_view)> say, Limits limits)
    : serve_(std::move(serve)), say_(std::move(say)), limits_(limits) {
  if (pipe(wake_) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  for (const int end : wake_) set(end, O_NONBLOCK);
}

Server::~Server() {
  for (const int end : wake_) close(end);
}

void Server::end() { static_cast<void>(!write(wake_[1], &kEnd, 1)); }

void* Server::run_connection(void* argument) {
  auto& connection = *static_cast<Connection*>(argument);
  Server& server = *connection.server;
  server.serve_(connection.socket);
  shutdown(connection.socket, SHUT_RDWR);  // the client sees the end now; the descriptor is closed with the thread
  connection.over = true;
  static_cast<void>(!write(server.wake_[1], &kOver, 1));
  return nullptr;
}

void Server::accept_one(int listening) {
  const int socket = accept(listening, nullptr, nullptr);
  if (socket < 0) {
    if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS) return;  // it went away again
    say_("a connection cannot be accepted: " + std::string(std::strerror(errno)));
    poll(nullptr, 0, static_cast<int>(kOutOfDescriptors.count()));
    return;
  }
  set(socket, 0);
  if (connections_.size() >= limits_.connections) {
    close(socket);
    say_("a connection was refused: there are " + std::to_string(limits_.connections) +
         " already; end programs that use the key");
    return;
  }
  auto connection = std::make_unique<Connection>();
  connection->server = this;
  connection->socket = socket;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  const int error = pthread_create(&connection->thread, &attributes, run_connection, connection.get());
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    close(socket);
    say_("a connection was refused, since no thread can be made for it: " + std::string(std::strerror(error)));
    return;
  }
  connections_.push_back(std::move(connection));
}

void Server::reap() {
  std::erase_if(connections_, [this](const auto& connection) {
    if (!connection->over) return false;
    pthread_join(connection->thread, nullptr);
    close(connection->socket);
    since_ = Clock::now();
    return true;
  });
}

bool Server::wait(const std::vector<int>& sockets, std::vector<int>& ready) {
  std::vector<pollfd> waited{{wake_[0], POLLIN, 0}};
  for (const int socket : sockets) waited.push_back({socket, POLLIN, 0});
  const bool idles = limits_.idle && connections_.empty();
  const int woken =
      poll(waited.data(), static_cast<nfds_t>(waited.size()), idles ? milliseconds_until(since_ + *limits_.idle) : -1);
  if (woken == 0) return false;
  if (woken < 0) return true;  // a signal, whose handler calls end
  std::array<char, 64> said{};
  ssize_t length = 0;
  while ((length = read(wake_[0], said.data(), said.size())) > 0) {
    if (std::find(said.begin(), said.begin() + length, kEnd) != said.begin() + length) ending_ = true;
  }
  for (std::size_t i = 1; i < waited.size(); ++i) {
    if (waited[i].revents != 0) ready.push_back(waited[i].fd);
  }
  return true;
}

bool Server::run(const std::vector<int>& sockets) {
  since_ = Clock::now();
  while (!ending_) {
    std::vector<int> ready;
    if (!wait(sockets, ready)) break;
    reap();
    if (ending_) break;
    for (const int socket : ready) accept_one(socket);
  }
  return part();
}

bool Server::part() {
  // What was asked already is answered; more is not read.
  for (const auto& connection : connections_) shutdown(connection->socket, SHUT_RD);
  const auto until = Clock::now() + limits_.parting;
  while (true) {
    reap();
    if (connections_.empty()) return true;
    pollfd over{wake_[0], POLLIN, 0};
    if (poll(&over, 1, milliseconds_until(until)) == 0) return false;
    std::array<char, 64> said{};
    while (read(wake_[0], said.data(), said.size()) > 0) continue;
  }
}

}  // namespace devtrust::keyholder
