// PKCS#12 files of NSS's tools, which Linux has.
#include "tests/unit/backends/file/pkcs12_fixture.h"

namespace devtrust {
namespace {

using std::filesystem::path;
using testing::Pkcs12;

TEST_F(Pkcs12, OpensWhatNssWrites) {
  testing::NssDatabase database(folder_ / "db");
  database.import(leaf());
  const path file = folder_ / "nss.p12";
  testing::must_run({"pk12util", "-o", file.string(), "-n", leaf().common_name, "-d",
                     "sql:" + database.folder().string(), "-W", "secret", "-K", ""});
  expect_whole(file, "secret", leaf());
}

}  // namespace
}  // namespace devtrust
