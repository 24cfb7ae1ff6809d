#include "backends/token/token.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <optional>
#include <vector>

#include "identity/fork.h"
#include "identity/uri.h"

namespace devtrust {
namespace {

using Clock = std::chrono::steady_clock;

constexpr CK_ULONG kMaxSlots = 256;
constexpr std::size_t kMaxIdle = 8;
constexpr auto kWaitForSession = std::chrono::seconds(10);
constexpr auto kAskForEvents = std::chrono::milliseconds(100);
constexpr std::array<CK_MECHANISM_TYPE, 7> kMechanisms{CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_RSA_PKCS_OAEP, CKM_RSA_X_509,
                                                       CKM_ECDSA,    CKM_ECDH1_DERIVE, CKM_EDDSA};

/// A field of the specification's blank-padded kind.
template <std::size_t size>
std::string field(const unsigned char (&padded)[size]) {
  std::string text(reinterpret_cast<const char*>(padded), size);
  text.resize(std::min(text.find('\0'), size));
  text.resize(text.find_last_not_of(' ') + 1);  // npos + 1 is 0
  return text;
}

bool is_named(const CK_TOKEN_INFO& info, CK_SLOT_ID slot, const std::string& name) {
  if (name.empty()) return true;
  if (!name.starts_with("pkcs11:")) return field(info.label) == name;
  const auto uri = parse_uri(name);
  if (!uri) return false;
  const auto fits = [](const std::optional<std::string>& wanted, const std::string& value) {
    return !wanted || *wanted == value;
  };
  return fits(uri->token, field(info.label)) && fits(uri->manufacturer, field(info.manufacturerID)) &&
         fits(uri->model, field(info.model)) && fits(uri->serial, field(info.serialNumber)) &&
         (!uri->slot_id || *uri->slot_id == slot);
}

std::string listed(const std::vector<std::string>& labels) {
  std::string text;
  for (const std::string& label : labels) text += (text.empty() ? "\"" : ", \"") + label + '"';
  return text;
}

/// The PIN may have been counted as a wrong one: no second attempt follows by itself.
tl::unexpected<TokenFailure> login_failed(CK_RV rv) {
  return tl::unexpected(TokenFailure{rv == CKR_DEVICE_ERROR ? CKR_OK : rv, token_error(rv)});
}

CK_UTF8CHAR* pin_data(ByteView pin) { return reinterpret_cast<CK_UTF8CHAR*>(const_cast<std::uint8_t*>(pin.data())); }

void replace(std::atomic<const SecureBytes*>& place, std::unique_ptr<const SecureBytes> value) {
  delete place.exchange(value.release());
}

}  // namespace

/// All that one process knows of the token.
struct Token::Connection {
  Connection(std::uint64_t number, Connection* parents) : fork(number), abandoned(parents) {}

  const std::uint64_t fork;
  Connection* const abandoned;  // so that leak checkers see that it is not lost
  std::mutex login_mutex;       // one login at a time; taken before `mutex`
  std::atomic<bool> logged_in{false};
  std::atomic<bool> logged_in_here{false};  // and not by the host, whose login is its own

  std::mutex mutex;  // guards what follows
  std::condition_variable returned;
  std::shared_ptr<Module> module;
  std::uint64_t module_epoch = 0;
  std::optional<CK_SLOT_ID> slot;
  TokenState state;
  CK_SESSION_HANDLE anchor = CK_INVALID_HANDLE;  // keeps the login where no other session is open
  std::vector<CK_SESSION_HANDLE> idle;
  std::size_t in_use = 0;
  bool tells_events = true;
  Clock::time_point asked_at{};
  std::atomic<std::uint64_t> generation{1};
  std::atomic<std::uint64_t> logins{0};  // and logouts

  CK_FLAGS flags() {
    const std::lock_guard guard(mutex);
    return state.flags;
  }

  /// Sessions, handles and the login are void; what the module still knows of them is closed.
  void forget() {
    if (module != nullptr && module->epoch() == module_epoch) {
      for (const CK_SESSION_HANDLE handle : idle) module->call(&CK_FUNCTION_LIST::C_CloseSession, handle);
      if (anchor != CK_INVALID_HANDLE) module->call(&CK_FUNCTION_LIST::C_CloseSession, anchor);
    }
    idle.clear();
    anchor = CK_INVALID_HANDLE;
    in_use = 0;
    slot.reset();
    logged_in = false;
    logged_in_here = false;
    ++generation;
    returned.notify_all();
  }
};

Token::Token(const StoreConfig& config)
    : config_(config), name_(config.path + (config.token.empty() ? "" : " (" + config.token + ')')) {}

Token::~Token() {
  Connection* connection = connection_.load();
  if (connection != nullptr && connection->fork == fork_number()) {
    {
      const std::lock_guard guard(connection->mutex);
      connection->forget();
    }
    delete connection;
  }
  replace(kept_pin_, nullptr);
  replace(refused_pin_, nullptr);
}

Token::Connection& Token::connection() const {
  while (true) {
    Connection* known = connection_.load(std::memory_order_acquire);
    const std::uint64_t number = fork_number();
    if (known != nullptr && known->fork == number) return *known;
    auto made = std::make_unique<Connection>(number, known);
    if (connection_.compare_exchange_strong(known, made.get())) return *made.release();
  }
}

std::uint64_t Token::epoch() const {
  const Connection& mine = connection();
  return mine.generation + mine.logins;  // both only grow
}
std::uint64_t Token::generation() const { return connection().generation; }

TokenAnswer<> Token::find_slot(Connection& connection) {
  Module& module = *connection.module;
  CK_ULONG count = 0;
  CK_RV rv = module.call(&CK_FUNCTION_LIST::C_GetSlotList, CK_BBOOL{CK_TRUE}, nullptr, &count);
  if (rv != CKR_OK) return refused(rv);
  if (count > kMaxSlots) return refused(ErrorCode::kCorrupt, "its module has more slots than can be true");
  std::vector<CK_SLOT_ID> slots(count);
  if (count > 0) rv = module.call(&CK_FUNCTION_LIST::C_GetSlotList, CK_BBOOL{CK_TRUE}, slots.data(), &count);
  if (rv != CKR_OK) return refused(rv);
  slots.resize(std::min<std::size_t>(slots.size(), count));
  std::vector<std::string> all;
  std::vector<std::string> fitting;
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    if (module.call(&CK_FUNCTION_LIST::C_GetTokenInfo, slot, &info) != CKR_OK) continue;
    if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) continue;
    all.push_back(field(info.label));
    if (!is_named(info, slot, config_.token)) continue;
    fitting.push_back(all.back());
    connection.slot = slot;
    connection.state.flags = info.flags;
  }
  if (const auto good = module.check(); !good) return refused(good.error());
  if (fitting.size() == 1) return {};
  connection.slot.reset();
  if (fitting.size() > 1) {
    return refused(ErrorCode::kInvalidConfig,
                   "several tokens fit (" + listed(fitting) + "): let the [[store]] say which with token = \"LABEL\"");
  }
  // Nothing at all may mean that the module lost what it is connected to.
  const bool lost = all.empty() &&
                    module.call(&CK_FUNCTION_LIST::C_GetSlotList, CK_BBOOL{CK_FALSE}, nullptr, &count) == CKR_OK &&
                    count == 0;
  return tl::unexpected(
      TokenFailure{lost ? CKR_TOKEN_NOT_PRESENT : CKR_OK,
                   {ErrorCode::kNotFound, all.empty() ? token_error(CKR_TOKEN_NOT_PRESENT).message
                                                      : "the token is not there; its module has " + listed(all)}});
}

/// Makes the module, the slot and the anchor be there.
TokenAnswer<> Token::connect(Connection& connection) {
  if (connection.module == nullptr) {
    auto module = Module::open(config_.path, config_.init_args);
    if (!module) return refused(module.error());
    connection.module = *std::move(module);
    connection.module_epoch = connection.module->epoch();
  }
  Module& module = *connection.module;
  if (const auto good = module.check(); !good) return refused(good.error());
  if (connection.module_epoch != module.epoch()) {
    connection.forget();
    connection.module_epoch = module.epoch();
  }
  if (connection.slot) return {};
  if (auto found = find_slot(connection); !found) return found;
  connection.state.mechanisms.clear();
  for (const CK_MECHANISM_TYPE type : kMechanisms) {
    CK_MECHANISM_INFO info{};
    if (module.call(&CK_FUNCTION_LIST::C_GetMechanismInfo, *connection.slot, type, &info) == CKR_OK) {
      connection.state.mechanisms.emplace(type, info.flags);
    }
  }
  const CK_RV rv = module.call(&CK_FUNCTION_LIST::C_OpenSession, *connection.slot, CK_FLAGS{CKF_SERIAL_SESSION},
                               nullptr, nullptr, &connection.anchor);
  if (rv == CKR_OK) return {};
  connection.slot.reset();
  connection.anchor = CK_INVALID_HANDLE;
  return refused(rv);
}

TokenAnswer<std::unique_ptr<TokenSession>> Token::acquire() {
  Connection& mine = connection();
  std::unique_lock lock(mine.mutex);
  const auto deadline = Clock::now() + kWaitForSession;
  while (true) {
    if (auto done = connect(mine); !done) return tl::unexpected(done.error());
    CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;
    CK_RV rv = CKR_OK;
    if (!mine.idle.empty()) {
      handle = mine.idle.back();
      mine.idle.pop_back();
    } else {
      rv = mine.module->call(&CK_FUNCTION_LIST::C_OpenSession, *mine.slot, CK_FLAGS{CKF_SERIAL_SESSION}, nullptr,
                             nullptr, &handle);
    }
    if (rv == CKR_SESSION_COUNT && mine.anchor != CK_INVALID_HANDLE) {  // a token of few sessions
      handle = std::exchange(mine.anchor, CK_INVALID_HANDLE);
      rv = CKR_OK;
    }
    if (rv == CKR_OK) {
      ++mine.in_use;
      return std::make_unique<TokenSession>(*this, mine.module, handle, mine.generation.load());
    }
    if (rv != CKR_SESSION_COUNT || mine.in_use == 0) return refused(rv);
    if (mine.returned.wait_until(lock, deadline) == std::cv_status::timeout) return refused(rv);
  }
}

void Token::give_back(CK_SESSION_HANDLE handle, std::uint64_t generation, bool discarded) {
  Connection& mine = connection();
  const std::lock_guard guard(mine.mutex);
  // Of an earlier connection, or of the parent process: its handle may be somebody else's by now.
  if (generation != mine.generation || mine.module == nullptr || mine.module->epoch() != mine.module_epoch) return;
  if (mine.in_use > 0) --mine.in_use;
  const bool last = mine.anchor == CK_INVALID_HANDLE && mine.in_use == 0 && mine.idle.empty();
  if (!discarded && mine.idle.size() < kMaxIdle) {
    mine.idle.push_back(handle);
  } else {
    mine.module->call(&CK_FUNCTION_LIST::C_CloseSession, handle);
    if (last) mine.forget();  // the login went with it
  }
  mine.returned.notify_one();
}

void Token::recover(CK_RV rv, std::uint64_t generation, bool thoroughly) {
  Connection& mine = connection();
  const std::lock_guard guard(mine.mutex);
  if (mine.generation != generation || mine.module == nullptr) return;
  const std::uint64_t seen = mine.module_epoch;
  mine.forget();
  // What goes wrong here is said by the next attempt.
  if (rv == CKR_CRYPTOKI_NOT_INITIALIZED) {
    static_cast<void>(mine.module->initialize_again(seen));
  } else if (thoroughly && mine.module->ours()) {
    static_cast<void>(mine.module->restart(seen));
  }
}

Result<TokenState> Token::state() {
  return in_session<TokenState>([this](TokenSession&) -> TokenAnswer<TokenState> {
    Connection& mine = connection();
    const std::lock_guard guard(mine.mutex);
    return mine.state;
  });
}

bool Token::told_of_change() {
  Connection& mine = connection();
  const std::lock_guard guard(mine.mutex);
  // A host that uses the module itself waits for the same events.
  if (mine.module == nullptr || !mine.module->ours() || !mine.tells_events) return false;
  const auto now = Clock::now();
  if (now - mine.asked_at < kAskForEvents) return false;
  mine.asked_at = now;
  bool told = false;
  CK_RV rv = CKR_OK;
  for (CK_ULONG i = 0; i < kMaxSlots && rv == CKR_OK; ++i) {
    CK_SLOT_ID slot = 0;
    rv = mine.module->call(&CK_FUNCTION_LIST::C_WaitForSlotEvent, CK_FLAGS{CKF_DONT_BLOCK}, &slot, nullptr);
    told |= rv == CKR_OK;
  }
  // Whatever else it answers, it does not tell; and one that never comes to an end tells nothing.
  mine.tells_events = rv == CKR_NO_EVENT;
  return told;
}

bool Token::asks_for_password(CK_FLAGS flags) const {
  return (flags & CKF_LOGIN_REQUIRED) != 0 && (flags & CKF_PROTECTED_AUTHENTICATION_PATH) == 0 &&
         config_.pin_source.empty();
}

Result<SecureBytes> Token::configured_pin() const {
  const SecureBytes* kept = kept_pin_.load();
  if (config_.pin_source.empty()) {
    if (kept != nullptr) return *kept;
    return tl::unexpected(token_error(CKR_USER_NOT_LOGGED_IN));
  }
  auto pin = read_pin_source(config_.pin_source);
  // A server's workers may not read it any more.
  if (!pin && kept != nullptr) return *kept;
  return pin;
}

/// Whether a PIN that nobody typed may be tried: it must never block a card.
TokenAnswer<> Token::may_try(TokenSession& session) const {
  CK_SESSION_INFO at{};
  CK_TOKEN_INFO info{};
  Connection& mine = connection();
  CK_RV rv = session.call(&CK_FUNCTION_LIST::C_GetSessionInfo, &at);
  if (rv == CKR_OK) rv = mine.module->call(&CK_FUNCTION_LIST::C_GetTokenInfo, at.slotID, &info);
  if (rv != CKR_OK) return refused(rv);
  if ((info.flags & CKF_USER_PIN_LOCKED) != 0) return refused(CKR_PIN_LOCKED);
  const bool low = (info.flags & CKF_USER_PIN_COUNT_LOW) != 0 && refused_pin_.load() == nullptr;
  if (low || (info.flags & CKF_USER_PIN_FINAL_TRY) != 0) {
    return refused(ErrorCode::kAccessDenied,
                   "the token was given a wrong PIN before, so the pin_source is not tried: log in to it once by hand");
  }
  return {};
}

TokenAnswer<> Token::log_in(TokenSession& session, CK_USER_TYPE user) {
  Connection& mine = connection();
  if ((mine.flags() & CKF_PROTECTED_AUTHENTICATION_PATH) != 0) {
    if (!config_.prompt) {
      return refused(ErrorCode::kLoginRequired,
                     "the token's PIN is typed on its reader: set prompt = true in the configuration's [[store]]");
    }
    const CK_RV rv = session.call(&CK_FUNCTION_LIST::C_Login, user, nullptr, CK_ULONG{0});
    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) return refused(rv);
    return {};
  }
  auto pin = configured_pin();
  if (!pin) return refused(pin.error());
  const SecureBytes* bad = refused_pin_.load();
  if (bad != nullptr && equal(*bad, *pin)) {
    return refused(ErrorCode::kWrongPassword,
                   "the token refused the PIN before, and it is not tried again: see what the pin_source holds");
  }
  if (auto good = may_try(session); !good) return good;
  const CK_RV rv = session.call(&CK_FUNCTION_LIST::C_Login, user, pin_data(*pin), static_cast<CK_ULONG>(pin->size()));
  if (is_wrong_pin(rv)) refuse_pin(*pin);
  if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) return login_failed(rv);
  if (rv == CKR_OK) replace(kept_pin_, std::make_unique<const SecureBytes>(*std::move(pin)));
  if (user == CKU_USER) mine.logged_in_here = rv == CKR_OK;
  return {};
}

void Token::refuse_pin(ByteView pin) {
  replace(kept_pin_, nullptr);
  replace(refused_pin_, std::make_unique<const SecureBytes>(pin.begin(), pin.end()));
}

TokenAnswer<> Token::ensure_login(TokenSession& session, bool lost) {
  Connection& mine = connection();
  const std::lock_guard one(mine.login_mutex);
  if (lost) {
    mine.logged_in = false;
    ++mine.logins;
  } else if (mine.logged_in || (mine.flags() & CKF_LOGIN_REQUIRED) == 0) {
    return {};
  }
  if (auto done = log_in(session, CKU_USER); !done) return done;
  mine.logged_in = true;
  ++mine.logins;
  return {};
}

TokenAnswer<> Token::login_for_use(TokenSession& session) {
  const std::lock_guard one(connection().login_mutex);
  return log_in(session, CKU_CONTEXT_SPECIFIC);
}

/// A PIN that a program gave stays here only where a key asks for it at each use.
void Token::keep_pin_where_needed(TokenSession& session, ByteView pin) {
  CK_OBJECT_CLASS key_class = CKO_PRIVATE_KEY;
  CK_BBOOL yes = CK_TRUE;
  std::array<CK_ATTRIBUTE, 2> wanted{
      {{CKA_CLASS, &key_class, sizeof key_class}, {CKA_ALWAYS_AUTHENTICATE, &yes, sizeof yes}}};
  CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
  CK_ULONG count = 0;
  if (session.call(&CK_FUNCTION_LIST::C_FindObjectsInit, wanted.data(), CK_ULONG{2}) != CKR_OK) return;
  session.call(&CK_FUNCTION_LIST::C_FindObjects, &found, CK_ULONG{1}, &count);
  session.call(&CK_FUNCTION_LIST::C_FindObjectsFinal);
  if (count > 0) replace(kept_pin_, std::make_unique<const SecureBytes>(pin.begin(), pin.end()));
}

Result<void> Token::unlock(std::string_view password) {
  auto result = in_session<void>([&](TokenSession& session) -> TokenAnswer<> {
    Connection& mine = connection();
    const std::lock_guard one(mine.login_mutex);
    if (mine.logged_in) return {};
    const ByteView pin = as_bytes(password);
    const CK_RV rv = session.call(&CK_FUNCTION_LIST::C_Login, CK_USER_TYPE{CKU_USER}, pin_data(pin),
                                  static_cast<CK_ULONG>(pin.size()));
    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) return login_failed(rv);
    mine.logged_in_here = rv == CKR_OK;
    mine.logged_in = true;
    keep_pin_where_needed(session, pin);
    ++mine.logins;
    return {};
  });
  if (!result && result.error().code == ErrorCode::kNotFound) result.error().code = ErrorCode::kIo;
  return result;
}

void Token::lock() {
  static_cast<void>(in_session<void>([&](TokenSession& session) -> TokenAnswer<> {
    Connection& mine = connection();
    const std::lock_guard one(mine.login_mutex);
    replace(kept_pin_, nullptr);
    if (mine.logged_in_here) session.call(&CK_FUNCTION_LIST::C_Logout);
    mine.logged_in = false;
    mine.logged_in_here = false;
    ++mine.logins;
    return {};
  }));
}

bool Token::unlocked() const { return connection().logged_in; }

TokenSession::TokenSession(Token& token, std::shared_ptr<Module> module, CK_SESSION_HANDLE handle,
                           std::uint64_t generation)
    : token_(token), module_(std::move(module)), handle_(handle), generation_(generation) {}

TokenSession::~TokenSession() { token_.give_back(handle_, generation_, discarded_); }

}  // namespace devtrust
