// Certificates in DER and the chains among them. The input: certificates, each behind its length in two bytes; the
// first is the leaf.
#include "identity/certificate.h"

#include <cstdlib>

#include "identity/chain.h"
#include "identity/profile.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace devtrust;
  constexpr Time kNow{std::chrono::seconds(2'000'000'000)};
  fuzz::Input input(data, size);
  std::vector<CertificatePtr> certificates;
  while (!input.empty() && certificates.size() < 12) {
    const std::uint64_t length = input.number(2);
    const ByteView der = input.bytes(length);
    const auto parsed = Certificate::parse(der);
    if (!parsed) {
      if (parsed.error().message.empty()) std::abort();
      continue;
    }
    const Certificate& certificate = **parsed;
    if (!equal(certificate.der(), der)) std::abort();
    (void)certificate.subject_text();
    (void)certificate.issuer_text();
    (void)certificate.public_key().evp();
    for (const Profile& profile : built_in_profiles()) (void)leaf_matches(profile, certificate);
    certificates.push_back(*parsed);
  }
  if (certificates.empty()) return 0;
  const Certificate& leaf = *certificates.front();
  const Chain chain = build_chain(leaf, certificates, kNow);
  const Certificate* subject = &leaf;
  for (const CertificatePtr& issuer : chain.issuers) {
    if (!equal(subject->issuer(), issuer->subject()) || !subject->signed_by(*issuer)) std::abort();
    subject = issuer.get();
  }
  if (chain.complete && !subject->self_issued()) std::abort();
  for (const Profile& profile : built_in_profiles()) (void)profile_matches(profile, leaf, chain);
  return 0;
}
