#include "cli/openssl_conf.h"

#include <fmt/format.h>
#include <openssl/conf.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "cli/file_system.h"
#include "identity/openssl.h"

namespace devtrust::cli {
namespace {

/// The sections by which libcrypto finds its providers.
struct Sections {
  std::string init = "openssl_init", providers = "provider_sect";
};

Result<Sections> sections_of(const std::string& file) {
  Sections sections;
  if (file.empty() || !is_readable(file)) return sections;
  const LibcryptoUse use;
  const std::unique_ptr<CONF, OpensslDeleter<NCONF_free>> conf(NCONF_new_ex(libctx(), nullptr));
  long line = 0;
  if (conf == nullptr || NCONF_load(conf.get(), file.c_str(), &line) <= 0) {
    return fail(ErrorCode::kInvalidConfig,
                fmt::format("{} cannot be read by OpenSSL (line {}): mend it, or set OPENSSL_CONF to another file",
                            file, std::max(line, 0L)));
  }
  const auto named = [&conf](const char* section, const char* key, std::string& name) {
    if (const char* value = NCONF_get_string(conf.get(), section, key); value != nullptr) name = value;
  };
  named(nullptr, "openssl_conf", sections.init);
  named(sections.init.c_str(), "providers", sections.providers);
  return sections;
}

std::string lines_in(const Sections& sections, const std::string& provider) {
  // devtrust.default: openssl.cnf drops what stands before the dot, so that a "default" which is there already keeps
  // its place; ours comes behind it, since whoever is first makes all keys.
  return fmt::format(
      "[{0}]\nproviders = {1}\n[{1}]\ndevtrust.default = devtrust_default_sect\ndevtrust = devtrust_sect\n"
      "[devtrust_default_sect]\nactivate = 1\n[devtrust_sect]\nmodule = {2}\nactivate = 1\n",
      sections.init, sections.providers, provider);
}

}  // namespace

bool has_providers(const std::string& version) {
  constexpr std::string_view kOpenssl = "OpenSSL ";
  if (!version.starts_with(kOpenssl)) return false;
  const std::string number = version.substr(kOpenssl.size());
  return !number.starts_with("0.") && !number.starts_with("1.");
}

std::string conf_file_in(const std::string& version) {
  const std::size_t begin = version.find('"');
  const std::size_t end = version.find('"', begin + 1);
  if (begin == std::string::npos || end == std::string::npos) return {};
  return text_of(path_of(version.substr(begin + 1, end - begin - 1)) / "openssl.cnf");
}

bool lists_devtrust(const std::string& providers) {
  // On Windows lines end otherwise.
  return providers.find("  devtrust\n") != std::string::npos || providers.find("  devtrust\r\n") != std::string::npos;
}

Result<std::string> provider_lines(const std::string& file, const std::string& provider) {
  const auto sections = sections_of(file);
  if (!sections) return fail(sections);
  return fmt::format("[default]\nopenssl_conf = {}\n{}[default]\n", sections->init, lines_in(*sections, provider));
}

Result<std::string> openssl_conf(const std::string& base, const std::string& provider) {
  const auto sections = sections_of(base);
  if (!sections) return fail(sections);
  const std::string include = !base.empty() && is_readable(base) ? ".include " + base + '\n' : std::string();
  return fmt::format("openssl_conf = {}\n{}{}", sections->init, include, lines_in(*sections, provider));
}

}  // namespace devtrust::cli
