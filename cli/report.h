// What `list`, `status` and `doctor` say of a device, for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/device.h"
#include "cli/status.h"

namespace devtrust::cli {

/// The version of the JSON that --json writes (docs/status.schema.json). Raised when something that was there changes
/// or goes.
inline constexpr int kJsonVersion = 1;

/// "usable", "not-found", "expired", "renewal-overdue", "locked", "misconfigured", "no-answer".
const char* state_name(State state);

/// Why an identity that could be used is not the current one.
std::string why_passed_over(const Identity& identity, const IdentityPtr& current);

struct Assessment {
  State state = State::kNotFound;
  std::string profile;   ///< empty where none is known
  IdentityPtr identity;  ///< null where there is none to use
  std::string message;   ///< one sentence
};

/// Whether the profile's identity (empty: the first one's) can be used, and why not.
Assessment assess(const Result<Device>& device, const std::string& profile, Time now);

/// What a person calls the key: "RSA-2048", "P-256".
std::string key_text(const PublicKey& key);

nlohmann::ordered_json to_json(const Device& device, const Identity& identity, Time now);
/// RFC 3339, in UTC.
std::string iso_text(Time time);
/// What every --json answer begins with: json_version, devtrust, time.
nlohmann::ordered_json json_header(Time now);
/// The object's text with a newline at its end; what is no UTF-8 is replaced.
std::string json_text(const nlohmann::ordered_json& object);

}  // namespace devtrust::cli
