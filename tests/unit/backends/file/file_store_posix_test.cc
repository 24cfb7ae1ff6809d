// File stores among modes, links and what else a path may name.
#include <sys/stat.h>

#include "tests/unit/backends/file/file_store_fixture.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using testing::contents_of;
using ::testing::ElementsAre;
using testing::FileStore;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::key_of;
using testing::messages;
using testing::read_file;
using testing::store_at;

TEST_F(FileStore, TellsOfAKeyThatOthersMayRead) {
  const fs::path file = write("all.pem", read_file(leaf().certificate) + read_file(leaf().key));
  const auto told = [&](mode_t mode) {
    chmod(file.c_str(), mode);
    const auto contents = contents_of(*store_at(file));
    EXPECT_EQ(contents.keys.size(), 1U) << "it is used all the same";
    return !contents.problems.empty() && contents.problems[0].message.find("chmod") != std::string::npos;
  };
  EXPECT_TRUE(told(0644));
  EXPECT_TRUE(told(0660));
  EXPECT_FALSE(told(0640));
  EXPECT_FALSE(told(0600));

  const fs::path open = pkcs12("open.p12", leaf(), "");
  chmod(open.c_str(), 0644);
  EXPECT_THAT(messages(contents_of(*store_at(open))), ElementsAre(HasSubstr("chmod")));
  const fs::path closed = pkcs12("closed.p12", leaf(), "secret");
  chmod(closed.c_str(), 0644);
  EXPECT_THAT(messages(contents_of(*store_at(closed, {}, pin("secret")))), IsEmpty());
  const fs::path certificate = write("tls.crt", read_file(leaf().certificate));
  chmod(certificate.c_str(), 0644);
  EXPECT_THAT(messages(contents_of(*store_at(certificate))), IsEmpty());
}

TEST_F(FileStore, FollowsAMountedSecretsLink) {
  fs::create_directory(folder_ / "first");
  fs::create_directory(folder_ / "second");
  write("first/tls.pem", read_file(leaf().certificate) + read_file(leaf().key));
  write("second/tls.pem", read_file(rsa_leaf().certificate) + read_file(rsa_leaf().key));
  fs::create_directory_symlink("first", folder_ / "data");
  fs::create_symlink("data/tls.pem", folder_ / "tls.pem");
  const auto store = store_at(folder_ / "tls.pem");
  const StoreVersion before = store->version();
  EXPECT_EQ(before, store->version());
  EXPECT_NE(key_of(contents_of(*store), leaf().certificate), nullptr);

  fs::create_directory_symlink("second", folder_ / "new");
  fs::rename(folder_ / "new", folder_ / "data");
  EXPECT_FALSE(before == store->version());
  EXPECT_NE(key_of(contents_of(*store), rsa_leaf().certificate), nullptr);
}

TEST_F(FileStore, TakesOnlyRegularFiles) {
  const fs::path fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const auto read = store_at(fifo)->read();
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, ::testing::AllOf(HasSubstr(fifo.string()), HasSubstr("is not a regular file")));
}

}  // namespace
}  // namespace devtrust
