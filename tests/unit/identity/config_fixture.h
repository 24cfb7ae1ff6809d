// Configurations as texts and as files, and why they are refused.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "identity/config.h"
#include "tests/support/command.h"
#include "tests/support/variable.h"

namespace devtrust::testing {

/// The message of a refusal; empty where the text was taken.
inline std::string refusal(const std::string& text) {
  const auto config = parse_config(text, "c.toml");
  if (config) return {};
  EXPECT_EQ(config.error().code, ErrorCode::kInvalidConfig);
  return config.error().message;
}

/// Files on a disk.
class ConfigFile : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text,
                              std::filesystem::perms mode = std::filesystem::perms{0644}) const {
    const std::filesystem::path path = folder_ / name;
    write_file(path, text);
    std::filesystem::permissions(path, mode);
    return path;
  }
  const Variable no_config_{"DEVTRUST_CONFIG", std::nullopt};
  const TempDir folder_;
};

inline std::string load_refusal(const std::filesystem::path& path) {
  const auto config = load_config(path.string());
  if (config) return {};
  EXPECT_EQ(config.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(config.error().message, ::testing::HasSubstr(path.string()));
  return config.error().message;
}

}  // namespace devtrust::testing
