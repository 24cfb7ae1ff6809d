// Configurations in files with owners and modes, and what POSIX's systems have in them.
#include <sys/stat.h>
#include <unistd.h>

#include <regex>

#include "tests/unit/identity/config_fixture.h"
#include "tests/unit/identity/other_user.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using testing::ConfigFile;
using ::testing::HasSubstr;
using testing::load_refusal;
using testing::read_file;
using testing::Variable;

TEST(Config, TheInstalledExampleIsTheDefaultAndItsExamplesAreGood) {
  const std::string example = read_file(fs::path(DEVTRUST_SOURCE) / "conf" / "config.toml");
  const auto defaults = parse_config(example, "c.toml");
  ASSERT_TRUE(defaults) << defaults.error().message;
  EXPECT_EQ(defaults->profiles.size(), built_in_profiles().size());
  EXPECT_TRUE(defaults->stores.empty());

  const std::string taken = std::regex_replace(example, std::regex("(^|\n)#(?=[a-z\\[])"), "$1");
  const auto examples = parse_config(taken, "c.toml");
  ASSERT_TRUE(examples) << examples.error().message;
  EXPECT_EQ(examples->stores.size(), 3U);
  ASSERT_EQ(examples->profiles.size(), 1U);
  EXPECT_EQ(examples->profiles[0].name, "jumpcloud");
  const Profile& built_in = built_in_profiles().front();
  EXPECT_EQ(examples->profiles[0].label, built_in.label);
  EXPECT_EQ(examples->profiles[0].matches[0].issuer_cn, built_in.matches[0].issuer_cn);
  EXPECT_EQ(examples->profiles[0].matches[0].subject_cn, built_in.matches[0].subject_cn);
}

TEST_F(ConfigFile, SaysWhyItCannotBeOpened) {
  EXPECT_THAT(load_refusal(folder_ / "a.toml"), HasSubstr("cannot be opened: No such file"));
}

TEST_F(ConfigFile, IsFoundInTheUsersFolder) {
  fs::create_directory(folder_ / "devtrust");
  const fs::path path = write("devtrust/config.toml", "trace = \"/found\"\n");
  const Variable home("XDG_CONFIG_HOME", folder_.path().string());
  const auto config = load_config();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->files.back(), path.string());
  EXPECT_EQ(config->trace, "/found");
}

TEST_F(ConfigFile, ThatOthersMayChangeIsNotBelieved) {
  EXPECT_THAT(load_refusal(write("group.toml", "", fs::perms{0664})), HasSubstr("chmod go-w"));
  EXPECT_THAT(load_refusal(write("world.toml", "", fs::perms{0646})), HasSubstr("chmod go-w"));
  EXPECT_EQ(load_refusal(write("read.toml", "", fs::perms{0644})), "");

  fs::create_directory(folder_ / "open");
  const fs::path inside = write("open/config.toml", "");
  chmod((folder_ / "open").c_str(), 0777);
  EXPECT_THAT(load_refusal(inside), HasSubstr("others may replace it in " + (folder_ / "open").string()));
  fs::create_symlink(inside, folder_ / "link.toml");
  EXPECT_THAT(load_refusal(folder_ / "link.toml"), HasSubstr("others may replace it"));
  chmod((folder_ / "open").c_str(), 01777);
  EXPECT_EQ(load_refusal(inside), "") << "as /tmp: what is there stays";
  EXPECT_EQ(load_refusal(folder_ / "link.toml"), "");
}

TEST_F(ConfigFile, OfAnotherUserIsNotBelieved) {
  if (!testing::as_root()) return;
  const fs::path path = write("config.toml", "");
  ASSERT_EQ(chown(path.c_str(), testing::kOtherUser, testing::kOtherUser), 0);
  EXPECT_THAT(load_refusal(path), HasSubstr("belongs neither to root nor to this user"));
  ASSERT_EQ(chown(path.c_str(), 0, 0), 0);
  fs::create_directory(folder_ / "theirs");
  const fs::path inside = write("theirs/config.toml", "");
  ASSERT_EQ(chown((folder_ / "theirs").c_str(), testing::kOtherUser, testing::kOtherUser), 0);
  EXPECT_THAT(load_refusal(inside), HasSubstr("others may replace it"));
}

TEST_F(ConfigFile, IsARegularFile) {
  const fs::path fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(load_refusal(fifo), HasSubstr("is not a regular file"));
}

TEST_F(ConfigFile, PinSourceThatOthersMayChangeIsNotBelieved) {
  const auto pin = read_pin_source("file:" + write("pin", "hunter2", fs::perms{0622}).string());
  ASSERT_FALSE(pin);
  EXPECT_THAT(pin.error().message,
              ::testing::AllOf(HasSubstr("may be written by others"), ::testing::Not(HasSubstr("hunter2"))));
}

}  // namespace
}  // namespace devtrust
