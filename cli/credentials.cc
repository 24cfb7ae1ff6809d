#include "cli/credentials.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/device.h"
#include "cli/files.h"
#include "cli/openssl_conf.h"
#include "cli/openssl_types.h"
#include "cli/output.h"
#include "cli/programs.h"
#include "cli/subprocess.h"
#include "identity/key_reference.h"
#include "identity/process.h"
#include "identity/selection.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kNotThere = 127, kNotRunnable = 126;  // as shells have it

int failure(const std::string& message) {
  complain(message);
  return 1;
}

Result<void> write_files(const PemFiles& files, const std::string& folder) {
  std::error_code error;
  fs::create_directories(path_of(folder), error);
  if (error) return fail(ErrorCode::kAccessDenied, fmt::format("{} cannot be made: {}", folder, error.message()));
  if (auto key = replace_file(folder + "/key.pem", files.key, 0600); !key) return key;
  return replace_file(folder + "/chain.pem", files.chain, 0644);
}

/// RFC 7512 §2.3: what is not unreserved is escaped.
std::string uri_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::strchr("-._~", c) != nullptr;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

// The leaf and its issuers without the root, which whoever checks has himself; and the key's reference.
Result<PemFiles> pem_files(const std::string& profile) {
  const auto device = open_device();
  if (!device) return fail(device);
  const auto current = select_current(*device->snapshot, profile, current_time());
  if (!current) return fail(current);
  const Identity& identity = **current;
  PemFiles files{identity.profile, pem_of(*identity.leaf), encode_key_reference("devtrust:" + identity.profile)};
  const auto& issuers = identity.chain.issuers;
  for (std::size_t i = 0; i + (identity.chain.complete ? 1 : 0) < issuers.size(); ++i)
    files.chain += pem_of(*issuers[i]);
  return files;
}

int pem(const std::string& profile, const std::string& folder) {
  const auto files = pem_files(profile);
  if (!files) return failure(files.error().message);
  if (folder.empty()) return print_answer(files->chain + files->key);
  const auto written = write_files(*files, folder);
  return written ? 0 : failure(written.error().message);
}

int uri(const std::string& profile) {
  const auto device = open_device();
  if (!device) return failure(device.error().message);
  std::string chosen = profile;
  if (chosen.empty()) {
    const auto current = select_current(*device->snapshot, {}, current_time());
    if (!current) return failure(current.error().message);
    chosen = (*current)->profile;
  }
  // A name stays true whether or not the certificate is there today.
  const auto& profiles = device->config.profiles;
  const auto found = std::ranges::find(profiles, chosen, &Profile::name);
  if (found == profiles.end())
    return failure(select_current(*device->snapshot, chosen, current_time()).error().message);
  const std::string label = uri_escaped(found->label);
  const std::string pkcs11 = "pkcs11:token=" + label + ";object=" + label + ";type=";
  return print_answer(
      fmt::format("# OpenSSL's programs and all that take a URI for a key; git's user.signingKey\ndevtrust:{}\n"
                  "# PKCS#11: the key\n{}private\n# PKCS#11: the certificate\n{}cert\n",
                  chosen, pkcs11, pkcs11));
}

int execute(const std::string& profile, const std::vector<std::string>& command) {
  const auto provider = provider_path();
  const auto module = module_path();
  if (!provider || !module) return failure((!provider ? provider : module).error().message);
  const auto files = pem_files(profile);
  if (!files) return failure(files.error().message);
  Foreground foreground;
  const TemporaryFolder folder("exec", {environment("XDG_RUNTIME_DIR"), temporary_folder()});
  if (folder.path().empty())
    return failure(std::string("a folder for the files cannot be made: ") + std::strerror(errno));
  const std::string conf = folder.path() + "/openssl.cnf";
  const auto settings = openssl_conf(openssl_conf_file(), *provider);
  if (!settings) return failure(settings.error().message);
  auto written = write_files(*files, folder.path());
  if (written) written = replace_file(conf, *settings, 0644);
  if (!written) return failure(written.error().message);
  const Variables variables{{"OPENSSL_CONF", conf},
                            {"DEVTRUST_CERT", folder.path() + "/chain.pem"},
                            {"DEVTRUST_KEY", folder.path() + "/key.pem"},
                            {"DEVTRUST_MODULE", *module},
                            {"PKCS11_MODULE_PATH", *module},
                            {"PKCS11_PROVIDER_MODULE", *module}};
  const auto code = foreground.run(command, variables);
  if (!code) {
    complain(code.error().message);
    return code.error().code == ErrorCode::kNotFound ? kNotThere : kNotRunnable;
  }
  return *code;
}

}  // namespace devtrust::cli
