// Keys in key storage providers: the one file that calls CNG's key functions.
#include <windows.h>

#include <bcrypt.h>
#include <ncrypt.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "backends/wincert/encoding.h"
#include "backends/wincert/key_error.h"
#include "backends/wincert/open_key.h"
#include "identity/digest_info.h"
#include "identity/ecdsa.h"
#include "identity/utf16.h"

namespace devtrust {
namespace {

// Of the TPM's provider, for which older headers have no names: how long the salts are that it makes.
constexpr const wchar_t* kPssSaltSize = L"PSS Salt Size";
constexpr DWORD kLongestSalt = 1;
constexpr DWORD kSaltOfDigestSize = 2;

Error status_error(SECURITY_STATUS status) { return key_error(static_cast<std::uint32_t>(status)); }

/// Any object of CNG's: provider, key, shared secret.
class Handle {
 public:
  Handle() = default;
  explicit Handle(NCRYPT_HANDLE handle) : handle_(handle) {}
  Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (handle_ != 0) NCryptFreeObject(handle_);
  }
  NCRYPT_HANDLE get() const { return handle_; }

 private:
  NCRYPT_HANDLE handle_ = 0;
};

/// CNG's name of a digest; null where it has none.
LPCWSTR algorithm_name(Digest digest) {
  switch (digest) {
    case Digest::kSha1:
      return BCRYPT_SHA1_ALGORITHM;
    case Digest::kSha256:
      return BCRYPT_SHA256_ALGORITHM;
    case Digest::kSha384:
      return BCRYPT_SHA384_ALGORITHM;
    case Digest::kSha512:
      return BCRYPT_SHA512_ALGORITHM;
    case Digest::kNone:
    case Digest::kSha224:
      break;
  }
  return nullptr;
}

Result<Bytes> public_blob(NCRYPT_KEY_HANDLE key, LPCWSTR type) {
  DWORD length = 0;
  SECURITY_STATUS status = NCryptExportKey(key, 0, type, nullptr, nullptr, 0, &length, 0);
  Bytes blob(length);
  if (status == ERROR_SUCCESS) status = NCryptExportKey(key, 0, type, nullptr, blob.data(), length, &length, 0);
  if (status != ERROR_SUCCESS) return tl::unexpected(status_error(status));
  blob.resize(length);
  return blob;
}

std::optional<DWORD> number_property(NCRYPT_HANDLE handle, LPCWSTR name) {
  DWORD value = 0;
  DWORD length = 0;
  const SECURITY_STATUS status =
      NCryptGetProperty(handle, name, reinterpret_cast<PBYTE>(&value), sizeof value, &length, NCRYPT_SILENT_FLAG);
  return status == ERROR_SUCCESS && length == sizeof value ? std::optional(value) : std::nullopt;
}

std::wstring text_property(NCRYPT_HANDLE handle, LPCWSTR name) {
  std::array<wchar_t, 64> value{};
  DWORD length = 0;
  if (NCryptGetProperty(handle, name, reinterpret_cast<PBYTE>(value.data()), sizeof value - sizeof(wchar_t), &length,
                        NCRYPT_SILENT_FLAG) != ERROR_SUCCESS) {
    return {};
  }
  return value.data();
}

class CngKey final : public OpenKey {
 public:
  CngKey(Handle provider, Handle key, PublicKey public_key, bool prompt)
      : provider_(std::move(provider)),
        key_(std::move(key)),
        public_key_(std::move(public_key)),
        silent_(prompt ? 0 : NCRYPT_SILENT_FLAG),
        // What does not say how it may be used is tried.
        usage_(number_property(key_.get(), NCRYPT_KEY_USAGE_PROPERTY).value_or(NCRYPT_ALLOW_ALL_USAGES)),
        agrees_(text_property(key_.get(), NCRYPT_ALGORITHM_GROUP_PROPERTY) == NCRYPT_ECDH_ALGORITHM_GROUP),
        salt_(number_property(key_.get(), kPssSaltSize)) {
    if (!salt_) salt_ = number_property(provider_.get(), kPssSaltSize);
  }

  bool can_sign(const SignScheme& scheme) const override {
    if ((usage_ & NCRYPT_ALLOW_SIGNING_FLAG) == 0) return false;
    if (public_key_.type() == KeyType::kEc) return scheme.algorithm == SignAlgorithm::kEcdsa;
    if (scheme.algorithm == SignAlgorithm::kRsaPkcs1) return true;
    return scheme.algorithm == SignAlgorithm::kRsaPss && scheme.digest == scheme.mgf1 &&
           algorithm_name(scheme.digest) != nullptr && salts(scheme);
  }
  bool can_decrypt(const CipherScheme& scheme) const override {
    if (public_key_.type() != KeyType::kRsa || (usage_ & NCRYPT_ALLOW_DECRYPT_FLAG) == 0) return false;
    if (scheme.algorithm == CipherAlgorithm::kRsaPkcs1) return true;
    return scheme.algorithm == CipherAlgorithm::kRsaOaep && scheme.digest == scheme.mgf1 &&
           algorithm_name(scheme.digest) != nullptr;
  }
  bool can_derive() const override {
    return public_key_.type() == KeyType::kEc && agrees_ && (usage_ & NCRYPT_ALLOW_KEY_AGREEMENT_FLAG) != 0;
  }

  Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) override {
    switch (scheme.algorithm) {
      case SignAlgorithm::kEcdsa:
        return sign_ecdsa(input, out);
      case SignAlgorithm::kRsaPss: {
        BCRYPT_PSS_PADDING_INFO padding{algorithm_name(scheme.digest), scheme.salt_length};
        return sign_hash(&padding, NCRYPT_PAD_PSS_FLAG, input, out);
      }
      default:
        return sign_pkcs1(scheme.digest, input, out);
    }
  }

  Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) override {
    const bool oaep = scheme.algorithm == CipherAlgorithm::kRsaOaep;
    Bytes label = scheme.label;
    BCRYPT_OAEP_PADDING_INFO padding{oaep ? algorithm_name(scheme.digest) : nullptr,
                                     label.empty() ? nullptr : label.data(), static_cast<ULONG>(label.size())};
    Bytes input = to_bytes(ciphertext);  // the function's parameter is not const
    SecureBytes plaintext(public_key_.field_size());
    DWORD length = 0;
    const SECURITY_STATUS status = NCryptDecrypt(
        key_.get(), input.data(), static_cast<DWORD>(input.size()), oaep ? &padding : nullptr, plaintext.data(),
        static_cast<DWORD>(plaintext.size()), &length, silent_ | (oaep ? NCRYPT_PAD_OAEP_FLAG : NCRYPT_PAD_PKCS1_FLAG));
    if (status != ERROR_SUCCESS) return tl::unexpected(decryption_error(static_cast<std::uint32_t>(status)));
    plaintext.resize(length);
    return plaintext;
  }

  Result<SecureBytes> derive(ByteView peer) override {
    const auto peer_key = PublicKey::ec(public_key_.ec_params(), peer);
    if (!peer_key) return fail(peer_key);
    if (peer_key->evp() == nullptr) {
      return fail(ErrorCode::kInvalidArgument, "the peer's public key is not a point of the curve");
    }
    Bytes blob = ecdh_public_blob(peer_key->ec_point());
    NCRYPT_KEY_HANDLE imported = 0;
    SECURITY_STATUS status = NCryptImportKey(provider_.get(), 0, BCRYPT_ECCPUBLIC_BLOB, nullptr, &imported, blob.data(),
                                             static_cast<DWORD>(blob.size()), 0);
    if (status != ERROR_SUCCESS) return tl::unexpected(status_error(status));
    const Handle peer_handle(imported);
    NCRYPT_SECRET_HANDLE agreed = 0;
    status = NCryptSecretAgreement(key_.get(), peer_handle.get(), &agreed, silent_);
    if (status != ERROR_SUCCESS) return tl::unexpected(status_error(status));
    const Handle secret_handle(agreed);
    SecureBytes secret(public_key_.field_size());
    DWORD length = 0;
    status = NCryptDeriveKey(agreed, BCRYPT_KDF_RAW_SECRET, nullptr, secret.data(), static_cast<DWORD>(secret.size()),
                             &length, 0);
    if (status != ERROR_SUCCESS) return tl::unexpected(status_error(status));
    // The highest bytes, which come last, are zeros where they are missing; then the order is turned.
    std::fill(secret.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(length, secret.size())), secret.end(),
              std::uint8_t{0});
    std::ranges::reverse(secret);
    return secret;
  }

 private:
  /// Whether the key can make salts of the length that the scheme asks for.
  bool salts(const SignScheme& scheme) const {
    const std::size_t digest = digest_size(scheme.digest);
    const std::size_t encoded = (static_cast<std::size_t>(public_key_.bits()) + 6) / 8;
    if (digest + scheme.salt_length + 2 > encoded) return false;
    if (!salt_) return true;
    if (*salt_ == kSaltOfDigestSize) return scheme.salt_length == digest;
    return *salt_ == kLongestSalt && scheme.salt_length == encoded - digest - 2;
  }

  Result<std::size_t> sign_hash(void* padding, DWORD flags, ByteView hash, std::span<std::uint8_t> out) {
    Bytes input = to_bytes(hash);  // the function's parameter is not const
    DWORD length = 0;
    const SECURITY_STATUS status = NCryptSignHash(key_.get(), padding, input.data(), static_cast<DWORD>(input.size()),
                                                  out.data(), static_cast<DWORD>(out.size()), &length, flags | silent_);
    if (status != ERROR_SUCCESS) return tl::unexpected(status_error(status));
    return length;
  }

  Result<std::size_t> sign_pkcs1(Digest digest, ByteView input, std::span<std::uint8_t> out) {
    if (digest != Digest::kNone && input.size() != digest_size(digest)) {
      return fail(ErrorCode::kInvalidArgument, "the digest has not its algorithm's length");
    }
    // A card wants to know the digest; what has no name in CNG is padded as it is.
    if (digest == Digest::kNone) {
      if (const auto info = parse_digest_info(input); info && algorithm_name(info->digest) != nullptr) {
        digest = info->digest;
        input = info->value;
      }
    }
    BCRYPT_PKCS1_PADDING_INFO padding{algorithm_name(digest)};
    const Bytes made = digest == Digest::kSha224 ? digest_info(digest, input) : Bytes();
    if (!made.empty()) input = made;
    if (input.size() + 11 > public_key_.field_size()) {
      return fail(ErrorCode::kInvalidArgument, "what is to be signed is too long for the key");
    }
    return sign_hash(&padding, NCRYPT_PAD_PKCS1_FLAG, input, out);
  }

  Result<std::size_t> sign_ecdsa(ByteView digest, std::span<std::uint8_t> out) {
    // ECDSA uses as many bytes as the curve has.
    digest = digest.first(std::min(digest.size(), public_key_.field_size()));
    Bytes raw(2 * public_key_.field_size());
    auto length = sign_hash(nullptr, 0, digest, raw);
    if (!length) return length;
    raw.resize(*length);
    const Bytes der = ecdsa_to_der(raw);
    if (der.size() > out.size()) return fail(ErrorCode::kInternal, "the signature is longer than the key allows");
    std::ranges::copy(der, out.begin());
    return der.size();
  }

  const Handle provider_;  // closed after the key
  const Handle key_;
  const PublicKey public_key_;
  const DWORD silent_;
  const DWORD usage_;
  const bool agrees_;
  std::optional<DWORD> salt_;
};

}  // namespace

Result<std::unique_ptr<OpenKey>> open_cng_key(const KeyPlace& place, const PublicKey& public_key, bool prompt) {
  NCRYPT_PROV_HANDLE provider_handle = 0;
  SECURITY_STATUS status = NCryptOpenStorageProvider(&provider_handle, to_utf16(place.provider).c_str(), 0);
  if (status != ERROR_SUCCESS) return tl::unexpected(status_error(status));
  Handle provider(provider_handle);
  NCRYPT_KEY_HANDLE key_handle = 0;
  const DWORD flags = (prompt ? 0 : DWORD{NCRYPT_SILENT_FLAG}) | (place.machine ? DWORD{NCRYPT_MACHINE_KEY_FLAG} : 0);
  status = NCryptOpenKey(provider_handle, &key_handle, to_utf16(place.container).c_str(), place.key_spec, flags);
  if (status != ERROR_SUCCESS) return tl::unexpected(status_error(status));
  Handle key(key_handle);
  const auto blob =
      public_blob(key_handle, public_key.type() == KeyType::kRsa ? BCRYPT_RSAPUBLIC_BLOB : BCRYPT_ECCPUBLIC_BLOB);
  if (!blob) return fail(blob);
  if (!cng_blob_is(*blob, public_key)) {
    return fail(ErrorCode::kKeyMismatch, "the private key does not belong to the certificate");
  }
  return std::make_unique<CngKey>(std::move(provider), std::move(key), public_key, prompt);
}

}  // namespace devtrust
