#include "tests/support/pki.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <stdexcept>

namespace devtrust::testing {
namespace {

namespace fs = std::filesystem;

/// Has openssl req make the key in `path`, and its request or certificate: one process instead of two.
std::vector<std::string> new_key(const fs::path& path, const std::string& key) {
  std::vector<std::string> arguments{"-nodes", "-keyout", path.string(), "-newkey"};
  const std::string kind = key.substr(0, key.find(':'));
  arguments.push_back(kind);
  if (kind == "ec") {
    arguments.insert(arguments.end(), {"-pkeyopt", "ec_paramgen_curve:" + key.substr(3)});
  } else if (kind == "rsa" || kind == "rsa-pss") {
    arguments.insert(arguments.end(), {"-pkeyopt", "rsa_keygen_bits:" + key.substr(kind.size() + 1)});
  }
  return arguments;
}

void request(std::vector<std::string> arguments, const fs::path& key_path, const std::string& key) {
  arguments.insert(arguments.begin(), {"openssl", "req", "-new", "-utf8"});
  for (std::string& argument : new_key(key_path, key)) arguments.push_back(std::move(argument));
  must_run(arguments);
}

/// As openssl ca takes it.
std::string date(int days_from_now) {
  using namespace std::chrono;
  const auto time = floor<seconds>(system_clock::now()) + days(days_from_now);
  const year_month_day day(floor<days>(time));
  const hh_mm_ss clock(time - floor<days>(time));
  std::array<char, 48> text{};  // with room for what the compiler believes that numbers may be
  static_cast<void>(std::snprintf(text.data(), text.size(), "%04d%02u%02u%02d%02d%02dZ", int{day.year()},
                                  unsigned{day.month()}, unsigned{day.day()}, static_cast<int>(clock.hours().count()),
                                  static_cast<int>(clock.minutes().count()),
                                  static_cast<int>(clock.seconds().count())));
  return text.data();
}

std::string escaped(const std::string& common_name) {
  std::string text;
  for (const char c : common_name) {
    if (c == '/' || c == '\\' || c == '+') text += '\\';
    text += c;
  }
  return text;
}

}  // namespace

fs::path Leaf::pkcs12(const std::string& password, const std::string& nickname) const {
  const fs::path out = fs::path(certificate).replace_extension(".p12");
  const fs::path chain = fs::path(certificate).replace_extension(".chain.pem");
  std::string pem;
  for (const fs::path& issuer : issuers) pem += read_file(issuer);
  write_file(chain, pem);
  must_run({"openssl", "pkcs12", "-export", "-in", certificate.string(), "-inkey", key.string(), "-certfile",
            chain.string(), "-name", nickname.empty() ? common_name : nickname, "-passout", "pass:" + password, "-out",
            out.string()});
  return out;
}

Pki::Pki(fs::path folder, std::string key, std::string root_name, std::string intermediate_name)
    : folder_(std::move(folder)) {
  fs::create_directories(folder_ / "issued");
  write_file(folder_ / "ca.cnf",
             "[ca]\ndefault_ca=here\n[here]\ndatabase=" + (folder_ / "index.txt").generic_string() +
                 "\nnew_certs_dir=" + (folder_ / "issued").generic_string() +
                 "\nrand_serial=yes\ndefault_md=default\npolicy=any\nunique_subject=no\nemail_in_dn=yes\n"
                 "[any]\ncommonName=supplied\norganizationName=optional\norganizationalUnitName=optional\n"
                 "countryName=optional\nemailAddress=optional\ndomainComponent=optional\n"
                 "[req]\ndistinguished_name=dn\n[dn]\n"
                 "[authority]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
                 "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
  write_file(folder_ / "index.txt", "");
  const std::string config = (folder_ / "ca.cnf").string();
  request({"-x509", "-config", config, "-extensions", "authority", "-out", root().string(), "-subj",
           "/CN=" + escaped(root_name), "-days", "3650"},
          folder_ / "root.key", key);
  const std::string csr = (folder_ / "intermediate.csr").string();
  request({"-config", config, "-out", csr, "-subj", "/CN=" + escaped(intermediate_name)}, folder_ / "intermediate.key",
          key);
  must_run({"openssl",
            "x509",
            "-req",
            "-in",
            csr,
            "-out",
            intermediate().string(),
            "-days",
            "1825",
            "-CA",
            root().string(),
            "-CAkey",
            (folder_ / "root.key").string(),
            "-CAserial",
            (folder_ / "root.srl").string(),
            "-CAcreateserial",
            "-extfile",
            config,
            "-extensions",
            "authority"});
}

Leaf Pki::issue(const LeafOptions& options) {
  const std::string stem = "leaf" + std::to_string(++issued_);
  Leaf leaf{folder_ / (stem + ".pem"), folder_ / (stem + ".key"), options.common_name, {intermediate(), root()}};
  const fs::path extensions = folder_ / (stem + ".ext");
  write_file(extensions, std::string("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                                     "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n") +
                             (options.client_auth ? "extendedKeyUsage=clientAuth\n" : "") +
                             (options.email.empty() ? "" : "subjectAltName=email:" + options.email + '\n') +
                             options.extra_extensions);
  const std::string config = (folder_ / "ca.cnf").string();
  const std::string csr = (folder_ / (stem + ".csr")).string();
  request({"-config", config, "-out", csr, "-subj", "/CN=" + escaped(options.common_name) + options.more_subject},
          leaf.key, options.key);
  must_run({"openssl",
            "ca",
            "-batch",
            "-notext",
            "-utf8",
            "-config",
            config,
            "-in",
            csr,
            "-out",
            leaf.certificate.string(),
            "-cert",
            intermediate().string(),
            "-keyfile",
            (folder_ / "intermediate.key").string(),
            "-startdate",
            date(options.valid_from_days),
            "-enddate",
            date(options.valid_to_days),
            "-extfile",
            extensions.string()});
  return leaf;
}

NssDatabase::NssDatabase(fs::path folder, std::string password)
    : folder_(std::move(folder)), password_(std::move(password)) {
  fs::create_directories(folder_);
  write_file(folder_ / "password", password_ + '\n');
  if (password_.empty()) {
    must_run({"certutil", "-N", "-d", "sql:" + folder_.string(), "--empty-password"});
  } else {
    certutil({"-N"});
  }
}

void NssDatabase::import(const Leaf& leaf) {
  must_run({"pk12util", "-i", leaf.pkcs12("in").string(), "-W", "in", "-d", "sql:" + folder_.string(), "-k",
            (folder_ / "password").string()});
}

void NssDatabase::add_certificate(const fs::path& pem, const std::string& nickname, const std::string& trust) const {
  certutil({"-A", "-n", nickname, "-t", trust, "-i", pem.string()});
}

void NssDatabase::remove(const std::string& nickname) const { certutil({"-F", "-n", nickname}); }

std::string NssDatabase::certutil(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), "certutil");
  for (const std::string& argument :
       {std::string("-d"), "sql:" + folder_.string(), std::string("-f"), (folder_ / "password").string()}) {
    arguments.push_back(argument);
  }
  return must_run(arguments);
}

std::string NssDatabase::digest() const {
  return must_run({"sha256sum", (folder_ / "cert9.db").string(), (folder_ / "key4.db").string()});
}

}  // namespace devtrust::testing
