// An identity whose uses are audited.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "identity/audit.h"
#include "tests/unit/identity/keys.h"

namespace devtrust::testing {

class AuditTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const TempDir folder;
    leaf() = load_certificate(Pki(folder.path(), "ec:P-256").issue({.key = "ec:P-256"}).certificate);
  }
  static void TearDownTestSuite() { leaf().reset(); }
  static CertificatePtr& leaf() {
    static CertificatePtr shared;
    return shared;
  }
  AuditTest() {
    identity_.profile = "jumpcloud";
    identity_.leaf = leaf();
    identity_.location = "/home/someone/.pki/nssdb";
  }

  const TempDir folder_;
  const std::string file_ = (folder_ / "audit").string();
  Identity identity_;
};

}  // namespace devtrust::testing
