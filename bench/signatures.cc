// Signatures a second, by the module, by others on the same key, and by libcrypto alone; with Google Benchmark.
//
// signatures CLOCK TYPE KEY PIN [NAME MODULE PARAMETERS]... [--benchmark_…]
// CLOCK: wall, cpu; TYPE: rsa, ec; KEY: PEM, for libcrypto
#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "bench/token.h"

namespace {

using devtrust::bench::die;
using devtrust::bench::Digest;
using devtrust::bench::digest;
using devtrust::bench::KeyType;
using devtrust::bench::Token;

void sign_by_token(benchmark::State& state, Token& token) {
  const CK_SESSION_HANDLE session = token.open_session();
  token.sign(session);
  for ([[maybe_unused]] auto _ : state) token.sign(session);
  token.close_session(session);
  state.SetItemsProcessed(state.iterations());
}

/// As a plain program does: one context for each thread, made once and used again.
void sign_by_libcrypto(benchmark::State& state, EVP_PKEY* key, KeyType type) {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key, nullptr);
  if (EVP_PKEY_sign_init(context) <= 0) die("libcrypto", "the key does not sign");
  const std::span<const unsigned char> data =
      type == KeyType::kRsa ? digest().info : std::span(digest().info).subspan(Digest::kInfoHeader);
  if (type == KeyType::kRsa) EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING);
  std::array<unsigned char, 512> signature;  // NOLINT(cppcoreguidelines-pro-type-member-init): it is only written
  for ([[maybe_unused]] auto _ : state) {
    std::size_t length = signature.size();
    if (EVP_PKEY_sign(context, signature.data(), &length, data.data(), data.size()) <= 0) {
      die("libcrypto", "the key does not sign");
    }
  }
  EVP_PKEY_CTX_free(context);
  state.SetItemsProcessed(state.iterations());
}

/// With one thread and with as many as there are cores. One thread is measured in its own processor time, since nothing
/// makes it wait but the machine's other work; several by `wall` clock, since they may wait for each other.
template <typename Function>
void add(const std::string& name, bool wall, const Function& function) {
  benchmark::RegisterBenchmark((name + "/one").c_str(), function);
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (cores < 2) return;
  auto* all = benchmark::RegisterBenchmark((name + "/all").c_str(), function)->Threads(cores);
  if (wall) all->UseRealTime();
}

EVP_PKEY* read_key(const char* path) {
  BIO* file = BIO_new_file(path, "r");
  EVP_PKEY* key = file != nullptr ? PEM_read_bio_PrivateKey(file, nullptr, nullptr, nullptr) : nullptr;
  if (key == nullptr) die(path, "it holds no private key");
  BIO_free(file);
  return key;
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc < 5) die("signatures", "CLOCK TYPE KEY PIN [NAME MODULE PARAMETERS]...");
  const bool wall = std::strcmp(argv[1], "wall") == 0;
  const KeyType type = std::strcmp(argv[2], "rsa") == 0 ? KeyType::kRsa : KeyType::kEc;
  EVP_PKEY* key = read_key(argv[3]);
  add("libcrypto", wall, [=](benchmark::State& state) { sign_by_libcrypto(state, key, type); });
  std::vector<std::unique_ptr<Token>> tokens;
  for (int i = 5; i + 2 < argc; i += 3) {
    Token& token = *tokens.emplace_back(std::make_unique<Token>(type));
    token.load(argv[i + 1]);
    token.initialize(argv[i + 2]);
    token.list_slots();
    token.find_key(argv[4]);
    add(argv[i], wall, [&token](benchmark::State& state) { sign_by_token(state, token); });
  }
  benchmark::RunSpecifiedBenchmarks();
  for (const auto& token : tokens) token->finalize();
  EVP_PKEY_free(key);
}
