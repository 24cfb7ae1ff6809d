#include "cli/setup/firefox_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/command.h"
#include "tests/support/variable.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;

TEST(FirefoxPlaces, EveryAppHasPoliciesOfItsOwn) {
  const devtrust::testing::TempDir home;
  const devtrust::testing::Variable where("HOME", home.path().string());
  const std::string folder = home.path().string();
  EXPECT_THAT(firefox_roots(), ElementsAre(folder + "/Library/Application Support/Firefox"));
  for (const char* name : {"Firefox.app", "Firefox Nightly.app"}) {
    fs::create_directories(home / "Applications" / name / "Contents/MacOS");
    devtrust::testing::write_file(home / "Applications" / name / "Contents/MacOS/firefox", "");
  }
  EXPECT_TRUE(firefox_is_installed());
  for (const auto& files : {firefox_policy_files(), all_firefox_policy_files()}) {
    EXPECT_THAT(files, Contains(folder + "/Applications/Firefox.app/Contents/Resources/distribution/policies.json"));
    EXPECT_THAT(files,
                Contains(folder + "/Applications/Firefox Nightly.app/Contents/Resources/distribution/policies.json"));
  }
}

}  // namespace
}  // namespace devtrust::cli
