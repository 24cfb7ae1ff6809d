// Configurations in files with access control lists, and what Windows has in them.
#include <windows.h>

#include "identity/process.h"
#include "tests/support/access_list.h"
#include "tests/unit/identity/config_fixture.h"

namespace devtrust {
namespace {

using ::testing::AllOf;
using testing::ConfigFile;
using ::testing::HasSubstr;
using testing::kAdministrators;
using testing::load_refusal;
using ::testing::Not;
using testing::refusal;
using testing::set_access;

TEST(Config, SaysWhatThisSystemHas) {
  EXPECT_EQ(refusal("trace = \"trace.log\"\n"),
            "c.toml:1:9: trace must be a path that begins with a drive (C:\\), \\\\ or ~/");
  for (const std::string log : {"syslog:", "journal:"}) {
    EXPECT_EQ(refusal("audit = \"" + log + "\"\n"),
              "c.toml:1:9: " + log + " is for another operating system: expected a file or eventlog:");
  }
  const auto config = parse_config("audit = \"eventlog:\"\n", "c.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->audit, "eventlog:");
}

TEST_F(ConfigFile, MayHaveAnyName) {
  const std::filesystem::path path = folder_.path() / L"Gerät 日本.toml";
  std::filesystem::rename(write("c.toml", "trace = 'C:\\a'\n"), path);
  const std::u8string name = path.u8string();
  const auto config = load_config(std::string(name.begin(), name.end()));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->trace, "C:\\a");
}

TEST_F(ConfigFile, ThatOthersMayChangeIsNotBelieved) {
  const auto path = write("config.toml", "");
  for (const char* rights : {"FW", "FA"}) {
    set_access(path, rights);
    EXPECT_THAT(load_refusal(path), AllOf(HasSubstr("may be written by others"), HasSubstr("icacls"))) << rights;
  }
  set_access(path, "FR");
  EXPECT_EQ(load_refusal(path), "");
  set_access(path, "FA", kAdministrators);
  EXPECT_EQ(load_refusal(path), "");
  set_access(path);
  EXPECT_EQ(load_refusal(path), "");
}

TEST_F(ConfigFile, ThatOthersMayReplaceIsNotBelieved) {
  std::filesystem::create_directory(folder_ / "open");
  const auto inside = write("open/config.toml", "");
  set_access(inside);
  set_access(folder_ / "open", "FA");
  EXPECT_THAT(load_refusal(inside), AllOf(HasSubstr("others may replace it in "), HasSubstr("open")));
  set_access(folder_ / "open", "FR");
  EXPECT_EQ(load_refusal(inside), "");
}

TEST_F(ConfigFile, IsARegularFile) {
  const auto read = load_config("NUL");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("NUL is not a regular file"));
}

TEST_F(ConfigFile, PinSourceThatOthersMayChangeIsNotBelieved) {
  const auto path = write("pin", "hunter2");
  set_access(path, "FW");
  const auto pin = read_pin_source("file:" + path.string());
  ASSERT_FALSE(pin);
  EXPECT_THAT(pin.error().message, AllOf(HasSubstr("may be written by others"), Not(HasSubstr("hunter2"))));
}

}  // namespace
}  // namespace devtrust
