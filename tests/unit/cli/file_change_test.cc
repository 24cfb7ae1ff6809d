#include "cli/setup/file_change.h"

#include <gtest/gtest.h>

#include "tests/support/command.h"

namespace devtrust::cli {
namespace {

class FileChangeTest : public ::testing::Test {
 protected:
  std::string write(const std::string& content) const {
    testing::write_file(folder_ / "file", content);
    return (folder_ / "file").string();
  }
  testing::TempDir folder_;
};

TEST_F(FileChangeTest, ReplacesWhatWasRead) {
  const std::string path = write("before");
  ASSERT_TRUE(apply({path, "before", "after"}));
  EXPECT_EQ(testing::read_file(path), "after");
  ASSERT_TRUE(apply({path, "after", std::nullopt}));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(FileChangeTest, LeavesAloneWhatAnotherProgramHasChanged) {
  const std::string path = write("another's");
  for (const FileChange& change : {FileChange{path, "before", "after"}, FileChange{path, "before", std::nullopt},
                                   FileChange{path, std::nullopt, "after"}}) {
    const auto done = apply(change);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::kBusy);
    EXPECT_EQ(testing::read_file(path), "another's");
    EXPECT_FALSE(std::filesystem::exists(path + ".lock"));
  }
}

TEST_F(FileChangeTest, WaitsForNoLock) {
  const std::string path = write("before");
  testing::write_file(path + ".lock", "");
  const auto done = apply({path, "before", "after"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kBusy);
  EXPECT_EQ(testing::read_file(path), "before");
  EXPECT_TRUE(std::filesystem::exists(path + ".lock")) << "it is another program's";
}

TEST_F(FileChangeTest, TakesOnlyItsOwnEmptyFolderAway) {
  for (const char* name : {"devtrust", "other"}) {
    const std::string path = (folder_ / name / "file").string();
    ASSERT_TRUE(apply({path, std::nullopt, "ours"}));
    ASSERT_TRUE(apply({path, "ours", std::nullopt}));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "devtrust"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "other"));
  const std::string path = (folder_ / "devtrust/file").string();
  ASSERT_TRUE(apply({path, std::nullopt, "ours"}));
  testing::write_file(folder_ / "devtrust/config.toml", "");
  ASSERT_TRUE(apply({path, "ours", std::nullopt}));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "devtrust/config.toml"));
}

}  // namespace
}  // namespace devtrust::cli
