#include "provider/provider.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>
#include <cstdarg>
#include <cstring>

#include "backends/registry.h"
#include "identity/config.h"
#include "identity/fork.h"
#include "identity/openssl.h"
#include "identity/trace.h"

namespace devtrust::provider {
namespace {

struct Reason {
  ErrorCode code;
  const char* text;
};

constexpr std::array<Reason, 16> kReasons{{
    {ErrorCode::kInternal, "internal error"},
    {ErrorCode::kNotFound, "not found"},
    {ErrorCode::kInvalidArgument, "invalid argument"},
    {ErrorCode::kInvalidConfig, "invalid configuration"},
    {ErrorCode::kUnsupported, "not supported"},
    {ErrorCode::kAccessDenied, "access denied"},
    {ErrorCode::kIo, "cannot be read"},
    {ErrorCode::kBusy, "store is being written"},
    {ErrorCode::kCorrupt, "store is damaged"},
    {ErrorCode::kLoginRequired, "password required"},
    {ErrorCode::kWrongPassword, "wrong password"},
    {ErrorCode::kKeyMismatch, "key does not belong to the certificate"},
    {ErrorCode::kSignatureInvalid, "bad signature"},
    {ErrorCode::kDecryptionFailed, "decryption failed"},
    {ErrorCode::kExpired, "no valid certificate"},
    {ErrorCode::kAuditFailed, "audit failed"},
}};

std::uint32_t reason_of(ErrorCode code) { return static_cast<std::uint32_t>(code) + 1; }

// NOLINTNEXTLINE(cert-dcl50-cpp): the core takes nothing but a va_list
void set_error(OSSL_FUNC_core_vset_error_fn* vset_error, const OSSL_CORE_HANDLE* core, std::uint32_t reason,
               const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vset_error(core, reason, format, arguments);
  va_end(arguments);
}

bool is_yes(const char* value) { return value != nullptr && std::strcmp(value, "yes") == 0; }

}  // namespace

/// What a process has open. A forked child opens its own and leaves the parent's alone, with the locks as they were.
struct Provider::Process {
  Process(std::uint64_t number, Process* parent, const std::string& file) : fork(number), abandoned(parent) {
    auto loaded = load_config(file);
    if (!loaded) {
      problem = loaded.error();
      return;
    }
    set_trace(loaded->trace);
    auto sources = open_sources(*loaded);
    if (!sources) {
      problem = sources.error();
      return;
    }
    catalog = std::make_unique<Catalog>(*std::move(sources), std::move(loaded->profiles));
    audit = std::make_shared<const Audit>(loaded->audit, loaded->audit_required);
  }

  const std::uint64_t fork;
  Process* const abandoned;  // so that leak checkers see that it is not lost
  Error problem;
  std::unique_ptr<Catalog> catalog;  // null: `problem` says why
  std::shared_ptr<const Audit> audit;
};

Provider::Provider(const OSSL_CORE_HANDLE* core, const OSSL_DISPATCH* functions) : core_(core) {
  OSSL_FUNC_core_get_params_fn* get_params = nullptr;
  for (; functions->function_id != 0; ++functions) {
    switch (functions->function_id) {
      case OSSL_FUNC_CORE_GET_PARAMS:
        get_params = OSSL_FUNC_core_get_params(functions);
        break;
      case OSSL_FUNC_CORE_NEW_ERROR:
        new_error_ = OSSL_FUNC_core_new_error(functions);
        break;
      case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
        set_error_debug_ = OSSL_FUNC_core_set_error_debug(functions);
        break;
      case OSSL_FUNC_CORE_VSET_ERROR:
        vset_error_ = OSSL_FUNC_core_vset_error(functions);
        break;
      case OSSL_FUNC_BIO_GETS:
        bio_gets_ = OSSL_FUNC_BIO_gets(functions);
        break;
      case OSSL_FUNC_BIO_WRITE_EX:
        bio_write_ = OSSL_FUNC_BIO_write_ex(functions);
        break;
      default:
        break;
    }
  }
  if (get_params == nullptr) return;
  char* config = nullptr;
  char* uris = nullptr;
  std::array<OSSL_PARAM, 3> params{OSSL_PARAM_construct_utf8_ptr("config", &config, 0),
                                   OSSL_PARAM_construct_utf8_ptr("pkcs11-uris", &uris, 0), OSSL_PARAM_construct_end()};
  if (get_params(core, params.data()) != 1) return;
  if (config != nullptr) config_ = config;
  pkcs11_uris_ = is_yes(uris);
}

Provider::~Provider() {
  const Process* process = process_.load(std::memory_order_acquire);
  if (process != nullptr && process->fork == fork_number()) delete process;
}

Provider::Process& Provider::process() {
  Process* known = process_.load(std::memory_order_acquire);
  const std::uint64_t fork = fork_number();
  if (known != nullptr && known->fork == fork) return *known;
  use_libcrypto_once();
  auto made = std::make_unique<Process>(fork, known, config_);
  if (process_.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel)) return *made.release();
  return *known;
}

Result<std::shared_ptr<const Snapshot>> Provider::snapshot() {
  Process& opened = process();
  if (opened.catalog == nullptr) return tl::unexpected(opened.problem);
  return opened.catalog->snapshot();
}

std::shared_ptr<const Audit> Provider::audit() { return process().audit; }

void Provider::raise(const Error& error) const {
  if (new_error_ == nullptr || vset_error_ == nullptr) return;
  new_error_(core_);
  if (set_error_debug_ != nullptr) set_error_debug_(core_, "", 0, "");
  set_error(vset_error_, core_, reason_of(error.code), "devtrust: %s", error.message.c_str());
}

bool Provider::read_line(OSSL_CORE_BIO* bio, std::string& line) const {
  std::array<char, 256> buffer{};
  const int length = bio_gets_ != nullptr ? bio_gets_(bio, buffer.data(), static_cast<int>(buffer.size())) : 0;
  line.assign(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return length > 0;
}

bool Provider::write(OSSL_CORE_BIO* bio, std::string_view text) const {
  std::size_t written = 0;
  return bio_write_ != nullptr && bio_write_(bio, text.data(), text.size(), &written) == 1 && written == text.size();
}

const OSSL_ITEM* reasons() {
  static const auto items = [] {
    std::array<OSSL_ITEM, kReasons.size() + 1> made{};
    for (std::size_t i = 0; i < kReasons.size(); ++i) {
      made.at(i) = {reason_of(kReasons.at(i).code), const_cast<char*>(kReasons.at(i).text)};
    }
    return made;
  }();
  return items.data();
}

}  // namespace devtrust::provider
