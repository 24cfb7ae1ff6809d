#include "identity/profile.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>

#include "identity/der.h"

namespace devtrust {
namespace {

constexpr std::string_view kClientAuth = "1.3.6.1.5.5.7.3.2";

/// ASCII in lower case, every hyphen and dash of Unicode's U+2010 to U+2015 and U+2212 as '-'.
std::string folded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    const bool dash =
        rest.size() >= 3 && rest[0] == '\xE2' &&
        ((rest[1] == '\x80' && rest[2] >= '\x90' && rest[2] <= '\x95') || rest.starts_with("\xE2\x88\x92"));
    if (dash) {
      out += '-';
      i += 2;
    } else {
      out += text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
    }
  }
  return out;
}

/// Both folded. Going back only to the last `*` is enough, so the time is at worst the product of the lengths.
bool wildcard(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

struct AttributeName {
  std::string_view name;
  std::string_view oid;
};
constexpr AttributeName kAttributeNames[] = {{"cn", "2.5.4.3"},
                                             {"sn", "2.5.4.4"},
                                             {"serialnumber", "2.5.4.5"},
                                             {"c", "2.5.4.6"},
                                             {"l", "2.5.4.7"},
                                             {"st", "2.5.4.8"},
                                             {"street", "2.5.4.9"},
                                             {"o", "2.5.4.10"},
                                             {"ou", "2.5.4.11"},
                                             {"title", "2.5.4.12"},
                                             {"gn", "2.5.4.42"},
                                             {"uid", "0.9.2342.19200300.100.1.1"},
                                             {"dc", "0.9.2342.19200300.100.1.25"},
                                             {"emailaddress", "1.2.840.113549.1.9.1"}};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// "DC=okta, CN=Some*" in its parts, types as OIDs; empty where it is none. A comma that belongs to a value is written
/// `\,`.
std::vector<NameAttribute> parse_dn_pattern(std::string_view pattern) {
  std::vector<NameAttribute> parts;
  while (!pattern.empty()) {
    std::string part;
    std::size_t end = 0;
    for (; end < pattern.size() && pattern[end] != ','; ++end) {
      if (pattern[end] == '\\' && end + 1 < pattern.size()) ++end;
      part += pattern[end];
    }
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) return {};
    const std::string type = folded(trimmed(std::string_view(part).substr(0, equals)));
    const std::string_view value = trimmed(std::string_view(part).substr(equals + 1));
    const auto* known = std::ranges::find(kAttributeNames, type, &AttributeName::name);
    const std::string_view oid = known != std::end(kAttributeNames) ? known->oid : std::string_view(type);
    if (value.empty() || oid.empty() || oid.find_first_not_of("0123456789.") != std::string_view::npos) return {};
    parts.push_back({std::string(oid), std::string(value)});
  }
  return parts;
}

/// Each attribute that the pattern names must be in the DER Name.
bool dn_matches(std::string_view pattern, ByteView name) {
  const std::vector<NameAttribute> wanted = parse_dn_pattern(pattern);
  const std::vector<NameAttribute> present = name_attributes(name);
  return !wanted.empty() && std::ranges::all_of(wanted, [&present](const NameAttribute& part) {
    return std::ranges::any_of(present, [&part](const NameAttribute& attribute) {
      return attribute.oid == part.oid && text_matches(part.value, attribute.value);
    });
  });
}

/// Upper or lower case, with or without colons.
bool same_fingerprint(std::string_view wanted, ByteView sha256) {
  std::string digits = folded(wanted);
  std::erase_if(digits, [](char c) { return c == ':' || c == ' '; });
  return digits == to_hex(sha256);
}

bool has(const std::vector<std::string>& list, std::string_view wanted) {
  return std::ranges::find(list, wanted) != list.end();
}

bool leaf_fields_match(const Match& match, const Certificate& leaf) {
  const bool asks = !match.issuer_cn.empty() || !match.subject_cn.empty() || !match.root_cn.empty() ||
                    !match.issuer_dn.empty() || !match.subject_dn.empty() || !match.eku.empty() || !match.oid.empty() ||
                    !match.email.empty() || !match.root_sha256.empty();
  return asks && (match.issuer_cn.empty() || text_matches(match.issuer_cn, leaf.issuer_common_name())) &&
         (match.subject_cn.empty() || text_matches(match.subject_cn, leaf.common_name())) &&
         (match.issuer_dn.empty() || dn_matches(match.issuer_dn, leaf.issuer())) &&
         (match.subject_dn.empty() || dn_matches(match.subject_dn, leaf.subject())) &&
         (match.eku.empty() || has(leaf.extended_key_usage(), match.eku)) &&
         (match.oid.empty() || has(leaf.extension_oids(), match.oid)) &&
         (match.email.empty() || std::ranges::any_of(leaf.emails(), [&match](const std::string& email) {
            return text_matches(match.email, email);
          }));
}

bool root_fields_match(const Match& match, const Certificate& leaf, const Chain& chain) {
  if (match.root_cn.empty() && match.root_sha256.empty()) return true;
  if (!chain.complete) return false;
  const Certificate& root = chain.last(leaf);
  return (match.root_cn.empty() || text_matches(match.root_cn, root.common_name())) &&
         (match.root_sha256.empty() || same_fingerprint(match.root_sha256, root.sha256()));
}

Profile product(const char* name, const char* label, std::vector<Match> matches) {
  return {name, label, Show::kCurrent, std::move(matches), true};
}

Match match_of(std::string_view issuer_cn, std::string_view subject_cn, std::string_view eku = {},
               std::string_view issuer_dn = {}) {
  Match match;
  match.issuer_cn = issuer_cn;
  match.subject_cn = subject_cn;
  match.eku = eku;
  match.issuer_dn = issuer_dn;
  return match;
}

std::vector<Profile> make_built_in_profiles() {
  return {
      product("jumpcloud", "JumpCloud Device Trust",
              {match_of("device-trust.intermediate", "JumpCloud Device Trust Certificate*")}),
      product(
          "okta", "Okta Device Trust",
          {match_of("Organization Intermediate Authority", "*managementAttestation*", kClientAuth, "DC=okta, DC=com")}),
      product("google", "Google Endpoint Verification",
              {match_of("Google Endpoint Verification", "Google Endpoint Verification", kClientAuth)}),
      product("entra", "Microsoft Entra Device", {match_of("MS-Organization-Access", "")}),
      product("duo", "Cisco Duo Device Authentication",
              {match_of("Duo Endpoint Validation Issuing CA", "Duo Device Authentication")}),
      product("firezone", "Firezone Device Trust", {match_of("", "dev.firezone.device-trust", kClientAuth)}),
  };
}

}  // namespace

const std::vector<Profile>& built_in_profiles() {
  // Never destroyed: another thread may be inside when the process exits. No once-guard, which a fork in another thread
  // could leave locked in the child.
  static std::atomic<const std::vector<Profile>*> shared{nullptr};
  const std::vector<Profile>* profiles = shared.load(std::memory_order_acquire);
  if (profiles != nullptr) return *profiles;
  auto made = std::make_unique<const std::vector<Profile>>(make_built_in_profiles());
  if (shared.compare_exchange_strong(profiles, made.get(), std::memory_order_acq_rel)) profiles = made.release();
  return *profiles;
}

bool is_dn_pattern(std::string_view pattern) { return !parse_dn_pattern(pattern).empty(); }

bool text_matches(std::string_view pattern, std::string_view text) { return wildcard(folded(pattern), folded(text)); }

bool leaf_matches(const Profile& profile, const Certificate& leaf) {
  return std::ranges::any_of(profile.matches, [&leaf](const Match& match) { return leaf_fields_match(match, leaf); });
}

bool profile_matches(const Profile& profile, const Certificate& leaf, const Chain& chain) {
  return std::ranges::any_of(profile.matches, [&](const Match& match) {
    return leaf_fields_match(match, leaf) && root_fields_match(match, leaf, chain);
  });
}

}  // namespace devtrust
