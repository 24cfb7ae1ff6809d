#include "keyholder/listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/pki.h"
#include "tests/support/variable.h"
#include "tests/unit/identity/other_user.h"

namespace devtrust::keyholder {
namespace {

namespace fs = std::filesystem;
using devtrust::testing::TempDir;
using devtrust::testing::Variable;
using devtrust::testing::write_file;
using ::testing::HasSubstr;

class ListenerTest : public ::testing::Test {
 protected:
  std::string refusal(const fs::path& path, ErrorCode code) const {
    const auto listener = Listener::open(path);
    if (listener) return "";
    EXPECT_EQ(listener.error().code, code);
    return listener.error().message;
  }
  static bool answers(const fs::path& path) {
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    const bool connected = connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(client);
    return connected;
  }

  const TempDir folder_;
  const fs::path path_ = folder_ / "p11-kit/pkcs11";
};

TEST_F(ListenerTest, ListensWhereOnlyThisUserGetsInAndLeavesNothing) {
  const mode_t mask = umask(0);
  {
    const auto listener = Listener::open(path_);
    ASSERT_TRUE(listener) << listener.error().message;
    EXPECT_FALSE(listener->handed_over());
    EXPECT_TRUE(answers(path_));
    EXPECT_EQ(fs::status(path_.parent_path()).permissions(), fs::perms::owner_all);
    EXPECT_EQ(fs::status(path_).permissions() & (fs::perms::group_all | fs::perms::others_all), fs::perms::none);
  }
  umask(mask);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(ListenerTest, ReplacesWhatAnEarlierOneLeft) {
  fs::create_directory(path_.parent_path());
  fs::permissions(path_.parent_path(), fs::perms::owner_all);
  const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(stale);
  ASSERT_TRUE(fs::exists(path_));
  const auto listener = Listener::open(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(answers(path_));
}

TEST_F(ListenerTest, ThereIsOneForAPath) {
  const auto first = Listener::open(path_);
  ASSERT_TRUE(first);
  EXPECT_EQ(refusal(path_, ErrorCode::kBusy),
            "a devtrust-keyholder runs already for " + path_.string() + ": one is enough");
  EXPECT_TRUE(answers(path_));
}

TEST_F(ListenerTest, LeavesAnotherProgramsSocketAlone) {
  const auto first = Listener::open(path_);
  ASSERT_TRUE(first);
  fs::remove(path_.string() + ".lock");  // another program has none
  EXPECT_THAT(refusal(path_, ErrorCode::kBusy), HasSubstr("another program listens at " + path_.string()));
  EXPECT_TRUE(answers(path_));
}

TEST_F(ListenerTest, RefusesAFolderThatOthersCanEnter) {
  fs::create_directory(path_.parent_path());
  for (const auto more : {fs::perms::others_exec, fs::perms::group_exec, fs::perms::others_read}) {
    fs::permissions(path_.parent_path(), fs::perms::owner_all | more);
    EXPECT_EQ(refusal(path_, ErrorCode::kAccessDenied), "others can enter the folder " + path_.parent_path().string() +
                                                            ": chmod 700 " + path_.parent_path().string());
  }
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(ListenerTest, RefusesALinkAndAnotherUsersFolder) {
  if (!devtrust::testing::as_root()) return;
  fs::create_directory(folder_ / "real");
  fs::permissions(folder_ / "real", fs::perms::owner_all);
  fs::create_directory_symlink(folder_ / "real", path_.parent_path());
  EXPECT_THAT(refusal(path_, ErrorCode::kAccessDenied), HasSubstr("is no folder"));
  ASSERT_EQ(chown((folder_ / "real").c_str(), devtrust::testing::kOtherUser, 0), 0);
  EXPECT_THAT(refusal(folder_ / "real/pkcs11", ErrorCode::kAccessDenied), HasSubstr("is another user's"));
}

TEST_F(ListenerTest, LeavesAFileAlone) {
  fs::create_directory(path_.parent_path());
  fs::permissions(path_.parent_path(), fs::perms::owner_all);
  write_file(path_, "precious");
  EXPECT_THAT(refusal(path_, ErrorCode::kAccessDenied), HasSubstr(path_.string() + " is no socket"));
  EXPECT_EQ(devtrust::testing::read_file(path_), "precious");
}

TEST_F(ListenerTest, SaysWhatIsWrongWithAPath) {
  EXPECT_THAT(refusal("pkcs11", ErrorCode::kInvalidArgument), HasSubstr("has to be a full path"));
  EXPECT_THAT(refusal("/pkcs11", ErrorCode::kInvalidArgument), HasSubstr("has to be a full path"));
  EXPECT_THAT(refusal(folder_ / std::string(200, 'a') / "s", ErrorCode::kInvalidArgument), HasSubstr("too long"));
  EXPECT_THAT(refusal(folder_ / "not/there/either/pkcs11", ErrorCode::kIo), HasSubstr("cannot be made"));
  EXPECT_EQ(refusal(folder_ / "cache/p11-kit/pkcs11", ErrorCode::kIo), "") << "one more folder may be missing";
}

TEST_F(ListenerTest, TakesOverWhatListens) {
  const int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_FALSE(Listener::take_over({listening}));
  ASSERT_EQ(::listen(listening, 1), -1);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (folder_ / "handed").string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listening, 1), 0);
  {
    const auto listener = Listener::take_over({listening});
    ASSERT_TRUE(listener);
    EXPECT_TRUE(listener->handed_over());
    EXPECT_EQ(listener->sockets(), std::vector<int>{listening});
  }
  EXPECT_TRUE(fs::exists(folder_ / "handed")) << "it is systemd's";
}

TEST_F(ListenerTest, KnowsWhereP11KitsClientLooks) {
  const Variable runtime("XDG_RUNTIME_DIR", "/run/of/a/user");
  EXPECT_EQ(default_socket_path(), "/run/of/a/user/p11-kit/pkcs11");
}

}  // namespace
}  // namespace devtrust::keyholder
