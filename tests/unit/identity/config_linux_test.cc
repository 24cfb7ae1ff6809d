// What Linux has in a configuration.
#include "tests/unit/identity/config_fixture.h"

namespace devtrust {
namespace {

using testing::refusal;

TEST(Config, SaysWhatThisSystemHas) {
  EXPECT_EQ(refusal("trace = \"trace.log\"\n"), "c.toml:1:9: trace must be a path that begins with / or ~/");
  EXPECT_EQ(refusal("audit = \"eventlog:\"\n"),
            "c.toml:1:9: eventlog: is for another operating system: expected a file or syslog: or journal:");
  for (const std::string log : {"syslog:", "journal:"}) {
    const auto config = parse_config("audit = \"" + log + "\"\n", "c.toml");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->audit, log);
  }
}

}  // namespace
}  // namespace devtrust
