#include "bench/token.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace devtrust::bench {
namespace {

/// The specification's arguments and, behind them, the place where NSS has pReserved.
struct InitializeArguments {
  CK_C_INITIALIZE_ARGS standard;
  void* reserved;
};

CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, void* value, std::size_t size) { return {type, value, size}; }

}  // namespace

void die(const char* what, const char* why) {
  (void)std::fprintf(stderr, "bench: %s: %s\n", what, why);
  std::exit(1);
}

const Digest& digest() {
  static constexpr Digest kDigest = {{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                                      0x02, 0x01, 0x05, 0x00, 0x04, 0x20, 0xd1, 0x5e, 0xa5, 0xed, 0xd1, 0x5e, 0xa5,
                                      0xed, 0xd1, 0x5e, 0xa5, 0xed, 0xd1, 0x5e, 0xa5, 0xed, 0xd1, 0x5e, 0xa5, 0xed,
                                      0xd1, 0x5e, 0xa5, 0xed, 0xd1, 0x5e, 0xa5, 0xed, 0xd1, 0x5e, 0xa5, 0xed}};
  return kDigest;
}

void Token::check(CK_RV rv, const char* function) const {
  if (rv == CKR_OK) return;
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%s answered 0x%lx", function, rv);
  die(path_, text.data());
}

void Token::load(const char* path) {
  path_ = path;
  void* module = dlopen(path, RTLD_NOW | RTLD_LOCAL);  // as p11-kit does
  if (module == nullptr) die(path, dlerror());
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(module, "C_GetFunctionList"));
  if (get == nullptr) die(path, "it has no C_GetFunctionList");
  check(get(&functions_), "C_GetFunctionList");
}

void Token::initialize(const char* parameters) {
  InitializeArguments arguments{};
  arguments.standard.flags = CKF_OS_LOCKING_OK;
  if (*parameters != '\0') arguments.standard.pReserved = const_cast<char*>(parameters);
  check(functions_->C_Initialize(&arguments), "C_Initialize");
}

void Token::list_slots() {
  slot_count_ = slots_.size();
  check(functions_->C_GetSlotList(CK_TRUE, slots_.data(), &slot_count_), "C_GetSlotList");
}

CK_SESSION_HANDLE Token::open_session() const {
  CK_SESSION_HANDLE session = 0;
  check(functions_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &session), "C_OpenSession");
  return session;
}

void Token::close_session(CK_SESSION_HANDLE session) const { functions_->C_CloseSession(session); }

std::size_t Token::find(CK_SESSION_HANDLE session, CK_ATTRIBUTE* attributes, CK_ULONG count) {
  CK_ULONG found = 0;
  check(functions_->C_FindObjectsInit(session, attributes, count), "C_FindObjectsInit");
  check(functions_->C_FindObjects(session, found_.data(), found_.size(), &found), "C_FindObjects");
  check(functions_->C_FindObjectsFinal(session), "C_FindObjectsFinal");
  return found;
}

void Token::find_key(const char* pin) {
  if (session_ != 0) close_session(session_);
  for (CK_ULONG i = 0; i < slot_count_; ++i) {
    slot_ = slots_.at(i);
    session_ = open_session();
    CK_TOKEN_INFO info{};
    check(functions_->C_GetTokenInfo(slot_, &info), "C_GetTokenInfo");
    if (*pin != '\0' && (info.flags & CKF_LOGIN_REQUIRED) != 0) {
      auto* octets = reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(pin));
      const CK_RV rv = functions_->C_Login(session_, CKU_USER, octets, std::strlen(pin));
      if (rv != CKR_USER_ALREADY_LOGGED_IN) check(rv, "C_Login");
    }
    CK_OBJECT_CLASS object_class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE key_type = type_ == KeyType::kRsa ? CKK_RSA : CKK_EC;
    std::array<CK_ATTRIBUTE, 2> wanted = {attribute(CKA_CLASS, &object_class, sizeof object_class),
                                          attribute(CKA_KEY_TYPE, &key_type, sizeof key_type)};
    if (find(session_, wanted.data(), wanted.size()) > 0) {
      key_ = found_[0];
      return;
    }
    close_session(session_);
  }
  die(path_, "no token has a private key of that type");
}

void Token::find_certificate() {
  std::array<unsigned char, 64> id{};
  CK_ATTRIBUTE asked = attribute(CKA_ID, id.data(), id.size());
  check(functions_->C_GetAttributeValue(session_, key_, &asked, 1), "C_GetAttributeValue");
  CK_OBJECT_CLASS object_class = CKO_CERTIFICATE;
  std::array<CK_ATTRIBUTE, 2> wanted = {attribute(CKA_CLASS, &object_class, sizeof object_class), asked};
  if (find(session_, wanted.data(), wanted.size()) == 0) die(path_, "the key has no certificate");
}

std::size_t Token::count_certificates() {
  CK_OBJECT_CLASS object_class = CKO_CERTIFICATE;
  CK_ATTRIBUTE wanted = attribute(CKA_CLASS, &object_class, sizeof object_class);
  return find(session_, &wanted, 1);
}

void Token::sign(CK_SESSION_HANDLE session) {
  const bool rsa = type_ == KeyType::kRsa;
  CK_MECHANISM mechanism = {rsa ? CKM_RSA_PKCS : CKM_ECDSA, nullptr, 0};
  std::array<unsigned char, Digest{}.info.size()> data = digest().info;
  std::array<unsigned char, 512> signature;  // NOLINT(cppcoreguidelines-pro-type-member-init): it is only written
  CK_ULONG length = signature.size();
  const std::size_t skipped = rsa ? 0 : Digest::kInfoHeader;
  check(functions_->C_SignInit(session, &mechanism, key_), "C_SignInit");
  check(functions_->C_Sign(session, data.data() + skipped, data.size() - skipped, signature.data(), &length), "C_Sign");
}

void Token::finalize() { functions_->C_Finalize(nullptr); }

}  // namespace devtrust::bench
