// Keys in cryptographic service providers: the one file that calls CryptoAPI's key functions.
#include <windows.h>

#include <wincrypt.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "backends/wincert/encoding.h"
#include "backends/wincert/key_error.h"
#include "backends/wincert/open_key.h"
#include "identity/digest_info.h"
#include "identity/utf16.h"

namespace devtrust {
namespace {

struct HashRow {
  ALG_ID algorithm;
  Digest digest;
  bool md5;
  std::size_t size;
};
// CryptoAPI has no SHA-224.
constexpr std::array<HashRow, 6> kHashes{{{CALG_SHA1, Digest::kSha1, false, 20},
                                          {CALG_SHA_256, Digest::kSha256, false, 32},
                                          {CALG_SHA_384, Digest::kSha384, false, 48},
                                          {CALG_SHA_512, Digest::kSha512, false, 64},
                                          {CALG_MD5, Digest::kNone, true, 16},
                                          {CALG_SSL3_SHAMD5, Digest::kNone, false, 36}}};

Error last_error() { return key_error(GetLastError()); }

/// A key container of a provider.
class Container {
 public:
  Container() = default;
  explicit Container(HCRYPTPROV handle) : handle_(handle) {}
  Container(Container&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  Container& operator=(Container&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Container() {
    if (handle_ != 0) CryptReleaseContext(handle_, 0);
  }
  HCRYPTPROV get() const { return handle_; }

 private:
  HCRYPTPROV handle_ = 0;
};

Result<Container> acquire(const KeyPlace& place, const wchar_t* provider, DWORD type, bool prompt) {
  const DWORD flags = (prompt ? 0 : DWORD{CRYPT_SILENT}) | (place.machine ? DWORD{CRYPT_MACHINE_KEYSET} : 0);
  HCRYPTPROV handle = 0;
  if (CryptAcquireContextW(&handle, to_utf16(place.container).c_str(), provider, type, flags) == 0) {
    return tl::unexpected(last_error());
  }
  return Container(handle);
}

class Hash {
 public:
  Hash(HCRYPTPROV provider, ALG_ID algorithm) {
    if (CryptCreateHash(provider, algorithm, 0, 0, &handle_) == 0) handle_ = 0;
  }
  ~Hash() {
    if (handle_ != 0) CryptDestroyHash(handle_);
  }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  HCRYPTHASH get() const { return handle_; }

 private:
  HCRYPTHASH handle_ = 0;
};

bool has_hash(const Container& container, ALG_ID algorithm) { return Hash(container.get(), algorithm).get() != 0; }

/// The key pair of a container, for decrypting and for its public part.
class KeyPair {
 public:
  KeyPair() = default;
  explicit KeyPair(HCRYPTKEY handle) : handle_(handle) {}
  KeyPair(KeyPair&& other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  KeyPair& operator=(KeyPair&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~KeyPair() {
    if (handle_ != 0) CryptDestroyKey(handle_);
  }
  HCRYPTKEY get() const { return handle_; }

 private:
  HCRYPTKEY handle_ = 0;
};

Result<KeyPair> key_pair(const Container& container, DWORD spec, const PublicKey& public_key) {
  HCRYPTKEY handle = 0;
  if (CryptGetUserKey(container.get(), spec, &handle) == 0) return tl::unexpected(last_error());
  KeyPair pair(handle);
  DWORD length = 0;
  if (CryptExportKey(handle, 0, PUBLICKEYBLOB, 0, nullptr, &length) == 0) return tl::unexpected(last_error());
  Bytes blob(length);
  if (CryptExportKey(handle, 0, PUBLICKEYBLOB, 0, blob.data(), &length) == 0) return tl::unexpected(last_error());
  blob.resize(length);
  if (!csp_blob_is(blob, public_key)) {
    return fail(ErrorCode::kKeyMismatch, "the private key does not belong to the certificate");
  }
  return pair;
}

class CspKey final : public OpenKey {
 public:
  CspKey(Container container, KeyPair pair, DWORD spec, std::size_t modulus_size)
      : container_(std::move(container)), pair_(std::move(pair)), spec_(spec), modulus_size_(modulus_size) {
    for (std::size_t i = 0; i < kHashes.size(); ++i) hashes_.at(i) = has_hash(container_, kHashes.at(i).algorithm);
  }

  bool can_sign(const SignScheme& scheme) const override {
    if (scheme.algorithm != SignAlgorithm::kRsaPkcs1) return false;
    if (scheme.digest == Digest::kNone) return true;
    return hash_where([&](const HashRow& row) { return row.digest == scheme.digest; }) != nullptr;
  }
  bool can_decrypt(const CipherScheme& scheme) const override {
    if (spec_ != AT_KEYEXCHANGE) return false;
    if (scheme.algorithm == CipherAlgorithm::kRsaPkcs1) return true;
    return scheme.algorithm == CipherAlgorithm::kRsaOaep && scheme.digest == Digest::kSha1 &&
           scheme.mgf1 == Digest::kSha1 && scheme.label.empty();
  }
  bool can_derive() const override { return false; }
  bool signs_any_data() const override { return false; }

  Result<std::size_t> sign(const SignScheme& scheme, ByteView input, std::span<std::uint8_t> out) override {
    const HashRow* row = nullptr;
    DWORD flags = 0;
    if (scheme.digest != Digest::kNone) {
      row = hash_where([&](const HashRow& known) { return known.digest == scheme.digest; });
    } else if (const auto info = parse_digest_info(input)) {
      row = hash_where([&](const HashRow& known) { return known.digest == info->digest && known.md5 == info->md5; });
      input = info->value;
    } else {
      // The provider pads nothing but a hash: what has one's length will do, as TLS 1.1's 36 bytes have.
      row = hash_where([&](const HashRow& known) { return known.size == input.size(); });
      flags = CRYPT_NOHASHOID;
    }
    if (row == nullptr) {
      return fail(
          ErrorCode::kInvalidArgument,
          "the private key's provider signs SHA-1, SHA-256, SHA-384 and SHA-512 digests only: sign one of those");
    }
    if (input.size() != row->size)
      return fail(ErrorCode::kInvalidArgument, "the digest has not its algorithm's length");
    const Hash hash(container_.get(), row->algorithm);
    if (hash.get() == 0 || CryptSetHashParam(hash.get(), HP_HASHVAL, input.data(), 0) == 0) {
      return tl::unexpected(last_error());
    }
    auto length = static_cast<DWORD>(out.size());
    if (CryptSignHashW(hash.get(), spec_, nullptr, flags, out.data(), &length) == 0) {
      return tl::unexpected(last_error());
    }
    std::reverse(out.begin(), out.begin() + length);
    return length;
  }

  Result<SecureBytes> decrypt(const CipherScheme& scheme, ByteView ciphertext) override {
    if (ciphertext.size() != modulus_size_) {
      return fail(ErrorCode::kDecryptionFailed, "the data was not encrypted for this key");
    }
    SecureBytes data(ciphertext.rbegin(), ciphertext.rend());
    auto length = static_cast<DWORD>(data.size());
    const DWORD flags = scheme.algorithm == CipherAlgorithm::kRsaOaep ? CRYPT_OAEP : 0;
    if (CryptDecrypt(pair_.get(), 0, TRUE, flags, data.data(), &length) == 0) {
      return tl::unexpected(decryption_error(GetLastError()));
    }
    data.resize(length);
    return data;
  }

  Result<SecureBytes> derive(ByteView /*peer*/) override {
    return fail(ErrorCode::kUnsupported, "a key of this type cannot derive");
  }

 private:
  template <typename Predicate>
  const HashRow* hash_where(Predicate predicate) const {
    for (std::size_t i = 0; i < kHashes.size(); ++i) {
      if (hashes_.at(i) && predicate(kHashes.at(i))) return &kHashes.at(i);
    }
    return nullptr;
  }

  const Container container_;  // closed after the key pair
  const KeyPair pair_;
  const DWORD spec_;
  const std::size_t modulus_size_;
  std::array<bool, kHashes.size()> hashes_{};
};

}  // namespace

Result<std::unique_ptr<OpenKey>> open_csp_key(const KeyPlace& place, const PublicKey& public_key, bool prompt) {
  auto container = acquire(place, to_utf16(place.provider).c_str(), place.provider_type, prompt);
  if (!container) return fail(container);
  DWORD spec = place.key_spec == AT_SIGNATURE ? AT_SIGNATURE : AT_KEYEXCHANGE;
  auto pair = key_pair(*container, spec, public_key);
  if (!pair && place.key_spec != spec) {  // the certificate does not say which of the container's two keys it is
    spec = AT_SIGNATURE;
    if (auto other = key_pair(*container, spec, public_key)) pair = std::move(other);
  }
  if (!pair) return fail(pair);
  if (!has_hash(*container, CALG_SHA_256)) {
    // An old provider does not know SHA-2; Microsoft's newer one opens the same containers.
    if (auto newer = acquire(place, MS_ENH_RSA_AES_PROV_W, PROV_RSA_AES, prompt)) {
      if (auto same = key_pair(*newer, spec, public_key)) {
        pair = std::move(same);  // before its container goes
        container = std::move(newer);
      }
    }
  }
  return std::make_unique<CspKey>(*std::move(container), *std::move(pair), spec, public_key.field_size());
}

}  // namespace devtrust
