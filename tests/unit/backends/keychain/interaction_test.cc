#include "backends/keychain/interaction.h"

#include <atomic>
#include <thread>

#include "backends/keychain/security.h"
#include "tests/unit/backends/keychain/fixture.h"

namespace devtrust {
namespace {

class InteractionTest : public ::testing::Test {
 protected:
  ~InteractionTest() override { security::allow_interaction(true); }
  static bool allowed() { return security::interaction_allowed().value(); }
};

TEST_F(InteractionTest, IsOffUntilTheLastOneIsSilentNoMore) {
  {
    const Silence first;
    EXPECT_FALSE(allowed());
    { const Silence second; }
    EXPECT_FALSE(allowed());
  }
  EXPECT_TRUE(allowed());
}

TEST_F(InteractionTest, AHostThatForbidsItIsLeftAsItWas) {
  security::allow_interaction(false);
  { const Silence silence; }
  EXPECT_FALSE(allowed());
}

TEST_F(InteractionTest, WhoIsSilentMeanwhileDoesNotDisturbTheQuestion) {
  const Asking asking;
  const Silence silence;
  EXPECT_TRUE(allowed());
}

TEST_F(InteractionTest, AQuestionWaitsForThoseWhoAreSilent) {
  std::atomic<bool> quiet{true};
  std::thread thread;
  {
    const Silence silence;
    thread = std::thread([&] {
      const Asking asking;
      EXPECT_FALSE(quiet);
      EXPECT_TRUE(allowed());
    });
    quiet = false;
  }
  thread.join();
}

}  // namespace
}  // namespace devtrust
