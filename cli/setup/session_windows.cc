#include "cli/setup/session.h"

namespace devtrust::cli {

// They come from the registry, which a plan of files does not change.
Result<void> put_into_session(Plan& plan, const MarkedBlock& /*block*/, const std::string& name,
                              const std::string& value) {
  plan.notes.push_back("Have your programs read it: " + how_to_set(name, value) +
                       ". It counts for programs that start afterwards.");
  return {};
}

Result<void> take_from_session(Plan& plan, const MarkedBlock& /*block*/) {
  plan.notes.emplace_back("Where OPENSSL_CONF was set for it: reg delete HKCU\\Environment /v OPENSSL_CONF");
  return {};
}

std::string how_to_set(const std::string& name, const std::string& value) {
  return "setx " + name + " \"" + value + '"';
}

}  // namespace devtrust::cli
