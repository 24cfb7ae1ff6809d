// What no specification promises: every entry point called with anything, by many threads, while the library is ended,
// loaded and unloaded.
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "tests/conformance/host.h"
#include "tests/conformance/sturdy.h"

namespace devtrust::testing {
namespace {

TEST_P(Sturdy, TheTableHasEveryFunction) {
  // and C_Initialize, C_Finalize, C_GetFunctionList, C_GetInterfaceList, C_GetInterface
  EXPECT_EQ(every_function().size() + 5, (sizeof(CK_FUNCTION_LIST_3_0) - sizeof(CK_VERSION)) / sizeof(void*));
}

TEST_P(Sturdy, BeforeInitialize) {
  ASSERT_THAT(f_->C_Finalize(nullptr), ok());
  EXPECT_STREQ(first_that_works(), nullptr);
}

TEST_P(Sturdy, WrongHandles) {
  Buffers buffers;
  const CK_SESSION_HANDLE session = open();
  for (const CK_ULONG wrong : {CK_ULONG{0}, session + 1, ~CK_ULONG{0}, ~(~CK_ULONG{0} >> 1U)}) {
    for (const Function& function : every_function()) {
      SCOPED_TRACE(function.name);
      if (function.needs == Function::Needs::kSession) {
        EXPECT_THAT(function.call(*f3_, buffers.arguments(slot_, wrong, 1)), RvIs(CKR_SESSION_HANDLE_INVALID));
      } else if (function.needs == Function::Needs::kSlot) {
        EXPECT_THAT(function.call(*f3_, buffers.arguments(wrong, session, 1)), RvIs(CKR_SLOT_ID_INVALID));
      }
    }
  }
  expect_that_it_works();
}

TEST_P(Sturdy, NullPointers) {
  for (const CK_ULONG length : {CK_ULONG{0}, CK_ULONG{4}, ~CK_ULONG{0}}) {
    for (const Function& function : every_function()) {
      SCOPED_TRACE(std::string(function.name) + ", length " + std::to_string(length));
      Arguments arguments;
      arguments.slot = slot_;
      arguments.session = open_logged_in();
      arguments.object = private_key(arguments.session);
      arguments.in_length = length;
      arguments.attribute_count = length;
      const CK_RV rv = function.call(*f3_, arguments);
      EXPECT_THAT(rv, ::testing::Not(RvIs{CKR_GENERAL_ERROR, CKR_HOST_MEMORY, CKR_FUNCTION_FAILED,
                                          CKR_CRYPTOKI_NOT_INITIALIZED, CKR_DEVICE_ERROR}));
      if (length > 0 && !function.may_succeed_with_null) {
        EXPECT_THAT(rv, ::testing::Not(ok()));
      }
    }
  }
  expect_that_it_works();
}

/// Whatever a confused host may come with, from many threads and over the same few sessions.
TEST_P(Sturdy, AnythingFromManyThreads) {
  constexpr unsigned kThreads = 32;
  constexpr int kCalls = 1500;
  const CK_SESSION_HANDLE kept = open_logged_in();
  const std::array<CK_OBJECT_HANDLE, 4> objects = {private_key(kept), public_key(kept), leaf(kept), CK_INVALID_HANDLE};
  std::array<std::atomic<CK_SESSION_HANDLE>, 8> sessions{};
  for (auto& session : sessions) session = open(CKF_RW_SESSION);

  const auto list = mechanisms();
  const Bytes point = peer_->ec() ? peer_->point() : some_bytes(65);
  std::atomic<int> wrong = 0;
  const auto work = [&](unsigned number) {
    std::mt19937 random(number);
    const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
    CK_RSA_PKCS_PSS_PARAMS pss{CKM_SHA256, CKG_MGF1_SHA256, 32};
    CK_RSA_PKCS_OAEP_PARAMS oaep{CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0};
    CK_ECDH1_DERIVE_PARAMS ecdh{CKD_NULL, 0, nullptr, point.size(), mutable_data(point)};
    std::array<CK_ULONG, 16> zeros{};
    const std::array<std::pair<void*, CK_ULONG>, 8> parameters = {{{nullptr, 0},
                                                                   {nullptr, 0},
                                                                   {nullptr, 8},
                                                                   {zeros.data(), 3},
                                                                   {zeros.data(), sizeof zeros},
                                                                   {&pss, sizeof pss},
                                                                   {&oaep, sizeof oaep},
                                                                   {&ecdh, sizeof ecdh}}};
    Buffers buffers;
    for (int i = 0; i < kCalls; ++i) {
      const auto& functions = every_function();
      const Function& function = functions[below(functions.size())];
      // What others work with stays open, mostly; and one wrong password costs as much as a thousand other calls.
      const std::string_view name = function.name;
      if ((name == "C_CloseAllSessions" || name.starts_with("C_Login") || name == "C_Logout") && below(20) != 0)
        continue;
      auto& session = sessions[below(sessions.size())];
      Arguments arguments =
          buffers.arguments(slot_, below(8) == 0 ? random() : session.load(), objects[below(objects.size())]);
      const auto& [parameter, length] = parameters[below(parameters.size())];
      buffers.mechanism = {below(10) == 0 ? CK_ULONG{0x4711} : list[below(list.size())], parameter, length};
      arguments.flags = random();
      arguments.user = below(4) == 0 ? CKU_SO : CKU_USER;
      arguments.in_length = below(buffers.in.size() + 1);
      buffers.out_length = below(2) == 0 ? buffers.out.size() : below(40);
      if (below(10) == 0) arguments.mechanism = nullptr;
      if (below(10) == 0) arguments.attributes = nullptr;
      if (below(10) == 0) arguments.in = nullptr;
      if (below(6) == 0) arguments.out = nullptr;
      if (below(20) == 0) arguments.out_length = nullptr;
      if (below(20) == 0) arguments.handles = nullptr;
      if (below(20) == 0) arguments.handle_count = nullptr;
      if (below(20) == 0) arguments.info = nullptr;
      buffers.attributes[0] = {below(2) == 0 ? CK_ULONG{CKA_VALUE} : CK_ULONG{CKA_CLASS}, nullptr, 0};
      const CK_RV rv = function.call(*f3_, arguments);
      if (rv == CKR_GENERAL_ERROR || rv == CKR_HOST_MEMORY || rv == CKR_CRYPTOKI_NOT_INITIALIZED ||
          rv == CKR_FUNCTION_FAILED || rv == CKR_DEVICE_ERROR) {
        ADD_FAILURE() << function.name << " says " << rv_name(rv) << ", mechanism "
                      << mechanism_name(buffers.mechanism.mechanism);
        ++wrong;
      }
      if (rv == CKR_SESSION_HANDLE_INVALID) {
        CK_SESSION_HANDLE fresh = CK_INVALID_HANDLE;
        if (f_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &fresh) != CKR_OK) ++wrong;
        f_->C_CloseSession(session.exchange(fresh));
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < kThreads; ++number) threads.emplace_back(work, number);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_THAT(f_->C_CloseAllSessions(slot_), ok());
  expect_that_it_works();
}

TEST_P(Sturdy, ManyThreadsSign) {
  constexpr int kThreads = 32;
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10; ++j) {
        Bytes signature;
        const CK_RV rv = sign_once(signature);
        // with a password, the last session's end of another thread logs this one out
        if (!store().password.empty() && (rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_KEY_HANDLE_INVALID)) {
          ++good;
          continue;
        }
        EXPECT_THAT(rv, ok());
        if (rv == CKR_OK && verifies(signature)) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kThreads * 10);
}

TEST_P(Sturdy, ManyThreadsShareASession) {
  const CK_SESSION_HANDLE session = open_logged_in();
  const CK_OBJECT_HANDLE key = private_key(session);
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        CK_MECHANISM mechanism = signing_mechanism();
        EXPECT_THAT(f_->C_SignInit(session, &mechanism, key), (RvIs{CKR_OK, CKR_OPERATION_ACTIVE}));
        Bytes signature(peer_->size());
        CK_ULONG length = signature.size();
        const CK_RV rv = f_->C_Sign(session, mutable_data(message_), message_.size(), signature.data(), &length);
        EXPECT_THAT(rv, (RvIs{CKR_OK, CKR_OPERATION_NOT_INITIALIZED}));
        if (rv == CKR_OK) {
          EXPECT_TRUE(verifies(signature));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(Sturdy, FinalizeUnderLoad) {
  std::atomic<bool> stop = false;
  std::mutex mutex;  // and a condition: of an atomic's notifications libstdc++ 12 loses some on Windows
  std::condition_variable signed_one;
  int signatures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        Bytes signature;
        const CK_RV rv = sign_once(signature);
        EXPECT_THAT(rv, (RvIs{CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID,
                              CKR_USER_NOT_LOGGED_IN}));
        if (rv != CKR_OK) continue;
        EXPECT_TRUE(verifies(signature));
        const std::lock_guard lock(mutex);
        ++signatures;
        signed_one.notify_one();
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    {
      std::unique_lock lock(mutex);
      signed_one.wait(lock, [&, before = signatures] { return signatures != before; });  // so that there is a load
    }
    EXPECT_THAT(f_->C_Finalize(nullptr), ok());
    initialize();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_P(Sturdy, InitializeFromManyThreads) {
  ASSERT_THAT(f_->C_Finalize(nullptr), ok());
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> first = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] {
        InitArguments arguments(built_->init_string);
        const CK_RV rv = f_->C_Initialize(&arguments);
        EXPECT_THAT(rv, (RvIs{CKR_OK, CKR_CRYPTOKI_ALREADY_INITIALIZED}));
        if (rv == CKR_OK) ++first;
        CK_ULONG count = 0;
        EXPECT_THAT(f_->C_GetSlotList(CK_TRUE, nullptr, &count), ok());
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(first, 1);
    EXPECT_THAT(f_->C_Finalize(nullptr), ok());
  }
  initialize();
}

TEST_P(Sturdy, LoadedAndUnloadedAgainAndAgain) {
  ASSERT_THAT(f_->C_Finalize(nullptr), ok());
  const auto use = [this] {
    const Module module(built_->module_path);
    f_ = &module.functions();
    initialize();
    slot_ = find_slot();
    expect_that_it_works();
    EXPECT_THAT(f_->C_Finalize(nullptr), ok());
  };
  use();
  const auto before = open_handles();
  for (int i = 0; i < 50; ++i) use();
  EXPECT_EQ(open_handles(), before) << "files stay open";
  {
    const Module module(built_->module_path);  // a host that forgets C_Finalize
    f_ = &module.functions();
    initialize();
  }
  f_ = &loaded(built_->module_path).functions();
  EXPECT_THAT(f_->C_Finalize(nullptr), (RvIs{CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED}));
  initialize();
  expect_that_it_works();
}

INSTANTIATE_TEST_SUITE_P(Stores, Sturdy, ::testing::ValuesIn(stores_that(&Store::sturdy)), store_name);

}  // namespace
}  // namespace devtrust::testing
