// What Sturdy's tests share: a whole way of a host, and every entry point with good pointers.
#pragma once

#include <array>
#include <memory>

#include "tests/conformance/every_function.h"
#include "tests/conformance/fixture.h"
#include "tests/conformance/peer.h"

namespace devtrust::testing {

class Sturdy : public Conformance {
 protected:
  void SetUp() override {
    Conformance::SetUp();
    peer_ = std::make_unique<Peer>(built_->leaf);
  }

  /// The whole way of a host, in any process. Gives the first return code that is not CKR_OK.
  CK_RV sign_once(Bytes& signature) const {
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    if (const CK_RV rv = f_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &session); rv != CKR_OK) {
      return rv;
    }
    const CK_RV rv = sign_in(session, signature);
    const CK_RV closed = f_->C_CloseSession(session);
    return rv != CKR_OK ? rv : closed;
  }
  CK_RV sign_in(CK_SESSION_HANDLE session, Bytes& signature) const {
    if (!store().password.empty()) {
      const CK_RV rv = login(session, store().password);
      if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) return rv;
    }
    CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted{CKA_CLASS, &private_key, sizeof private_key};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_ULONG count = 0;
    if (const CK_RV rv = f_->C_FindObjectsInit(session, &wanted, 1); rv != CKR_OK) return rv;
    if (const CK_RV rv = f_->C_FindObjects(session, &key, 1, &count); rv != CKR_OK) return rv;
    if (const CK_RV rv = f_->C_FindObjectsFinal(session); rv != CKR_OK) return rv;
    if (count != 1) return CKR_USER_NOT_LOGGED_IN;
    CK_MECHANISM mechanism = signing_mechanism();
    if (const CK_RV rv = f_->C_SignInit(session, &mechanism, key); rv != CKR_OK) return rv;
    // Nothing of the host's libcrypto here: a fork in another thread would leave its locks taken in the child.
    signature.resize(1024);
    CK_ULONG length = signature.size();
    const CK_RV rv = f_->C_Sign(session, mutable_data(message_), message_.size(), signature.data(), &length);
    signature.resize(rv == CKR_OK ? length : 0);
    return rv;
  }
  bool verifies(ByteView signature) const { return peer_->verify(how_of(*peer_), message_, signature); }
  SignCase how_of(const Peer& peer) const {
    for (SignCase& how : peer.sign_cases(message_)) {
      if (how.type == signing_mechanism().mechanism) return std::move(how);
    }
    return {};
  }
  void expect_that_it_works() const {
    Bytes signature;
    ASSERT_THAT(sign_once(signature), ok());
    EXPECT_TRUE(verifies(signature));
  }

  /// Every pointer good.
  struct Buffers {
    Buffers() : in(64, 0x61), out(4096), attributes{{{CKA_CLASS, nullptr, 0}}} {}
    Arguments arguments(CK_SLOT_ID slot, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
      Arguments all;
      all.slot = slot;
      all.session = session;
      all.object = object;
      all.mechanism = &mechanism;
      all.attributes = attributes.data();
      all.attribute_count = attributes.size();
      all.in = in.data();
      all.in_length = in.size();
      out_length = out.size();
      all.out = out.data();
      all.out_length = &out_length;
      handle_count = handles.size();
      all.handles = handles.data();
      all.handle_count = &handle_count;
      all.info = info.data();
      return all;
    }
    CK_MECHANISM mechanism = plain(CKM_SHA256);
    Bytes in, out;
    std::array<CK_ATTRIBUTE, 1> attributes;
    CK_ULONG out_length = 0, handle_count = 0;
    std::array<CK_ULONG, 64> handles{};
    alignas(std::max_align_t) std::array<std::uint8_t, 512> info{};
  };

  /// The first function that does not say CKR_CRYPTOKI_NOT_INITIALIZED, or null.
  const char* first_that_works() const {
    Buffers buffers;
    for (const Function& function : every_function()) {
      if (function.call(*f3_, buffers.arguments(slot_, 1, 1)) != CKR_CRYPTOKI_NOT_INITIALIZED) return function.name;
    }
    return f_->C_Finalize(nullptr) != CKR_CRYPTOKI_NOT_INITIALIZED ? "C_Finalize" : nullptr;
  }

  std::unique_ptr<Peer> peer_;
  Bytes message_ = some_bytes(40);
};

}  // namespace devtrust::testing
