#include "cli/credentials.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "cli/device.h"
#include "cli/files.h"
#include "cli/openssl_conf.h"
#include "cli/openssl_types.h"
#include "cli/output.h"
#include "cli/programs.h"
#include "cli/subprocess.h"
#include "identity/key_reference.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kNotThere = 127, kNotRunnable = 126;  // as shells have it

int failure(const std::string& message) {
  complain(message);
  return 1;
}

Result<void> write_files(const PemFiles& files, const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kAccessDenied, fmt::format("{} cannot be made: {}", folder, error.message()));
  if (auto key = replace_file(folder + "/key.pem", files.key, 0600); !key) return key;
  return replace_file(folder + "/chain.pem", files.chain, 0644);
}

/// RFC 7512 §2.3: what is not unreserved is escaped.
std::string uri_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::strchr("-._~", c) != nullptr;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// A folder of our own that is gone at the end.
class ScratchFolder {
 public:
  ScratchFolder() {
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    for (const std::string& parent : {std::string(runtime != nullptr ? runtime : ""), temporary_folder()}) {
      if (parent.empty()) continue;
      path_ = parent + "/devtrust-exec-XXXXXX";
      if (mkdtemp(path_.data()) != nullptr) return;
    }
    path_.clear();
  }
  ~ScratchFolder() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

volatile pid_t running = 0;  // whom `pass_on` passes a signal on to

void pass_on(int signal) {
  if (running > 0) kill(running, signal);
}

/// Holds back the signals that would end us with files left behind, until there is a program to pass them on to. What
/// came before that ends us when this goes.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&held, signal);
    sigprocmask(SIG_BLOCK, &held, &before_);
  }
  ~HeldSignals() { let_go(); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  const sigset_t& before() const { return before_; }
  void let_go() const { sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// Waits for the program; the terminal's own signals reach it by themselves, others are passed on.
int wait_for(pid_t process, const HeldSignals& signals) {
  running = process;
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  for (const int signal : {SIGINT, SIGQUIT}) sigaction(signal, &action, nullptr);
  action.sa_handler = pass_on;
  for (const int signal : {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) sigaction(signal, &action, nullptr);
  signals.let_go();
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  running = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

// The leaf and its issuers without the root, which whoever checks has himself; and the key's reference.
Result<PemFiles> pem_files(const std::string& profile) {
  const auto device = open_device();
  if (!device) return fail(device);
  const auto current = select_current(*device->snapshot, profile, current_time());
  if (!current) return fail(current);
  const Identity& identity = **current;
  PemFiles files{identity.profile, pem_of(*identity.leaf), encode_key_reference("devtrust:" + identity.profile)};
  const auto& issuers = identity.chain.issuers;
  for (std::size_t i = 0; i + (identity.chain.complete ? 1 : 0) < issuers.size(); ++i)
    files.chain += pem_of(*issuers[i]);
  return files;
}

int pem(const std::string& profile, const std::string& folder) {
  const auto files = pem_files(profile);
  if (!files) return failure(files.error().message);
  if (folder.empty()) return print_answer(files->chain + files->key);
  const auto written = write_files(*files, folder);
  return written ? 0 : failure(written.error().message);
}

int uri(const std::string& profile) {
  const auto device = open_device();
  if (!device) return failure(device.error().message);
  std::string chosen = profile;
  if (chosen.empty()) {
    const auto current = select_current(*device->snapshot, {}, current_time());
    if (!current) return failure(current.error().message);
    chosen = (*current)->profile;
  }
  // A name stays true whether or not the certificate is there today.
  const auto& profiles = device->config.profiles;
  const auto found = std::ranges::find(profiles, chosen, &Profile::name);
  if (found == profiles.end())
    return failure(select_current(*device->snapshot, chosen, current_time()).error().message);
  const std::string label = uri_escaped(found->label);
  const std::string pkcs11 = "pkcs11:token=" + label + ";object=" + label + ";type=";
  return print_answer(
      fmt::format("# OpenSSL's programs and all that take a URI for a key; git's user.signingKey\ndevtrust:{}\n"
                  "# PKCS#11: the key\n{}private\n# PKCS#11: the certificate\n{}cert\n",
                  chosen, pkcs11, pkcs11));
}

int execute(const std::string& profile, const std::vector<std::string>& command) {
  const auto provider = provider_path();
  const auto module = module_path();
  if (!provider || !module) return failure((!provider ? provider : module).error().message);
  const auto files = pem_files(profile);
  if (!files) return failure(files.error().message);
  const HeldSignals signals;
  const ScratchFolder folder;
  if (folder.path().empty())
    return failure(std::string("a folder for the files cannot be made: ") + std::strerror(errno));
  const std::string conf = folder.path() + "/openssl.cnf";
  const auto settings = openssl_conf(openssl_conf_file(), *provider);
  if (!settings) return failure(settings.error().message);
  auto written = write_files(*files, folder.path());
  if (written) written = replace_file(conf, *settings, 0644);
  if (!written) return failure(written.error().message);
  const std::array<std::pair<const char*, std::string>, 6> variables{{{"OPENSSL_CONF", conf},
                                                                      {"DEVTRUST_CERT", folder.path() + "/chain.pem"},
                                                                      {"DEVTRUST_KEY", folder.path() + "/key.pem"},
                                                                      {"DEVTRUST_MODULE", *module},
                                                                      {"PKCS11_MODULE_PATH", *module},
                                                                      {"PKCS11_PROVIDER_MODULE", *module}}};
  for (const auto& [name, value] : variables) setenv(name, value.c_str(), 1);

  const auto process = start(command, signals.before());
  if (!process) {
    complain(process.error().message);
    return process.error().code == ErrorCode::kNotFound ? kNotThere : kNotRunnable;
  }
  return wait_for(*process, signals);
}

}  // namespace devtrust::cli
