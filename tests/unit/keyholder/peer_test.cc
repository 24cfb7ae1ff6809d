#include "keyholder/peer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "keyholder/listener.h"
#include "tests/support/command.h"
#include "tests/support/this_program.h"

namespace devtrust::keyholder {
namespace {

TEST(PeerTest, NamesWhoConnected) {
  const devtrust::testing::TempDir folder;
  const std::string path = (folder / "p11-kit/pkcs11").string();
  const auto listener = Listener::open(path);
  ASSERT_TRUE(listener) << listener.error().message;
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const int accepted = accept(listener->sockets().front(), nullptr, nullptr);
  ASSERT_GE(accepted, 0);
  const auto peer = peer_of(accepted);
  ASSERT_TRUE(peer) << peer.error().message;
  EXPECT_EQ(peer->user, getuid());
  EXPECT_EQ(peer->process, getpid());
  EXPECT_EQ(peer->program, devtrust::testing::this_program());
  close(accepted);
  close(client);
}

TEST(PeerTest, SaysWhatIsNoSocket) { EXPECT_FALSE(peer_of(-1)); }

}  // namespace
}  // namespace devtrust::keyholder
