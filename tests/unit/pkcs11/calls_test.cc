// The entry points: what they check before anything else, and what they answer where the token cannot do it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <stdexcept>
#include <thread>

#include "pkcs11/call.h"
#include "tests/unit/pkcs11/fake_store.h"

namespace devtrust::pkcs11 {
namespace {

using testing::field_text;

TEST(Call, TurnsExceptionsIntoCodes) {
  const auto throwing = [](const auto& exception) {
    return call("C_Test", {}, [&exception]() -> Answer<> { throw exception; });
  };
  EXPECT_EQ(throwing(std::bad_alloc()), CKR_HOST_MEMORY);
  EXPECT_EQ(throwing(std::length_error("too long")), CKR_GENERAL_ERROR);
  EXPECT_EQ(throwing(17), CKR_GENERAL_ERROR);
  EXPECT_EQ(call("C_Test", {}, []() -> Answer<> { return refuse(CKR_DEVICE_ERROR); }), CKR_DEVICE_ERROR);
  EXPECT_EQ(call("C_Test", {}, []() -> Answer<> { return {}; }), CKR_OK);
}

TEST(OutputLength, FollowsTheRules) {
  std::array<CK_BYTE, 8> room{};
  CK_ULONG length = 8;
  EXPECT_EQ(has_room(room.data(), &length, 8), true);
  EXPECT_EQ(has_room(nullptr, &length, 9), false);
  EXPECT_EQ(length, 9U);
  length = 7;
  EXPECT_EQ(has_room(room.data(), &length, 8).error().rv, CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(length, 8U);
  EXPECT_EQ(has_room(room.data(), nullptr, 8).error().rv, CKR_ARGUMENTS_BAD);
}

TEST(Interfaces, AreOfBothVersions) {
  CK_ULONG count = 0;
  ASSERT_EQ(C_GetInterfaceList(nullptr, &count), CKR_OK);
  ASSERT_EQ(count, 2U);
  std::array<CK_INTERFACE, 2> list{};
  count = 1;
  EXPECT_EQ(C_GetInterfaceList(list.data(), &count), CKR_BUFFER_TOO_SMALL);
  ASSERT_EQ(C_GetInterfaceList(list.data(), &count), CKR_OK);
  EXPECT_EQ(C_GetInterfaceList(list.data(), nullptr), CKR_ARGUMENTS_BAD);

  const auto version_of = [](const CK_INTERFACE* interface) {
    const auto* version = static_cast<const CK_VERSION*>(interface->pFunctionList);
    return version->major * 100 + version->minor;
  };
  CK_UTF8CHAR name[] = "PKCS 11";
  CK_UTF8CHAR other[] = "Vendor";
  CK_VERSION old{2, 40};
  CK_VERSION unknown{3, 9};
  CK_INTERFACE* interface = nullptr;
  ASSERT_EQ(C_GetInterface(nullptr, nullptr, &interface, 0), CKR_OK);
  EXPECT_EQ(version_of(interface), 300);
  ASSERT_EQ(C_GetInterface(name, &old, &interface, 0), CKR_OK);
  EXPECT_EQ(version_of(interface), 240);
  CK_FUNCTION_LIST* functions = nullptr;
  ASSERT_EQ(C_GetFunctionList(&functions), CKR_OK);
  EXPECT_EQ(interface->pFunctionList, functions);
  EXPECT_NE(C_GetInterface(other, nullptr, &interface, 0), CKR_OK);
  EXPECT_NE(C_GetInterface(name, &unknown, &interface, 0), CKR_OK);
  EXPECT_NE(C_GetInterface(name, nullptr, &interface, CKF_INTERFACE_FORK_SAFE), CKR_OK);
  EXPECT_EQ(C_GetInterface(name, nullptr, nullptr, 0), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_GetFunctionList(nullptr), CKR_ARGUMENTS_BAD);
}

TEST(Initialize, ChecksItsArguments) {
  const auto initialize = [](CK_C_INITIALIZE_ARGS arguments) {
    const CK_RV rv = C_Initialize(&arguments);
    if (rv == CKR_OK) {
      EXPECT_EQ(C_Finalize(nullptr), CKR_OK);
    }
    return rv;
  };
  CK_C_INITIALIZE_ARGS arguments{};
  std::string folder = "config=/nowhere/devtrust.toml";
  arguments.pReserved = folder.data();
  EXPECT_EQ(initialize(arguments), CKR_OK) << "a configuration that is not there is told by the token";
  arguments.flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK;
  EXPECT_EQ(initialize(arguments), CKR_OK);
  arguments.CreateMutex = [](void**) -> CK_RV { return CKR_OK; };
  EXPECT_EQ(initialize(arguments), CKR_ARGUMENTS_BAD);
  arguments.DestroyMutex = arguments.LockMutex = arguments.UnlockMutex = [](void*) -> CK_RV { return CKR_OK; };
  EXPECT_EQ(initialize(arguments), CKR_OK);
  arguments.flags = 0;
  EXPECT_EQ(initialize(arguments), CKR_CANT_LOCK);
  std::string nonsense = "nonsense";
  arguments = {};
  arguments.pReserved = nonsense.data();
  EXPECT_EQ(initialize(arguments), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_Finalize(&arguments), CKR_ARGUMENTS_BAD);
}

class CallsTest : public testing::StoreTest {
 protected:
  void SetUp() override {
    hold({enrol()});
    ASSERT_TRUE(initialize_library([this] { return make_library(); }));
    ASSERT_EQ(C_OpenSession(1, CKF_SERIAL_SESSION, nullptr, nullptr, &session_), CKR_OK);
  }
  void TearDown() override { EXPECT_EQ(C_Finalize(nullptr), CKR_OK); }

  CK_OBJECT_HANDLE find(CK_OBJECT_CLASS object_class) const {
    CK_ATTRIBUTE wanted{CKA_CLASS, &object_class, sizeof object_class};
    CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
    CK_ULONG count = 0;
    EXPECT_EQ(C_FindObjectsInit(session_, &wanted, 1), CKR_OK);
    EXPECT_EQ(C_FindObjects(session_, &found, 1, &count), CKR_OK);
    EXPECT_EQ(C_FindObjectsFinal(session_), CKR_OK);
    return found;
  }

  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

TEST_F(CallsTest, InfoTellsTheListsVersion) {
  CK_INFO info{};
  ASSERT_EQ(C_GetInfo(&info), CKR_OK);
  EXPECT_EQ(info.cryptokiVersion.major, 2);
  EXPECT_EQ(field_text(info.manufacturerID), "devtrust");
  CK_INTERFACE* interface = nullptr;
  ASSERT_EQ(C_GetInterface(nullptr, nullptr, &interface, 0), CKR_OK);
  ASSERT_EQ(static_cast<CK_FUNCTION_LIST_3_0*>(interface->pFunctionList)->C_GetInfo(&info), CKR_OK);
  EXPECT_EQ(info.cryptokiVersion.major, 3);
  EXPECT_EQ(C_GetInfo(nullptr), CKR_ARGUMENTS_BAD);
}

TEST_F(CallsTest, WrongSessionIsToldBeforeWrongArguments) {
  const CK_SESSION_HANDLE none = session_ + 1;
  EXPECT_EQ(C_FindObjectsInit(none, nullptr, 5), CKR_SESSION_HANDLE_INVALID);
  EXPECT_EQ(C_SignInit(none, nullptr, 0), CKR_SESSION_HANDLE_INVALID);
  EXPECT_EQ(C_GenerateKey(none, nullptr, nullptr, 0, nullptr), CKR_SESSION_HANDLE_INVALID);
  EXPECT_EQ(C_GenerateKey(session_, nullptr, nullptr, 0, nullptr), CKR_FUNCTION_NOT_SUPPORTED);
  EXPECT_EQ(C_GetFunctionStatus(session_), CKR_FUNCTION_NOT_PARALLEL);
  EXPECT_EQ(C_MessageSignInit(session_, nullptr, 0), CKR_FUNCTION_NOT_SUPPORTED);
}

TEST_F(CallsTest, FindingKeepsToItsOrder) {
  CK_OBJECT_HANDLE found = 0;
  CK_ULONG count = 0;
  EXPECT_EQ(C_FindObjects(session_, &found, 1, &count), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_FindObjectsFinal(session_), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_FindObjectsInit(session_, nullptr, 1), CKR_ARGUMENTS_BAD);
  ASSERT_EQ(C_FindObjectsInit(session_, nullptr, 0), CKR_OK);
  EXPECT_EQ(C_FindObjectsInit(session_, nullptr, 0), CKR_OPERATION_ACTIVE);
  EXPECT_EQ(C_FindObjects(session_, nullptr, 1, &count), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_FindObjects(session_, &found, 1, nullptr), CKR_ARGUMENTS_BAD);
  int objects = 0;
  while (C_FindObjects(session_, &found, 1, &count) == CKR_OK && count == 1) ++objects;
  EXPECT_EQ(objects, 6);
  EXPECT_EQ(C_SessionCancel(session_, CKF_FIND_OBJECTS), CKR_OK);
  EXPECT_EQ(C_FindObjectsFinal(session_), CKR_OPERATION_NOT_INITIALIZED);
  CK_OBJECT_CLASS nothing = CKO_VENDOR_DEFINED;
  EXPECT_EQ(find(nothing), CK_INVALID_HANDLE);
}

TEST_F(CallsTest, OperationsDoNotExcludeOneAnother) {
  CK_MECHANISM sign{CKM_ECDSA, nullptr, 0};
  CK_MECHANISM digest{CKM_SHA256, nullptr, 0};
  ASSERT_EQ(C_SignInit(session_, &sign, find(CKO_PRIVATE_KEY)), CKR_OK);
  ASSERT_EQ(C_DigestInit(session_, &digest), CKR_OK);
  ASSERT_EQ(C_VerifyInit(session_, &sign, find(CKO_PUBLIC_KEY)), CKR_OK);
  ASSERT_EQ(C_FindObjectsInit(session_, nullptr, 0), CKR_OK);
  EXPECT_EQ(C_SignInit(session_, &sign, 1), CKR_OPERATION_ACTIVE);
  std::array<CK_BYTE, 32> data{};
  std::array<CK_BYTE, 200> out{};
  CK_ULONG length = out.size();
  EXPECT_EQ(C_Digest(session_, data.data(), data.size(), out.data(), &length), CKR_OK);
  EXPECT_EQ(length, 32U);
  length = out.size();
  EXPECT_EQ(C_Sign(session_, data.data(), data.size(), out.data(), &length), CKR_OK);
  EXPECT_EQ(C_Verify(session_, data.data(), data.size(), out.data(), length), CKR_OK);
}

TEST_F(CallsTest, SignatureLengthIsAskedForAndShortBuffersAreTold) {
  CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
  std::array<CK_BYTE, 32> data{};
  std::array<CK_BYTE, 200> out{};
  CK_ULONG length = 0;
  EXPECT_EQ(C_Sign(session_, data.data(), data.size(), nullptr, &length), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(C_SignInit(session_, &mechanism, find(CKO_PRIVATE_KEY)), CKR_OK);
  EXPECT_EQ(C_Sign(session_, data.data(), data.size(), nullptr, &length), CKR_OK);
  const CK_ULONG needed = length;
  length = needed - 1;
  EXPECT_EQ(C_Sign(session_, data.data(), data.size(), out.data(), &length), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(length, needed);
  EXPECT_EQ(C_Sign(session_, data.data(), data.size(), out.data(), &length), CKR_OK);
  EXPECT_EQ(C_Sign(session_, data.data(), data.size(), out.data(), &length), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(CallsTest, FailureEndsTheOperation) {
  CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
  CK_BYTE byte = 0;
  CK_ULONG length = 1;
  ASSERT_EQ(C_SignInit(session_, &mechanism, find(CKO_PRIVATE_KEY)), CKR_OK);
  EXPECT_EQ(C_Sign(session_, nullptr, 5, &byte, &length), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_SignUpdate(session_, &byte, 1), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(C_SignInit(session_, &mechanism, find(CKO_PRIVATE_KEY)), CKR_OK);
  EXPECT_EQ(C_SignInit(session_, nullptr, 0), CKR_OK) << "a NULL mechanism cancels";
  EXPECT_EQ(C_SignInit(session_, nullptr, 0), CKR_ARGUMENTS_BAD);
  ASSERT_EQ(C_SignInit(session_, &mechanism, find(CKO_PRIVATE_KEY)), CKR_OK);
  ASSERT_EQ(C_SignUpdate(session_, &byte, 1), CKR_OK);
  EXPECT_EQ(C_Sign(session_, &byte, 1, nullptr, &length), CKR_OPERATION_ACTIVE);
  EXPECT_EQ(C_SignFinal(session_, nullptr, &length), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(CallsTest, KeysAreTakenOnlyForWhatTheyAre) {
  CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
  EXPECT_EQ(C_SignInit(session_, &mechanism, 1), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(C_SignInit(session_, &mechanism, find(CKO_CERTIFICATE)), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(C_SignInit(session_, &mechanism, find(CKO_PUBLIC_KEY)), CKR_KEY_TYPE_INCONSISTENT);
  EXPECT_EQ(C_DecryptInit(session_, &mechanism, find(CKO_PRIVATE_KEY)), CKR_KEY_FUNCTION_NOT_PERMITTED);
  mechanism.ulParameterLen = 3;
  EXPECT_EQ(C_SignInit(session_, &mechanism, find(CKO_PRIVATE_KEY)), CKR_MECHANISM_PARAM_INVALID);
}

TEST_F(CallsTest, AttributesAreAllReadAndTheFirstFailureIsTold) {
  std::array<char, 64> label{};
  std::array<CK_ATTRIBUTE, 3> list{{{CKA_VALUE, nullptr, 0}, {CKA_MODULUS, nullptr, 0}, {CKA_LABEL, label.data(), 64}}};
  EXPECT_EQ(C_GetAttributeValue(session_, find(CKO_PRIVATE_KEY), list.data(), list.size()), CKR_ATTRIBUTE_SENSITIVE);
  EXPECT_EQ(list[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(list[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(std::string(label.data(), list[2].ulValueLen), built_in_profiles().front().label);
  EXPECT_EQ(C_GetAttributeValue(session_, 1, list.data(), 1), CKR_OBJECT_HANDLE_INVALID);
  EXPECT_EQ(C_GetAttributeValue(session_, find(CKO_PRIVATE_KEY), nullptr, 1), CKR_ARGUMENTS_BAD);
}

TEST_F(CallsTest, WritesAreRefused) {
  CK_SESSION_HANDLE writable = 0;
  ASSERT_EQ(C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &writable), CKR_OK);
  CK_OBJECT_CLASS data = CKO_DATA;
  CK_BBOOL yes = CK_TRUE;
  std::array<CK_ATTRIBUTE, 2> token{{{CKA_CLASS, &data, sizeof data}, {CKA_TOKEN, &yes, 1}}};
  CK_OBJECT_HANDLE made = 0;
  EXPECT_EQ(C_CreateObject(session_, token.data(), 2, &made), CKR_SESSION_READ_ONLY);
  EXPECT_EQ(C_CreateObject(writable, token.data(), 2, &made), CKR_TOKEN_WRITE_PROTECTED);
  EXPECT_EQ(C_CreateObject(writable, token.data(), 1, &made), CKR_FUNCTION_NOT_SUPPORTED);
  EXPECT_EQ(C_CreateObject(writable, nullptr, 0, &made), CKR_TEMPLATE_INCOMPLETE);
  const CK_OBJECT_HANDLE key = find(CKO_PRIVATE_KEY);
  EXPECT_EQ(C_DestroyObject(session_, key), CKR_SESSION_READ_ONLY);
  EXPECT_EQ(C_DestroyObject(writable, key), CKR_TOKEN_WRITE_PROTECTED);
  EXPECT_EQ(C_DestroyObject(writable, 1), CKR_OBJECT_HANDLE_INVALID);
  EXPECT_EQ(C_SetAttributeValue(writable, key, token.data(), 1), CKR_TOKEN_WRITE_PROTECTED);
  EXPECT_EQ(C_CopyObject(writable, key, nullptr, 0, &made), CKR_ACTION_PROHIBITED);
  CK_UTF8CHAR text[32] = "x";
  EXPECT_EQ(C_InitToken(1, text, 1, text), CKR_TOKEN_WRITE_PROTECTED);
  EXPECT_EQ(C_InitPIN(writable, text, 1), CKR_USER_NOT_LOGGED_IN);
  EXPECT_EQ(C_SetPIN(writable, text, 1, text, 1), CKR_TOKEN_WRITE_PROTECTED);
  EXPECT_EQ(C_SetPIN(session_, text, 1, text, 1), CKR_SESSION_READ_ONLY);
}

TEST_F(CallsTest, LoginsAreOfUsers) {
  CK_UTF8CHAR pin[] = "1234";
  EXPECT_EQ(C_Login(session_, CKU_SO, pin, 4), CKR_USER_TYPE_INVALID);
  EXPECT_EQ(C_Login(session_, CKU_CONTEXT_SPECIFIC, pin, 4), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(C_Login(session_, CKU_USER, nullptr, 4), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_Login(session_, CKU_USER, nullptr, 0), CKR_OK);
  EXPECT_EQ(C_Logout(session_), CKR_OK);
  EXPECT_EQ(C_LoginUser(session_, CKU_USER, pin, 4, pin, 4), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_LoginUser(session_, CKU_USER, pin, 4, nullptr, 0), CKR_OK);
}

TEST_F(CallsTest, DerivedKeysAreSessionObjects) {
  // any point on the curve will do: that of another certificate
  const Bytes point = to_bytes(enrol().leaf->public_key().ec_point());
  Bytes public_data = point;
  CK_ECDH1_DERIVE_PARAMS parameters{CKD_NULL, 0, nullptr, to_ulong(public_data.size()), public_data.data()};
  CK_MECHANISM mechanism{CKM_ECDH1_DERIVE, &parameters, sizeof parameters};
  CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
  CK_KEY_TYPE aes = CKK_AES;
  CK_KEY_TYPE des = CKK_DES3;
  CK_ULONG length = 16;
  CK_BBOOL no = CK_FALSE;
  CK_BBOOL yes = CK_TRUE;
  std::array<CK_ATTRIBUTE, 4> wanted{{{CKA_CLASS, &secret, sizeof secret},
                                      {CKA_KEY_TYPE, &aes, sizeof aes},
                                      {CKA_VALUE_LEN, &length, sizeof length},
                                      {CKA_TOKEN, &no, 1}}};
  const CK_OBJECT_HANDLE base = find(CKO_PRIVATE_KEY);
  const auto derive = [&](CK_OBJECT_HANDLE& key) {
    return C_DeriveKey(session_, &mechanism, base, wanted.data(), wanted.size(), &key);
  };
  CK_OBJECT_HANDLE key = 0;
  ASSERT_EQ(derive(key), CKR_OK);
  std::array<CK_BYTE, 32> bytes_read{};
  CK_ATTRIBUTE value_attribute{CKA_VALUE, bytes_read.data(), bytes_read.size()};
  EXPECT_EQ(C_GetAttributeValue(session_, key, &value_attribute, 1), CKR_OK);
  EXPECT_EQ(value_attribute.ulValueLen, 16U);
  EXPECT_EQ(find(CKO_SECRET_KEY), key);
  EXPECT_EQ(C_DestroyObject(session_, key), CKR_OK);
  EXPECT_EQ(C_GetAttributeValue(session_, key, &value_attribute, 1), CKR_OBJECT_HANDLE_INVALID);

  wanted[3] = {CKA_SENSITIVE, &yes, 1};
  ASSERT_EQ(derive(key), CKR_OK);
  value_attribute.ulValueLen = bytes_read.size();
  EXPECT_EQ(C_GetAttributeValue(session_, key, &value_attribute, 1), CKR_ATTRIBUTE_SENSITIVE);

  wanted[3] = {CKA_TOKEN, &yes, 1};
  EXPECT_EQ(derive(key), CKR_SESSION_READ_ONLY);
  wanted[3] = {CKA_VALUE, bytes_read.data(), 1};
  EXPECT_EQ(derive(key), CKR_ATTRIBUTE_TYPE_INVALID);
  wanted[3] = {CKA_LOCAL, &yes, 1};
  EXPECT_EQ(derive(key), CKR_ATTRIBUTE_READ_ONLY);
  wanted[3] = {CKA_TOKEN, &length, sizeof length};
  EXPECT_EQ(derive(key), CKR_ATTRIBUTE_VALUE_INVALID);
  wanted[3] = {CKA_KEY_TYPE, &des, sizeof des};
  EXPECT_EQ(derive(key), CKR_TEMPLATE_INCONSISTENT);
  wanted[3] = {CKA_TOKEN, &no, 1};
  length = 17;
  EXPECT_EQ(derive(key), CKR_TEMPLATE_INCOMPLETE);
  EXPECT_EQ(C_DeriveKey(session_, nullptr, base, nullptr, 0, &key), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_DeriveKey(session_, &mechanism, find(CKO_PUBLIC_KEY), nullptr, 0, &key), CKR_KEY_TYPE_INCONSISTENT);
}

TEST_F(CallsTest, DigestTakesDerivedKeysOnly) {
  CK_MECHANISM mechanism{CKM_SHA256, nullptr, 0};
  ASSERT_EQ(C_DigestInit(session_, &mechanism), CKR_OK);
  EXPECT_EQ(C_DigestKey(session_, find(CKO_PRIVATE_KEY)), CKR_KEY_INDIGESTIBLE);
  EXPECT_EQ(C_DigestKey(session_, find(CKO_PRIVATE_KEY)), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(CallsTest, OperationStateCannotBeSaved) {
  CK_ULONG length = 0;
  CK_MECHANISM mechanism{CKM_SHA256, nullptr, 0};
  CK_BYTE state = 0;
  EXPECT_EQ(C_GetOperationState(session_, nullptr, &length), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(C_DigestInit(session_, &mechanism), CKR_OK);
  EXPECT_EQ(C_GetOperationState(session_, nullptr, &length), CKR_STATE_UNSAVEABLE);
  EXPECT_EQ(C_SetOperationState(session_, &state, 1, 0, 0), CKR_SAVED_STATE_INVALID);
}

TEST_F(CallsTest, GivesRandomBytes) {
  std::array<CK_BYTE, 16> first{};
  std::array<CK_BYTE, 16> second{};
  EXPECT_EQ(C_GenerateRandom(session_, first.data(), first.size()), CKR_OK);
  EXPECT_EQ(C_GenerateRandom(session_, second.data(), second.size()), CKR_OK);
  EXPECT_NE(first, second);
  EXPECT_EQ(C_GenerateRandom(session_, nullptr, 1), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_SeedRandom(session_, first.data(), first.size()), CKR_RANDOM_SEED_NOT_SUPPORTED);
}

TEST_F(CallsTest, SessionsAndSlotsAreListed) {
  CK_ULONG count = 0;
  ASSERT_EQ(C_GetSlotList(CK_TRUE, nullptr, &count), CKR_OK);
  ASSERT_EQ(count, 1U);
  CK_SLOT_ID id = 0;
  count = 0;
  EXPECT_EQ(C_GetSlotList(CK_TRUE, &id, &count), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(count, 1U);
  ASSERT_EQ(C_GetSlotList(CK_FALSE, &id, &count), CKR_OK);
  EXPECT_EQ(C_GetSlotList(CK_FALSE, &id, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_GetTokenInfo(id + 1, nullptr), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(C_GetTokenInfo(id, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_OpenSession(id, 0, nullptr, nullptr, &session_), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
  EXPECT_EQ(C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, nullptr), CKR_NO_EVENT);
  EXPECT_EQ(C_WaitForSlotEvent(CKF_DONT_BLOCK, nullptr, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(C_CloseAllSessions(id), CKR_OK);
  EXPECT_EQ(C_CloseSession(session_), CKR_SESSION_HANDLE_INVALID);
}

TEST_F(CallsTest, NothingWorksAfterTheEnd) {
  std::thread waiting([] {
    CK_SLOT_ID id = 0;
    EXPECT_EQ(C_WaitForSlotEvent(0, &id, nullptr), CKR_CRYPTOKI_NOT_INITIALIZED);
  });
  ASSERT_EQ(C_Finalize(nullptr), CKR_OK);
  waiting.join();
  CK_INFO info{};
  EXPECT_EQ(C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_EQ(C_CloseSession(session_), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_EQ(C_DigestEncryptUpdate(session_, nullptr, 0, nullptr, nullptr), CKR_CRYPTOKI_NOT_INITIALIZED);
  ASSERT_TRUE(initialize_library([this] { return make_library(); }));
  EXPECT_EQ(C_CloseSession(session_), CKR_SESSION_HANDLE_INVALID) << "handles of the former library are not ours";
}

}  // namespace
}  // namespace devtrust::pkcs11
