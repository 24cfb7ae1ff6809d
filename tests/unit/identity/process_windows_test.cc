#include <windows.h>
// after windows.h
#include <sddl.h>

#include <gtest/gtest.h>

#include <array>

#include "identity/process.h"
#include "identity/utf16.h"
#include "tests/unit/identity/surroundings.h"

namespace devtrust {
namespace {

using testing::Home;
using testing::Variable;

TEST(Environment, GivesWhateverIsSet) {
  for (const std::size_t length : {1U, 255U, 256U, 257U, 5000U}) {
    const std::string value(length, 'x');
    const Variable variable("DEVTRUST_SOMETHING", value);
    EXPECT_EQ(environment("DEVTRUST_SOMETHING"), value) << length;
  }
  const Variable variable("DEVTRUST_SOMETHING", "Gerät 日本");
  EXPECT_EQ(environment("DEVTRUST_SOMETHING"), "Gerät 日本");
}

TEST(HomeDirectory, FallsBackToTheAccounts) {
  EXPECT_TRUE(is_full_path(account_home())) << account_home();
  for (const std::optional<std::string>& value :
       {std::optional<std::string>(), std::optional<std::string>(""), std::optional<std::string>("relative")}) {
    const Home home(value);
    EXPECT_EQ(home_directory(), account_home());
  }
  const Home home("C:\\elsewhere");
  EXPECT_EQ(home_directory(), "C:\\elsewhere");
  EXPECT_NE(account_home(), "C:\\elsewhere");
}

TEST(ConfigHome, IsWhereWindowsHasIt) {
  EXPECT_EQ(config_home(), environment("APPDATA"));
  EXPECT_EQ(system_config_folder(), environment("ProgramData") + "\\devtrust");
}

TEST(FullPath, BeginsWithADriveOrAServer) {
  for (const char* path : {"C:\\a", "z:/a", "C:\\", "\\\\server\\share\\a", "//server/share", "\\\\.\\pipe\\a"}) {
    EXPECT_TRUE(is_full_path(path)) << path;
  }
  for (const char* path : {"", "a", "\\a", "/a", "C:", "C:a", "1:\\a", "a\\b", "~/a"}) {
    EXPECT_FALSE(is_full_path(path)) << path;
  }
}

TEST(ExpandHome, TakesEitherSlash) {
  const Home home("C:\\Users\\someone");
  EXPECT_EQ(expand_home("~\\a"), "C:\\Users\\someone\\a");
  EXPECT_EQ(expand_home("~/a"), "C:\\Users\\someone/a");
}

TEST(ProgramName, IsTheFiles) {
  EXPECT_EQ(program_name(), "unit_identity.exe");
  EXPECT_TRUE(own_file().ends_with("\\unit_identity.exe")) << own_file();
  EXPECT_NE(GetFileAttributesW(to_utf16(own_file()).c_str()), INVALID_FILE_ATTRIBUTES) << own_file();
}

TEST(Process, IsNumberedAsTheSystemDoes) {
  EXPECT_EQ(process_id(), GetCurrentProcessId());
  EXPECT_EQ(thread_id(), GetCurrentThreadId());
}

TEST(Process, UserIsTheOneWhoseNameWindowsSays) {
  std::array<wchar_t, 257> name{};
  auto length = static_cast<DWORD>(name.size());
  ASSERT_NE(GetUserNameW(name.data(), &length), 0);
  std::array<BYTE, SECURITY_MAX_SID_SIZE> sid{};
  auto sid_size = static_cast<DWORD>(sid.size());
  std::array<wchar_t, 257> domain{};
  auto domain_size = static_cast<DWORD>(domain.size());
  SID_NAME_USE use{};
  ASSERT_NE(LookupAccountNameW(nullptr, name.data(), sid.data(), &sid_size, domain.data(), &domain_size, &use), 0);
  wchar_t* text = nullptr;
  ASSERT_NE(ConvertSidToStringSidW(sid.data(), &text), 0);
  EXPECT_EQ(user_id(), to_utf8(text));
  LocalFree(text);
}

}  // namespace
}  // namespace devtrust
