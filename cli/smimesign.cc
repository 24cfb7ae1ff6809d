#include "cli/smimesign.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "cli/completion.h"
#include "cli/device.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/password.h"
#include "cli/validity.h"
#include "cli/verifier.h"
#include "identity/certificate_text.h"
#include "identity/der.h"
#include "identity/selection.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

namespace devtrust::cli {
namespace {

/// GnuPG's machine-readable lines (its doc/DETAILS): what git reads.
class StatusLines {
 public:
  explicit StatusLines(int descriptor) : descriptor_(descriptor) {}

  /// Asked before any file is opened, which could get the same number.
  bool can_be_written() const { return descriptor_ < 0 || may_be_written(descriptor_); }

  /// False where the descriptor cannot be written to: the caller has to give up, since the reader knows nothing.
  bool write(const std::string& line) const {
    return descriptor_ < 0 || write_all(descriptor_, "[GNUPG:] " + line + '\n');
  }

 private:
  int descriptor_;
};

int failure(const Error& error) {
  complain(error.message);
  return 1;
}

int status_failure() {
  complain(fmt::format("the status lines cannot be written to --status-fd: {}", std::strerror(errno)));
  return 1;
}

std::int64_t unix_time(Time time) { return time.time_since_epoch().count(); }

std::string upper_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

/// The status lines of one signature.
std::vector<std::string> status_of(const SignatureReport& report, Time now) {
  const std::string who = report.fingerprint + ' ' + percent_escaped(report.subject);
  const Time time = report.time(now);
  const auto [key, digest] = report.algorithms;
  // git 2.39.5 aborts on %GT where BADSIG or ERRSIG comes without a line about trust.
  switch (report.verdict) {
    case Verdict::kBad:
      return {"BADSIG " + who, "TRUST_NEVER 0 shell"};
    case Verdict::kUnsupported:
    case Verdict::kNoCertificate: {
      const int reason = report.verdict == Verdict::kUnsupported ? 4 : 9;
      return {fmt::format("ERRSIG {} {} {} 00 {} {}", report.fingerprint, key, digest, unix_time(time), reason),
              "TRUST_UNDEFINED 0 shell"};
    }
    default:
      break;
  }
  const char* kind = "GOODSIG";
  const char* trust = "TRUST_NEVER";
  if (report.verdict == Verdict::kExpiredSince || report.verdict == Verdict::kAfterExpiry) kind = "EXPKEYSIG";
  if (report.verdict == Verdict::kRevoked) kind = "REVKEYSIG";
  if (report.verdict == Verdict::kGood || report.verdict == Verdict::kExpiredSince) trust = "TRUST_FULLY";
  if (report.verdict == Verdict::kUntrusted) trust = "TRUST_UNDEFINED";
  return {std::string(kind) + ' ' + who,
          fmt::format("VALIDSIG {} {} {} 0 - - {} {} 00 {}", report.fingerprint, date_text(time), unix_time(time), key,
                      digest, report.fingerprint),
          std::string(trust) + " 0 shell"};
}

/// For the person, in smimesign's words where it has some.
void explain(const SignatureReport& report) {
  if (report.signer != nullptr) {
    std::string id = report.fingerprint;
    std::ranges::transform(id, id.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    complain("Signature made using certificate ID 0x" + id +
             (report.signing_time ? " on " + time_text(*report.signing_time) : std::string()));
  }
  if (!report.note.empty()) complain(report.note);
  const std::string who = report.subject.empty() ? std::string() : " from \"" + report.subject + '"';
  switch (report.verdict) {
    case Verdict::kGood:
      return complain("Good signature" + who);
    case Verdict::kExpiredSince:
      return complain("Good signature" + who + ": " + report.reason);
    case Verdict::kBad:
      return complain("BAD signature" + who + ": " + report.reason);
    case Verdict::kUnsupported:
    case Verdict::kNoCertificate:
      return complain("The signature" + who + " cannot be checked: " + report.reason);
    default:
      return complain("The signature" + who + " fits the data, but is not to be believed: " + report.reason);
  }
}

Result<Bytes> read_input(const std::string& path, std::size_t limit = kMaxInput) {
  return path == "-" ? read_standard_input(limit) : read_whole_file(path, limit);
}

/// Nothing can be said of a signer, and git wants to hear that there is a signature at all.
int cannot_check(const StatusLines& status, const Error& error, Time now) {
  const bool told =
      status.write(fmt::format("ERRSIG 0 0 0 00 {} 4", unix_time(now))) && status.write("TRUST_UNDEFINED 0 shell");
  return told ? failure(error) : status_failure();
}

Result<std::vector<SignatureReport>> check(const SmimesignOptions& options, Time now) {
  auto verifier = Verifier::open();
  if (!verifier) return fail(verifier);
  const auto signature = read_input(options.files.empty() ? "-" : options.files[0], kMaxSignature);
  if (!signature) return fail(signature);
  std::optional<Bytes> data;
  if (options.files.size() == 2) {
    auto read = read_input(options.files[1]);
    if (!read) return fail(read);
    data = *std::move(read);
  }
  for (const std::string& problem : verifier->problems()) complain("warning: " + problem);
  return verifier->verify(*signature, data, now);
}

/// Status lines, words, and the exit code: good only where each signer's is.
int tell(const StatusLines& status, const std::vector<SignatureReport>& reports, Time now) {
  bool good = true;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (i > 0 && !status.write("NEWSIG")) return status_failure();
    for (const std::string& line : status_of(reports[i], now)) {
      if (!status.write(line)) return status_failure();
    }
    explain(reports[i]);
    good = good && is_good(reports[i].verdict);
  }
  return good ? 0 : 1;
}

}  // namespace

int sign(const SmimesignOptions& options) {
  if (options.status_fd == kStandardError) complain_to_terminal_as_well();  // that is git
  if (options.files.size() > 1) {
    complain("one file can be signed at a time: name one, or none for standard input");
    return 1;
  }
  const StatusLines status(options.status_fd);
  if (!status.can_be_written()) return status_failure();
  const auto device = open_device();
  if (!device) return failure(device.error());
  const Time now = current_time();
  const auto signer = find_signer(*device, options.local_user, now);
  if (!signer) return failure(signer.error());
  const Identity& identity = *signer->identity;
  if (!signer->note.empty()) complain(signer->note);
  if (now >= renewal_due(*identity.leaf)) {
    complain("warning: \"" + name_of(*identity.leaf) + "\" is " + validity_text(*identity.leaf, now) +
             ": see that the agent runs");
  }
  const auto data = read_input(options.files.empty() ? "-" : options.files[0]);
  if (!data) return failure(data.error());
  if (auto unlocked = unlock(identity); !unlocked) return failure(unlocked.error());

  const auto& settings = device->config.sign;
  const SignRequest request{options.detach_sign, options.armor, options.include_certs.value_or(settings.include_certs),
                            options.timestamp.value_or(settings.timestamp), settings.timestamp_required};
  if (!status.write("BEGIN_SIGNING")) return status_failure();
  const auto made = sign_message(identity, *data, request, device->config, *device->audit);
  if (!made) return failure(made.error());
  if (!made->warning.empty()) complain("warning: " + made->warning);
  if (!write_all(kStandardOutput, made->message)) {
    complain(fmt::format("the signature cannot be written: {}", std::strerror(errno)));
    return 1;
  }
  const bool told = status.write(fmt::format("SIG_CREATED {} {} {} 00 {} {}", options.detach_sign ? 'D' : 'S',
                                             made->algorithms.key, made->algorithms.digest, unix_time(made->time),
                                             upper_case(sha1_fingerprint(*identity.leaf))));
  return told ? 0 : status_failure();
}

int verify(const SmimesignOptions& options) {
  if (options.files.size() > 2) {
    complain(
        "name one file (data and signature in one), or two (the signature, then the data; \"-\" is standard input)");
    return 1;
  }
  const StatusLines status(options.status_fd);
  const Time now = current_time();
  if (!status.can_be_written() || !status.write("NEWSIG")) return status_failure();
  try {
    const auto reports = check(options, now);
    return reports ? tell(status, *reports, now) : cannot_check(status, reports.error(), now);
  } catch (const std::bad_alloc&) {
    return cannot_check(status, {ErrorCode::kInternal, "there is not enough memory to check the signature"}, now);
  }
}

int list_keys() {
  const auto device = open_device();
  if (!device) return failure(device.error());
  std::string text;
  for (const IdentityPtr& identity : all_identities(*device->snapshot, current_time())) {
    const Certificate& leaf = *identity->leaf;
    const auto serial = der_single(leaf.serial(), der::kInteger);
    std::string emails;
    for (const std::string& email : leaf.emails()) emails += (emails.empty() ? "" : ", ") + email;
    const PublicKey& key = leaf.public_key();
    if (!text.empty()) text += '\n';
    text += fmt::format(
        "       ID: {}\n      S/N: {}\nAlgorithm: {}\n Validity: {} - {}\n   Issuer: {}\n  Subject: {}\n   Emails: "
        "{}\n",
        sha1_fingerprint(leaf), serial ? to_hex(serial->content) : "",
        key.group() != nullptr ? key.group() : fmt::format("{}-{}", key_type_name(key.type()), key.bits()),
        time_text(leaf.not_before()), time_text(leaf.not_after()), printable(leaf.issuer_text()),
        printable(leaf.subject_text()), printable(emails));
  }
  if (!write_all(kStandardOutput, text)) {
    complain(fmt::format("the list cannot be written: {}", std::strerror(errno)));
    return 1;
  }
  return 0;
}

void add_sign_options(CLI::App& app, SmimesignOptions& options) {
  app.add_option("-u,--local-user", options.local_user,
                 "devtrust:PROFILE, an e-mail address, or the end of a certificate's SHA-1 fingerprint")
      ->type_name("USER-ID");
  app.add_flag("-b,--detach-sign", options.detach_sign, "make a detached signature");
  app.add_flag("-a,--armor", options.armor, "write PEM");
  app.add_option("-t,--timestamp-authority", options.timestamp, "have a time stamp authority (RFC 3161) say when")
      ->type_name("URL");
  app.add_option(
         "--include-certs", options.include_certs,
         "-3 as -2 but no issuer that can be fetched, -2 all but the root (default), -1 all, 0 none, n the first n")
      ->type_name("N")
      ->check(CLI::Range(-3, 100));
}

void add_status_option(CLI::App& app, SmimesignOptions& options) {
  app.add_option("--status-fd", options.status_fd, "write GnuPG's status lines to this descriptor")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
}

int smimesign_main(int argc, char** argv) {
  SmimesignOptions options;
  std::string keyid_format;
  CLI::App app("Sign and verify with the device certificate, by smimesign's command line.", "devtrust-smimesign");
  app.set_version_flag("-v,--version", std::string("devtrust-smimesign ") + DEVTRUST_VERSION);
  app.allow_windows_style_options(false);  // git names its files from the root
  app.add_flag("-s,--sign", options.sign, "make a signature");
  app.add_flag("--verify", options.verify, "verify a signature");
  app.add_flag("--list-keys", options.list_keys, "show the identities that can sign");
  add_sign_options(app, options);
  add_status_option(app, options);
  app.add_option("--keyid-format", keyid_format, "long; taken for git's sake")->type_name("FORMAT");
  app.add_option("files", options.files, "what to sign; or the signature, and the data where it is apart")
      ->type_name("FILE");
  if (argc > 1 && std::string_view(argv[1]) == kCompleteCommand) return complete(app, {argv + 2, argv + argc});
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    complain(std::string(error.what()) + ": devtrust-smimesign --help shows what there is");
    return 1;
  }
  if (int{options.sign} + int{options.verify} + int{options.list_keys} != 1) {
    complain("give one of --sign, --verify and --list-keys");
    return 1;
  }
  if (options.list_keys) return list_keys();
  return options.sign ? sign(options) : verify(options);
}

}  // namespace devtrust::cli
