#include "cli/setup/targets.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cli/setup/browser_database.h"

namespace devtrust::cli {
namespace {

TEST(Targets, ThoseThatMacOsHasNotSayWhatToDo) {
  for (const char* name : {"curl", "gpgsm", "chromium"}) {
    const auto found = std::ranges::find(targets(), std::string_view(name), &Target::name);
    ASSERT_NE(found, targets().end()) << name;
    EXPECT_FALSE(found->is_installed()) << name;
    const auto plan = found->setup({});
    ASSERT_FALSE(plan) << name;
    EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported) << name;
    EXPECT_NE(plan.error().message.find("macOS"), std::string::npos) << name;
    const auto back = found->unsetup({});
    ASSERT_TRUE(back) << name;
    EXPECT_TRUE(back->changes.empty() && back->notes.empty()) << name;
  }
}

TEST(Targets, BrowsersReadKeychainsThemselves) {
  Identity identity;
  identity.store_kind = "keychain";
  identity.location = "/Users/a/Library/Keychains/login.keychain-db";
  EXPECT_EQ(where_browsers_read(identity, "/Users/a/profile"), identity.location);
  identity.store_kind = "file";
  EXPECT_EQ(where_browsers_read(identity, "/Users/a/profile"), "");
}

}  // namespace
}  // namespace devtrust::cli
