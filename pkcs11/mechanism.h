// Mechanisms: which there are, what they ask for, and which a key can do. PKCS#11 3.0 "Current Mechanisms".
#pragma once

#include <vector>

#include "identity/private_key.h"
#include "identity/scheme.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/status.h"

namespace devtrust::pkcs11 {

/// "CKM_RSA_PKCS"; null for one that we do not know.
const char* known_mechanism_name(CK_MECHANISM_TYPE type);
/// The same, or "CKM_0x…" for one that we do not know.
std::string mechanism_name(CK_MECHANISM_TYPE type);

/// The mechanisms of a token that shows these keys (none: digests only), sorted. Each is a promise.
std::vector<CK_MECHANISM_TYPE> mechanism_list(const std::vector<std::shared_ptr<const PrivateKey>>& keys);
/// CKR_MECHANISM_INVALID for one that is not in the list.
Answer<CK_MECHANISM_INFO> mechanism_info(CK_MECHANISM_TYPE type,
                                         const std::vector<std::shared_ptr<const PrivateKey>>& keys);

/// CKR_MECHANISM_INVALID for a mechanism that fits the key's type and that C_GetMechanismInfo does not promise for this
/// use, a flag of it, of a key that lives where this one does.
Answer<> check_place(const CK_MECHANISM& mechanism, const PrivateKey& key, CK_FLAGS use);

/// How a signing mechanism is carried out.
struct SignPlan {
  SignScheme scheme;
  Digest hash = Digest::kNone;  ///< computed by us over the parts before the scheme is applied
};
/// Checks parameter pointers and lengths, and that the mechanism fits the key's type: CKR_MECHANISM_INVALID,
/// CKR_MECHANISM_PARAM_INVALID, CKR_KEY_TYPE_INCONSISTENT.
Answer<SignPlan> plan_sign(const CK_MECHANISM& mechanism, const PublicKey& key);
Answer<CipherScheme> plan_cipher(const CK_MECHANISM& mechanism, const PublicKey& key);
Answer<Digest> plan_digest(const CK_MECHANISM& mechanism);

/// CKM_ECDH1_DERIVE's parameter, checked.
struct DerivePlan {
  PublicKey peer;
  Digest kdf = Digest::kNone;  ///< X9.63 with this hash; kNone: the shared secret as it is
  ByteView shared_data;        ///< the caller's
};
Answer<DerivePlan> plan_derive(const CK_MECHANISM& mechanism, const PublicKey& key);

}  // namespace devtrust::pkcs11
