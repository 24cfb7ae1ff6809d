// The trace's file among Windows' handles and access control lists.
#include <windows.h>

#include "tests/support/access_list.h"
#include "tests/support/handles.h"
#include "tests/unit/identity/trace_fixture.h"

namespace devtrust {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSubsetOf;
using testing::read_file;
using testing::Trace;
using testing::write_file;

TEST_F(Trace, CreatesTheFileForItsUserAloneAndAppends) {
  write_file(file_, "before\n");
  set_trace(file_);
  trace("after");
  EXPECT_THAT(read_file(file_), ::testing::MatchesRegex("before\n.* after\n"));
  const std::string other = (folder_ / "other").string();
  set_trace(other);
  EXPECT_THAT(testing::allowed(other), IsSubsetOf(testing::ours()));
}

TEST_F(Trace, TakesOnlyAFile) {
  for (const std::string& path : {folder_.path().string(), std::string("NUL"), std::string("\\\\.\\NUL")}) {
    set_trace(path);
    EXPECT_FALSE(trace_enabled()) << path;
  }
}

TEST_F(Trace, OneMeansStandardError) {
  HANDLE saved = GetStdHandle(STD_ERROR_HANDLE);
  HANDLE file = CreateFileA(file_.c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr, CREATE_NEW, 0, nullptr);
  ASSERT_NE(file, INVALID_HANDLE_VALUE);
  SetStdHandle(STD_ERROR_HANDLE, file);
  set_trace("1");
  trace("a line");
  SetStdHandle(STD_ERROR_HANDLE, saved);
  CloseHandle(file);
  EXPECT_THAT(read_file(file_), HasSubstr("a line"));
}

TEST_F(Trace, OpensADestinationOnce) {
  set_trace(file_);
  const std::size_t before = testing::handle_count();
  for (int i = 0; i < 50; ++i) {
    set_trace("");
    set_trace(file_);
  }
  EXPECT_EQ(testing::handle_count(), before);
}

TEST_F(Trace, LeavesOthersTheRightToMoveItsFile) {
  set_trace(file_);
  trace("one");
  std::filesystem::rename(file_, folder_ / "trace.1");
  trace("two");
  // In the file that was moved; in a new one where, as in wine, the volume of a moved file is not known any more.
  const std::string again = std::filesystem::exists(file_) ? read_file(file_) : "";
  EXPECT_THAT(read_file(folder_ / "trace.1") + again, HasSubstr(" two\n"));
}

TEST_F(Trace, MayHaveAnyName) {
  set_trace((folder_.path().string() + "\\Ger\xc3\xa4t"));
  trace("a line");
  set_trace("");
  EXPECT_THAT(read_file(folder_.path() / L"Gerät"), HasSubstr("a line"));
}

}  // namespace
}  // namespace devtrust
