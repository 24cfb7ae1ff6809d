// devtrust-keyholder: the one process that uses the key.
#include <getopt.h>
#include <p11-kit/p11-kit.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "identity/config.h"
#include "keyholder/activation.h"
#include "keyholder/connection.h"
#include "keyholder/gate.h"
#include "keyholder/listener.h"
#include "keyholder/server.h"

namespace {

using devtrust::Result;
using devtrust::keyholder::Listener;
using devtrust::keyholder::Server;

constexpr std::chrono::seconds kIdle{60};
// p11-kit takes the length of a message from whoever sends it, up to 4 GiB, and asks for that much at once.
constexpr rlim_t kMostMemory = rlim_t{1} << 30U;

constexpr const char* kHelp =
    "Usage: devtrust-keyholder [--socket PATH] [--idle SECONDS]\n"
    "Uses the device-trust key for programs that load p11-kit-client.so, so that it is one program that the key's "
    "access\n"
    "list has to name. Ends by SIGTERM.\n"
    "\n"
    "  --socket PATH    where to listen, in a folder that only you can enter; without it where p11-kit's client "
    "looks.\n"
    "                   systemd and launchd hand their own over\n"
    "  --idle SECONDS   ends after so long without a connection; 0: never. Without it 60 where a socket was handed "
    "over,\n"
    "                   else never\n"
    "  --help, --version\n";

struct Options {
  std::string socket;
  std::optional<std::chrono::seconds> idle;
};

void say(std::string_view sentence) {
  static_cast<void>(
      std::fprintf(stderr, "devtrust-keyholder: %.*s\n", static_cast<int>(sentence.size()), sentence.data()));
}

int print(const std::string& text) { return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? 1 : 0; }

/// An exit code where there is nothing left to do.
std::optional<int> parse(int argc, char** argv, Options& options) {
  static const option kOptions[] = {{"socket", required_argument, nullptr, 's'},
                                    {"idle", required_argument, nullptr, 'i'},
                                    {"help", no_argument, nullptr, 'h'},
                                    {"version", no_argument, nullptr, 'v'},
                                    {nullptr, 0, nullptr, 0}};
  int found = 0;
  while ((found = getopt_long(argc, argv, "hv", kOptions, nullptr)) != -1) {
    const std::string_view value = optarg != nullptr ? optarg : "";
    int seconds = 0;
    switch (found) {
      case 's':
        options.socket = value;
        break;
      case 'i':
        if (const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
            error != std::errc() || end != value.data() + value.size() || seconds < 0) {
          say("--idle takes a number of seconds");
          return 1;
        }
        options.idle = std::chrono::seconds(seconds);
        break;
      case 'h':
        return print(kHelp);
      case 'v':
        return print("devtrust-keyholder " DEVTRUST_VERSION "\n");
      default:
        return 1;  // getopt has said why
    }
  }
  if (optind == argc) return std::nullopt;
  say("there is no argument that is no option: see --help");
  return 1;
}

void serve(int socket) {
  try {
    const auto peer = devtrust::keyholder::peer_of(socket);
    if (!peer) return say(peer.error().message);
    auto config = devtrust::load_config();
    if (config) config = devtrust::keyholder::without_own_stores(*std::move(config));
    // A configuration that is wrong lets everybody in, to a token that has no key and says what is wrong.
    const auto admitted =
        devtrust::keyholder::admit(*peer, geteuid(), config ? config->keyholder.programs : std::vector<std::string>());
    if (!admitted) return say(admitted.error().message);
    devtrust::keyholder::serve(socket, *peer, config);
  } catch (const std::exception& error) {  // no memory
    say(error.what());
  }
}

Server* running = nullptr;
void end(int /*signal*/) { running->end(); }

Result<Listener> listen(const Options& options) {
  auto sockets = devtrust::keyholder::inherited_sockets();
  if (!sockets) return devtrust::fail(sockets);
  if (!sockets->empty()) return Listener::take_over(*std::move(sockets));
  return Listener::open(options.socket.empty() ? devtrust::keyholder::default_socket_path() : options.socket);
}

int run(const Options& options) {
  const rlimit memory{kMostMemory, kMostMemory};
  setrlimit(RLIMIT_DATA, &memory);
  p11_kit_be_quiet();  // a client that breaks off is no news
  auto listener = listen(options);
  if (!listener) {
    say(listener.error().message);
    return 1;
  }
  Server::Limits limits;
  limits.idle = options.idle ? options.idle : listener->handed_over() ? std::optional(kIdle) : std::nullopt;
  if (limits.idle == std::chrono::seconds(0)) limits.idle.reset();
  Server server(serve, say, limits);
  running = &server;
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) static_cast<void>(std::signal(signal, end));
  const bool all_ended = server.run(listener->sockets());
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) static_cast<void>(std::signal(signal, SIG_IGN));
  if (!all_ended) {
    { const Listener gone = *std::move(listener); }
    _exit(0);  // a call is still inside: a key in hardware that waits for its user
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options options;
    if (const auto code = parse(argc, argv, options)) return *code;
    return run(options);
  } catch (const std::exception& error) {
    say(error.what());
    return 1;
  }
}
