#include "cli/trust.h"

#include <gtest/gtest.h>

namespace devtrust::cli {
namespace {

using std::chrono::sys_days;
using namespace std::chrono_literals;

TEST(Trust, ChecksAtTimesThatNanosecondsCannotCount) {
  Config config;
  config.verify.roots = {"/nonexistent/roots.pem"};
  const Trust trust = Trust::load(config);
  for (const auto date : {2026y / 11 / 24, 2826y / 11 / 24, 9999y / 12 / 31, 1600y / 1 / 1}) {
    const Time time = sys_days(date);
    const X509StorePtr store = trust.time_stamp_store(time);
    EXPECT_EQ(X509_VERIFY_PARAM_get_time(X509_STORE_get0_param(store.get())), time.time_since_epoch().count());
  }
}

TEST(Trust, SaysWhichRootsAreMissing) {
  Config config;
  config.verify.roots = {"/nonexistent/roots.pem"};
  const Trust trust = Trust::load(config);
  ASSERT_EQ(trust.problems().size(), 1U);
  EXPECT_NE(trust.problems()[0].find("/nonexistent/roots.pem"), std::string::npos);
}

}  // namespace
}  // namespace devtrust::cli
