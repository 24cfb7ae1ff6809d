// The provider among others in a process: loading, unloading, threads, forks, renewals, the audit.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/provider/fixture.h"

namespace devtrust::testing {
namespace {

using ::testing::HasSubstr;

bool signs(OSSL_LIB_CTX* context, EVP_PKEY* key, EVP_PKEY* judge) {
  static constexpr std::array<unsigned char, 5> kMessage{1, 2, 3, 4, 5};
  const EvpMdCtxPtr signer(EVP_MD_CTX_new());
  const EvpMdCtxPtr verifier(EVP_MD_CTX_new());
  Bytes signature(512);
  std::size_t length = signature.size();
  return EVP_DigestSignInit_ex(signer.get(), nullptr, "SHA256", context, nullptr, key, nullptr) == 1 &&
         EVP_DigestSign(signer.get(), signature.data(), &length, kMessage.data(), kMessage.size()) == 1 &&
         EVP_DigestVerifyInit_ex(verifier.get(), nullptr, "SHA256", context, nullptr, judge, nullptr) == 1 &&
         EVP_DigestVerify(verifier.get(), signature.data(), length, kMessage.data(), kMessage.size()) == 1;
}

class Life : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(errors(), ""); }
  FileStore store_{"ec:P-256"};
};

TEST_F(Life, LeavesNothingOnTheErrorQueue) {
  const Host host(store_.config());
  const EvpPkeyPtr key = host.key();
  const EvpPkeyPtr judge = host.public_key(store_.leaf().certificate);
  EXPECT_EQ(errors(), "");
  EXPECT_TRUE(signs(host.context(), key.get(), judge.get()));
  EXPECT_EQ(errors(), "");
  host.names("devtrust:");
  EXPECT_EQ(errors(), "");
}

TEST_F(Life, CopyOfAKeySigns) {
  const Host host(store_.config());
  const EvpPkeyPtr key = host.key();
  const EvpPkeyPtr copy(EVP_PKEY_dup(key.get()));
  EXPECT_TRUE(signs(host.context(), copy.get(), key.get()));
}

TEST_F(Life, KeyOutlivesTheProvidersUnloading) {
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  ASSERT_EQ(
      OSSL_PROVIDER_set_default_search_path(context, std::filesystem::path(DEVTRUST_PROVIDER).parent_path().c_str()),
      1);
  setenv("DEVTRUST_CONFIG", store_.config().c_str(), 1);
  OSSL_PROVIDER* base = OSSL_PROVIDER_load(context, "default");
  for (int round = 0; round < 3; ++round) {
    OSSL_PROVIDER* provider = OSSL_PROVIDER_load(context, "devtrust");
    ASSERT_NE(provider, nullptr) << errors();
    EXPECT_EQ(OSSL_PROVIDER_self_test(provider), 1);
    OSSL_STORE_CTX* store =
        OSSL_STORE_open_ex("devtrust:", context, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    ASSERT_NE(store, nullptr) << errors();
    OSSL_STORE_INFO* info = OSSL_STORE_load(store);
    const EvpPkeyPtr key(OSSL_STORE_INFO_get1_PKEY(info));
    OSSL_STORE_INFO_free(info);
    OSSL_STORE_close(store);
    EXPECT_EQ(OSSL_PROVIDER_unload(provider), 1);
    EXPECT_EQ(EVP_PKEY_get_bits(key.get()), 256) << "held by whoever has it";
    errors();
  }
  unsetenv("DEVTRUST_CONFIG");
  OSSL_PROVIDER_unload(base);
  OSSL_LIB_CTX_free(context);
}

TEST_F(Life, ServesTwoLibraryContextsAtOnce) {
  FileStore other("rsa:2048");
  const Host first(store_.config());
  const Host second(other.config());
  const EvpPkeyPtr one = first.key();
  const EvpPkeyPtr two = second.key();
  EXPECT_EQ(EVP_PKEY_get_bits(one.get()), 256);
  EXPECT_EQ(EVP_PKEY_get_bits(two.get()), 2048);
  EXPECT_TRUE(signs(first.context(), one.get(), first.public_key(store_.leaf().certificate).get()));
  EXPECT_TRUE(signs(second.context(), two.get(), second.public_key(other.leaf().certificate).get()));
}

TEST_F(Life, ThreadsShareAKey) {
  const Host host(store_.config());
  const EvpPkeyPtr key = host.key();
  const EvpPkeyPtr judge = host.public_key(store_.leaf().certificate);
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        const EvpPkeyPtr own = host.key();
        good += signs(host.context(), key.get(), judge.get()) && signs(host.context(), own.get(), judge.get()) ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 160);
}

// As a pre-forking server does it: the master loads the key, the workers sign, and the store may be out of their reach.
TEST_F(Life, KeyLoadedInTheParentSignsInItsChildren) {
  write_file(store_.config(), "audit = \"" + (store_ / "audit").string() + "\"\n" + read_file(store_.config()));
  const Host host(store_.config());
  const EvpPkeyPtr key = host.key();
  const EvpPkeyPtr judge = host.public_key(store_.leaf().certificate);
  for (const bool used_before : {false, true}) {
    if (used_before) {
      EXPECT_TRUE(signs(host.context(), key.get(), judge.get()));
    }
    const std::filesystem::path hidden = store_ / "hidden.toml";
    std::filesystem::rename(store_.config(), hidden);
    for (int child = 0; child < 3; ++child) {
      const pid_t pid = fork();
      if (pid == 0) _exit(signs(host.context(), key.get(), judge.get()) ? 0 : 1);
      int status = -1;
      ASSERT_EQ(waitpid(pid, &status, 0), pid);
      EXPECT_EQ(status, 0);
    }
    std::filesystem::rename(hidden, store_.config());
    const pid_t pid = fork();
    if (pid == 0) _exit(signs(host.context(), host.key().get(), judge.get()) ? 0 : 1);  // looks the key up itself
    int status = -1;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_TRUE(signs(host.context(), key.get(), judge.get()));
  const std::string audit = read_file(store_ / "audit");
  EXPECT_EQ(std::ranges::count(audit, '\n'), 10);
}

TEST_F(Life, FollowsARenewal) {
  const Host host(store_.config());
  const EvpPkeyPtr before = host.key();
  const Leaf renewed = store_.pki().issue({.key = "ec:P-256", .valid_from_days = -1});
  store_.write(renewed);
  const EvpPkeyPtr after = host.key();
  ASSERT_NE(after, nullptr) << errors();
  EXPECT_NE(EVP_PKEY_eq(before.get(), after.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(after.get(), host.public_key(renewed.certificate).get()), 1);
  EXPECT_TRUE(signs(host.context(), before.get(), host.public_key(store_.leaf().certificate).get()))
      << "what was begun with a key goes on with it";
  EXPECT_TRUE(signs(host.context(), after.get(), host.public_key(renewed.certificate).get()));
  errors();
}

TEST_F(Life, KeyIsNotUsedWithoutTheLineThatIsDemanded) {
  store_.write(store_.leaf(), "audit = \"" + (store_ / "nowhere/audit").string() + "\"\naudit_required = true\n");
  const Host host(store_.config());
  const EvpPkeyPtr key = host.key();
  ASSERT_NE(key, nullptr) << errors();
  EXPECT_FALSE(signs(host.context(), key.get(), key.get()));
  EXPECT_THAT(errors(), HasSubstr("audit line cannot be written"));
}

TEST_F(Life, AuditNamesWhatWasDone) {
  store_.write(store_.leaf(), "audit = \"" + (store_ / "audit").string() + "\"\n");
  const Host host(store_.config());
  const EvpPkeyPtr key = host.key();
  EXPECT_TRUE(signs(host.context(), key.get(), key.get()));
  EXPECT_THAT(read_file(store_ / "audit"),
              ::testing::AllOf(HasSubstr("operation=\"sign\""), HasSubstr("mechanism=\"ECDSA\""),
                               HasSubstr("profile=\"jumpcloud\"")));
}

TEST_F(Life, KeysThatAreNotOursStayWithTheDefaultProvider) {
  const Host host(store_.config());
  for (const char* type : {"EC", "RSA", "ED25519", "X25519"}) {
    const EvpPkeyPtr made(std::string_view(type) == "EC" ? EVP_PKEY_Q_keygen(host.context(), nullptr, type, "P-256")
                          : std::string_view(type) == "RSA"
                              ? EVP_PKEY_Q_keygen(host.context(), nullptr, type, std::size_t{2048})
                              : EVP_PKEY_Q_keygen(host.context(), nullptr, type));
    ASSERT_NE(made, nullptr) << type << errors();
    EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(made.get())), "default");
  }
}

}  // namespace
}  // namespace devtrust::testing
