// A PKCS#11 module as a client uses it, step by step, so that each step can be timed. Nothing here needs a C++ runtime:
// a process that measures how a module is loaded must not bring half of what the module brings.
#pragma once

#include <p11-kit/pkcs11.h>

#include <array>
#include <cstddef>

namespace devtrust::bench {

enum class KeyType { kRsa, kEc };

/// Says so on standard error, and ends the process.
[[noreturn]] void die(const char* what, const char* why);

/// Any failure ends the process.
class Token {
 public:
  explicit Token(KeyType type) : type_(type) {}

  /// dlopen and C_GetFunctionList.
  void load(const char* path);
  /// C_Initialize. `parameters`: pReserved, which is where NSS takes its LibraryParameters from; empty: NULL.
  void initialize(const char* parameters);
  void list_slots();
  /// Opens sessions, logs in where a slot asks for it and `pin` is not empty, and searches for the private key.
  void find_key(const char* pin);
  /// The certificate with the key's CKA_ID.
  void find_certificate();
  /// C_FindObjectsInit, C_FindObjects and C_FindObjectsFinal; how many there are.
  std::size_t count_certificates();

  CK_SESSION_HANDLE session() const { return session_; }
  CK_SESSION_HANDLE open_session() const;
  void close_session(CK_SESSION_HANDLE session) const;
  /// C_SignInit and C_Sign over a digest: RSA as PKCS#1, EC as it is.
  void sign(CK_SESSION_HANDLE session);
  void finalize();

 private:
  static constexpr std::size_t kMostObjects = 64;

  void check(CK_RV rv, const char* function) const;
  std::size_t find(CK_SESSION_HANDLE session, CK_ATTRIBUTE* attributes, CK_ULONG count);

  KeyType type_;
  const char* path_ = "";
  CK_FUNCTION_LIST* functions_ = nullptr;
  std::array<CK_SLOT_ID, kMostObjects> slots_{};
  CK_ULONG slot_count_ = 0;
  std::array<CK_OBJECT_HANDLE, kMostObjects> found_{};
  CK_SLOT_ID slot_ = 0;
  CK_SESSION_HANDLE session_ = 0;
  CK_OBJECT_HANDLE key_ = 0;
};

/// SHA-256 of something, and the same as PKCS#1's DigestInfo.
struct Digest {
  std::array<unsigned char, 51> info;
  static constexpr std::size_t kInfoHeader = 19;
};
const Digest& digest();

}  // namespace devtrust::bench
