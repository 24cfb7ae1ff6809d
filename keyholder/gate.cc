#include "keyholder/gate.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace devtrust::keyholder {
namespace {

namespace fs = std::filesystem;

/// With links resolved where it exists: the kernel names programs so.
std::string resolved(const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? path : real.string();
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// Whether a module of this name asks p11-kit, which may ask us, or is ours and reads the same configuration.
bool leads_here(const std::string& path) {
  static constexpr std::array<std::string_view, 4> kNames{"p11-kit-client.", "p11-kit-proxy.", "libp11-kit.",
                                                          "devtrust-"};
  const std::string name = base_name(path);
  return std::ranges::any_of(kNames, [&name](std::string_view start) { return name.starts_with(start); });
}

}  // namespace

Result<void> admit(const Peer& peer, uid_t self, const std::vector<std::string>& programs) {
  const std::string who = (peer.program.empty() ? "a program that cannot be found out" : peer.program) + " (process " +
                          std::to_string(peer.process) + ", user " + std::to_string(peer.user) + ")";
  if (peer.user != self && peer.user != 0) {
    return fail(ErrorCode::kAccessDenied,
                who + " was refused: only user " + std::to_string(self) + " and root may use this key");
  }
  if (programs.empty()) return {};
  const bool listed = !peer.program.empty() && std::ranges::any_of(programs, [&peer](const std::string& program) {
    return program == peer.program || resolved(program) == peer.program;
  });
  if (listed) return {};
  return fail(ErrorCode::kAccessDenied,
              who +
                  " was refused: it is not among the programs of [keyholder] in the configuration; add its path there "
                  "if it is to use the key");
}

std::string name_for_audit(const Peer& peer) { return peer.program.empty() ? "unknown" : base_name(peer.program); }

Config without_own_stores(Config config) {
  std::erase_if(config.stores, [](const StoreConfig& store) {
    return store.kind == "token" && (leads_here(store.path) || leads_here(resolved(store.path)));
  });
  return config;
}

}  // namespace devtrust::keyholder
