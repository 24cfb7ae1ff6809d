#include "keyholder/server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <future>
#include <string>
#include <thread>

#include "keyholder/listener.h"
#include "tests/support/command.h"

namespace devtrust::keyholder {
namespace {

using devtrust::testing::TempDir;

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() { static_cast<void>(std::signal(SIGPIPE, SIG_IGN)); }  // as the program has it
  ~ServerTest() override {
    for (const int client : clients_) close(client);
  }
  int connect_one() {
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    clients_.push_back(client);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return client;
  }
  /// What comes back; 0 where the other end is closed.
  static char ask(int client, char what) {
    if (send(client, &what, 1, 0) != 1) return 0;
    char answer = 0;
    return recv(client, &answer, 1, 0) == 1 ? answer : '\0';
  }
  static void echo(int socket) {
    char octet = 0;
    while (read(socket, &octet, 1) == 1) {
      if (octet == 'q' || write(socket, &octet, 1) != 1) return;
    }
  }
  std::future<bool> run(Server& server) const {
    return std::async(std::launch::async, [this, &server] { return server.run(listener_->sockets()); });
  }
  auto complaints() {
    return [this](std::string_view said) { said_ += std::string(said) + '\n'; };
  }

  const TempDir folder_;
  const std::string path_ = (folder_ / "p11-kit/pkcs11").string();
  const Result<Listener> listener_ = Listener::open(path_);
  std::vector<int> clients_;
  std::string said_;  // read it when the server has ended
};

TEST_F(ServerTest, ServesManyAtATimeAndEnds) {
  Server server(echo, complaints(), {});
  auto ended = run(server);
  const int first = connect_one();
  const int second = connect_one();
  EXPECT_EQ(ask(second, 'b'), 'b');
  EXPECT_EQ(ask(first, 'a'), 'a');
  EXPECT_EQ(ask(first, 'q'), '\0') << "the client sees at once that its connection is over";
  EXPECT_EQ(ask(second, 'c'), 'c');
  server.end();
  EXPECT_TRUE(ended.get());
  EXPECT_EQ(ask(second, 'd'), '\0');
  EXPECT_EQ(said_, "");
}

TEST_F(ServerTest, RefusesTheLastOfTooMany) {
  Server server(echo, complaints(), {.connections = 2});
  auto ended = run(server);
  const int first = connect_one();
  const int second = connect_one();
  EXPECT_EQ(ask(first, 'a'), 'a');
  EXPECT_EQ(ask(second, 'b'), 'b');
  EXPECT_EQ(ask(connect_one(), 'c'), '\0');
  EXPECT_EQ(ask(first, 'q'), '\0');
  int again = connect_one();
  while (ask(again, 'd') != 'd') again = connect_one();  // the thread's end is seen a moment later
  server.end();
  EXPECT_TRUE(ended.get());
  EXPECT_EQ(said_.find("a connection was refused: there are 2 already; end programs that use the key\n"), 0U) << said_;
}

TEST_F(ServerTest, EndsWhenNobodyComes) {
  Server server(echo, complaints(), {.idle = std::chrono::seconds(0)});
  EXPECT_TRUE(run(server).get());
}

TEST_F(ServerTest, DoesNotEndWhileSomebodyIsConnected) {
  std::atomic<bool> connected{false};
  Server server(
      [&connected](int socket) {
        connected = true;
        echo(socket);
      },
      complaints(), {.idle = std::chrono::seconds(1)});
  const auto start = std::chrono::steady_clock::now();
  const int client = connect_one();  // before it runs: it is never without one
  auto ended = run(server);
  while (std::chrono::steady_clock::now() < start + std::chrono::milliseconds(1500)) ASSERT_EQ(ask(client, 'a'), 'a');
  const auto over = std::chrono::steady_clock::now();
  EXPECT_EQ(ask(client, 'q'), '\0');
  EXPECT_TRUE(ended.get());
  EXPECT_GE(std::chrono::steady_clock::now() - over, std::chrono::milliseconds(900))
      << "counted from the end of the last";
}

TEST_F(ServerTest, AnswersWhatIsAskedAlreadyBeforeItEnds) {
  std::promise<void> asked;
  std::promise<void> ending;
  Server server(
      [&asked, &ending](int socket) {
        char octet = 0;
        while (read(socket, &octet, 1) == 1) {
          asked.set_value();
          ending.get_future().wait();
          if (write(socket, &octet, 1) != 1) return;
        }
      },
      complaints(), {.parting = std::chrono::seconds(60)});
  auto ended = run(server);
  const int client = connect_one();
  ASSERT_EQ(send(client, "a", 1, 0), 1);
  asked.get_future().wait();
  server.end();
  ending.set_value();
  EXPECT_TRUE(ended.get());
  char answer = 0;
  EXPECT_EQ(recv(client, &answer, 1, 0), 1);
}

TEST_F(ServerTest, DoesNotWaitForEverForACallThatIsInside) {
  std::promise<void> inside;
  std::promise<void> leaving;
  Server server(
      [&inside, &leaving](int) {
        inside.set_value();
        leaving.get_future().wait();
      },
      complaints(), {.parting = std::chrono::seconds(0)});
  auto ended = run(server);
  connect_one();
  inside.get_future().wait();
  server.end();
  EXPECT_FALSE(ended.get());
  leaving.set_value();
  while (!server.run({})) std::this_thread::yield();  // its thread uses all this
}

}  // namespace
}  // namespace devtrust::keyholder
