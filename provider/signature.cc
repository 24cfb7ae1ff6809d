// Signatures: provider-signature(7). What a caller sets and asks is kept by a public twin: a verifying context of the
// default provider on the public key, in our own library context, which knows every parameter and its rules. The twin
// verifies; the device's key signs as the twin says.
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include <array>
#include <cstring>

#include "identity/der.h"
#include "provider/digest.h"
#include "provider/key.h"
#include "provider/tables.h"

namespace devtrust::provider {
namespace {

constexpr int kPssSaltAutoDigestMax = -4;  // RSA_PSS_SALTLEN_AUTO_DIGEST_MAX, which OpenSSL 3.0 lacks

using SignaturePtr = std::unique_ptr<EVP_SIGNATURE, OpensslDeleter<EVP_SIGNATURE_free>>;

tl::unexpected<Error> refuse(std::string message) { return fail(ErrorCode::kUnsupported, std::move(message)); }

/// The twin is libcrypto's: where it is this process's, too, the reasons are on the caller's queue already.
tl::unexpected<Error> twin_failed(const char* what) {
  return fail(ErrorCode::kInvalidArgument, std::string(what) + ": " + openssl_reason());
}

Result<void> check_length(const EVP_MD& md, ByteView digest) {
  if (static_cast<int>(digest.size()) == EVP_MD_get_size(&md)) return {};
  return fail(ErrorCode::kInvalidArgument,
              "a digest of " + std::to_string(digest.size()) + " bytes is none of " + EVP_MD_get0_name(&md));
}

/// The algorithm's OID and the digest: RFC 8017, section 9.2.
Result<Bytes> digest_info(const EVP_MD& md, ByteView digest) {
  std::array<char, 80> oid{};
  Bytes identifier;
  const ASN1_OBJECT* object = OBJ_nid2obj(EVP_MD_get_type(&md));
  const int length = object != nullptr ? i2d_ASN1_OBJECT(object, nullptr) : 0;
  if (length <= 0 || length > static_cast<int>(oid.size())) {
    return refuse(std::string("RSA signatures over ") + EVP_MD_get0_name(&md) + " have no standard form");
  }
  identifier.resize(static_cast<std::size_t>(length));
  unsigned char* at = identifier.data();
  i2d_ASN1_OBJECT(object, &at);
  const Bytes null = der_encode(der::kNull, {});
  identifier.insert(identifier.end(), null.begin(), null.end());
  Bytes content = der_encode(der::kSequence, identifier);
  const Bytes octets = der_encode(der::kOctetString, digest);
  content.insert(content.end(), octets.begin(), octets.end());
  return der_encode(der::kSequence, content);
}

enum class Purpose : std::uint8_t { kSign, kVerify, kRecover };

class Signature {
 public:
  explicit Signature(Provider& provider) : provider_(provider) {}

  Provider& provider() const { return provider_; }

  /// `key`: null for the one that was there before. `md_name`: null for a plain operation, which takes a digest.
  Result<void> begin(Purpose purpose, Key* key, const char* md_name, const OSSL_PARAM* params) {
    if (key != nullptr) key_ = hold(key);
    if (key_ == nullptr || key_->evp() == nullptr) return fail(ErrorCode::kInvalidArgument, "there is no key");
    if (purpose == Purpose::kSign && key_->private_key() == nullptr) {
      return fail(ErrorCode::kInvalidArgument, "a public key cannot sign");
    }
    purpose_ = purpose;
    digests_ = md_name != nullptr;
    twin_.reset();
    twin_digest_.reset();
    md_.reset();
    const bool edwards = is_edwards();
    if (digests_) {
      if (*md_name == '\0' && !edwards) md_name = "SHA2-256";
      if (*md_name != '\0') {
        if (edwards) return refuse("Ed25519 and Ed448 sign a message, not a digest");
        md_ = find_md(md_name);
        if (md_ == nullptr) return refuse(std::string("the digest ") + md_name + " is not known here");
      }
      if (purpose == Purpose::kSign && md_ != nullptr) {
        if (digest_ == nullptr) digest_.reset(EVP_MD_CTX_new());
        if (digest_ == nullptr || EVP_DigestInit_ex2(digest_.get(), md_.get(), nullptr) != 1) {
          return twin_failed("the digest cannot begin");
        }
      }
    }
    // A signature without parameters needs none, unless the key itself has some.
    if (purpose != Purpose::kSign || key_->kind() == KeyKind::kRsaPss) {
      if (auto made = make_twin(); !made) return made;
    }
    return set(params);
  }

  Result<void> set(const OSSL_PARAM* params) {
    if (params == nullptr || params->key == nullptr) return {};
    if (purpose_ == Purpose::kSign) {
      if (auto possible = check_for_signing(params); !possible) return possible;
    }
    if (auto made = make_twin(); !made) return made;
    if (EVP_PKEY_CTX_set_params(twin(), params) <= 0) return twin_failed("the parameters do not fit the key");
    return {};
  }
  Result<void> get(OSSL_PARAM* params) {
    if (params == nullptr || params->key == nullptr) return {};
    if (auto made = make_twin(); !made) return made;
    if (EVP_PKEY_CTX_get_params(twin(), params) <= 0) return twin_failed("the parameters cannot be read");
    return {};
  }
  EVP_MD_CTX* digest_context() const { return twin_digest_ ? twin_digest_.get() : digest_.get(); }
  const EVP_MD* md() const { return md_.get(); }

  /// Bytes of the longest signature.
  std::size_t max_size() const { return static_cast<std::size_t>(EVP_PKEY_get_size(key_->evp())); }

  /// `input`: a digest, or what the parameters say; for Edwards keys the message.
  Result<std::size_t> sign(ByteView input, std::span<std::uint8_t> out) const {
    if (purpose_ != Purpose::kSign || key_ == nullptr) {
      return fail(ErrorCode::kInvalidArgument, "the operation was not begun to sign");
    }
    if (out.size() < max_size()) {
      return fail(ErrorCode::kInvalidArgument, "there is room for " + std::to_string(out.size()) +
                                                   " of a signature's " + std::to_string(max_size()) + " bytes");
    }
    auto plan = plan_signature(input);
    if (!plan) return fail(plan);
    Bytes wrapped;
    if (plan->digest_info) {
      auto made = digest_info(*plan->digest_info, input);
      if (!made) return fail(made);
      wrapped = *std::move(made);
      input = wrapped;
    }
    const auto key = key_->use("sign", plan->name);
    if (!key) return fail(key);
    return (*key)->sign(plan->scheme, input, out);
  }

  Result<void> update(ByteView data) {
    const bool taken = purpose_ == Purpose::kSign
                           ? digest_ != nullptr && EVP_DigestUpdate(digest_.get(), data.data(), data.size()) == 1
                           : EVP_DigestVerifyUpdate(twin_digest_.get(), data.data(), data.size()) == 1;
    return taken ? Result<void>() : twin_failed("the data cannot be digested");
  }
  Result<std::size_t> sign_final(std::span<std::uint8_t> out) {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (digest_ == nullptr || EVP_DigestFinal_ex(digest_.get(), digest.data(), &length) != 1) {
      return twin_failed("the digest cannot end");
    }
    return sign(ByteView(digest).first(length), out);
  }
  Result<std::size_t> sign_message(ByteView message, std::span<std::uint8_t> out) {
    if (is_edwards()) return sign(message, out);
    if (auto taken = update(message); !taken) return fail(taken);
    return sign_final(out);
  }

  bool verify(ByteView input, ByteView signature) const {
    return EVP_PKEY_verify(twin_.get(), signature.data(), signature.size(), input.data(), input.size()) == 1;
  }
  bool verify_final(ByteView signature) const {
    return EVP_DigestVerifyFinal(twin_digest_.get(), signature.data(), signature.size()) == 1;
  }
  bool verify_message(ByteView message, ByteView signature) const {
    return EVP_DigestVerify(twin_digest_.get(), signature.data(), signature.size(), message.data(), message.size()) ==
           1;
  }
  /// As EVP_PKEY_verify_recover.
  bool recover(std::uint8_t* out, std::size_t* length, ByteView signature) const {
    return EVP_PKEY_verify_recover(twin_.get(), out, length, signature.data(), signature.size()) == 1;
  }

  std::unique_ptr<Signature> duplicate() const {
    auto copy = std::make_unique<Signature>(provider_);
    copy->key_ = hold(key_.get());
    copy->purpose_ = purpose_;
    copy->digests_ = digests_;
    copy->md_ = md_;
    const auto copied = [](const EvpMdCtxPtr& from, EvpMdCtxPtr& to) {
      if (from == nullptr) return true;
      to.reset(EVP_MD_CTX_new());
      return to != nullptr && EVP_MD_CTX_copy_ex(to.get(), from.get()) == 1;
    };
    if (!copied(digest_, copy->digest_) || !copied(twin_digest_, copy->twin_digest_)) return nullptr;
    if (twin_ != nullptr) copy->twin_.reset(EVP_PKEY_CTX_dup(twin_.get()));
    return twin_ == nullptr || copy->twin_ != nullptr ? std::move(copy) : nullptr;
  }

 private:
  struct Plan {
    SignScheme scheme;
    MdPtr digest_info;  // null: the input is signed as it is
    const char* name = "";
  };

  bool is_edwards() const { return key_->kind() == KeyKind::kEd25519 || key_->kind() == KeyKind::kEd448; }
  EVP_PKEY_CTX* twin() const { return twin_digest_ ? EVP_MD_CTX_get_pkey_ctx(twin_digest_.get()) : twin_.get(); }

  Result<void> make_twin() {
    if (twin() != nullptr) return {};
    bool made = false;
    if (digests_) {
      twin_digest_.reset(EVP_MD_CTX_new());
      const char* name = md_ != nullptr ? EVP_MD_get0_name(md_.get()) : nullptr;
      made = twin_digest_ != nullptr &&
             EVP_DigestVerifyInit_ex(twin_digest_.get(), nullptr, name, libctx(), nullptr, key_->evp(), nullptr) == 1;
    } else {
      twin_.reset(EVP_PKEY_CTX_new_from_pkey(libctx(), key_->evp(), nullptr));
      made = twin_ != nullptr && (purpose_ == Purpose::kRecover ? EVP_PKEY_verify_recover_init(twin_.get())
                                                                : EVP_PKEY_verify_init(twin_.get())) == 1;
    }
    if (made) return {};
    twin_.reset();
    twin_digest_.reset();
    return twin_failed("the key is not for such signatures");
  }

  /// A verifying twin would take these, and the key would sign without them.
  Result<void> check_for_signing(const OSSL_PARAM* params) const {
    const OSSL_PARAM* nonce = OSSL_PARAM_locate_const(params, "nonce-type");
    unsigned type = 0;
    if (nonce != nullptr && (OSSL_PARAM_get_uint(nonce, &type) != 1 || type != 0)) {
      return refuse("deterministic nonces are not supported");
    }
    const OSSL_PARAM* context = OSSL_PARAM_locate_const(params, "context-string");
    if (context != nullptr && context->data_size > 0) return refuse("context strings are not supported");
    const OSSL_PARAM* instance = OSSL_PARAM_locate_const(params, "instance");
    const char* name = nullptr;
    if (instance != nullptr && (OSSL_PARAM_get_utf8_string_ptr(instance, &name) != 1 || name == nullptr ||
                                OPENSSL_strcasecmp(name, kind_name(key_->kind())) != 0)) {
      return refuse("only pure Ed25519 and Ed448 are supported");
    }
    return {};
  }

  /// What a plain operation's input is a digest of; null where nobody said.
  MdPtr twin_md() const {
    std::array<char, 50> name{};
    std::array<OSSL_PARAM, 2> params{
        OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, name.data(), name.size()),
        OSSL_PARAM_construct_end()};
    if (twin() == nullptr || EVP_PKEY_CTX_get_params(twin(), params.data()) != 1) return nullptr;
    return name.front() != '\0' ? find_md(name.data()) : nullptr;
  }

  Result<Plan> plan_signature(ByteView input) const {
    switch (key_->kind()) {
      case KeyKind::kEc: {
        const MdPtr md = digests_ ? nullptr : twin_md();
        if (md != nullptr) {
          if (auto fits = check_length(*md, input); !fits) return fail(fits);
        }
        return Plan{{SignAlgorithm::kEcdsa, Digest::kNone, Digest::kNone, 0}, nullptr, "ECDSA"};
      }
      case KeyKind::kEd25519:
        return Plan{{SignAlgorithm::kEddsa, Digest::kNone, Digest::kNone, 0}, nullptr, "ED25519"};
      case KeyKind::kEd448:
        return Plan{{SignAlgorithm::kEddsa, Digest::kNone, Digest::kNone, 0}, nullptr, "ED448"};
      case KeyKind::kRsa:
      case KeyKind::kRsaPss:
        break;
    }
    if (twin() == nullptr) return plan_pkcs1(md_, input);
    int padding = 0;
    int salt = 0;
    std::array<char, 50> mgf1{};
    std::array<OSSL_PARAM, 2> padding_param{OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PAD_MODE, &padding),
                                            OSSL_PARAM_construct_end()};
    if (EVP_PKEY_CTX_get_params(twin(), padding_param.data()) != 1) return twin_failed("the padding cannot be read");
    const MdPtr md = twin_md();
    switch (padding) {
      case RSA_PKCS1_PADDING:
        return plan_pkcs1(md, input);
      case RSA_NO_PADDING:
        return Plan{{SignAlgorithm::kRsaRaw, Digest::kNone, Digest::kNone, 0}, nullptr, "RSA-RAW"};
      case RSA_PKCS1_PSS_PADDING:
        break;
      default:
        return refuse("of RSA's paddings, PKCS#1, PSS and none can be used");
    }
    std::array<OSSL_PARAM, 3> pss_params{
        OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, &salt),
        OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, mgf1.data(), mgf1.size()),
        OSSL_PARAM_construct_end()};
    if (md == nullptr) return fail(ErrorCode::kInvalidArgument, "PSS has to know which digest it is that is signed");
    if (auto fits = check_length(*md, input); !fits) return fail(fits);
    if (EVP_PKEY_CTX_get_params(twin(), pss_params.data()) != 1) {
      return twin_failed("the parameters of PSS cannot be read");
    }
    const MdPtr mgf1_md = mgf1.front() != '\0' ? find_md(mgf1.data()) : md;
    Plan plan{{SignAlgorithm::kRsaPss, digest_of(*md), mgf1_md != nullptr ? digest_of(*mgf1_md) : Digest::kNone, 0},
              nullptr,
              "RSA-PSS"};
    if (plan.scheme.digest == Digest::kNone || plan.scheme.mgf1 == Digest::kNone) {
      return refuse("PSS is supported with SHA-1 and SHA-2");
    }
    const int size = static_cast<int>(digest_size(plan.scheme.digest));
    const int most = (EVP_PKEY_get_bits(key_->evp()) + 6) / 8 - size - 2;
    switch (salt) {
      case RSA_PSS_SALTLEN_DIGEST:
        salt = size;
        break;
      case kPssSaltAutoDigestMax:
        salt = std::min(size, most);
        break;
      case RSA_PSS_SALTLEN_AUTO:
      case RSA_PSS_SALTLEN_MAX:
        salt = most;
        break;
      default:
        break;
    }
    if (salt < 0 || salt > most) return fail(ErrorCode::kInvalidArgument, "the salt does not fit the key's size");
    plan.scheme.salt_length = static_cast<std::uint16_t>(salt);
    return plan;
  }

  static Result<Plan> plan_pkcs1(const MdPtr& md, ByteView input) {
    Plan plan{{SignAlgorithm::kRsaPkcs1, Digest::kNone, Digest::kNone, 0}, nullptr, "RSA-PKCS1"};
    if (md == nullptr) return plan;
    if (auto fits = check_length(*md, input); !fits) return fail(fits);
    if (EVP_MD_is_a(md.get(), "MD5-SHA1") == 1) return plan;  // TLS 1.1 signs that without a DigestInfo
    plan.scheme.digest = digest_of(*md);
    if (plan.scheme.digest == Digest::kNone) plan.digest_info = md;
    return plan;
  }

  Provider& provider_;
  KeyPtr key_;
  Purpose purpose_ = Purpose::kSign;
  bool digests_ = false;
  MdPtr md_;                 // of a digesting operation; null for Edwards keys
  EvpMdCtxPtr digest_;       // what is to be signed
  EvpPkeyCtxPtr twin_;       // of a plain operation
  EvpMdCtxPtr twin_digest_;  // of a digesting one
};

Signature& of(void* signature) { return *static_cast<Signature*>(signature); }
ByteView view(const unsigned char* data, std::size_t size) { return {data, size}; }

void* new_signature(void* context, const char* /*properties*/) {
  auto& provider = *static_cast<Provider*>(context);
  return guarded<void*>(provider, nullptr, [&] { return new Signature(provider); });
}
void free_signature(void* signature) { delete static_cast<Signature*>(signature); }
void* duplicate_signature(void* signature) {
  return guarded<void*>(of(signature).provider(), nullptr, [&] { return of(signature).duplicate().release(); });
}

template <Purpose P>
int plain_init(void* signature, void* key, const OSSL_PARAM* params) {
  Signature& ours = of(signature);
  return guarded(ours.provider(), 0,
                 [&] { return succeeded(ours.provider(), ours.begin(P, static_cast<Key*>(key), nullptr, params)); });
}
template <Purpose P>
int digest_init(void* signature, const char* md, void* key, const OSSL_PARAM* params) {
  Signature& ours = of(signature);
  return guarded(ours.provider(), 0, [&] {
    return succeeded(ours.provider(), ours.begin(P, static_cast<Key*>(key), md != nullptr ? md : "", params));
  });
}

/// `body` gives a signature's length; without a place to put one, the most that it can be is said.
template <typename Body>
int give_signature(Signature& ours, unsigned char* out, std::size_t* length, std::size_t room, const Body& body) {
  return guarded(ours.provider(), 0, [&] {
    if (out == nullptr) {
      *length = ours.max_size();
      return 1;
    }
    const Result<std::size_t> written = body(std::span<std::uint8_t>(out, room));
    if (written) *length = *written;
    return succeeded(ours.provider(), written);
  });
}

int sign(void* signature, unsigned char* out, std::size_t* length, std::size_t room, const unsigned char* input,
         std::size_t input_size) {
  return give_signature(of(signature), out, length, room,
                        [&](auto place) { return of(signature).sign(view(input, input_size), place); });
}
int digest_sign_final(void* signature, unsigned char* out, std::size_t* length, std::size_t room) {
  return give_signature(of(signature), out, length, room, [&](auto place) { return of(signature).sign_final(place); });
}
int digest_sign(void* signature, unsigned char* out, std::size_t* length, std::size_t room, const unsigned char* data,
                std::size_t size) {
  return give_signature(of(signature), out, length, room,
                        [&](auto place) { return of(signature).sign_message(view(data, size), place); });
}
int update(void* signature, const unsigned char* data, std::size_t size) {
  Signature& ours = of(signature);
  return guarded(ours.provider(), 0, [&] { return succeeded(ours.provider(), ours.update(view(data, size))); });
}
int verify(void* signature, const unsigned char* data, std::size_t size, const unsigned char* tbs,
           std::size_t tbs_size) {
  Signature& ours = of(signature);
  return guarded(ours.provider(), 0, [&] { return ours.verify(view(tbs, tbs_size), view(data, size)) ? 1 : 0; });
}
int digest_verify_final(void* signature, const unsigned char* data, std::size_t size) {
  Signature& ours = of(signature);
  return guarded(ours.provider(), 0, [&] { return ours.verify_final(view(data, size)) ? 1 : 0; });
}
int digest_verify(void* signature, const unsigned char* data, std::size_t size, const unsigned char* tbs,
                  std::size_t tbs_size) {
  Signature& ours = of(signature);
  return guarded(ours.provider(), 0,
                 [&] { return ours.verify_message(view(tbs, tbs_size), view(data, size)) ? 1 : 0; });
}
int recover(void* signature, unsigned char* out, std::size_t* length, std::size_t room, const unsigned char* data,
            std::size_t size) {
  Signature& ours = of(signature);
  return guarded(ours.provider(), 0, [&] {
    *length = room;
    return ours.recover(out, length, view(data, size)) ? 1 : 0;
  });
}

int set_params(void* signature, const OSSL_PARAM* params) {
  Signature& ours = of(signature);
  return guarded(ours.provider(), 0, [&] { return succeeded(ours.provider(), ours.set(params)); });
}
int get_params(void* signature, OSSL_PARAM* params) {
  Signature& ours = of(signature);
  return guarded(ours.provider(), 0, [&] { return succeeded(ours.provider(), ours.get(params)); });
}
int get_md_params(void* signature, OSSL_PARAM* params) {
  EVP_MD_CTX* context = of(signature).digest_context();
  return context != nullptr ? EVP_MD_CTX_get_params(context, params) : 0;
}
int set_md_params(void* signature, const OSSL_PARAM* params) {
  EVP_MD_CTX* context = of(signature).digest_context();
  return context != nullptr ? EVP_MD_CTX_set_params(context, params) : 0;
}
const OSSL_PARAM* gettable_md_params(void* signature) {
  const EVP_MD* md = of(signature).md();
  return md != nullptr ? EVP_MD_gettable_ctx_params(md) : nullptr;
}
const OSSL_PARAM* settable_md_params(void* signature) {
  const EVP_MD* md = of(signature).md();
  return md != nullptr ? EVP_MD_settable_ctx_params(md) : nullptr;
}

enum class Family : std::uint8_t { kRsa, kEcdsa, kEd25519, kEd448 };
constexpr std::array<const char*, 4> kFamilyNames{"RSA", "ECDSA", "ED25519", "ED448"};

/// The default provider's list, a constant of its own.
template <Family F, const OSSL_PARAM* (*List)(const EVP_SIGNATURE*)>
const OSSL_PARAM* list_params(void* /*signature*/, void* context) {
  return guarded<const OSSL_PARAM*>(*static_cast<Provider*>(context), nullptr, [&] {
    const LibcryptoUse use;
    const SignaturePtr theirs(EVP_SIGNATURE_fetch(libctx(), kFamilyNames.at(static_cast<std::size_t>(F)), nullptr));
    return theirs != nullptr ? List(theirs.get()) : nullptr;
  });
}

template <Family F>
const OSSL_DISPATCH* functions() {
  static const auto kFunctions = [] {
    constexpr bool kEdwards = F == Family::kEd25519 || F == Family::kEd448;
    std::array<OSSL_DISPATCH, 28> table{
        entry(OSSL_FUNC_SIGNATURE_NEWCTX, new_signature),
        entry(OSSL_FUNC_SIGNATURE_FREECTX, free_signature),
        entry(OSSL_FUNC_SIGNATURE_DUPCTX, duplicate_signature),
        entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, digest_init<Purpose::kSign>),
        entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, digest_sign),
        entry(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, digest_init<Purpose::kVerify>),
        entry(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, digest_verify),
        entry(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, get_params),
        entry(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, list_params<F, EVP_SIGNATURE_gettable_ctx_params>),
        entry(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, set_params),
        entry(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, list_params<F, EVP_SIGNATURE_settable_ctx_params>)};
    std::size_t end = 11;
    const auto add = [&](OSSL_DISPATCH more) { table.at(end++) = more; };
    if (kEdwards) return table;
    add(entry(OSSL_FUNC_SIGNATURE_SIGN_INIT, plain_init<Purpose::kSign>));
    add(entry(OSSL_FUNC_SIGNATURE_SIGN, sign));
    add(entry(OSSL_FUNC_SIGNATURE_VERIFY_INIT, plain_init<Purpose::kVerify>));
    add(entry(OSSL_FUNC_SIGNATURE_VERIFY, verify));
    add(entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, update));
    add(entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, digest_sign_final));
    add(entry(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE, update));
    add(entry(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL, digest_verify_final));
    add(entry(OSSL_FUNC_SIGNATURE_GET_CTX_MD_PARAMS, get_md_params));
    add(entry(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_MD_PARAMS, gettable_md_params));
    add(entry(OSSL_FUNC_SIGNATURE_SET_CTX_MD_PARAMS, set_md_params));
    add(entry(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_MD_PARAMS, settable_md_params));
    if (F != Family::kRsa) return table;
    add(entry(OSSL_FUNC_SIGNATURE_VERIFY_RECOVER_INIT, plain_init<Purpose::kRecover>));
    add(entry(OSSL_FUNC_SIGNATURE_VERIFY_RECOVER, recover));
    return table;
  }();
  return kFunctions.data();
}

constexpr const char* kDescription = "signatures with the key of a device-trust certificate";

}  // namespace

const OSSL_ALGORITHM* signature_algorithms() {
  static const std::array<OSSL_ALGORITHM, 5> kAlgorithms{
      {{kind_names(KeyKind::kRsa), "provider=devtrust", functions<Family::kRsa>(), kDescription},
       {"ECDSA", "provider=devtrust", functions<Family::kEcdsa>(), kDescription},
       {kind_names(KeyKind::kEd25519), "provider=devtrust", functions<Family::kEd25519>(), kDescription},
       {kind_names(KeyKind::kEd448), "provider=devtrust", functions<Family::kEd448>(), kDescription},
       {nullptr, nullptr, nullptr, nullptr}}};
  return kAlgorithms.data();
}

}  // namespace devtrust::provider
