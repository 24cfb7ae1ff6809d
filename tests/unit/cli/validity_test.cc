#include "cli/validity.h"

#include <gtest/gtest.h>

#include "identity/certificate_text.h"
#include "tests/support/pki.h"

namespace devtrust::cli {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

/// Valid for 30 days, of which ten are over.
const Certificate& leaf() {
  static const testing::TempDir folder;
  static testing::Pki pki(folder / "pki", "ec:P-256");
  static const CertificatePtr certificate = [] {
    const auto issued = pki.issue({.key = "ec:P-256"});
    const std::string der =
        testing::must_run({"openssl", "x509", "-in", issued.certificate.string(), "-outform", "DER"});
    return *Certificate::parse(as_bytes(der));
  }();
  return *certificate;
}

std::string at(std::chrono::seconds before_end) { return validity_text(leaf(), leaf().not_after() - before_end); }

TEST(Validity, IsSaidAsAPersonWould) {
  EXPECT_EQ(at(days(20)), "valid 20 more days, renewal due in about 10");
  EXPECT_EQ(at(days(12)), "valid 12 more days, renewal due in about 2");
  EXPECT_EQ(at(days(11) - hours(1)), "valid 10 more days, renewal due today");
  EXPECT_EQ(at(days(10) + hours(1)), "valid 10 more days, renewal due today");
  EXPECT_EQ(at(days(10)), "valid 10 more days, renewal overdue for 1 minute");
  EXPECT_EQ(at(days(5)), "valid 5 more days, renewal overdue for 5 days");
  EXPECT_EQ(at(days(1)), "valid 1 more day, renewal overdue for 9 days");
  EXPECT_EQ(at(hours(3)), "valid for another 3 hours, renewal overdue for 9 days");
  EXPECT_EQ(at(days(31)), "not valid before " + time_text(leaf().not_before()));
  EXPECT_EQ(at(-minutes(5)), "expired 5 minutes ago (" + date_text(leaf().not_after()) + ")");
}

}  // namespace
}  // namespace devtrust::cli
