#include "cli/setup/git_places.h"

#include <gtest/gtest.h>

#include "tests/support/command.h"
#include "tests/support/variable.h"

namespace devtrust::cli {
namespace {

/// Where `--system` writes, with a git that does this.
std::string system_file(const std::string& line) {
  const devtrust::testing::TempDir folder;
  const devtrust::testing::Variable named("GIT_CONFIG_SYSTEM", std::nullopt);
  const devtrust::testing::Variable path("PATH", folder.path().string());
  devtrust::testing::write_file(folder / "git", "#!/bin/sh\n" + line + '\n');
  std::filesystem::permissions(folder / "git", std::filesystem::perms::owner_all);
  return git_config_file(true).value_or("");
}

TEST(GitPlaces, GitSaysWhereItWasBuiltToLook) {
  EXPECT_EQ(system_file("[ \"$*\" = 'config --system --edit' ] && $GIT_EDITOR /opt/homebrew/etc/gitconfig"),
            "/opt/homebrew/etc/gitconfig");
}

TEST(GitPlaces, OneThatDoesNotSayLooksInTheUsualPlace) {
  for (const char* line : {"exit 1", "echo /opt/homebrew/etc/gitconfig; exit 1", "echo none", "exit 0"})
    EXPECT_EQ(system_file(line), "/etc/gitconfig") << line;
}

}  // namespace
}  // namespace devtrust::cli
