// Random sequences of PKCS#11 calls on a token with an RSA, an EC and an Ed25519 identity. The caller may be wrong in
// every way that the specification lets a caller be wrong: NULLs, handles, lengths, order, parameters; what a pointer
// points to is always as long as it says.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "pkcs11/cryptoki.h"
#include "pkcs11/trace_call.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/store_reader.h"
#include "tests/support/pki.h"

namespace devtrust::fuzz {
namespace {

/// The init string of a token whose store was made by openssl.
const std::string& init_string() {
  static const std::string text = [] {
    const std::filesystem::path& folder = scratch();
    testing::Pki pki(folder / "pki", "ec:P-256");
    std::string config = "[[profile]]\nname = \"jumpcloud\"\nshow = \"all\"\n";
    for (const char* key : {"rsa:2048", "ec:P-256", "ed25519"}) {
      const testing::Leaf leaf = pki.issue(
          {.key = key, .common_name = std::string("JumpCloud Device Trust Certificate – ") + key[0] + key[1]});
      std::string pem = testing::read_file(leaf.certificate);
      for (const auto& issuer : leaf.issuers) pem += testing::read_file(issuer);
      const auto path = std::filesystem::path(leaf.certificate).replace_extension(".chain");
      overwrite(path, as_bytes(pem));
      config +=
          "[[store]]\nkind = \"file\"\npath = \"" + path.string() + "\"\nkey_path = \"" + leaf.key.string() + "\"\n";
    }
    overwrite(folder / "config.toml", as_bytes(config));
    return "config=" + (folder / "config.toml").string();
  }();
  return text;
}

CK_RV checked(const char* function, CK_RV rv) {
  switch (rv) {
    case CKR_GENERAL_ERROR:
    case CKR_HOST_MEMORY:
    case CKR_FUNCTION_FAILED:
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_MEMORY:
      std::fprintf(stderr, "%s answers %s, and nothing is broken here\n", function, pkcs11::rv_name(rv).c_str());
      std::abort();
    default:
      return rv;
  }
}
#define CALL(function, ...) checked(#function, function(__VA_ARGS__))

constexpr auto kMechanisms = std::to_array<CK_MECHANISM_TYPE>({
    CKM_RSA_PKCS,
    CKM_RSA_X_509,
    CKM_SHA1_RSA_PKCS,
    CKM_RSA_PKCS_OAEP,
    CKM_RSA_PKCS_PSS,
    CKM_SHA1_RSA_PKCS_PSS,
    CKM_SHA256_RSA_PKCS,
    CKM_SHA512_RSA_PKCS,
    CKM_SHA256_RSA_PKCS_PSS,
    CKM_SHA384_RSA_PKCS_PSS,
    CKM_SHA_1,
    CKM_SHA256,
    CKM_SHA384,
    CKM_SHA512,
    CKM_ECDSA,
    CKM_ECDSA_SHA1,
    CKM_ECDSA_SHA256,
    CKM_ECDSA_SHA512,
    CKM_ECDH1_DERIVE,
    CKM_ECDH1_COFACTOR_DERIVE,
    CKM_EDDSA,
    CKM_AES_CBC,
    CKM_RSA_PKCS_KEY_PAIR_GEN,
    CKM_MD5,
});

constexpr auto kAttributes = std::to_array<CK_ATTRIBUTE_TYPE>({
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_LABEL,
    CKA_UNIQUE_ID,
    CKA_VALUE,
    CKA_CERTIFICATE_TYPE,
    CKA_ISSUER,
    CKA_SERIAL_NUMBER,
    CKA_TRUSTED,
    CKA_CERTIFICATE_CATEGORY,
    CKA_CHECK_VALUE,
    CKA_KEY_TYPE,
    CKA_SUBJECT,
    CKA_ID,
    CKA_SENSITIVE,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_SIGN,
    CKA_SIGN_RECOVER,
    CKA_VERIFY,
    CKA_DERIVE,
    CKA_START_DATE,
    CKA_MODULUS,
    CKA_MODULUS_BITS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PUBLIC_KEY_INFO,
    CKA_VALUE_LEN,
    CKA_EXTRACTABLE,
    CKA_LOCAL,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_ALWAYS_AUTHENTICATE,
    CKA_ALLOWED_MECHANISMS,
    CKA_PROFILE_ID,
    CKA_MODIFIABLE,
    CKA_COPYABLE,
    CKA_DESTROYABLE,
    0x80000001UL,
});

/// One run: the handles that it has seen, and memory that is as long as it says, so that a step beyond it is found.
class Caller {
 public:
  explicit Caller(Input input) : input_(input) {}
  ~Caller() { C_Finalize(nullptr); }

  void run() {
    initialize();
    for (int calls = 0; calls < 100 && !input_.empty(); ++calls) {
      kept_.clear();
      call(input_.octet());
    }
  }

 private:
  void initialize() {
    CK_C_INITIALIZE_ARGS arguments{};
    arguments.flags = CKF_OS_LOCKING_OK;
    std::string text = init_string();
    arguments.pReserved = text.data();
    if (C_Initialize(&arguments) != CKR_OK) return;
    slot_ = 0;
    CK_ULONG count = 1;
    if (C_GetSlotList(CK_TRUE, &slot_, &count) != CKR_OK) std::abort();
    open(CKF_SERIAL_SESSION);
    open(CKF_SERIAL_SESSION | CKF_RW_SESSION);
    std::array<CK_OBJECT_HANDLE, 64> found{};
    count = 0;
    if (C_FindObjectsInit(sessions_.front(), nullptr, 0) != CKR_OK ||
        C_FindObjects(sessions_.front(), found.data(), found.size(), &count) != CKR_OK || count < 9) {
      std::abort();
    }
    C_FindObjectsFinal(sessions_.front());
    objects_.assign(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count));
    pairs_.clear();
    for (const CK_OBJECT_HANDLE one : objects_) {
      for (const CK_OBJECT_HANDLE other : objects_) {
        if (is(one, CKO_PRIVATE_KEY) && is(other, CKO_PUBLIC_KEY) && id(one) == id(other)) {
          pairs_.emplace_back(one, other);
        }
      }
    }
    if (pairs_.size() != 3) std::abort();
  }

  void open(CK_FLAGS flags) {
    CK_SESSION_HANDLE session = 0;
    if (CALL(C_OpenSession, slot_, flags, nullptr, nullptr, &session) != CKR_OK) return;
    if (sessions_.size() < 8) {
      sessions_.push_back(session);
    } else {
      sessions_[input_.octet() % sessions_.size()] = session;
    }
  }

  bool is(CK_OBJECT_HANDLE object, CK_OBJECT_CLASS wanted) {
    CK_OBJECT_CLASS value = 0;
    CK_ATTRIBUTE attribute{CKA_CLASS, &value, sizeof value};
    return C_GetAttributeValue(sessions_.front(), object, &attribute, 1) == CKR_OK && value == wanted;
  }
  Bytes id(CK_OBJECT_HANDLE object) {
    Bytes value(64);
    CK_ATTRIBUTE attribute{CKA_ID, value.data(), value.size()};
    if (C_GetAttributeValue(sessions_.front(), object, &attribute, 1) != CKR_OK) return {};
    value.resize(attribute.ulValueLen);
    return value;
  }

  // What a call is given

  CK_SESSION_HANDLE session() {
    const std::uint8_t choice = input_.octet();
    if (choice >= 0xF0 || sessions_.empty()) return choice - 0xF0UL;
    return sessions_[choice % sessions_.size()];
  }
  CK_OBJECT_HANDLE object() {
    const std::uint8_t choice = input_.octet();
    if (choice >= 0xF0 || objects_.empty()) return choice - 0xF0UL;
    return objects_[choice % objects_.size()];
  }
  CK_SLOT_ID slot() {
    const std::uint8_t choice = input_.octet();
    return choice >= 0xF0 ? choice : slot_;
  }
  /// Memory of exactly this size for the time of a call.
  CK_BYTE* memory(std::size_t size) {
    kept_.push_back(std::make_unique<CK_BYTE[]>(size));
    return kept_.back().get();
  }
  CK_BYTE* copy(ByteView bytes) {
    CK_BYTE* place = memory(bytes.size());
    std::ranges::copy(bytes, place);
    return place;
  }
  struct Given {
    CK_BYTE* data = nullptr;
    CK_ULONG length = 0;
  };
  Given given() {
    const std::uint8_t choice = input_.octet();
    if (choice == 0xFF) return {nullptr, 0};
    if (choice == 0xFE) return {nullptr, input_.number(2)};
    static constexpr auto kSizes = std::to_array<std::size_t>({20, 28, 32, 48, 64, 66, 96, 132, 245, 256, 257, 4000});
    if (choice >= 0xC0) {  // as long as a digest, a block or a signature is
      const std::size_t size = input_.pick(kSizes);
      CK_BYTE* place = memory(size);
      std::memset(place, input_.octet(), size);
      return {place, size};
    }
    if (choice >= 0xA0) return {copy(last_output_), last_output_.size()};
    const ByteView bytes = input_.bytes(choice);
    return {copy(bytes), bytes.size()};
  }
  struct Room {
    CK_BYTE* data = nullptr;
    CK_ULONG length = 0;
    CK_ULONG size = 0;
    bool without_length = false;
    CK_ULONG* length_pointer() { return without_length ? nullptr : &length; }
  };
  Room room() {
    static constexpr auto kSizes = std::to_array<std::size_t>({256, 256, 256, 1024, 64, 63, 32, 1, 0});
    const std::uint8_t choice = input_.octet();
    if (choice == 0xFF) return {memory(64), 64, 64, true};
    if (choice >= 0xE0) return {nullptr, choice, 0, false};
    const std::size_t size = kSizes[choice % kSizes.size()];
    return {memory(size), size, size, false};
  }
  void output(CK_RV rv, const Room& room) {
    if (room.without_length) return;
    if (rv == CKR_OK && room.data != nullptr) {
      if (room.length > room.size) std::abort();
      last_output_.assign(room.data, room.data + room.length);
    }
    if (rv == CKR_BUFFER_TOO_SMALL && room.length <= room.size) std::abort();
  }

  template <typename T>
  CK_MECHANISM with(CK_MECHANISM_TYPE type, const T& parameter) {
    return {type, copy({reinterpret_cast<const std::uint8_t*>(&parameter), sizeof parameter}), sizeof parameter};
  }
  CK_MECHANISM mechanism() {
    const CK_MECHANISM_TYPE type = input_.pick(kMechanisms);
    const std::uint8_t choice = input_.octet();
    static constexpr auto kHashes =
        std::to_array<CK_MECHANISM_TYPE>({CKM_SHA256, CKM_SHA_1, CKM_SHA224, CKM_SHA384, CKM_SHA512, CKM_MD5});
    static constexpr auto kMgfs = std::to_array<CK_RSA_PKCS_MGF_TYPE>(
        {CKG_MGF1_SHA256, CKG_MGF1_SHA1, CKG_MGF1_SHA224, CKG_MGF1_SHA384, CKG_MGF1_SHA512, 9});
    switch (choice % 8) {
      case 0:
      case 1:
        return {type, nullptr, 0};
      case 2:
        return with(type, CK_RSA_PKCS_PSS_PARAMS{input_.pick(kHashes), input_.pick(kMgfs), input_.number(1)});
      case 3: {
        const Given label = given();
        return with(type, CK_RSA_PKCS_OAEP_PARAMS{input_.pick(kHashes), input_.pick(kMgfs), input_.number(1) % 3,
                                                  label.data, label.length});
      }
      case 4: {
        const Given shared = given();
        Given point = given();
        if (choice >= 0x80) point = {copy(own_point()), own_point().size()};
        return with(
            type, CK_ECDH1_DERIVE_PARAMS{input_.number(1) % 10, shared.length, shared.data, point.length, point.data});
      }
      case 5: {
        const Given context = given();
        return with(type, pkcs11::EddsaParams{input_.octet(), context.length, context.data});
      }
      case 6: {  // shorter than any parameter that holds a pointer
        const ByteView bytes = input_.bytes(input_.octet() % sizeof(pkcs11::EddsaParams));
        return {type, copy(bytes), bytes.size()};
      }
      default:
        return {type, nullptr, input_.octet()};
    }
  }
  const Bytes& own_point() {
    if (!point_.empty() || sessions_.empty()) return point_;
    for (const auto& [private_key, public_key] : pairs_) {
      point_.resize(200);
      CK_ATTRIBUTE attribute{CKA_EC_POINT, point_.data(), point_.size()};
      const CK_RV rv = C_GetAttributeValue(sessions_.front(), public_key, &attribute, 1);
      point_.resize(rv == CKR_OK ? attribute.ulValueLen : 0);
      if (point_.size() >= 65) break;
    }
    return point_;
  }

  std::vector<CK_ATTRIBUTE> attributes() {
    std::vector<CK_ATTRIBUTE> list(input_.octet() % 6);
    for (CK_ATTRIBUTE& attribute : list) {
      attribute.type = input_.pick(kAttributes);
      const std::uint8_t choice = input_.octet();
      static constexpr auto kNumbers = std::to_array<CK_ULONG>(
          {CKO_CERTIFICATE, CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKO_PROFILE, 0, 16, 32, ~0UL});
      if (choice < 0x40) {
        const CK_ULONG value = input_.pick(kNumbers);
        attribute.pValue = copy({reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
        attribute.ulValueLen = sizeof value;
      } else if (choice < 0x80) {
        attribute.pValue = memory(1);
        *static_cast<CK_BYTE*>(attribute.pValue) = choice & 1U;
        attribute.ulValueLen = 1;
      } else {
        const Room place = room();
        attribute.pValue = place.data;
        attribute.ulValueLen = place.length;
      }
    }
    return list;
  }

  /// A signature must verify with the key's other half; whatever is encrypted must come back.
  void round_trip() {
    if (pairs_.empty() || sessions_.empty()) return;
    const auto& [private_key, public_key] = pairs_[input_.octet() % pairs_.size()];
    const CK_SESSION_HANDLE handle = sessions_.front();
    CK_MECHANISM how = mechanism();
    const Given data = given();
    std::array<CK_BYTE, 512> out{};
    CK_ULONG length = out.size();
    if (input_.octet() % 2 == 0) {
      C_SignInit(handle, nullptr, 0);
      C_VerifyInit(handle, nullptr, 0);
      if (CALL(C_SignInit, handle, &how, private_key) != CKR_OK) return;
      if (CALL(C_Sign, handle, data.data, data.length, out.data(), &length) != CKR_OK) return;
      if (CALL(C_VerifyInit, handle, &how, public_key) != CKR_OK) return;
      if (CALL(C_Verify, handle, data.data, data.length, out.data(), length) != CKR_OK) std::abort();
      return;
    }
    C_EncryptInit(handle, nullptr, 0);
    C_DecryptInit(handle, nullptr, 0);
    if (CALL(C_EncryptInit, handle, &how, public_key) != CKR_OK) return;
    if (CALL(C_Encrypt, handle, data.data, data.length, out.data(), &length) != CKR_OK) return;
    std::array<CK_BYTE, 512> back{};
    CK_ULONG size = back.size();
    if (CALL(C_DecryptInit, handle, &how, private_key) != CKR_OK) return;
    if (CALL(C_Decrypt, handle, out.data(), length, back.data(), &size) != CKR_OK) std::abort();
    if (size < data.length || !equal({back.data() + (size - data.length), data.length}, {data.data, data.length})) {
      std::abort();
    }
  }

  void call(std::uint8_t number) {
    switch (number % 64) {
      case 0: {
        sessions_.clear();
        objects_.clear();
        pairs_.clear();
        const bool wrong = input_.octet() % 4 == 0;
        CALL(C_Finalize, wrong ? &slot_ : nullptr);
        break;
      }
      case 1:
        initialize();
        break;
      case 2: {
        CK_INFO info{};
        CALL(C_GetInfo, input_.octet() % 4 == 0 ? nullptr : &info);
        break;
      }
      case 3: {
        std::array<CK_SLOT_ID, 4> slots{};
        CK_ULONG count = input_.octet() % (slots.size() + 1);
        auto* list = static_cast<CK_SLOT_ID*>(nullptr);
        if (input_.octet() % 2 == 0) list = slots.data();
        CALL(C_GetSlotList, input_.octet() % 2, list, &count);
        break;
      }
      case 4: {
        CK_SLOT_INFO info{};
        CALL(C_GetSlotInfo, slot(), &info);
        break;
      }
      case 5: {
        CK_TOKEN_INFO info{};
        CALL(C_GetTokenInfo, slot(), &info);
        break;
      }
      case 6: {
        CK_ULONG count = input_.octet();
        auto* list = reinterpret_cast<CK_MECHANISM_TYPE*>(memory(count * sizeof(CK_MECHANISM_TYPE)));
        CALL(C_GetMechanismList, slot(), input_.octet() % 2 == 0 ? nullptr : list, &count);
        break;
      }
      case 7: {
        CK_MECHANISM_INFO info{};
        CALL(C_GetMechanismInfo, slot(), input_.pick(kMechanisms), &info);
        break;
      }
      case 8:
        open(input_.octet() % 8 == 0 ? input_.octet() : CKF_SERIAL_SESSION | (input_.octet() % 2 * CKF_RW_SESSION));
        break;
      case 9:
        CALL(C_CloseSession, session());
        break;
      case 10:
        CALL(C_CloseAllSessions, slot());
        break;
      case 11: {
        CK_SESSION_INFO info{};
        CALL(C_GetSessionInfo, session(), &info);
        break;
      }
      case 12: {
        const Given pin = given();
        CALL(C_Login, session(), input_.octet() % 4, pin.data, pin.length);
        break;
      }
      case 13:
        CALL(C_Logout, session());
        break;
      case 14:
      case 15: {
        auto list = attributes();
        CALL(C_FindObjectsInit, session(), list.data(), list.size());
        break;
      }
      case 16:
      case 17: {
        std::array<CK_OBJECT_HANDLE, 16> found{};
        CK_ULONG count = 0;
        const CK_ULONG most = input_.octet() % (found.size() + 1);
        if (CALL(C_FindObjects, session(), found.data(), most, &count) == CKR_OK && count > most) std::abort();
        break;
      }
      case 18:
        CALL(C_FindObjectsFinal, session());
        break;
      case 19:
      case 20:
      case 21: {
        auto list = attributes();
        CALL(C_GetAttributeValue, session(), object(), list.data(), list.size());
        break;
      }
      case 22: {
        CK_ULONG size = 0;
        CALL(C_GetObjectSize, session(), object(), &size);
        break;
      }
      case 23: {
        auto list = attributes();
        CALL(C_SetAttributeValue, session(), object(), list.data(), list.size());
        break;
      }
      case 24: {
        auto list = attributes();
        CK_OBJECT_HANDLE made = 0;
        CALL(C_CopyObject, session(), object(), list.data(), list.size(), &made);
        break;
      }
      case 25: {
        auto list = attributes();
        CK_OBJECT_HANDLE made = 0;
        CALL(C_CreateObject, session(), list.data(), list.size(), &made);
        break;
      }
      case 26:
        CALL(C_DestroyObject, session(), object());
        break;
      case 27: {
        CK_MECHANISM how = mechanism();
        CALL(C_DigestInit, session(), &how);
        break;
      }
      case 28: {
        const Given data = given();
        Room out = room();
        output(CALL(C_Digest, session(), data.data, data.length, out.data, out.length_pointer()), out);
        break;
      }
      case 29: {
        const Given data = given();
        CALL(C_DigestUpdate, session(), data.data, data.length);
        break;
      }
      case 30:
        CALL(C_DigestKey, session(), object());
        break;
      case 31: {
        Room out = room();
        output(CALL(C_DigestFinal, session(), out.data, out.length_pointer()), out);
        break;
      }
      case 32:
      case 33: {
        CK_MECHANISM how = mechanism();
        CALL(C_SignInit, session(), &how, object());
        break;
      }
      case 34: {
        const Given data = given();
        Room out = room();
        output(CALL(C_Sign, session(), data.data, data.length, out.data, out.length_pointer()), out);
        break;
      }
      case 35: {
        const Given data = given();
        CALL(C_SignUpdate, session(), data.data, data.length);
        break;
      }
      case 36: {
        Room out = room();
        output(CALL(C_SignFinal, session(), out.data, out.length_pointer()), out);
        break;
      }
      case 37: {
        CK_MECHANISM how = mechanism();
        CALL(C_SignRecoverInit, session(), &how, object());
        break;
      }
      case 38: {
        const Given data = given();
        Room out = room();
        output(CALL(C_SignRecover, session(), data.data, data.length, out.data, out.length_pointer()), out);
        break;
      }
      case 39: {
        CK_MECHANISM how = mechanism();
        CALL(C_VerifyInit, session(), &how, object());
        break;
      }
      case 40: {
        const Given data = given();
        const Given signature = given();
        CALL(C_Verify, session(), data.data, data.length, signature.data, signature.length);
        break;
      }
      case 41: {
        const Given data = given();
        CALL(C_VerifyUpdate, session(), data.data, data.length);
        break;
      }
      case 42: {
        const Given signature = given();
        CALL(C_VerifyFinal, session(), signature.data, signature.length);
        break;
      }
      case 43: {
        CK_MECHANISM how = mechanism();
        CALL(C_VerifyRecoverInit, session(), &how, object());
        break;
      }
      case 44: {
        const Given signature = given();
        Room out = room();
        output(CALL(C_VerifyRecover, session(), signature.data, signature.length, out.data, out.length_pointer()), out);
        break;
      }
      case 45: {
        CK_MECHANISM how = mechanism();
        CALL(C_EncryptInit, session(), &how, object());
        break;
      }
      case 46: {
        const Given data = given();
        Room out = room();
        output(CALL(C_Encrypt, session(), data.data, data.length, out.data, out.length_pointer()), out);
        break;
      }
      case 47: {
        const Given data = given();
        Room out = room();
        output(CALL(C_EncryptUpdate, session(), data.data, data.length, out.data, out.length_pointer()), out);
        break;
      }
      case 48: {
        Room out = room();
        output(CALL(C_EncryptFinal, session(), out.data, out.length_pointer()), out);
        break;
      }
      case 49: {
        CK_MECHANISM how = mechanism();
        CALL(C_DecryptInit, session(), &how, object());
        break;
      }
      case 50: {
        const Given data = given();
        Room out = room();
        output(CALL(C_Decrypt, session(), data.data, data.length, out.data, out.length_pointer()), out);
        break;
      }
      case 51: {
        const Given data = given();
        Room out = room();
        output(CALL(C_DecryptUpdate, session(), data.data, data.length, out.data, out.length_pointer()), out);
        break;
      }
      case 52: {
        Room out = room();
        output(CALL(C_DecryptFinal, session(), out.data, out.length_pointer()), out);
        break;
      }
      case 53: {
        CK_MECHANISM how = mechanism();
        auto list = attributes();
        CK_OBJECT_HANDLE made = 0;
        const CK_OBJECT_HANDLE base = object();
        if (CALL(C_DeriveKey, session(), &how, base, list.data(), list.size(), &made) == CKR_OK &&
            objects_.size() < 40) {
          objects_.push_back(made);
        }
        break;
      }
      case 54: {
        const Room out = room();
        CALL(C_GenerateRandom, session(), out.data, out.length);
        break;
      }
      case 55: {
        const Given seed = given();
        CALL(C_SeedRandom, session(), seed.data, seed.length);
        break;
      }
      case 56:
        CALL(C_SessionCancel, session(), input_.number(3));
        break;
      case 57: {
        CK_SLOT_ID raised = 0;
        CALL(C_WaitForSlotEvent, CKF_DONT_BLOCK, &raised, nullptr);
        break;
      }
      case 58: {
        Room out = room();
        output(CALL(C_GetOperationState, session(), out.data, out.length_pointer()), out);
        break;
      }
      case 59: {
        const Given pin = given();
        const Given name = given();
        CALL(C_LoginUser, session(), input_.octet() % 4, pin.data, pin.length, name.data, name.length);
        break;
      }
      case 60: {
        CK_MECHANISM how = mechanism();
        CALL(C_MessageSignInit, session(), &how, object());
        break;
      }
      case 61:
        CALL(C_SignInit, session(), nullptr, object());
        break;
      default:
        round_trip();
        break;
    }
  }

  Input input_;
  CK_SLOT_ID slot_ = 0;
  std::vector<CK_SESSION_HANDLE> sessions_;
  std::vector<CK_OBJECT_HANDLE> objects_;
  std::vector<std::pair<CK_OBJECT_HANDLE, CK_OBJECT_HANDLE>> pairs_;
  std::vector<std::unique_ptr<CK_BYTE[]>> kept_;
  Bytes point_, last_output_;
};

}  // namespace
}  // namespace devtrust::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  devtrust::fuzz::Caller(devtrust::fuzz::Input(data, size)).run();
  return 0;
}
