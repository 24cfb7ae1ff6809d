// PKCS#11 3.0 §5.4 "General-purpose functions" and §5.2 about initialising.
#include <cstring>
#include <thread>

#include "tests/conformance/fixture.h"

namespace devtrust::testing {
namespace {

class General : public Conformance {
 protected:
  CK_RV initialize_with(CK_C_INITIALIZE_ARGS arguments) {
    InitArguments all(built_->init_string, arguments.flags);
    arguments.pReserved = all.arguments.pReserved;
    all.arguments = arguments;
    return f_->C_Initialize(&all);
  }
  void finalize() { ASSERT_THAT(f_->C_Finalize(nullptr), ok()); }
};

// An application's own mutexes: never called by a module that locks by itself.
CK_RV create_mutex(CK_VOID_PTR_PTR) { return CKR_OK; }
CK_RV use_mutex(CK_VOID_PTR) { return CKR_OK; }

TEST_P(General, InitializeTakesEachValidSetOfArguments) {
  finalize();
  for (const CK_FLAGS flags :
       {CK_FLAGS{0}, CK_FLAGS{CKF_OS_LOCKING_OK}, CK_FLAGS{CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS}}) {
    EXPECT_THAT(initialize_with({nullptr, nullptr, nullptr, nullptr, flags, nullptr}), ok()) << flags;
    finalize();
  }
  EXPECT_THAT(initialize_with({create_mutex, use_mutex, use_mutex, use_mutex, CKF_OS_LOCKING_OK, nullptr}), ok());
  finalize();
  EXPECT_THAT(f_->C_Initialize(nullptr), ok());
  EXPECT_EQ(find_slot(), slot_);
  finalize();
  initialize();
}

TEST_P(General, InitializeRefusesHalfASetOfMutexFunctions) {
  finalize();
  EXPECT_THAT(initialize_with({create_mutex, nullptr, nullptr, nullptr, 0, nullptr}), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(initialize_with({create_mutex, use_mutex, use_mutex, nullptr, CKF_OS_LOCKING_OK, nullptr}),
              RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(initialize_with({nullptr, nullptr, nullptr, use_mutex, 0, nullptr}), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_THAT(f_->C_Finalize(nullptr), RvIs(CKR_CRYPTOKI_NOT_INITIALIZED));
  initialize();
}

TEST_P(General, InitializeWithOnlyTheApplicationsMutexes) {
  finalize();
  const CK_RV rv = initialize_with({create_mutex, use_mutex, use_mutex, use_mutex, 0, nullptr});
  EXPECT_THAT(rv, (RvIs{CKR_OK, CKR_CANT_LOCK}));
  if (rv != CKR_OK) initialize();
}

TEST_P(General, InitializeTwice) {
  InitArguments arguments(built_->init_string);
  EXPECT_THAT(f_->C_Initialize(&arguments), RvIs(CKR_CRYPTOKI_ALREADY_INITIALIZED));
  EXPECT_EQ(find_slot(), slot_);
}

TEST_P(General, Finalize) {
  EXPECT_THAT(f_->C_Finalize(this), RvIs(CKR_ARGUMENTS_BAD));
  EXPECT_EQ(find_slot(), slot_) << "a refused C_Finalize ended the library";
  EXPECT_THAT(f_->C_Finalize(nullptr), ok());
  EXPECT_THAT(f_->C_Finalize(nullptr), RvIs(CKR_CRYPTOKI_NOT_INITIALIZED));
}

TEST_P(General, FinalizeEndsSessions) {
  const CK_SESSION_HANDLE session = open_logged_in();
  finalize();
  initialize();
  CK_SESSION_INFO info{};
  EXPECT_THAT(f_->C_GetSessionInfo(session, &info), RvIs(CKR_SESSION_HANDLE_INVALID));
  if (!store().password.empty()) {
    EXPECT_THAT(f_->C_GetSessionInfo(open(), &info), ok());
    EXPECT_EQ(f_->C_GetSessionInfo(open(), &info), CKR_OK);
    EXPECT_EQ(info.state, CKS_RO_PUBLIC_SESSION);
  }
}

TEST_P(General, Info) {
  CK_INFO info;
  std::memset(&info, 0xff, sizeof info);
  ASSERT_THAT(f_->C_GetInfo(&info), ok());
  EXPECT_EQ(info.cryptokiVersion.major, f_->version.major);
  EXPECT_EQ(info.cryptokiVersion.minor, f_->version.minor);
  EXPECT_EQ(info.flags, 0U);
  EXPECT_THAT(unpadded(info.manufacturerID), ::testing::Not(::testing::IsEmpty()));
  EXPECT_THAT(unpadded(info.libraryDescription), ::testing::Not(::testing::IsEmpty()));
  for (const auto field :
       {std::span<const unsigned char>(info.manufacturerID), std::span<const unsigned char>(info.libraryDescription)}) {
    EXPECT_THAT(unpadded(field), ::testing::Not(::testing::Contains('\0'))) << "padding is blanks, not NULs";
  }
  EXPECT_THAT(f_->C_GetInfo(nullptr), RvIs(CKR_ARGUMENTS_BAD));
}

TEST_P(General, FunctionList) {
  CK_FUNCTION_LIST* list = nullptr;
  ASSERT_THAT(f_->C_GetFunctionList(&list), ok());
  EXPECT_EQ(list, f_);
  EXPECT_EQ(list->version.major, 2);
  EXPECT_GE(list->version.minor, 20);
  if (store().ours()) {
    EXPECT_EQ(list->version.minor, 40);
  }
  EXPECT_THAT(f_->C_GetFunctionList(nullptr), RvIs(CKR_ARGUMENTS_BAD));
  // The table is pointers behind a version: none may be NULL.
  const auto* entries = reinterpret_cast<const CK_C_Initialize*>(&list->C_Initialize);
  const std::size_t count = (sizeof *list - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof(void*);
  EXPECT_EQ(count, 68U);
  for (std::size_t i = 0; i < count; ++i) EXPECT_NE(entries[i], nullptr) << "entry " << i;
  finalize();
  EXPECT_THAT(f_->C_GetFunctionList(&list), ok()) << "it may be called before C_Initialize";
}

TEST_P(General, ExportedFunctionsAreThoseOfTheTable) {
  const Module& module = loaded(built_->module_path);
  EXPECT_EQ(module.symbol<CK_C_Initialize>("C_Initialize"), f_->C_Initialize);
  EXPECT_EQ(module.symbol<CK_C_Sign>("C_Sign"), f_->C_Sign);
  EXPECT_EQ(module.symbol<CK_C_WaitForSlotEvent>("C_WaitForSlotEvent"), f_->C_WaitForSlotEvent);
}

INSTANTIATE_TEST_SUITE_P(Stores, General, ::testing::ValuesIn(strict_stores()), store_name);

/// PKCS#11 3.0 alone.
class Interfaces : public Conformance {};

TEST_P(Interfaces, List) {
  ASSERT_NE(f3_, nullptr);
  CK_ULONG count = 0;
  ASSERT_THAT(f3_->C_GetInterfaceList(nullptr, &count), ok());
  ASSERT_GE(count, 2U);
  std::vector<CK_INTERFACE> list(count);
  CK_ULONG room = count - 1;
  EXPECT_THAT(f3_->C_GetInterfaceList(list.data(), &room), RvIs(CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(room, count);
  room = count + 3;
  list.resize(room);
  ASSERT_THAT(f3_->C_GetInterfaceList(list.data(), &room), ok());
  EXPECT_EQ(room, count);
  bool old = false;
  bool current = false;
  for (CK_ULONG i = 0; i < count; ++i) {
    const std::string name = reinterpret_cast<const char*>(list[i].pInterfaceName);
    const auto* version = static_cast<const CK_VERSION*>(list[i].pFunctionList);
    if (name != "PKCS 11") continue;
    old |= version->major == 2 && version->minor == 40;
    current |= version->major == 3 && version->minor == 0;
  }
  EXPECT_TRUE(old);
  EXPECT_TRUE(current);
  if (holds(Rule::kNullInterfaces)) {
    EXPECT_THAT(f3_->C_GetInterfaceList(list.data(), nullptr), RvIs(CKR_ARGUMENTS_BAD));
  }
  ASSERT_THAT(f_->C_Finalize(nullptr), ok());
  EXPECT_THAT(f3_->C_GetInterfaceList(nullptr, &count), ok()) << "it may be called before C_Initialize";
}

TEST_P(Interfaces, ByNameAndVersion) {
  ASSERT_NE(f3_, nullptr);
  const auto get = [&](const char* name, std::optional<CK_VERSION> version, CK_FLAGS flags = 0) -> const CK_VERSION* {
    CK_INTERFACE* interface = nullptr;
    std::string copy = name != nullptr ? name : "";
    const CK_RV rv = f3_->C_GetInterface(name != nullptr ? mutable_text(copy) : nullptr, version ? &*version : nullptr,
                                         &interface, flags);
    if (rv != CKR_OK) {
      EXPECT_THAT(rv, (RvIs{CKR_ARGUMENTS_BAD, CKR_FUNCTION_FAILED}));
      return nullptr;
    }
    return static_cast<const CK_VERSION*>(interface->pFunctionList);
  };
  const CK_VERSION* found = get(nullptr, std::nullopt);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->major, 3) << "the default is the newest";
  found = get("PKCS 11", std::nullopt);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->major, 3);
  found = get("PKCS 11", CK_VERSION{2, 40});
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->major, 2);
  EXPECT_EQ(found->minor, 40);
  found = get(nullptr, CK_VERSION{3, 0});
  EXPECT_EQ(static_cast<const void*>(found), static_cast<const void*>(f3_));
  EXPECT_EQ(get("PKCS 11", CK_VERSION{4, 7}), nullptr);
  EXPECT_EQ(get("Vendor something", std::nullopt), nullptr);
  EXPECT_EQ(get("", std::nullopt), nullptr);
  if (store().ours()) {
    EXPECT_EQ(get("PKCS 11", std::nullopt, CK_FLAGS{1} << 30), nullptr) << "a flag that no interface has";
  }
  if (holds(Rule::kNullInterfaces)) {
    EXPECT_THAT(f3_->C_GetInterface(nullptr, nullptr, nullptr, 0), RvIs(CKR_ARGUMENTS_BAD));
  }
}

TEST_P(Interfaces, EveryEntryIsThere) {
  ASSERT_NE(f3_, nullptr);
  EXPECT_EQ(f3_->version.major, 3);
  EXPECT_EQ(f3_->version.minor, 0);
  const auto* entries = reinterpret_cast<const CK_C_Initialize*>(&f3_->C_Initialize);
  const std::size_t count = (sizeof *f3_ - offsetof(CK_FUNCTION_LIST_3_0, C_Initialize)) / sizeof(void*);
  EXPECT_EQ(count, 92U);
  for (std::size_t i = 0; i < count; ++i) EXPECT_NE(entries[i], nullptr) << "entry " << i;
  CK_INFO info{};
  ASSERT_THAT(f3_->C_GetInfo(&info), ok());
  EXPECT_EQ(info.cryptokiVersion.major, 3);
}

INSTANTIATE_TEST_SUITE_P(Stores, Interfaces, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return store.owner != Owner::kSoftHsm;  // 2.40
                         })),
                         store_name);

}  // namespace
}  // namespace devtrust::testing
