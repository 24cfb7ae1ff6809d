// One token of another PKCS#11 module: sessions and the login.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "backends/token/module.h"
#include "backends/token/token_error.h"
#include "identity/bytes.h"
#include "identity/config.h"
#include "identity/store.h"

namespace devtrust {

/// Mechanisms that are of use to us, with their CKF_… flags.
using TokenMechanisms = std::map<CK_MECHANISM_TYPE, CK_FLAGS>;

/// What the token is at the moment.
struct TokenState {
  CK_FLAGS flags = 0;
  TokenMechanisms mechanisms;
};

class Token;

/// A session that one thread has; it goes back to the others with this.
class TokenSession {
 public:
  TokenSession(Token& token, std::shared_ptr<Module> module, CK_SESSION_HANDLE handle, std::uint64_t generation);
  ~TokenSession();
  TokenSession(const TokenSession&) = delete;
  TokenSession& operator=(const TokenSession&) = delete;

  template <typename Function, typename... Arguments>
  CK_RV call(Function CK_FUNCTION_LIST::*name, Arguments... arguments) {
    return module_->call(name, handle_, arguments...);
  }
  /// An operation may have been left in it: it is closed instead of given to others.
  void discard() { discarded_ = true; }
  std::uint64_t generation() const { return generation_; }

 private:
  Token& token_;
  const std::shared_ptr<Module> module_;
  const CK_SESSION_HANDLE handle_;
  const std::uint64_t generation_;
  bool discarded_ = false;
};

/// Thread-safe. It outlives snapshots, and keys hold it. A forked child connects anew and does not touch what is its
/// parent's.
class Token final : public Login {
 public:
  explicit Token(const StoreConfig& config);
  ~Token() override;
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  /// For people: the module, and which token of it.
  const std::string& name() const { return name_; }

  /// Runs `body` in a session; once more, or twice, where the token was taken out and put back or the module was
  /// finalised. Errors name the token.
  template <typename T, typename Body>
  Result<T> in_session(Body body);
  Result<TokenState> state();

  /// Logs in as the configuration says, where that is needed and was not done. `lost`: the token said that nobody is
  /// logged in.
  TokenAnswer<> ensure_login(TokenSession& session, bool lost = false);
  /// For a key that asks for the PIN at each use, after C_…Init.
  TokenAnswer<> login_for_use(TokenSession& session);
  /// Whether a program must log in before a key can be used.
  bool asks_for_password(CK_FLAGS flags) const;

  Result<void> unlock(std::string_view password) override;
  void lock() override;
  bool unlocked() const override;

  /// Differs after each login, logout and connection: which private keys can be seen, and their handles, may differ.
  std::uint64_t epoch() const;
  /// Whether the module says that a token was put in or taken out. Asks seldom.
  bool told_of_change();

 private:
  friend class TokenSession;
  struct Connection;

  /// This process's.
  Connection& connection() const;
  TokenAnswer<std::unique_ptr<TokenSession>> acquire();
  TokenAnswer<> connect(Connection& connection);
  TokenAnswer<> find_slot(Connection& connection);
  void give_back(CK_SESSION_HANDLE handle, std::uint64_t generation, bool discarded);
  /// Raised with each connection.
  std::uint64_t generation() const;
  /// Prepares for another attempt after a stale answer of this generation.
  void recover(CK_RV rv, std::uint64_t generation, bool thoroughly);
  Error named(const Error& error) const { return {error.code, name_ + ": " + error.message}; }

  /// The PIN that the configuration or an earlier login gives. Under the connection's login mutex, as all that follow.
  Result<SecureBytes> configured_pin() const;
  TokenAnswer<> may_try(TokenSession& session) const;
  TokenAnswer<> log_in(TokenSession& session, CK_USER_TYPE user);
  void keep_pin_where_needed(TokenSession& session, ByteView pin);
  void refuse_pin(ByteView pin);

  const StoreConfig config_;
  const std::string name_;
  mutable std::atomic<Connection*> connection_{nullptr};
  // Written once and then only read, so that a child may read what its parent had.
  std::atomic<const SecureBytes*> kept_pin_{nullptr};     // opened the token
  std::atomic<const SecureBytes*> refused_pin_{nullptr};  // did not: never tried again
};

template <typename T, typename Body>
Result<T> Token::in_session(Body body) {
  for (int attempt = 0;; ++attempt) {
    std::uint64_t generation = this->generation();
    TokenAnswer<T> done = [&]() -> TokenAnswer<T> {
      auto session = acquire();
      if (!session) return tl::unexpected(session.error());
      generation = (*session)->generation();
      TokenAnswer<T> answer = body(**session);
      if (!answer) (*session)->discard();
      return answer;
    }();
    if (done) {
      if constexpr (std::is_void_v<T>) {
        return {};
      } else {
        return *std::move(done);
      }
    }
    if (attempt == 2 || !is_stale(done.error().rv)) return tl::unexpected(named(done.error().error));
    recover(done.error().rv, generation, attempt == 1);
  }
}

}  // namespace devtrust
