#include "pkcs11/init_string.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace devtrust::pkcs11 {
namespace {

using ::testing::HasSubstr;

TEST(InitString, IsEmptyWhereAHostPassesNothing) {
  for (const char* text : {"", "  \t\n"}) {
    const auto options = parse_init_string(text);
    ASSERT_TRUE(options);
    EXPECT_EQ(options->config, "");
    EXPECT_FALSE(options->chain_trusted);
  }
}

TEST(InitString, TakesBothWords) {
  const auto options = parse_init_string(" config=/etc/a.toml\tchain-trusted=yes ");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->config, "/etc/a.toml");
  EXPECT_TRUE(options->chain_trusted);
  EXPECT_FALSE(parse_init_string("chain-trusted=no")->chain_trusted);
}

TEST(InitString, TakesQuotedValues) {
  EXPECT_EQ(parse_init_string("config='/a b/c.toml'")->config, "/a b/c.toml");
  EXPECT_EQ(parse_init_string("config=\"/a\\\"b\\\\c\" chain-trusted=yes")->config, "/a\"b\\c");
}

TEST(InitString, NamesWhatItDoesNotUnderstand) {
  const auto refused = [](const char* text, const char* word) {
    const auto options = parse_init_string(text);
    ASSERT_FALSE(options) << text;
    EXPECT_EQ(options.error().rv, CKR_ARGUMENTS_BAD);
    EXPECT_THAT(options.error().message, HasSubstr(word));
  };
  refused("configdir='sql:/x' certPrefix=", "configdir");
  refused("chain-trusted=maybe", "maybe");
  refused("chain-trusted", "chain-trusted");
  refused("config =x", "config");
  refused("config='/a", "quotation mark");
  refused("=x", "=x");
}

}  // namespace
}  // namespace devtrust::pkcs11
