#include "backends/token/module.h"

#include <cstdlib>
#include <filesystem>
#include <map>

#include "backends/token/module_file.h"
#include "backends/token/token_error.h"
#include "identity/fork.h"
#include "identity/process.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;

/// The modules that this process has open. A child makes its own table: in the parent's any lock may be held.
struct Table {
  const std::uint64_t fork;
  Table* const abandoned;  // so that leak checkers see that it is not lost
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<Module>> modules;
};

Table& table() {
  static constinit std::atomic<Table*> current{nullptr};
  while (true) {
    Table* known = current.load(std::memory_order_acquire);
    const std::uint64_t number = fork_number();
    if (known != nullptr && known->fork == number) return *known;
    std::unique_ptr<Table> made(new Table{number, known, {}, {}});
    if (current.compare_exchange_strong(known, made.get())) return *made.release();
  }
}

constinit std::atomic<bool> exits{false};

/// To be called when a module has registered its own destructors: what is registered last runs first.
void watch_exit() {
  static_cast<void>(std::atexit([] { exits = true; }));
}

fs::path path_of(const std::string& path) { return {reinterpret_cast<const char8_t*>(path.c_str())}; }

/// Why this file is never loaded; empty where it may be. What leads back to us unseen is caught in the call.
std::string objection(const std::string& path) {
  if (raised_privileges()) return "it is not loaded into a program with raised privileges";
  std::error_code error;
  const fs::path file = fs::canonical(path_of(path), error);
  const std::string name = file.stem().string();
  if (name == "devtrust-pkcs11" || name == "devtrust-p11-kit" ||
      (!error && fs::equivalent(file, path_of(own_file()), error))) {
    return "it is devtrust's own module: name the one that has the token";
  }
  if (name == "p11-kit-proxy" || name.starts_with("libp11-kit")) {  // one file
    return "it shows the tokens of all modules, devtrust's own among them: name the one that has the token";
  }
  if (name == "p11-kit-client" && program_name().starts_with("p11-kit-")) {
    return "p11-kit's server would ask itself: give it a configuration without this store";
  }
  return {};
}

}  // namespace

Module::Module(std::string path, std::string init_args, CK_FUNCTION_LIST* functions)
    : path_(std::move(path)), init_args_(std::move(init_args)), functions_(functions), fork_(fork_number()) {}

Module::~Module() {
  if (!ours_ || fork_ != fork_number() || exits || functions_->C_Finalize == nullptr) return;
  const ForeignCall inside;
  functions_->C_Finalize(nullptr);
}

bool Module::process_exits() { return exits; }

Result<std::shared_ptr<Module>> Module::open(const std::string& path, const std::string& init_args) {
  if (const std::string why = objection(path); !why.empty()) return fail(ErrorCode::kInvalidConfig, why);
  Table& process = table();
  const std::lock_guard guard(process.mutex);
  const auto [place, first] = process.modules.try_emplace(path);
  std::weak_ptr<Module>& known = place->second;
  if (auto module = known.lock()) {
    if (module->init_args_ == init_args) return module;
    return fail(ErrorCode::kInvalidConfig, "another [[store]] opens it with other init_args: give both the same");
  }
  const auto functions = load_module_file(path);
  if (!functions) {
    process.modules.erase(place);
    return fail(functions);
  }
  const std::shared_ptr<Module> module(new Module(path, init_args, *functions));
  auto done = module->initialize();
  if (first) watch_exit();
  if (!done) return fail(done);
  known = module;
  return module;
}

Result<void> Module::initialize() {
  // NSS's token has its text one field before the end of a longer structure.
  struct {
    CK_C_INITIALIZE_ARGS standard{};
    void* end = nullptr;
  } arguments;
  if (functions_->C_Initialize == nullptr) return fail(ErrorCode::kIo, "it is no PKCS#11 module");
  if (!init_args_.empty()) arguments.standard.pReserved = const_cast<char*>(init_args_.c_str());
  arguments.standard.flags = CKF_OS_LOCKING_OK;
  if (exits) return tl::unexpected(token_error(CKR_GENERAL_ERROR));
  const ForeignCall inside;
  CK_RV rv = functions_->C_Initialize(&arguments);
  if (rv == CKR_CANT_LOCK) {
    locks_ = false;
    arguments.standard.flags = 0;
    rv = functions_->C_Initialize(&arguments);
  }
  ours_ = rv == CKR_OK;
  if (ForeignCall::came_back()) leads_back_ = true;
  if (auto good = check(); !good) return good;
  if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    return tl::unexpected(token_error(rv));
  }
  return {};
}

Result<void> Module::initialize_again(std::uint64_t seen) {
  const std::lock_guard alone(mutex_);
  if (epoch_ != seen) return {};
  ++epoch_;
  return initialize();
}

Result<void> Module::restart(std::uint64_t seen) {
  const std::lock_guard alone(mutex_);
  if (epoch_ != seen || !ours_) return {};
  ++epoch_;
  if (functions_->C_Finalize != nullptr) {
    const ForeignCall inside;
    functions_->C_Finalize(nullptr);
  }
  return initialize();
}

Result<void> Module::check() const {
  if (!leads_back_) return {};
  return fail(ErrorCode::kInvalidConfig, "it leads back to devtrust itself: name the module that has the token");
}

}  // namespace devtrust
