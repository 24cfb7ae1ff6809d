#include "backends/nss/pbe.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "backends/nss/database.h"
#include "identity/der.h"
#include "identity/openssl.h"
#include "tests/support/pki.h"

namespace devtrust {
namespace {

using testing::must_run;
using testing::NssDatabase;
using testing::TempDir;

class PbeTest : public ::testing::Test {
 protected:
  static NssRows rows(const NssDatabase& database) {
    auto read = read_nss_database(database.folder().string());
    if (!read) throw std::runtime_error(read.error().message);
    return *std::move(read);
  }
  TempDir folder_;
};

TEST_F(PbeTest, ReadsNsssOwnPasswordCheck) {
  for (const char* password : {"", "secret"}) {
    const NssDatabase database(folder_ / (std::string("db") + password), password);
    const NssRows read = rows(database);
    const auto hash = hash_nss_password(read.global_salt, password);
    ASSERT_TRUE(hash);
    const auto check = decrypt_nss_value(read.password_check, *hash);
    ASSERT_TRUE(check) << check.error().message;
    EXPECT_EQ(as_text(*check), "password-check");
    const auto other = hash_nss_password(read.global_salt, "other");
    const auto wrong = decrypt_nss_value(read.password_check, *other);
    EXPECT_TRUE(!wrong || as_text(*wrong) != "password-check");
  }
}

TEST_F(PbeTest, DamagedValuesAreRefused) {
  const NssDatabase database(folder_ / "db");
  const NssRows read = rows(database);
  const auto hash = hash_nss_password(read.global_salt, "");
  for (std::size_t cut = 0; cut < read.password_check.size(); ++cut) {
    EXPECT_FALSE(decrypt_nss_value(ByteView(read.password_check).first(cut), *hash)) << cut;
  }
  for (std::size_t i = 0; i < read.password_check.size(); ++i) {
    Bytes changed = read.password_check;
    changed[i] ^= 0x40U;
    const auto value = decrypt_nss_value(changed, *hash);
    if (value) {
      EXPECT_NE(as_text(*value), "") << i;  // it may decrypt to something else, never crash
    }
  }
}

/// The older form of a value, by libcrypto's pieces in the order that NSS's documents give.
std::string triple_des_script() {
  return "import hashlib, hmac, os, subprocess, sys\n"
         "salt, password, plain = bytes.fromhex(sys.argv[1]), sys.argv[2].encode(), bytes.fromhex(sys.argv[3])\n"
         "es = os.urandom(20)\n"
         "hp = hashlib.sha1(salt + password).digest()\n"
         "chp = hashlib.sha1(hp + es).digest()\n"
         "mac = lambda data: hmac.new(chp, data, hashlib.sha1).digest()\n"
         "k = mac(es + es) + mac(mac(es) + es)\n"
         "cipher = subprocess.run(['openssl', 'enc', '-des-ede3-cbc', '-K', k[:24].hex(), '-iv', k[-8:].hex()],\n"
         "                        input=plain, capture_output=True, check=True).stdout\n"
         "tlv = lambda tag, value: bytes([tag, len(value)]) + value\n"
         "oid = bytes.fromhex('060b2a864886f70d010c050103')\n"
         "print(tlv(0x30, tlv(0x30, oid + tlv(0x30, tlv(4, es) + bytes([2, 1, 1]))) + tlv(4, cipher)).hex())\n";
}

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i])) != 0; i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

TEST_F(PbeTest, OlderTripleDesFormIsReadAsNssReadsIt) {
  // NSS is the judge: it accepts the password of a database whose check was written in the older form by this script,
  // and we decrypt the same bytes.
  testing::Pki pki(folder_ / "pki", "ec:P-256");
  for (const char* password : {"", "old secret"}) {
    NssDatabase database(folder_ / (std::string("db") + std::to_string(*password)), password);
    testing::LeafOptions options;
    options.key = "ec:P-256";
    database.import(pki.issue(options));
    const std::string salt = to_hex(rows(database).global_salt);
    const std::string check =
        must_run({"/usr/bin/python3", "-c", triple_des_script(), salt, password, to_hex(as_bytes("password-check"))});
    const Bytes value = from_hex(check);
    const std::string replace_check =
        "import sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1])\n"
        "db.execute(\"UPDATE metaData SET item2 = ? WHERE id = 'password'\", (bytes.fromhex(sys.argv[2]),))\n"
        "db.commit()\n";
    must_run({"/usr/bin/python3", "-c", replace_check, (database.folder() / "key4.db").string(), to_hex(value)});
    const std::string listed = database.certutil({"-K"});  // ends with an error where the password is not accepted
    const NssRows read = rows(database);
    const auto ours = decrypt_nss_value(read.password_check, *hash_nss_password(read.global_salt, password));
    ASSERT_TRUE(ours) << ours.error().message;
    EXPECT_EQ(as_text(*ours), "password-check");
  }
}

TEST_F(PbeTest, IterationsAreCapped) {
  // PBES2 with 2^40 iterations: an error, not a day's work.
  const auto tlv = [](std::uint8_t tag, const Bytes& content) { return der_encode(tag, content); };
  const auto join = [](std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  const Bytes salt = tlv(0x04, Bytes(32, 1));
  const Bytes kdf =
      tlv(0x30, join({from_hex("06092a864886f70d01050c"), tlv(0x30, join({salt, from_hex("0206010000000000")}))}));
  const Bytes cipher = tlv(0x30, join({from_hex("060960864801650304012a"), tlv(0x04, Bytes(14, 2))}));
  const Bytes algorithm = tlv(0x30, join({from_hex("06092a864886f70d01050d"), tlv(0x30, join({kdf, cipher}))}));
  const Bytes value = tlv(0x30, join({algorithm, tlv(0x04, Bytes(16, 3))}));
  const auto result = decrypt_nss_value(value, SecureBytes(20));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace devtrust
