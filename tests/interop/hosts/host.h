// What a program does with a module, from loading to a checked signature; for the hosts of these tests.
#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "pkcs11/cryptoki.h"

namespace devtrust::testing {

inline void check(CK_RV rv, const char* what) {
  if (rv == CKR_OK) return;
  throw std::runtime_error(std::string(what) + " answered " + std::to_string(rv));
}

/// A loaded module. It is closed, but not finalized, at the end.
class Module {
 public:
  explicit Module(const std::string& path) : library_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) throw std::runtime_error(dlerror());
    auto get_function_list = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library_, "C_GetFunctionList"));
    if (get_function_list == nullptr) throw std::runtime_error(path + " has no C_GetFunctionList");
    check(get_function_list(&functions_), "C_GetFunctionList");
  }
  ~Module() { dlclose(library_); }
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  CK_FUNCTION_LIST* operator->() const { return functions_; }

  CK_RV initialize() const {
    CK_C_INITIALIZE_ARGS arguments{};
    arguments.flags = CKF_OS_LOCKING_OK;
    return functions_->C_Initialize(&arguments);
  }
  /// A session with the first token.
  CK_SESSION_HANDLE open_session() const {
    CK_SLOT_ID slot = 0;
    CK_ULONG count = 1;
    check(functions_->C_GetSlotList(CK_TRUE, &slot, &count), "C_GetSlotList");
    CK_SESSION_HANDLE session = 0;
    check(functions_->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session), "C_OpenSession");
    return session;
  }
  /// The first object of the class; CK_INVALID_HANDLE where there is none. Refreshes the token's view of its store.
  CK_OBJECT_HANDLE find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS object_class) const {
    CK_ATTRIBUTE wanted{CKA_CLASS, &object_class, sizeof object_class};
    check(functions_->C_FindObjectsInit(session, &wanted, 1), "C_FindObjectsInit");
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_ULONG count = 0;
    check(functions_->C_FindObjects(session, &object, 1, &count), "C_FindObjects");
    check(functions_->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    return count == 0 ? CK_INVALID_HANDLE : object;
  }
  /// The mechanism by which an RSA key signs; the module's tests use RSA keys.
  static CK_MECHANISM mechanism() { return {CKM_SHA256_RSA_PKCS, nullptr, 0}; }
  CK_RV sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, std::vector<CK_BYTE>& signature) const {
    CK_MECHANISM how = mechanism();
    if (const CK_RV rv = functions_->C_SignInit(session, &how, key); rv != CKR_OK) return rv;
    std::string message = "message";
    signature.resize(512);
    CK_ULONG length = signature.size();
    const CK_RV rv = functions_->C_Sign(session, reinterpret_cast<CK_BYTE*>(message.data()), message.size(),
                                        signature.data(), &length);
    signature.resize(rv == CKR_OK ? length : 0);
    return rv;
  }
  CK_RV verify(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, std::vector<CK_BYTE>& signature) const {
    CK_MECHANISM how = mechanism();
    if (const CK_RV rv = functions_->C_VerifyInit(session, &how, key); rv != CKR_OK) return rv;
    std::string message = "message";
    return functions_->C_Verify(session, reinterpret_cast<CK_BYTE*>(message.data()), message.size(), signature.data(),
                                signature.size());
  }
  /// Finds the key, signs, and verifies with the public key. Throws where that fails or there is no key.
  void sign_and_verify(CK_SESSION_HANDLE session) const {
    const CK_OBJECT_HANDLE key = find(session, CKO_PRIVATE_KEY);
    if (key == CK_INVALID_HANDLE) throw std::runtime_error("there is no private key");
    std::vector<CK_BYTE> signature;
    check(sign(session, key, signature), "C_Sign");
    check(verify(session, find(session, CKO_PUBLIC_KEY), signature), "C_Verify");
  }
  void sign_and_verify() const {
    const CK_SESSION_HANDLE session = open_session();
    sign_and_verify(session);
    check(functions_->C_CloseSession(session), "C_CloseSession");
  }

 private:
  void* library_;
  CK_FUNCTION_LIST* functions_ = nullptr;
};

}  // namespace devtrust::testing
