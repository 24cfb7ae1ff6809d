// File stores among access control lists.
#include "tests/support/access_list.h"
#include "tests/unit/backends/file/file_store_fixture.h"

namespace devtrust {
namespace {

using testing::contents_of;
using ::testing::ElementsAre;
using testing::FileStore;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::messages;
using testing::read_file;
using testing::set_access;
using testing::store_at;

TEST_F(FileStore, TellsOfAKeyThatOthersMayRead) {
  const auto file = write("all.pem", read_file(leaf().certificate) + read_file(leaf().key));
  const auto told = [&](const std::string& rights) {
    set_access(file, rights);
    const auto contents = contents_of(*store_at(file));
    EXPECT_EQ(contents.keys.size(), 1U) << "it is used all the same";
    return !contents.problems.empty() && contents.problems[0].message.find("icacls") != std::string::npos;
  };
  EXPECT_TRUE(told("FR"));
  EXPECT_TRUE(told("FW"));
  EXPECT_TRUE(told("FA"));
  EXPECT_FALSE(told(""));
  set_access(file, "FA", testing::kAdministrators);
  EXPECT_THAT(messages(contents_of(*store_at(file))), IsEmpty());

  const auto open = pkcs12("open.p12", leaf(), "");
  set_access(open, "FR");
  EXPECT_THAT(messages(contents_of(*store_at(open))), ElementsAre(HasSubstr("icacls")));
  const auto closed = pkcs12("closed.p12", leaf(), "secret");
  set_access(closed, "FR");
  EXPECT_THAT(messages(contents_of(*store_at(closed, {}, pin("secret")))), IsEmpty());
  const auto certificate = write("tls.crt", read_file(leaf().certificate));
  set_access(certificate, "FR");
  EXPECT_THAT(messages(contents_of(*store_at(certificate))), IsEmpty());
}

TEST_F(FileStore, TakesOnlyRegularFiles) {
  const auto read = store_at("NUL")->read();
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("NUL is not a regular file"));
}

}  // namespace
}  // namespace devtrust
