// Who is at the other end of a connection.
#pragma once

#include <sys/types.h>

#include <string>

#include "identity/result.h"

namespace devtrust::keyholder {

struct Peer {
  uid_t user = 0;
  pid_t process = 0;
  std::string program;  ///< path of its file; empty where it cannot be found out
};

/// By what the kernel says of whoever connected `socket`. kIo.
Result<Peer> peer_of(int socket);

}  // namespace devtrust::keyholder
