// The loader: what a URI gives, searches, passwords, and what is said where there is nothing.
#include <openssl/pem.h>
#include <openssl/ui.h>

#include "identity/token.h"
#include "tests/provider/fixture.h"
#include "tests/provider/locked_store.h"

namespace devtrust::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kLeaf = "certificate:JumpCloud Device Trust Certificate \xE2\x80\x93 0A1B2C3D";
constexpr const char* kIntermediate = "certificate:device-trust.intermediate";
constexpr const char* kRoot = "certificate:JumpCloud Production Device Identification Root CA";

using UiPtr = std::unique_ptr<UI_METHOD, OpensslDeleter<UI_destroy_method>>;

/// Answers with `password`, and counts how often it is asked.
struct Person {
  std::string password;
  int asked = 0;
};
UiPtr person() {
  UiPtr method(UI_create_method("test"));
  UI_method_set_reader(method.get(), [](UI* ui, UI_STRING* prompt) {
    if (UI_get_string_type(prompt) != UIT_PROMPT && UI_get_string_type(prompt) != UIT_VERIFY) return 1;
    auto* who = static_cast<Person*>(UI_get0_user_data(ui));
    ++who->asked;
    return UI_set_result(ui, prompt, who->password.c_str()) == 0 ? 1 : 0;
  });
  return method;
}

class Store : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(errors(), ""); }

  std::string why_not(const Host& host, const std::string& uri) {
    EXPECT_EQ(host.names(uri), std::vector<std::string>{"error"}) << uri;
    return errors();
  }
  std::vector<std::string> found(const Host& host, OSSL_STORE_SEARCH* search) {
    std::vector<std::string> all;
    OSSL_STORE_CTX* store =
        OSSL_STORE_open_ex("devtrust:", host.context(), nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    EXPECT_EQ(OSSL_STORE_find(store, search), 1) << errors();
    while (OSSL_STORE_eof(store) == 0) {
      OSSL_STORE_INFO* info = OSSL_STORE_load(store);
      if (info != nullptr) all.emplace_back(OSSL_STORE_INFO_type_string(OSSL_STORE_INFO_get_type(info)));
      OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    OSSL_STORE_SEARCH_free(search);
    return all;
  }

  FileStore& store_ = file_store("ec:P-256");
  TempDir folder_;
};

TEST_F(Store, GivesKeyLeafAndChain) {
  const Host host(store_.config());
  EXPECT_THAT(host.names("devtrust:"), ElementsAre("key", kLeaf, kIntermediate, kRoot));
  EXPECT_THAT(host.names("devtrust:jumpcloud"), ElementsAre("key", kLeaf, kIntermediate, kRoot));
  EXPECT_THAT(host.names("devtrust:", OSSL_STORE_INFO_PKEY), ElementsAre("key"));
  EXPECT_THAT(host.names("devtrust:", OSSL_STORE_INFO_CERT), ElementsAre(kLeaf, kIntermediate, kRoot));
  EXPECT_THAT(host.names("devtrust:", OSSL_STORE_INFO_CRL), ElementsAre());
  EXPECT_EQ(host.names("devtrust:", OSSL_STORE_INFO_PUBKEY).size(), 1U);
}

TEST_F(Store, IsSearched) {
  const Host host(store_.config());
  const BioPtr file(BIO_new_file(store_.leaf().certificate.string().c_str(), "r"));
  X509* parsed = X509_new_ex(host.context(), nullptr);
  PEM_read_bio_X509(file.get(), &parsed, nullptr, nullptr);
  const X509Ptr leaf(parsed);
  EXPECT_THAT(found(host, OSSL_STORE_SEARCH_by_name(X509_get_subject_name(parsed))),
              ElementsAre("Pkey", "Certificate"));
  EXPECT_THAT(found(host, OSSL_STORE_SEARCH_by_name(X509_get_issuer_name(parsed))), ElementsAre("Certificate"));
  EXPECT_THAT(
      found(host, OSSL_STORE_SEARCH_by_issuer_serial(X509_get_issuer_name(parsed), X509_get0_serialNumber(parsed))),
      ElementsAre("Pkey", "Certificate"));
  EXPECT_THAT(found(host, OSSL_STORE_SEARCH_by_alias("JumpCloud Device Trust")), ElementsAre("Pkey", "Certificate"));
  EXPECT_THAT(found(host, OSSL_STORE_SEARCH_by_alias("device-trust.intermediate")), ElementsAre("Certificate"));
  EXPECT_THAT(found(host, OSSL_STORE_SEARCH_by_alias("nobody")), ElementsAre());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const std::unique_ptr<EVP_MD, OpensslDeleter<EVP_MD_free>> md(EVP_MD_fetch(host.context(), "SHA256", nullptr));
  ASSERT_EQ(X509_digest(parsed, md.get(), digest.data(), &length), 1);
  EXPECT_THAT(found(host, OSSL_STORE_SEARCH_by_key_fingerprint(md.get(), digest.data(), length)),
              ElementsAre("Pkey", "Certificate"));
  digest[0] ^= 1U;
  EXPECT_THAT(found(host, OSSL_STORE_SEARCH_by_key_fingerprint(md.get(), digest.data(), length)), ElementsAre());
}

TEST_F(Store, SaysWhyThereIsNothing) {
  const Host host(store_.config());
  EXPECT_THAT(why_not(host, "devtrust:okta"),
              HasSubstr("devtrust: no certificate with a private key for profile okta was found in any of the places"));
  EXPECT_THAT(why_not(host, "devtrust:jumpclod"), HasSubstr("there is no profile jumpclod: known are jumpcloud, "));
  EXPECT_THAT(why_not(host, "devtrust:jumpcloud?pin=1"), HasSubstr("pin-source and pin-value"));
  EXPECT_THAT(why_not(host, "devtrust:?pin-value=%zz"), HasSubstr("character"));

  write_file(folder_ / "none.toml",
             "[[store]]\nkind = \"file\"\npath = '" + (folder_ / "nowhere.pem").string() + "'\n");
  EXPECT_THAT(why_not(Host(folder_ / "none.toml"), "devtrust:"),
              AllOf(HasSubstr("no device-trust certificate was found"), HasSubstr("nowhere.pem")));
  write_file(folder_ / "bad.toml", "[[store]]\nkind = 7\n");
  EXPECT_THAT(why_not(Host(folder_ / "bad.toml"), "devtrust:"), AllOf(HasSubstr("bad.toml"), HasSubstr(":2:8: kind")));
  EXPECT_THAT(why_not(Host(folder_ / "missing.toml"), "devtrust:"), HasSubstr("missing.toml"));

  FileStore expired("ec:P-256", {.valid_from_days = -40, .valid_to_days = -3});
  EXPECT_THAT(why_not(Host(expired.config()), "devtrust:jumpcloud"),
              AllOf(HasSubstr("jumpcloud"), HasSubstr("expired")));
  EXPECT_THAT(why_not(Host(expired.config()), "devtrust:"), HasSubstr("expired"));
}

TEST_F(Store, AsksOnceForAPassword) {
  const UiPtr method = person();
  const std::filesystem::path config = locked_store(folder_.path());
  {
    const Host host(config);
    Person wrong{"wrong"};
    EXPECT_EQ(host.key("devtrust:", method.get(), &wrong), nullptr);
    EXPECT_EQ(wrong.asked, 1);
    EXPECT_THAT(errors(), AllOf(HasSubstr("password"), HasSubstr("locked")));
    Person right{"secret"};
    EXPECT_NE(host.key("devtrust:", method.get(), &right), nullptr) << errors();
    EXPECT_EQ(right.asked, 1);
    Person again{"secret"};
    EXPECT_NE(host.key("devtrust:", method.get(), &again), nullptr) << "the store is open now";
    EXPECT_EQ(again.asked, 0);
  }
  const Host host(config);
  EXPECT_THAT(host.names("devtrust:", OSSL_STORE_INFO_CERT), ElementsAre(kLeaf, kIntermediate, kRoot))
      << "certificates need no password";
  EXPECT_EQ(host.names("devtrust:", OSSL_STORE_INFO_PUBKEY).size(), 1U);
  errors();
}

TEST_F(Store, TakesThePasswordFromTheUri) {
  const std::filesystem::path config = locked_store(folder_.path());
  write_file(folder_ / "pin", "secret\n");
  const std::string pin = (folder_ / "pin").generic_string();  // a URI has no backslashes
  const UiPtr method = person();
  Person nobody{"wrong"};
  for (const std::string& uri : {std::string("devtrust:?pin-value=secret"), "devtrust:jumpcloud?pin-source=" + pin,
                                 "devtrust:?pin-source=file:" + pin}) {
    const Host host(config);
    EXPECT_NE(host.key(uri, method.get(), &nobody), nullptr) << uri << errors();
    errors();
  }
  const Host host(config);
  EXPECT_EQ(host.key("devtrust:?pin-value=wrong", method.get(), &nobody), nullptr);
  EXPECT_THAT(errors(), HasSubstr("password"));
  EXPECT_EQ(host.key("devtrust:?pin-source=/nowhere", method.get(), &nobody), nullptr);
  EXPECT_THAT(errors(), HasSubstr("/nowhere"));
  EXPECT_EQ(nobody.asked, 0);

  const auto with_pin = locked_store(folder_.path(), "pin_source = 'file:" + pin + "'\n");
  EXPECT_NE(Host(with_pin).key("devtrust:", method.get(), &nobody), nullptr) << errors();
  EXPECT_EQ(nobody.asked, 0);
}

TEST_F(Store, Pkcs11UrisAreAnsweredWhereTheSectionSaysSo) {
  const std::string token = "token=JumpCloud%20Device%20Trust";
  EXPECT_EQ(Host(store_.config()).names("pkcs11:" + token), std::vector<std::string>{"error"});
  EXPECT_THAT(errors(), HasSubstr("pkcs11"));
  const Host host(store_.config(), "pkcs11-uris = yes\n");
  const std::string serial = token_serial("jumpcloud");
  const EvpPkeyPtr key = host.key();
  const auto id = [&] {
    const auto parsed = PublicKey::from_evp(host.public_key(store_.leaf().certificate).get());
    std::string text;
    for (const std::uint8_t octet : parsed->id()) text += '%' + to_hex(ByteView(&octet, 1));
    return text;
  }();
  for (const std::string& uri :
       {std::string("pkcs11:"), "pkcs11:" + token, std::string("pkcs11:manufacturer=devtrust;model=device-trust"),
        "pkcs11:serial=" + serial, std::string("pkcs11:slot-id=1")}) {
    EXPECT_THAT(host.names(uri), ElementsAre("key", kLeaf, kIntermediate, kRoot)) << uri << errors();
  }
  EXPECT_THAT(host.names("pkcs11:object=JumpCloud%20Device%20Trust"), ElementsAre("key", kLeaf));
  EXPECT_THAT(host.names("pkcs11:id=" + id), ElementsAre("key", kLeaf));
  EXPECT_THAT(host.names("pkcs11:id=" + id + ";type=private"), ElementsAre("key"));
  EXPECT_THAT(host.names("pkcs11:type=cert;object=device-trust.intermediate"), ElementsAre(kIntermediate));
  EXPECT_EQ(host.names("pkcs11:type=public").size(), 1U);
  for (const char* uri : {"pkcs11:token=other", "pkcs11:manufacturer=x", "pkcs11:model=x", "pkcs11:serial=1",
                          "pkcs11:slot-id=2", "pkcs11:object=x", "pkcs11:id=%00", "pkcs11:type=data"}) {
    EXPECT_THAT(why_not(host, uri), HasSubstr("no token or object")) << uri;
  }
  EXPECT_THAT(why_not(host, "pkcs11:token=a;token=b"), HasSubstr("a second time at character"));
  EXPECT_THAT(why_not(host, "pkcs11:colour=red"), HasSubstr("character"));
}

}  // namespace
}  // namespace devtrust::testing
