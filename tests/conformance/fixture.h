// What every test of the suite begins with: a store, its module, initialised, and its token's slot.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "identity/bytes.h"
#include "tests/conformance/module.h"
#include "tests/conformance/names.h"
#include "tests/conformance/stores.h"

namespace devtrust::testing {

/// A template of attributes that owns their values.
class Template {
 public:
  Template() = default;
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;

  Template& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
  Template& flag(CK_ATTRIBUTE_TYPE type, bool value);
  Template& bytes(CK_ATTRIBUTE_TYPE type, ByteView value);
  Template& text(CK_ATTRIBUTE_TYPE type, std::string_view value) { return bytes(type, as_bytes(value)); }
  CK_ATTRIBUTE* data() { return attributes_.data(); }
  CK_ULONG size() const { return attributes_.size(); }

 private:
  std::deque<Bytes> values_;
  std::vector<CK_ATTRIBUTE> attributes_;
};

/// Assertions that say more than the specification does of every token. Each holds for ours with a key that software
/// uses; kExceptions (fixture.cc) says for which judge and for which place of a key it does not, and why.
enum class Rule {
  kAnyData,
  kBufferIsLeftAlone,
  kCancel,
  kErrorCodes,
  kEveryOaep,
  kEveryPss,
  kLogoutOfNobody,
  kNoSecurityOfficer,
  kNoTrustObjects,
  kNoWrites,
  kNullInterfaces,
  kOneSearchAtATime,
  kOperationsSideBySide,
  kPublicKeyObject,
  kRawRsa,
  kRecover,
  kSearchEndsWithLogin,
  kSlotEvents,
  kStateIsNotSaved,
  kStrictArguments,
  kStrictParameters,
  kUnknownAttributes,
  kWholeAfterParts,
};

class Conformance : public ::testing::TestWithParam<const Store*> {
 protected:
  void SetUp() override;
  void TearDown() override;

  const Store& store() const { return *GetParam(); }
  /// Whether an assertion of this rule is to be made of this store's module.
  bool holds(Rule rule) const;

  void initialize();
  /// The token's slot, by its label.
  CK_SLOT_ID find_slot() const;
  CK_SESSION_HANDLE open(CK_FLAGS flags = 0) const;
  /// A session that sees everything: logged in where that takes a password.
  CK_SESSION_HANDLE open_logged_in(CK_FLAGS flags = 0) const;
  CK_RV login(CK_SESSION_HANDLE session, std::string_view pin, CK_USER_TYPE user = CKU_USER) const;

  std::vector<CK_OBJECT_HANDLE> find(CK_SESSION_HANDLE session, Template& wanted) const;
  std::vector<CK_OBJECT_HANDLE> find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS object_class) const;
  /// The one object of its class. The test fails where there is another number of them.
  CK_OBJECT_HANDLE private_key(CK_SESSION_HANDLE session) const;
  CK_OBJECT_HANDLE public_key(CK_SESSION_HANDLE session) const;
  /// The certificate that has the private key's CKA_ID.
  CK_OBJECT_HANDLE leaf(CK_SESSION_HANDLE session) const;

  /// Nothing where it cannot be had.
  std::optional<Bytes> attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const;
  std::optional<CK_ULONG> number(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const;
  std::optional<bool> flag(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const;

  std::vector<CK_MECHANISM_TYPE> mechanisms() const;
  CK_MECHANISM_INFO mechanism_info(CK_MECHANISM_TYPE type) const;
  bool listed(CK_MECHANISM_TYPE type) const;

  /// A mechanism without a parameter for this store's key, which signs messages (SoftHSM's EC: digests).
  CK_MECHANISM signing_mechanism() const;
  /// The answer to an input that is longer than the key can take.
  RvIs too_long() const { return RvIs(holds(Rule::kErrorCodes) ? CKR_DATA_LEN_RANGE : CKR_GENERAL_ERROR); }

  BuiltStore* built_ = nullptr;
  const CK_FUNCTION_LIST* f_ = nullptr;
  const CK_FUNCTION_LIST_3_0* f3_ = nullptr;  ///< null where the module has none
  CK_SLOT_ID slot_ = 0;
};

/// The names of a suite's instances: "Stores/Suite.Test/nss_rsa".
inline std::string store_name(const ::testing::TestParamInfo<const Store*>& info) { return info.param->name; }

inline ::testing::Matcher<CK_RV> ok() { return RvIs(CKR_OK); }

inline CK_MECHANISM plain(CK_MECHANISM_TYPE type) { return {type, nullptr, 0}; }
inline CK_BYTE* mutable_data(ByteView bytes) { return const_cast<CK_BYTE*>(bytes.data()); }
inline CK_UTF8CHAR* mutable_text(std::string_view text) {
  return reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(text.data()));
}
/// A field of the specification's blank-padded kind, without the padding.
std::string unpadded(std::span<const unsigned char> field);

/// `count` bytes that differ from place to place.
Bytes some_bytes(std::size_t count);

}  // namespace devtrust::testing
