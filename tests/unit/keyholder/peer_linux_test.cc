// Pairs of sockets, of whose ends Linux says who made them.
#include "keyholder/peer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "tests/support/this_program.h"

namespace devtrust::keyholder {
namespace {

TEST(PeerTest, NamesUserProcessAndProgram) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const auto peer = peer_of(ends[0]);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->user, getuid());
  EXPECT_EQ(peer->process, getpid());
  EXPECT_EQ(peer->program, devtrust::testing::this_program());
  for (const int end : ends) close(end);
}

TEST(PeerTest, AProcessThatHasEndedHasNoProgram) {
  std::array<int, 2> up{};
  ASSERT_EQ(pipe(up.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    // The other end stays open here when the child, whom the kernel has noted, is gone.
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) _exit(1);
    const pid_t grandchild = fork();
    if (grandchild != 0) _exit(0);
    char ended = 0;
    if (read(up[0], &ended, 1) != 1) _exit(1);
    const auto peer = peer_of(ends[0]);
    const char answer = peer && peer->program.empty() ? 'y' : 'n';
    _exit(write(ends[1], &answer, 1) == 1 && answer == 'y' ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(write(up[1], "e", 1), 1);
  EXPECT_EQ(status, 0);
  for (const int end : up) close(end);
}

}  // namespace
}  // namespace devtrust::keyholder
