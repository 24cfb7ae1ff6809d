// The socket that clients connect to.
#pragma once

#include <string>
#include <vector>

#include "identity/result.h"

namespace devtrust::keyholder {

/// Where p11-kit's client looks where nothing else is said: p11-kit/pkcs11 in $XDG_RUNTIME_DIR, else in /run/user/UID,
/// else in ~/.cache, which is macOS's.
std::string default_socket_path();

/// Sockets that listen. Those that were made here are removed at the end; those that were handed over stay.
class Listener {
 public:
  /// From systemd or launchd; kInvalidArgument where one does not listen.
  static Result<Listener> take_over(std::vector<int> sockets);
  /// Listens at `path`, in a folder that only this user can enter and that is made where it is missing. What a
  /// listener that has ended left there is replaced. kBusy where another one answers there; kAccessDenied for a folder
  /// that others can enter; kIo.
  static Result<Listener> open(const std::string& path);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  const std::vector<int>& sockets() const { return sockets_; }
  /// Whether it was handed over: then whoever did so listens on when this program ends.
  bool handed_over() const { return path_.empty(); }

 private:
  Listener() = default;

  std::vector<int> sockets_;
  std::string path_;  // of the socket that was made here
  int lock_ = -1;     // held while it is used
};

}  // namespace devtrust::keyholder
