#include "identity/curve.h"

#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <array>

#include "identity/der.h"

namespace devtrust {
namespace {

constexpr std::array<std::uint8_t, 10> kP256{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
constexpr std::array<std::uint8_t, 7> kP384{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22};
constexpr std::array<std::uint8_t, 7> kP521{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23};
constexpr std::array<std::uint8_t, 5> kEd25519{0x06, 0x03, 0x2B, 0x65, 0x70};
constexpr std::array<std::uint8_t, 5> kEd448{0x06, 0x03, 0x2B, 0x65, 0x71};
// What NSS writes for Ed25519, from before RFC 8410.
constexpr std::array<std::uint8_t, 11> kEd25519Nss{0x06, 0x09, 0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01};

const std::array<Curve, 5> kCurves{{
    {KeyType::kEc, "P-256", "EC", nullptr, kP256, 256, 32, NID_X9_62_prime256v1},
    {KeyType::kEc, "P-384", "EC", nullptr, kP384, 384, 48, NID_secp384r1},
    {KeyType::kEc, "P-521", "EC", nullptr, kP521, 521, 66, NID_secp521r1},
    {KeyType::kEd25519, nullptr, "ED25519", "edwards25519", kEd25519, 255, 32, NID_ED25519},
    {KeyType::kEd448, nullptr, "ED448", "edwards448", kEd448, 448, 57, NID_ED448},
}};

}  // namespace

const Curve* find_curve(ByteView params) {
  if (equal(params, kEd25519Nss)) return &edwards_curve(KeyType::kEd25519);
  const auto name = der_single(params, der::kPrintableString);
  for (const Curve& curve : kCurves) {
    if (equal(params, curve.oid)) return &curve;
    if (name && curve.printable_name != nullptr && as_text(name->content) == curve.printable_name) return &curve;
  }
  return nullptr;
}

const Curve* find_curve(const char* group) {
  const int nid = EC_curve_nist2nid(group);
  for (const Curve& curve : kCurves) {
    if (curve.group == nullptr) continue;
    if (nid == curve.nid || as_text(as_bytes(group)) == OSSL_EC_curve_nid2name(curve.nid)) return &curve;
  }
  return nullptr;
}

const Curve& edwards_curve(KeyType type) { return type == KeyType::kEd448 ? kCurves[4] : kCurves[3]; }

}  // namespace devtrust
