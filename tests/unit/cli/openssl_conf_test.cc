#include "cli/openssl_conf.h"

#include <gtest/gtest.h>

namespace devtrust::cli {
namespace {

TEST(OpensslConf, ProvidersAreOpenssl3s) {
  EXPECT_TRUE(has_providers("OpenSSL 3.0.17 1 Jul 2025 (Library: OpenSSL 3.0.17 1 Jul 2025)\n"));
  EXPECT_TRUE(has_providers("OpenSSL 4.0.0 14 Apr 2026\n"));
  EXPECT_TRUE(has_providers("OpenSSL 10.0.0\n"));
  for (const char* other : {"LibreSSL 3.3.6\n", "OpenSSL 1.1.1w  11 Sep 2023\n", "OpenSSL 0.9.8zh\n", ""})
    EXPECT_FALSE(has_providers(other)) << other;
}

TEST(OpensslConf, ItsFolderIsWhatOpensslSays) {
  EXPECT_EQ(conf_file_in("OPENSSLDIR: \"/opt/homebrew/etc/openssl@3\"\n"), "/opt/homebrew/etc/openssl@3/openssl.cnf");
  for (const char* none : {"", "OPENSSLDIR: ", "OPENSSLDIR: \"/usr"}) EXPECT_EQ(conf_file_in(none), "") << none;
}

}  // namespace
}  // namespace devtrust::cli
