#include "keyholder/listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "identity/process.h"

namespace devtrust::keyholder {
namespace {

constexpr int kBacklog = 128;

std::string reason() { return std::strerror(errno); }

bool is_folder(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

Result<void> make_private_folder(const std::string& folder) {
  if (const auto slash = folder.rfind('/'); slash > 0) mkdir(folder.substr(0, slash).c_str(), S_IRWXU);  // ~/.cache
  if (mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return fail(ErrorCode::kIo, "the folder " + folder + " cannot be made: " + reason());
  }
  struct stat found {};
  if (lstat(folder.c_str(), &found) != 0) return fail(ErrorCode::kIo, folder + " cannot be looked at: " + reason());
  if (!S_ISDIR(found.st_mode)) {
    return fail(ErrorCode::kAccessDenied, folder + " is no folder: move it away, or choose another with --socket");
  }
  if (found.st_uid != geteuid()) {
    return fail(ErrorCode::kAccessDenied,
                "the folder " + folder + " is another user's: choose one of yours with --socket");
  }
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(ErrorCode::kAccessDenied, "others can enter the folder " + folder + ": chmod 700 " + folder);
  }
  return {};
}

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int new_socket() {
  const int made = socket(AF_UNIX, SOCK_STREAM, 0);
  if (made >= 0) fcntl(made, F_SETFD, FD_CLOEXEC);
  return made;
}

/// Takes away what an earlier listener left. kBusy where it still answers.
Result<void> clear(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) {
    return fail(ErrorCode::kAccessDenied, path + " is no socket: move it away, or choose another with --socket");
  }
  const int probe = new_socket();
  const bool answers = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(probe);
  if (answers) {
    return fail(ErrorCode::kBusy,
                "another program listens at " + path +
                    " already: end it (a keyholder or p11-kit server of yours, or the systemd unit of "
                    "one), or choose another place with --socket");
  }
  unlink(path.c_str());
  return {};
}

}  // namespace

std::string default_socket_path() {
  std::string folder = environment("XDG_RUNTIME_DIR");
  if (folder.empty()) {
    for (const char* base : {"/run/user/", "/var/run/user/"}) {
      folder = base + std::to_string(getuid());
      if (is_folder(folder)) break;
      folder.clear();
    }
  }
  if (folder.empty()) folder = account_home() + "/.cache";
  return folder + "/p11-kit/pkcs11";
}

Result<Listener> Listener::take_over(std::vector<int> sockets) {
  for (const int handed : sockets) {
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(handed, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "the socket that was handed over does not listen: the unit needs Accept=no and ListenStream");
    }
    fcntl(handed, F_SETFD, FD_CLOEXEC);
    fcntl(handed, F_SETFL, O_NONBLOCK);
  }
  Listener listener;
  listener.sockets_ = std::move(sockets);
  return listener;
}

Result<Listener> Listener::open(const std::string& path) {
  const auto slash = path.rfind('/');
  if (!is_full_path(path) || slash == 0 || slash + 1 == path.size()) {
    return fail(ErrorCode::kInvalidArgument, "the socket " + path + " has to be a full path in a folder of its own");
  }
  const auto address = address_of(path);
  if (!address) {
    return fail(ErrorCode::kInvalidArgument, "the path of the socket is too long for the system: " + path);
  }
  if (auto made = make_private_folder(path.substr(0, slash)); !made) return fail(made);
  Listener listener;
  listener.lock_ = ::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (listener.lock_ < 0) return fail(ErrorCode::kIo, path + ".lock cannot be opened: " + reason());
  if (flock(listener.lock_, LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::kBusy, "a devtrust-keyholder runs already for " + path + ": one is enough");
  }
  if (auto cleared = clear(path, *address); !cleared) return fail(cleared);
  const int made = new_socket();
  if (made >= 0) listener.sockets_.push_back(made);
  const mode_t before = umask(S_IRWXG | S_IRWXO);
  const bool bound = made >= 0 && bind(made, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
  umask(before);
  if (bound) listener.path_ = path;
  if (!bound || listen(made, kBacklog) != 0) {
    return fail(ErrorCode::kIo, "nothing can listen at " + path + ": " + reason());
  }
  fcntl(made, F_SETFL, O_NONBLOCK);
  return listener;
}

Listener::Listener(Listener&& other) noexcept
    : sockets_(std::move(other.sockets_)), path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {
  other.sockets_.clear();
  other.path_.clear();
}

Listener::~Listener() {
  if (!path_.empty()) unlink(path_.c_str());
  for (const int listening : sockets_) close(listening);
  if (lock_ >= 0) close(lock_);  // the file stays: whoever opened it meanwhile locks the same one
}

}  // namespace devtrust::keyholder
