// An X.509 certificate, parsed once.
#pragma once

#include <openssl/types.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "identity/bytes.h"
#include "identity/public_key.h"
#include "identity/result.h"

namespace devtrust {

using Time = std::chrono::sys_seconds;

/// One attribute of a Name: its type in dots, its value in UTF-8 whatever string type it was written in.
struct NameAttribute {
  std::string oid, value;
};
/// All attributes of a DER Name, in its order; empty where it is none.
std::vector<NameAttribute> name_attributes(ByteView name);
/// RFC 2253 order and escapes, UTF-8; empty where it is none.
std::string name_text(ByteView der);

class Certificate;
using CertificatePtr = std::shared_ptr<const Certificate>;

/// Immutable. Thread-safe. Views live as long as the certificate.
class Certificate {
 public:
  /// Exactly one DER certificate, at most 64 KiB. kCorrupt with what is wrong.
  static Result<CertificatePtr> parse(ByteView der);

  ByteView der() const { return der_; }
  ByteView subject() const { return subject_; }  ///< DER Name
  ByteView issuer() const { return issuer_; }    ///< DER Name
  ByteView serial() const { return serial_; }    ///< DER INTEGER, tag and length included
  std::string subject_text() const;              ///< as name_text
  std::string issuer_text() const;
  const std::string& common_name() const { return common_name_; }  ///< of the subject, UTF-8; empty where there is none
  const std::string& issuer_common_name() const { return issuer_common_name_; }
  Time not_before() const { return not_before_; }
  Time not_after() const { return not_after_; }
  bool valid_at(Time time) const { return not_before_ <= time && time <= not_after_; }
  const PublicKey& public_key() const { return public_key_; }
  /// DER SubjectPublicKeyInfo as it stands there: an RSASSA-PSS key's says for what signatures it may be used.
  ByteView spki() const { return spki_; }
  bool for_pss_only() const;                                              ///< whether that algorithm is RSASSA-PSS
  const std::array<std::uint8_t, 32>& sha256() const { return sha256_; }  ///< of the DER
  const std::vector<std::string>& emails() const { return emails_; }      ///< subjectAltName, then the subject's own
  /// keyUsage as OpenSSL's KU_* bits; nothing where the extension is absent (everything is allowed).
  std::optional<std::uint32_t> key_usage() const { return key_usage_; }
  const std::vector<std::string>& extended_key_usage() const { return extended_key_usage_; }  ///< OIDs in dots
  const std::vector<std::string>& extension_oids() const { return extension_oids_; }          ///< OIDs in dots
  bool is_ca() const { return is_ca_; }  ///< basicConstraints; a version 1 certificate that is self-issued counts too
  const std::optional<Bytes>& subject_key_id() const { return subject_key_id_; }
  const std::optional<Bytes>& authority_key_id() const { return authority_key_id_; }
  bool self_issued() const { return equal(subject_, issuer_); }

  /// Whether `issuer`'s key made this certificate's signature. Looks at nothing else.
  bool signed_by(const Certificate& issuer) const;

 private:
  explicit Certificate(PublicKey key) : public_key_(std::move(key)) {}

  Bytes der_, subject_, issuer_, serial_;
  ByteView spki_;  // of der_
  std::string common_name_, issuer_common_name_;
  Time not_before_, not_after_;
  PublicKey public_key_;
  std::array<std::uint8_t, 32> sha256_{};
  std::vector<std::string> emails_, extended_key_usage_, extension_oids_;
  std::optional<std::uint32_t> key_usage_;
  bool is_ca_ = false;
  std::optional<Bytes> subject_key_id_, authority_key_id_;
};

}  // namespace devtrust
