// What macOS has in a configuration.
#include "tests/unit/identity/config_fixture.h"

namespace devtrust {
namespace {

using testing::refusal;

TEST(Config, SaysWhatThisSystemHas) {
  EXPECT_EQ(refusal("trace = \"trace.log\"\n"), "c.toml:1:9: trace must be a path that begins with / or ~/");
  for (const std::string log : {"eventlog:", "journal:"}) {
    EXPECT_EQ(refusal("audit = \"" + log + "\"\n"),
              "c.toml:1:9: " + log + " is for another operating system: expected a file or syslog:");
  }
  const auto config = parse_config("audit = \"syslog:\"\n", "c.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->audit, "syslog:");
}

}  // namespace
}  // namespace devtrust
