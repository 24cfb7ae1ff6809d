// The module as a guest in somebody else's process: what the host must not notice.
#include <fcntl.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "tests/interop/hosts/host.h"
#include "tests/support/command.h"
#include "tests/support/pki.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to the program

namespace devtrust::testing {
namespace {

namespace fs = std::filesystem;

/// A home whose NSS database holds an identity; HOME names it.
class HostTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempDir>();
    fs::create_directories(*folder_ / "home/.pki");
    Pki pki(*folder_ / "pki");
    NssDatabase database(*folder_ / "home/.pki/nssdb");
    database.import(pki.issue());
    setenv("HOME", (*folder_ / "home").c_str(), 1);
    for (const char* name : {"XDG_CONFIG_HOME", "DEVTRUST_CONFIG", "DEVTRUST_TRACE"}) unsetenv(name);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  /// All that a program does: from loading to unloading.
  static void whole_life() {
    const Module module(DEVTRUST_MODULE);
    check(module.initialize(), "C_Initialize");
    module.sign_and_verify();
    check(module->C_Finalize(nullptr), "C_Finalize");
  }

  static std::unique_ptr<TempDir> folder_;
};
std::unique_ptr<TempDir> HostTest::folder_;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

/// Open descriptors and what they lead to, without the one that looks.
std::set<std::pair<int, std::string>> descriptors() {
  std::set<std::pair<int, std::string>> open;
  for (const std::string& name : names_in("/proc/self/fd")) {
    std::error_code gone;
    const fs::path target = fs::read_symlink("/proc/self/fd/" + name, gone);
    if (!gone) open.emplace(std::stoi(name), target);
  }
  return open;
}

TEST_F(HostTest, WritesNothingToTheTerminal) {
  const std::string path = *folder_ / "output";
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  const int out = dup(STDOUT_FILENO);
  const int err = dup(STDERR_FILENO);
  std::fflush(nullptr);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  whole_life();
  // A store that cannot be read is worth a word, but not here.
  write_file(*folder_ / "bad.toml", "[[store]]\nkind = 7\n");
  setenv("DEVTRUST_CONFIG", (*folder_ / "bad.toml").c_str(), 1);
  {
    const Module module(DEVTRUST_MODULE);
    check(module.initialize(), "C_Initialize");
    EXPECT_EQ(module.find(module.open_session(), CKO_PRIVATE_KEY), CK_INVALID_HANDLE);
    check(module->C_Finalize(nullptr), "C_Finalize");
  }
  unsetenv("DEVTRUST_CONFIG");
  std::fflush(nullptr);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  for (const int fd : {file, out, err}) close(fd);
  EXPECT_EQ(read_file(path), "");
}

TEST_F(HostTest, LeavesTheEnvironment) {
  char** const table = environ;
  std::vector<std::pair<const char*, std::string>> before;
  for (char** entry = environ; *entry != nullptr; ++entry) before.emplace_back(*entry, *entry);
  whole_life();
  EXPECT_EQ(environ, table);
  std::vector<std::pair<const char*, std::string>> after;
  for (char** entry = environ; *entry != nullptr; ++entry) after.emplace_back(*entry, *entry);
  EXPECT_EQ(after, before);
}

TEST_F(HostTest, StartsNoThread) {
  const Module module(DEVTRUST_MODULE);
  ASSERT_EQ(module.initialize(), CKR_OK);
  module.sign_and_verify();
  EXPECT_EQ(names_in("/proc/self/task").size(), 1U);
  ASSERT_EQ(module->C_Finalize(nullptr), CKR_OK);
}

TEST_F(HostTest, LeavesSignalsAlone) {
  const auto handlers = [] {
    std::vector<std::uintptr_t> all;
    for (int number = 1; number < NSIG; ++number) {
      struct sigaction action {};
      if (sigaction(number, nullptr, &action) != 0) continue;
      all.push_back(reinterpret_cast<std::uintptr_t>(action.sa_sigaction));
      all.push_back(static_cast<std::uintptr_t>(action.sa_flags));
    }
    sigset_t mask;
    sigprocmask(SIG_SETMASK, nullptr, &mask);
    for (int number = 1; number < NSIG; ++number)
      all.push_back(static_cast<std::uintptr_t>(sigismember(&mask, number)));
    return all;
  };
  const auto before = handlers();
  whole_life();
  EXPECT_EQ(handlers(), before);
}

TEST_F(HostTest, LeavesTheWorkingDirectoryTheMaskAndTheLocale) {
  const mode_t mask = umask(0123);
  const fs::path directory = fs::current_path();
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  whole_life();
  EXPECT_EQ(umask(mask), mode_t{0123});
  EXPECT_EQ(fs::current_path(), directory);
  EXPECT_EQ(std::setlocale(LC_ALL, nullptr), locale);
}

TEST_F(HostTest, GivesNoDescriptorToAnotherProgram) {
  const auto before = descriptors();
  const Module module(DEVTRUST_MODULE);
  ASSERT_EQ(module.initialize(), CKR_OK);
  module.sign_and_verify();
  int opened = 0;
  for (const auto& [fd, target] : descriptors()) {
    if (before.contains({fd, target})) continue;
    ++opened;
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << target;
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY) << target;
  }
  EXPECT_GT(opened, 0) << "database files stay open, so that no lock of the host is lost";
  EXPECT_EQ(must_run({"ls", "-l", "/proc/self/fd"}).find("nssdb"), std::string::npos);
  ASSERT_EQ(module->C_Finalize(nullptr), CKR_OK);
}

TEST_F(HostTest, LivesAgainAndAgainWithoutGrowing) {
  whole_life();
  const auto before = descriptors();
  for (int i = 0; i < 50; ++i) whole_life();
  EXPECT_EQ(descriptors(), before);
}

TEST_F(HostTest, LeavesTheHostsErrorQueue) {
  const Module module(DEVTRUST_MODULE);
  ERR_clear_error();
  ERR_raise(ERR_LIB_USER, 77);
  ASSERT_EQ(module.initialize(), CKR_OK);
  const CK_SESSION_HANDLE session = module.open_session();
  module.sign_and_verify(session);
  std::vector<CK_BYTE> forged(256, 1);
  EXPECT_EQ(module.verify(session, module.find(session, CKO_PUBLIC_KEY), forged), CKR_SIGNATURE_INVALID);
  CK_RSA_PKCS_OAEP_PARAMS parameters{CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, nullptr, 0};
  CK_MECHANISM oaep{CKM_RSA_PKCS_OAEP, &parameters, sizeof parameters};
  ASSERT_EQ(module->C_DecryptInit(session, &oaep, module.find(session, CKO_PRIVATE_KEY)), CKR_OK);
  std::vector<CK_BYTE> plain(256);
  CK_ULONG length = plain.size();
  EXPECT_NE(module->C_Decrypt(session, forged.data(), forged.size(), plain.data(), &length), CKR_OK);
  ASSERT_EQ(module->C_Finalize(nullptr), CKR_OK);
  EXPECT_EQ(ERR_GET_REASON(ERR_get_error()), 77);
  EXPECT_EQ(ERR_peek_error(), 0U);
}

/// What a thread may be told while another one finalizes the module and initialises it again.
bool acceptable_under_finalize(CK_RV rv) {
  static const std::set<CK_RV> kAnswers{CKR_OK,
                                        CKR_CRYPTOKI_NOT_INITIALIZED,
                                        CKR_SESSION_HANDLE_INVALID,
                                        CKR_SESSION_CLOSED,
                                        CKR_KEY_HANDLE_INVALID,
                                        CKR_OBJECT_HANDLE_INVALID,
                                        CKR_OPERATION_NOT_INITIALIZED};
  return kAnswers.contains(rv);
}

TEST_F(HostTest, IsFinalizedWhileThreadsAreInside) {
  const Module module(DEVTRUST_MODULE);
  ASSERT_EQ(module.initialize(), CKR_OK);
  std::atomic<bool> done{false};
  std::atomic<int> signatures{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      CK_SLOT_ID slot = 0;
      while (!done) {
        CK_ULONG count = 1;
        CK_SESSION_HANDLE session = 0;
        CK_OBJECT_HANDLE key = 0;
        CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
        CK_ATTRIBUTE wanted{CKA_CLASS, &private_key, sizeof private_key};
        std::vector<CK_BYTE> signature;
        const std::vector<std::function<CK_RV()>> steps{
            [&] { return module->C_GetSlotList(CK_TRUE, &slot, &count); },
            [&] { return module->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session); },
            [&] { return module->C_FindObjectsInit(session, &wanted, 1); },
            [&] { return module->C_FindObjects(session, &key, 1, &count); },
            [&] { return module->C_FindObjectsFinal(session); },
            [&] { return module.sign(session, key, signature); },
            [&] { return module->C_CloseSession(session); },
        };
        CK_RV rv = CKR_OK;
        for (const auto& step : steps) {
          if (rv = step(); rv != CKR_OK) break;
        }
        if (!acceptable_under_finalize(rv)) ++wrong;
        if (rv == CKR_OK) ++signatures;
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    const int before = signatures;
    while (signatures == before && wrong == 0) std::this_thread::yield();
    ASSERT_EQ(module->C_Finalize(nullptr), CKR_OK);
    ASSERT_EQ(module.initialize(), CKR_OK);
  }
  done = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  ASSERT_EQ(module->C_Finalize(nullptr), CKR_OK);
}

/// Whether `body` returns true in a forked child, without throwing, crashing or hanging.
bool child_succeeds(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    try {
      _exit(body() ? 0 : 1);
    } catch (...) {
      _exit(2);
    }
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

TEST_F(HostTest, WorksInAForkedChildAfterInitialize) {
  const Module module(DEVTRUST_MODULE);
  ASSERT_EQ(module.initialize(), CKR_OK);
  const CK_SESSION_HANDLE session = module.open_session();
  module.sign_and_verify(session);
  EXPECT_TRUE(child_succeeds([&] {
    CK_INFO info;
    std::vector<CK_BYTE> signature;
    if (module->C_GetInfo(&info) != CKR_CRYPTOKI_NOT_INITIALIZED) return false;
    if (module.sign(session, 1, signature) != CKR_CRYPTOKI_NOT_INITIALIZED) return false;
    if (module.initialize() != CKR_OK) return false;
    module.sign_and_verify();
    const bool grandchild = child_succeeds([&] {
      if (module.initialize() != CKR_OK) return false;
      module.sign_and_verify();
      return true;
    });
    module.sign_and_verify();
    return grandchild && module->C_Finalize(nullptr) == CKR_OK;
  }));
  module.sign_and_verify(session);
  ASSERT_EQ(module->C_Finalize(nullptr), CKR_OK);
}

TEST_F(HostTest, IsForkedWhileThreadsAreInside) {
  const Module module(DEVTRUST_MODULE);
  ASSERT_EQ(module.initialize(), CKR_OK);
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        try {
          module.sign_and_verify();
        } catch (...) {
          ++failed;
        }
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(child_succeeds([&] {
      if (module.initialize() != CKR_OK) return false;
      module.sign_and_verify();
      return module->C_Finalize(nullptr) == CKR_OK;
    }));
  }
  done = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  ASSERT_EQ(module->C_Finalize(nullptr), CKR_OK);
}

TEST_F(HostTest, AForkedChildClosesNoInheritedDescriptor) {
  // They are the parent's open file descriptions: closing them would drop locks that the parent holds through them.
  const Module module(DEVTRUST_MODULE);
  ASSERT_EQ(module.initialize(), CKR_OK);
  module.sign_and_verify();
  EXPECT_TRUE(child_succeeds([&] {
    const auto inherited = descriptors();
    for (int i = 0; i < 10; ++i) {
      check(module.initialize(), "C_Initialize");
      module.sign_and_verify();
      check(module->C_Finalize(nullptr), "C_Finalize");
    }
    const auto after = descriptors();
    return std::includes(after.begin(), after.end(), inherited.begin(), inherited.end());
  }));
  module.sign_and_verify();
  ASSERT_EQ(module->C_Finalize(nullptr), CKR_OK);
}

TEST_F(HostTest, StaysInMemoryAfterDlclose) {
  // An atfork handler in a library that is gone would crash the host.
  whole_life();
  EXPECT_TRUE(child_succeeds([] { return true; }));
  whole_life();
}

}  // namespace
}  // namespace devtrust::testing
