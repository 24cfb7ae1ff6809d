// The provider among others in a process: loading, unloading, threads, renewals, the audit.
#include <atomic>
#include <thread>

#include "tests/provider/life.h"

namespace devtrust::testing {
namespace {

using ::testing::HasSubstr;

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
  ASSERT_EQ(OSSL_PROVIDER_set_default_search_path(
                context, std::filesystem::path(DEVTRUST_PROVIDER).parent_path().string().c_str()),
            1);
  const Variable config("DEVTRUST_CONFIG", store_.config().string());
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
  store_.write(store_.leaf(), "audit = '" + (store_ / "nowhere/audit").string() + "'\naudit_required = true\n");
  const Host host(store_.config());
  const EvpPkeyPtr key = host.key();
  ASSERT_NE(key, nullptr) << errors();
  EXPECT_FALSE(signs(host.context(), key.get(), key.get()));
  EXPECT_THAT(errors(), HasSubstr("audit line cannot be written"));
}

TEST_F(Life, AuditNamesWhatWasDone) {
  store_.write(store_.leaf(), "audit = '" + (store_ / "audit").string() + "'\n");
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
