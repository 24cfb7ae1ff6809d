#include "cli/setup/openssl.h"

#include <filesystem>

#include <fmt/format.h>

#include "cli/file_system.h"
#include "cli/files.h"
#include "cli/openssl_conf.h"
#include "cli/programs.h"
#include "cli/setup/session.h"
#include "cli/subprocess.h"
#include "identity/process.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

const MarkedBlock kBlock("openssl");

/// What `text` would be without our lines.
Result<std::string> without_ours(const std::string& path, const std::optional<std::string>& text) {
  if (!text) return std::string();
  auto rest = kBlock.without(*text);
  if (!rest) return fail(rest.error().code, path + ": " + rest.error().message);
  return rest->value_or("");
}

/// The openssl program is asked, where it is there: of a copy, since nothing is written yet.
Result<void> check_effect(const std::string& path, const std::string& content) {
  const TemporaryFile copy("openssl.cnf", content);
  if (copy.path().empty()) return fail(ErrorCode::kIo, temporary_folder() + " cannot be written to");
  const auto ended = run({openssl_program(), "list", "-providers"}, {}, {{"OPENSSL_CONF", copy.path()}});
  if (!ended) return {};  // there is none
  if (ended->code == 0 && lists_devtrust(ended->output)) return {};
  const std::string reason = ended->errors.substr(0, ended->errors.find('\n'));
  return fail(ErrorCode::kInvalidConfig,
              fmt::format("{} would not make OpenSSL load the provider{}; nothing was changed", path,
                          reason.empty() ? "" : " (" + reason + ')'));
}

bool is_users_own(const std::string& file) {
  std::error_code error;
  return fs::equivalent(path_of(file), path_of(user_openssl_conf()), error);
}

/// Lines of ours at the end of a file that OpenSSL reads already.
Result<Plan> plan_in_place(const std::string& path, const std::string& provider, bool system) {
  const auto before = read_if_there(path);
  if (!before) return fail(before);
  const auto rest = without_ours(path, *before);
  if (!rest) return fail(rest);
  const TemporaryFile copy("openssl.cnf", *rest);
  if (copy.path().empty()) return fail(ErrorCode::kIo, temporary_folder() + " cannot be written to");
  const auto lines = provider_lines(copy.path(), provider);
  if (!lines) return fail(lines);
  Plan plan;
  if (auto put = plan.put(kBlock, path, *lines, 0644, system); !put) return fail(put);
  if (auto effective = check_effect(path, *plan.changes.back().after); !effective) return fail(effective);
  plan.done.push_back(path + ": the provider " + provider + " is active");
  return plan;
}

/// A file of the user's own, and OPENSSL_CONF for his sessions.
Result<Plan> plan_for_user(const std::string& provider) {
  if (home_directory().empty())
    return fail(ErrorCode::kNotFound, "this user has no home directory, where OpenSSL's configuration would be");
  const std::string path = user_openssl_conf();
  const auto content = openssl_conf(system_openssl_conf(), provider);
  if (!content) return fail(content);
  Plan plan;
  if (auto put = plan.put(kBlock, path, *content, 0644, false); !put) return fail(put);
  if (auto effective = check_effect(path, *plan.changes.back().after); !effective) return fail(effective);
  plan.done.push_back(path + ": the provider " + provider + " is active");
  if (auto put = put_into_session(plan, kBlock, "OPENSSL_CONF", path); !put) return fail(put);
  return plan;
}

}  // namespace

std::string user_openssl_conf() { return text_of(path_of(config_home() + "/devtrust/openssl.cnf")); }

std::string provider_named_in(const std::string& file) {
  const auto text = read_if_there(file);
  const auto lines = kBlock.find(text && *text ? **text : std::string());
  if (!lines || !*lines) return {};
  constexpr std::string_view kKey = "\nmodule = ";
  const std::size_t at = (*lines)->find(kKey);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + kKey.size();
  return (*lines)->substr(begin, (*lines)->find('\n', begin) - begin);
}

Result<Plan> plan_openssl_setup(const SetupOptions& options) {
  const auto provider = provider_path();
  if (!provider) return fail(provider);
  if (options.system) return plan_in_place(system_openssl_conf(), *provider, true);
  const std::string named = environment("OPENSSL_CONF");
  if (named.empty() || is_users_own(named)) return plan_for_user(*provider);
  return plan_in_place(full_path(named), *provider, false);
}

Result<Plan> plan_openssl_unsetup(const SetupOptions& options) {
  Plan plan;
  std::vector<std::string> files{system_openssl_conf()};
  if (!options.system) {
    if (auto taken = take_from_session(plan, kBlock); !taken) return fail(taken);
    files = {user_openssl_conf()};
    const std::string named = environment("OPENSSL_CONF");
    if (!named.empty() && !is_users_own(named)) files.push_back(full_path(named));
  }
  for (const std::string& file : files) {
    if (auto taken = plan.take(kBlock, file); !taken) return fail(taken);
  }
  return plan;
}

}  // namespace devtrust::cli
