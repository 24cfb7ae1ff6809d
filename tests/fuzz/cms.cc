// What stands in a commit for a signature, as `devtrust-smimesign --verify` judges it: any bytes, or a good signature
// that was changed in places; and time stamps.
#include "cli/cms.h"

#include <cstdlib>

#include "cli/device.h"
#include "cli/output.h"
#include "cli/time_stamp.h"
#include "identity/selection.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/store_reader.h"
#include "tests/support/pki.h"

namespace devtrust::fuzz {
namespace {

constexpr std::string_view kData = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nmessage\n";

/// An identity whose root is believed, and a signature of its.
struct Signer {
  cli::Device device;
  cli::Trust trust;
  Bytes signature;  // DER, detached, over kData
};

const Signer& signer() {
  static const Signer* const made = [] {
    const std::filesystem::path& folder = scratch();
    testing::Pki pki(folder / "pki", "ec:P-256");
    const testing::Leaf leaf = pki.issue({.key = "ec:P-256"});
    std::string pem = testing::read_file(leaf.certificate);
    for (const auto& issuer : leaf.issuers) pem += testing::read_file(issuer);
    overwrite(folder / "chain.pem", as_bytes(pem));
    overwrite(folder / "config.toml",
              as_bytes("[[store]]\nkind = \"file\"\npath = \"" + (folder / "chain.pem").string() + "\"\nkey_path = \"" +
                       leaf.key.string() + "\"\n[verify]\nroots = [\"" + pki.root().string() + "\"]\n"));
    setenv("DEVTRUST_CONFIG", (folder / "config.toml").c_str(), 1);
    auto device = cli::open_device();
    if (!device) std::abort();
    const auto identity = select_current(*device->snapshot, {}, current_time());
    if (!identity) std::abort();
    const auto message = cli::sign_message(**identity, as_bytes(kData), {.detached = true, .time_stamp = {}},
                                           device->config, *device->audit);
    if (!message) std::abort();
    cli::Trust trust = cli::Trust::load(device->config);
    const ByteView der = as_bytes(message->message);
    return new Signer{*std::move(device), std::move(trust), Bytes(der.begin(), der.end())};
  }();
  return *made;
}

/// The good one with bytes set, taken out and put in.
Bytes changed(Input& input) {
  Bytes signature = signer().signature;
  while (!input.empty() && !signature.empty()) {
    const std::uint8_t how = input.octet();
    const auto at = signature.begin() + static_cast<std::ptrdiff_t>(input.number(2) % signature.size());
    switch (how % 3) {
      case 0:
        *at = input.octet();
        break;
      case 1:
        signature.erase(at);
        break;
      default:
        signature.insert(at, input.octet());
    }
  }
  return signature;
}

bool is_one_line(const std::string& text) { return text.find('\n') == std::string::npos; }

void verify(ByteView signature, std::optional<ByteView> data, bool may_be_good) {
  const Time now = current_time();
  const auto reports = cli::verify_message(signature, data, signer().trust, {}, now);
  if (!reports) {
    if (reports.error().message.empty()) std::abort();
    return;
  }
  if (reports->empty()) std::abort();
  for (const cli::SignatureReport& report : *reports) {
    if (cli::is_good(report.verdict) && !may_be_good) std::abort();
    if (cli::is_good(report.verdict) != report.reason.empty() && report.verdict == cli::Verdict::kGood) std::abort();
    if (!is_one_line(cli::percent_escaped(report.subject)) || !is_one_line(cli::printable(report.reason))) std::abort();
    if (report.signer == nullptr && cli::is_good(report.verdict)) std::abort();
  }
}

}  // namespace
}  // namespace devtrust::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace devtrust;
  fuzz::Input input(data, size);
  static const std::string other = std::string(fuzz::kData) + '\n';
  switch (input.octet() % 4) {
    case 0: {  // nobody else has a key under the root
      const ByteView bytes = input.rest();
      fuzz::verify(bytes, as_bytes(fuzz::kData), false);
      break;
    }
    case 1:
      fuzz::verify(input.rest(), std::nullopt, false);
      break;
    case 2: {
      const Bytes signature = fuzz::changed(input);
      fuzz::verify(signature, as_bytes(fuzz::kData), true);
      fuzz::verify(signature, as_bytes(other), false);
      break;
    }
    default:
      // It is over the seeds' "signature"; its authority is not known here.
      if (const auto stamp = cli::read_time_stamp(input.rest(), as_bytes("signature"), fuzz::signer().trust)) {
        if (!stamp->problem) std::abort();
      }
  }
  return 0;
}
