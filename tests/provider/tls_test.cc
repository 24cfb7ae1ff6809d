// Handshakes in memory, with our key on either side.
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tests/provider/fixture.h"
#include "tests/support/variable.h"

namespace devtrust::testing {
namespace {

using SslCtxPtr = std::unique_ptr<SSL_CTX, OpensslDeleter<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslDeleter<SSL_free>>;

class Tls : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { EXPECT_EQ(errors(), ""); }

  /// Both sides demand a certificate, and trust the root only.
  static SslCtxPtr side(OSSL_LIB_CTX* context, const SSL_METHOD* method, FileStore& store, EVP_PKEY* key, int version) {
    SslCtxPtr made(SSL_CTX_new_ex(context, nullptr, method));
    SSL_CTX_set_min_proto_version(made.get(), version);
    SSL_CTX_set_max_proto_version(made.get(), version);
    EXPECT_EQ(SSL_CTX_use_certificate_chain_file(made.get(), store.chain().string().c_str()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(made.get(), key), 1) << errors();
    EXPECT_EQ(SSL_CTX_load_verify_file(made.get(), store.pki().root().string().c_str()), 1);
    SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return made;
  }
  static bool shake_hands(SSL_CTX* client, SSL_CTX* server) {
    const SslPtr caller(SSL_new(client));
    const SslPtr listener(SSL_new(server));
    BIO* one = nullptr;
    BIO* other = nullptr;
    BIO_new_bio_pair(&one, 0, &other, 0);
    SSL_set_bio(caller.get(), one, one);
    SSL_set_bio(listener.get(), other, other);
    SSL_set_connect_state(caller.get());
    SSL_set_accept_state(listener.get());
    for (int round = 0; round < 10; ++round) {
      SSL_do_handshake(caller.get());
      SSL_do_handshake(listener.get());
    }
    return SSL_is_init_finished(caller.get()) == 1 && SSL_is_init_finished(listener.get()) == 1;
  }
  /// Client's and server's purposes are not what is tested: the leaf is both.
  static void for_any_purpose(SSL_CTX* context) {
    X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(context), X509_PURPOSE_ANY);
  }

  FileStore& store_ = file_store(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Keys, Tls, ::testing::ValuesIn(key_kinds()), kind_name_of);

TEST_P(Tls, EachVersionOnEitherSide) {
  const Host host(store_.config());
  const EvpPkeyPtr ours = host.key();
  const EvpPkeyPtr theirs = host.file_key(store_.leaf().key);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const bool as_client : {true, false}) {
      const SslCtxPtr client =
          side(host.context(), TLS_client_method(), store_, as_client ? ours.get() : theirs.get(), version);
      const SslCtxPtr server =
          side(host.context(), TLS_server_method(), store_, as_client ? theirs.get() : ours.get(), version);
      for_any_purpose(client.get());
      for_any_purpose(server.get());
      EXPECT_TRUE(shake_hands(client.get(), server.get())) << std::hex << version << ' ' << as_client << errors();
      errors();
    }
  }
}

TEST_P(Tls, ContextMadeBeforeTheProviderKeepsItsAlgorithms) {
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  OSSL_PROVIDER* base = OSSL_PROVIDER_load(context, "default");
  OSSL_PROVIDER* ours = nullptr;
  {
    const SslCtxPtr early(SSL_CTX_new_ex(context, nullptr, TLS_client_method()));
    OSSL_PROVIDER_set_default_search_path(context,
                                          std::filesystem::path(DEVTRUST_PROVIDER).parent_path().string().c_str());
    const Variable config("DEVTRUST_CONFIG", store_.config().string());
    ours = OSSL_PROVIDER_load(context, "devtrust");
    const BioPtr file(BIO_new_file(store_.leaf().key.string().c_str(), "r"));
    OSSL_STORE_CTX* store =
        OSSL_STORE_open_ex("devtrust:", context, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    ASSERT_NE(store, nullptr) << errors();
    OSSL_STORE_INFO* info = OSSL_STORE_load(store);
    const EvpPkeyPtr key(OSSL_STORE_INFO_get1_PKEY(info));
    OSSL_STORE_INFO_free(info);
    OSSL_STORE_close(store);
    SSL_CTX_use_certificate_chain_file(early.get(), store_.chain().string().c_str());
    EXPECT_EQ(SSL_CTX_use_PrivateKey(early.get(), key.get()), 1) << errors();
    SSL_CTX_load_verify_file(early.get(), store_.pki().root().string().c_str());
    for_any_purpose(early.get());
    const SslCtxPtr server = side(context, TLS_server_method(), store_, key.get(), TLS1_3_VERSION);
    for_any_purpose(server.get());
    EXPECT_TRUE(shake_hands(early.get(), server.get())) << errors();
    errors();
  }
  OSSL_PROVIDER_unload(ours);
  OSSL_PROVIDER_unload(base);
  OSSL_LIB_CTX_free(context);
}

}  // namespace
}  // namespace devtrust::testing
