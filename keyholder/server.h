// Accepts connections, and gives each a thread.
#pragma once

#include <pthread.h>

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace devtrust::keyholder {

class Server {
 public:
  struct Limits {
    std::size_t connections = 64;                ///< of more at a time the last are refused
    std::optional<std::chrono::seconds> idle{};  ///< without a connection for so long, it ends
    std::chrono::seconds parting{5};             ///< how long calls that are inside may take at the end
  };
  /// `serve` is run in a thread of its own for each connection, and ends soon after reading is shut down on it. `say`
  /// takes a sentence for whoever looks after this program; it is called by run alone.
  Server(std::function<void(int)> serve, std::function<void(std::string_view)> say, Limits limits);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Until `end` is called, or nobody comes any more. False where a connection did not come to its end in time: its
  /// thread still uses this object, which must not be destroyed then.
  bool run(const std::vector<int>& sockets);
  /// Async-signal-safe.
  void end();

 private:
  struct Connection;
  static void* run_connection(void* argument);
  void accept_one(int listening);
  void reap();
  bool part();
  /// Waits for a connection, an end, or the idle time; false when that has passed.
  bool wait(const std::vector<int>& sockets, std::vector<int>& ready);

  const std::function<void(int)> serve_;
  const std::function<void(std::string_view)> say_;
  const Limits limits_;
  int wake_[2] = {-1, -1};  // ends of a pipe
  bool ending_ = false;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();  // of the last connection's end
  std::list<std::unique_ptr<Connection>> connections_;
};

}  // namespace devtrust::keyholder
