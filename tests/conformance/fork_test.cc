// What PKCS#11 says of forks (3.0 §5.6.1): a child that initialises the library for itself can use it.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/conformance/host.h"
#include "tests/conformance/sturdy.h"

namespace devtrust::testing {
namespace {

class SturdyForks : public Sturdy {
 protected:
  /// Runs `body` in a child, which ends with what it answers: 0 is good. One that hangs is ended by a signal.
  static int in_child(const std::function<int()>& body) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      _exit(body());
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
  }
  /// What a child of an initialised parent does.
  int use_in_child() const {
    if (first_that_works() != nullptr) return 1;
    InitArguments arguments(built_->init_string);
    if (f_->C_Initialize(&arguments) != CKR_OK) return 2;
    if (f_->C_Initialize(&arguments) != CKR_CRYPTOKI_ALREADY_INITIALIZED) return 3;
    CK_ULONG count = 0;
    if (f_->C_GetSlotList(CK_TRUE, nullptr, &count) != CKR_OK || count == 0) return 4;
    Bytes signature;
    if (sign_once(signature) != CKR_OK) return 5;
    if (!verifies(signature)) return 6;
    if (f_->C_Finalize(nullptr) != CKR_OK) return 7;
    return first_that_works() != nullptr ? 8 : 0;
  }
};

TEST_P(SturdyForks, AChildInitialisesAtOnce) {
  const CK_SESSION_HANDLE session = open_logged_in();
  const CK_OBJECT_HANDLE key = private_key(session);
  CK_MECHANISM mechanism = signing_mechanism();
  ASSERT_THAT(f_->C_SignInit(session, &mechanism, key), ok());
  EXPECT_EQ(in_child([this] { return use_in_child(); }), 0);
  EXPECT_EQ(in_child([this] {
              const int first = use_in_child();  // and its own child
              return first != 0 ? first : in_child([this] { return use_in_child(); });
            }),
            0);
  // the parent did not notice
  Bytes signature(peer_->size());
  CK_ULONG length = signature.size();
  ASSERT_THAT(f_->C_Sign(session, mutable_data(message_), message_.size(), signature.data(), &length), ok());
  EXPECT_TRUE(verifies(signature));
  EXPECT_EQ(private_key(session), key);
}

TEST_P(SturdyForks, AChildKnowsNothingOfItsParentsSessions) {
  const CK_SESSION_HANDLE session = open_logged_in();
  const CK_OBJECT_HANDLE key = private_key(session);
  EXPECT_EQ(in_child([&] {
              InitArguments arguments(built_->init_string);
              if (f_->C_Initialize(&arguments) != CKR_OK) return 1;
              CK_SESSION_INFO info{};
              if (f_->C_GetSessionInfo(session, &info) != CKR_SESSION_HANDLE_INVALID) return 2;
              CK_SESSION_HANDLE own = CK_INVALID_HANDLE;
              if (f_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &own) != CKR_OK) return 3;
              if (f_->C_GetSessionInfo(own, &info) != CKR_OK) return 4;
              if (info.state != CKS_RO_PUBLIC_SESSION) return 5;
              CK_ULONG size = 0;
              return f_->C_GetObjectSize(own, key, &size) == CKR_OBJECT_HANDLE_INVALID ? 0 : 6;
            }),
            0);
}

#ifndef DEVTRUST_SANITIZED  // the sanitizers' own allocators leave their locks taken in such a child
TEST_P(SturdyForks, ForksWhileThreadsSign) {
  const CK_SESSION_HANDLE kept = open_logged_in();  // the login stays
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        Bytes signature;
        EXPECT_THAT(sign_once(signature), ok());
      }
    });
  }
  for (int i = 0; i < 25; ++i) {
    EXPECT_EQ(in_child([this] { return use_in_child(); }), 0) << i;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(f_->C_CloseSession(kept), ok());
}
#endif

INSTANTIATE_TEST_SUITE_P(Stores, SturdyForks, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return store.sturdy && store.place != KeptBy::kKeychain;
                         })),
                         store_name);

/// Nothing of macOS' security services works in a child: it is told so, and the double ends it where it tries.
class SturdyForksOfKeychains : public SturdyForks {};

TEST_P(SturdyForksOfKeychains, AChildIsToldWhyItHasNoKey) {
  Bytes signature;
  ASSERT_THAT(sign_once(signature), ok());
  EXPECT_EQ(in_child([this] {
              if (first_that_works() != nullptr) return 1;
              InitArguments arguments(built_->init_string);
              if (f_->C_Initialize(&arguments) != CKR_OK) return 2;
              CK_SLOT_ID slot = 0;
              CK_ULONG count = 1;
              if (f_->C_GetSlotList(CK_TRUE, &slot, &count) != CKR_OK || count != 1) return 3;
              CK_SLOT_INFO info{};
              if (f_->C_GetSlotInfo(slot, &info) != CKR_OK) return 4;
              if (unpadded(info.slotDescription).find("forked") == std::string::npos) return 5;
              CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
              if (f_->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session) != CKR_OK) return 6;
              if (!find(session, CKO_PRIVATE_KEY).empty()) return 7;
              return f_->C_Finalize(nullptr) == CKR_OK ? 0 : 8;
            }),
            0);
  EXPECT_THAT(sign_once(signature), ok()) << "the parent did not notice";
}

/// The parent has done no more than load it.
TEST_P(SturdyForksOfKeychains, AChildIsToldWhereTheParentCalledNothing) {
  const TempDir folder;
  const std::filesystem::path copy = folder / "module.so";  // one that nobody has called yet
  std::filesystem::copy_file(built_->module_path, copy);
  void* const library = load_library(copy.string());
  EXPECT_EQ(in_child([&] {
              const auto get = reinterpret_cast<CK_C_GetFunctionList>(find_symbol(library, "C_GetFunctionList"));
              CK_FUNCTION_LIST* functions = nullptr;
              if (get(&functions) != CKR_OK) return 1;
              InitArguments arguments(built_->init_string);
              if (functions->C_Initialize(&arguments) != CKR_OK) return 2;
              CK_SLOT_ID slot = 0;
              CK_ULONG count = 1;
              if (functions->C_GetSlotList(CK_TRUE, &slot, &count) != CKR_OK || count != 1) return 3;
              CK_SLOT_INFO info{};
              if (functions->C_GetSlotInfo(slot, &info) != CKR_OK) return 4;
              return unpadded(info.slotDescription).find("forked") != std::string::npos ? 0 : 5;
            }),
            0);
  unload_library(library);
}

INSTANTIATE_TEST_SUITE_P(Stores, SturdyForksOfKeychains, ::testing::ValuesIn(stores_that([](const Store& store) {
                           return store.sturdy && store.place == KeptBy::kKeychain;
                         })),
                         store_name);

}  // namespace
}  // namespace devtrust::testing
