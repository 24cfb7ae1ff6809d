// Profiles: by what a product's identity is recognised. Data, not code.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/certificate.h"
#include "identity/chain.h"

namespace devtrust {

enum class Show : std::uint8_t { kCurrent, kValid, kAll };

/// What a certificate must show; an empty field asks for nothing, a Match without any field matches nothing.
/// Text is compared case-folded with `-` and the en dash alike; `*` stands for any run of characters.
struct Match {
  std::string issuer_cn, subject_cn, root_cn;
  std::string issuer_dn,
      subject_dn;           ///< attributes that must all be there, in any order: "DC=okta, DC=com, CN=Organization*"
  std::string eku, oid;     ///< dotted: an extended key usage; an extension that must be present
  std::string email;        ///< one of the certificate's addresses
  std::string root_sha256;  ///< hexadecimal, colons allowed: pins the root, whatever its name
};

struct Profile {
  std::string name;   ///< [a-z0-9-]+, in URIs
  std::string label;  ///< the token's label: 1 to 32 bytes of UTF-8, no ':'
  Show show = Show::kCurrent;
  std::vector<Match> matches;  ///< any of them will do
  bool built_in = false;
};

/// JumpCloud first, then the other products.
const std::vector<Profile>& built_in_profiles();

/// `pattern` against `text` as Match says.
bool text_matches(std::string_view pattern, std::string_view text);
/// Whether `pattern` is what Match's issuer_dn and subject_dn take: known attributes, or OIDs in dots, each with a
/// value.
bool is_dn_pattern(std::string_view pattern);
/// Whether the leaf alone can be of this profile: all but the root's fields are looked at. Cheap: no chain is needed.
bool leaf_matches(const Profile& profile, const Certificate& leaf);
/// The whole answer, the root's fields included (they need a complete chain).
bool profile_matches(const Profile& profile, const Certificate& leaf, const Chain& chain);

}  // namespace devtrust
