// Signatures and mutual-TLS handshakes a second, with the device's key through the provider and with the same key in
// memory, in one library context; with Google Benchmark. OPENSSL_CONF activates the provider.
//
// provider CLOCK KEY CHAIN [--benchmark_…]
// CLOCK: wall, cpu; KEY, CHAIN: PEM; the chain ends with the root
#include <benchmark/benchmark.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/store.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

namespace {

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "provider: %s\n", what);
  ERR_print_errors_fp(stderr);
  std::exit(1);
}

EVP_PKEY* load_from_store(const char* uri) {
  OSSL_STORE_CTX* store = OSSL_STORE_open(uri, nullptr, nullptr, nullptr, nullptr);
  if (store == nullptr || OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY) != 1) die(uri);
  OSSL_STORE_INFO* info = OSSL_STORE_load(store);
  EVP_PKEY* key = info != nullptr ? OSSL_STORE_INFO_get1_PKEY(info) : nullptr;
  if (key == nullptr) die(uri);
  OSSL_STORE_INFO_free(info);
  OSSL_STORE_close(store);
  return key;
}

/// A context of its own for each signature, as libssl and most programs do.
void sign(benchmark::State& state, EVP_PKEY* key) {
  static constexpr std::array<unsigned char, 64> kMessage{};
  std::array<unsigned char, 512> signature;  // NOLINT(cppcoreguidelines-pro-type-member-init): it is only written
  for ([[maybe_unused]] auto _ : state) {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    std::size_t length = signature.size();
    if (EVP_DigestSignInit_ex(context, nullptr, "SHA256", nullptr, nullptr, key, nullptr) != 1 ||
        EVP_DigestSign(context, signature.data(), &length, kMessage.data(), kMessage.size()) != 1) {
      die("the key does not sign");
    }
    EVP_MD_CTX_free(context);
  }
  state.SetItemsProcessed(state.iterations());
}

SSL_CTX* make_context(const SSL_METHOD* method, EVP_PKEY* key, const char* chain) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (context == nullptr || SSL_CTX_use_certificate_chain_file(context, chain) != 1 ||
      SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_load_verify_locations(context, chain, nullptr) != 1) {
    die("a TLS context cannot be made");
  }
  // No session is resumed, and no ticket is made: each handshake is a full one.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     [](int /*verified*/, X509_STORE_CTX* /*chain*/) { return 1; });  // not what is measured
  return context;
}

void shake_hands(benchmark::State& state, SSL_CTX* client, SSL_CTX* server) {
  for ([[maybe_unused]] auto _ : state) {
    SSL* caller = SSL_new(client);
    SSL* listener = SSL_new(server);
    BIO* one = nullptr;
    BIO* other = nullptr;
    if (BIO_new_bio_pair(&one, 0, &other, 0) != 1) die("no BIO pair");
    SSL_set_bio(caller, one, one);
    SSL_set_bio(listener, other, other);
    SSL_set_connect_state(caller);
    SSL_set_accept_state(listener);
    for (int round = 0; !SSL_is_init_finished(caller) || !SSL_is_init_finished(listener); ++round) {
      SSL_do_handshake(caller);
      SSL_do_handshake(listener);
      if (round == 20) die("the handshake does not end");
    }
    SSL_free(caller);
    SSL_free(listener);
  }
  state.SetItemsProcessed(state.iterations());
}

/// As in signatures.cc.
template <typename Function>
void add(const std::string& name, bool wall, const Function& function) {
  benchmark::RegisterBenchmark((name + "/one").c_str(), function);
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (cores < 2) return;
  auto* all = benchmark::RegisterBenchmark((name + "/all").c_str(), function)->Threads(cores);
  if (wall) all->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 4) die("CLOCK KEY CHAIN");
  const bool wall = std::strcmp(argv[1], "wall") == 0;
  EVP_PKEY* ours = load_from_store("devtrust:");
  EVP_PKEY* theirs = load_from_store(argv[2]);
  if (EVP_PKEY_eq(ours, theirs) != 1) die("the two keys are not the same");
  SSL_CTX* server = make_context(TLS_server_method(), theirs, argv[3]);
  SSL_CTX* our_client = make_context(TLS_client_method(), ours, argv[3]);
  SSL_CTX* their_client = make_context(TLS_client_method(), theirs, argv[3]);
  add("sign-devtrust", wall, [=](benchmark::State& state) { sign(state, ours); });
  add("sign-default", wall, [=](benchmark::State& state) { sign(state, theirs); });
  add("tls-devtrust", wall, [=](benchmark::State& state) { shake_hands(state, our_client, server); });
  add("tls-default", wall, [=](benchmark::State& state) { shake_hands(state, their_client, server); });
  benchmark::RunSpecifiedBenchmarks();
  for (SSL_CTX* context : {server, our_client, their_client}) SSL_CTX_free(context);
  EVP_PKEY_free(ours);
  EVP_PKEY_free(theirs);
}
