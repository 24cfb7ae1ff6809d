#include "backends/token/token_store.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "identity/foreign_call.h"
#include "identity/process.h"
#include "tests/support/pki.h"
#include "tests/unit/backends/token/token_double.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::must_run;
using testing::write_file;

constexpr SignScheme kSha256{SignAlgorithm::kRsaPkcs1, Digest::kSha256, Digest::kNone, 0};
constexpr SignScheme kEcdsa{SignAlgorithm::kEcdsa, Digest::kSha256, Digest::kNone, 0};

/// A token of SoftHSM's behind the double.
class TokenStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "tokens");
    const fs::path config = folder_ / "softhsm2.conf";
    write_file(config, "directories.tokendir = " + (folder_ / "tokens").string() + "\nlog.level = ERROR\n");
    setenv("SOFTHSM2_CONF", config.c_str(), 1);
    add_token("Card");
    void* library = dlopen(DEVTRUST_TOKEN_DOUBLE, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    const auto get = reinterpret_cast<TokenDoubleKnobs>(dlsym(library, "token_double"));
    double_ = get();
    *double_ = {};
    const auto list = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
    ASSERT_EQ(list(&functions_), CKR_OK);
    config_.kind = "token";
    config_.path = DEVTRUST_TOKEN_DOUBLE;
    config_.token = "Card";
  }
  void TearDown() override {
    source_.reset();
    store_.reset();
    functions_->C_Finalize(nullptr);  // where a test did it itself, this answers so
  }

  static void add_token(const std::string& label) {
    must_run({"softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "officer"});
  }
  static void write_object(const std::string& label, const std::string& id, const fs::path& der,
                           const std::vector<std::string>& options) {
    std::vector<std::string> command{"pkcs11-tool", "--module", DEVTRUST_SOFTHSM, "--token-label", label,
                                     "--login",     "--pin",    "1234",           "--id",          id,
                                     "--label",     "key",      "--write-object", der.string(),    "--type"};
    command.insert(command.end(), options.begin(), options.end());
    must_run(command);
  }
  void add_certificate(const testing::Leaf& leaf, const std::string& id = "01") {
    const fs::path der = folder_ / "object.der";
    must_run({"openssl", "x509", "-in", leaf.certificate.string(), "-outform", "DER", "-out", der.string()});
    write_object("Card", id, der, {"cert"});
  }
  void add_key(const testing::Leaf& leaf, const std::string& id = "01") {
    const fs::path der = folder_ / "object.der";
    must_run({"openssl", "pkey", "-in", leaf.key.string(), "-outform", "DER", "-out", der.string()});
    write_object("Card", id, der, {"privkey", "--sensitive", "--usage-sign", "--usage-decrypt"});
  }
  testing::Leaf add_identity(const std::string& key = "rsa:2048") {
    testing::Leaf leaf = pki_.issue({.key = key});
    add_certificate(leaf);
    add_key(leaf);
    return leaf;
  }
  void give_pin(const std::string& pin) {
    const fs::path file = folder_ / "pin";
    write_file(file, pin);
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    config_.pin_source = "file:" + file.string();
  }

  Store& store() {
    if (!store_) {
      source_ = token_store_at(config_);
      store_ = source_->stores().at(0);
    }
    return *store_;
  }
  StoreContents read() {
    auto contents = store().read();
    EXPECT_TRUE(contents) << contents.error().message;
    return contents ? *std::move(contents) : StoreContents();
  }
  Error read_error() {
    const auto contents = store().read();
    EXPECT_FALSE(contents);
    return contents ? Error() : contents.error();
  }
  std::shared_ptr<const PrivateKey> key() {
    auto contents = read();
    EXPECT_EQ(contents.keys.size(), 1U);
    return contents.keys.empty() ? nullptr : contents.keys.front();
  }
  static Result<std::size_t> sign(const PrivateKey& key) {
    const Bytes digest(32, 0x5A);
    Bytes signature(key.public_key().max_signature_size());
    const SignScheme scheme = key.public_key().type() == KeyType::kRsa ? kSha256 : kEcdsa;
    const auto length = key.sign(scheme, digest, signature);
    if (length) {
      EXPECT_TRUE(key.public_key().verify(scheme, digest, ByteView(signature).first(*length)));
    }
    return length;
  }
  static std::string why(const Result<std::size_t>& signed_) { return signed_ ? "it signs" : signed_.error().message; }

  testing::TempDir folder_;
  testing::Pki pki_{folder_ / "pki", "ec:P-256"};
  StoreConfig config_;
  std::unique_ptr<StoreSource> source_;
  std::shared_ptr<Store> store_;
  TokenDouble* double_ = nullptr;
  CK_FUNCTION_LIST* functions_ = nullptr;
};

TEST_F(TokenStoreTest, SignsWithThePinOfTheConfiguration) {
  add_identity();
  give_pin("1234\n");
  const auto contents = read();
  EXPECT_EQ(contents.login, nullptr);
  EXPECT_THAT(contents.problems, ::testing::IsEmpty());
  ASSERT_EQ(contents.keys.size(), 1U);
  EXPECT_TRUE(sign(*contents.keys[0]));
  EXPECT_EQ(double_->logins, 1);
  EXPECT_EQ(store().kind(), "token");
  EXPECT_EQ(store().location(), std::string(DEVTRUST_TOKEN_DOUBLE) + " (Card)");
}

TEST_F(TokenStoreTest, AsksForTheLoginAndForgetsIt) {
  add_identity();
  const auto contents = read();
  ASSERT_NE(contents.login, nullptr);
  ASSERT_EQ(contents.keys.size(), 1U) << "it cannot be seen before the login";
  EXPECT_FALSE(contents.login->unlocked());
  EXPECT_EQ(sign(*contents.keys[0]).error().code, ErrorCode::kLoginRequired);
  const auto version = store().version();
  EXPECT_EQ(contents.login->unlock("4321").error().code, ErrorCode::kWrongPassword);
  ASSERT_TRUE(contents.login->unlock("1234"));
  EXPECT_TRUE(contents.login->unlocked());
  EXPECT_NE(store().version(), version) << "what the key may do can be seen now";
  EXPECT_TRUE(sign(*contents.keys[0]));
  contents.login->lock();
  EXPECT_FALSE(contents.login->unlocked());
  EXPECT_EQ(sign(*contents.keys[0]).error().code, ErrorCode::kLoginRequired);
  ASSERT_TRUE(contents.login->unlock("1234"));
  EXPECT_TRUE(sign(*contents.keys[0]));
}

TEST_F(TokenStoreTest, AWrongPinIsTriedOnce) {
  add_identity();
  give_pin("4321");
  const auto contents = read();
  ASSERT_EQ(contents.problems.size(), 1U);
  EXPECT_EQ(contents.problems[0].code, ErrorCode::kWrongPassword);
  EXPECT_THAT(contents.problems[0].message, HasSubstr("Card"));
  ASSERT_EQ(contents.keys.size(), 1U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(sign(*contents.keys[0]).error().code, ErrorCode::kWrongPassword);
  read();
  const pid_t child = fork();
  if (child == 0) {
    const auto signed_ = sign(*contents.keys[0]);
    _exit(!signed_ && signed_.error().code == ErrorCode::kWrongPassword && double_->logins == 1 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "a child tried it again";
  EXPECT_EQ(double_->logins, 1);
  give_pin("1234");
  EXPECT_TRUE(sign(*contents.keys[0])) << "the pin_source has changed";
  EXPECT_EQ(double_->logins, 2);
}

TEST_F(TokenStoreTest, APinThatMayHaveBeenCountedIsNotTriedAgainByItself) {
  add_identity();
  const auto contents = read();
  double_->login = CKR_DEVICE_ERROR;
  EXPECT_FALSE(contents.login->unlock("1234"));
  EXPECT_EQ(double_->logins, 1);
  double_->login = CKR_OK;
  ASSERT_TRUE(contents.login->unlock("1234"));
  contents.login->lock();
  store_.reset();
  give_pin("1234");
  double_->login = CKR_GENERAL_ERROR;
  const auto known = key();
  double_->login = CKR_OK;
  EXPECT_FALSE(sign(*known));
  EXPECT_EQ(double_->logins, 3);
}

TEST_F(TokenStoreTest, DoesNotTryWhereAnotherProgramFailed) {
  add_identity();
  give_pin("1234");
  double_->more_token_flags = CKF_USER_PIN_COUNT_LOW;
  EXPECT_THAT(read().problems.at(0).message, HasSubstr("log in to it once by hand"));
  double_->more_token_flags = CKF_USER_PIN_LOCKED;
  EXPECT_THAT(read().problems.at(0).message, HasSubstr("blocked"));
  EXPECT_EQ(double_->logins, 0);
  double_->more_token_flags = 0;
  EXPECT_TRUE(sign(*key()));
}

TEST_F(TokenStoreTest, APinIsTypedOnTheReaderOnlyWhereThatIsAllowed) {
  add_identity();
  double_->own_reader = true;
  const auto contents = read();
  EXPECT_EQ(contents.login, nullptr) << "no program has the PIN";
  ASSERT_EQ(contents.keys.size(), 1U);
  EXPECT_THAT(why(sign(*contents.keys[0])), HasSubstr("prompt = true"));
  EXPECT_EQ(double_->logins, 0);
  store_.reset();
  config_.prompt = true;
  const auto allowed = key();
  EXPECT_EQ(double_->logins, 0) << "reading prompts nobody";
  EXPECT_TRUE(sign(*allowed));
  EXPECT_TRUE(sign(*allowed));
  EXPECT_EQ(double_->logins, 1);
}

TEST_F(TokenStoreTest, AKeyMayAskForThePinAtEachUse) {
  add_identity();
  double_->pin_at_each_use = true;
  const auto login = read().login;
  ASSERT_NE(login, nullptr);
  ASSERT_TRUE(login->unlock("1234"));
  const auto known = key();
  EXPECT_TRUE(sign(*known));
  EXPECT_TRUE(sign(*known));
  EXPECT_EQ(double_->uses_with_pin, 2);
  login->lock();
  EXPECT_FALSE(sign(*known));

  store_.reset();
  give_pin("1234");
  EXPECT_TRUE(sign(*key()));
  EXPECT_EQ(double_->uses_with_pin, 3);
}

TEST_F(TokenStoreTest, TheTokenIsTakenOutAndPutBack) {
  add_identity();
  give_pin("1234");
  const auto known = key();
  ASSERT_TRUE(sign(*known));
  double_->removed = true;
  double_->next_sign = CKR_DEVICE_REMOVED;
  const auto gone = sign(*known);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kIo);
  EXPECT_THAT(gone.error().message, HasSubstr("insert it"));
  EXPECT_EQ(read_error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(known->intact());
  double_->removed = false;
  EXPECT_TRUE(sign(*known));
  EXPECT_EQ(key(), known) << "the same key is the same object";
  double_->next_sign = CKR_DEVICE_REMOVED;
  EXPECT_TRUE(sign(*known)) << "out and in again unseen";
}

TEST_F(TokenStoreTest, AModuleThatLostItsConnectionIsStartedAnew) {
  add_identity();
  give_pin("1234");
  const auto known = key();
  double_->no_slots = true;
  double_->next_sign = CKR_DEVICE_ERROR;
  EXPECT_FALSE(sign(*known));
  EXPECT_GT(double_->finalized, 0);
  EXPECT_EQ(double_->initialized, double_->finalized + 1);
  double_->no_slots = false;
  EXPECT_TRUE(sign(*known));
}

TEST_F(TokenStoreTest, SomebodyElseFinalizesTheModule) {
  add_identity();
  give_pin("1234");
  const auto known = key();
  ASSERT_TRUE(sign(*known));
  ASSERT_EQ(functions_->C_Finalize(nullptr), CKR_OK);
  EXPECT_TRUE(sign(*known));
  EXPECT_EQ(read().keys.size(), 1U);
}

TEST_F(TokenStoreTest, TheHostsOwnModuleStaysInitialized) {
  add_identity();
  give_pin("1234");
  ASSERT_EQ(functions_->C_Initialize(nullptr), CKR_OK);
  ASSERT_TRUE(sign(*key()));
  double_->next_sign = CKR_DEVICE_ERROR;
  EXPECT_TRUE(sign(*key()));
  source_.reset();
  store_.reset();
  EXPECT_EQ(double_->finalized, 0);
  CK_INFO info{};
  EXPECT_EQ(functions_->C_GetInfo(&info), CKR_OK);
}

TEST_F(TokenStoreTest, FinalizesWhatItInitializedAndClosesItsSessions) {
  add_identity();
  give_pin("1234");
  ASSERT_TRUE(sign(*key()));
  source_.reset();
  store_.reset();
  EXPECT_EQ(double_->sessions, 0);
  EXPECT_EQ(double_->finalized, 1);
}

TEST_F(TokenStoreTest, AChildConnectsAnew) {
  add_identity();
  give_pin("1234");
  const auto known = key();
  ASSERT_TRUE(sign(*known));
  fs::remove(folder_ / "pin");  // a server's workers may not read it
  const pid_t child = fork();
  if (child == 0) _exit(sign(*known) ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(sign(*known));
}

TEST_F(TokenStoreTest, ManyThreadsShareFewSessions) {
  add_identity();
  give_pin("1234");
  double_->few_sessions = 3;
  const auto known = key();
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 20; ++n) good += sign(*known) ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(good, 160);
  EXPECT_LE(double_->sessions, 3);
}

TEST_F(TokenStoreTest, ATokenOfOneSession) {
  add_identity();
  give_pin("1234");
  double_->few_sessions = 1;
  const auto known = key();
  EXPECT_TRUE(sign(*known));
  EXPECT_TRUE(sign(*known));
}

TEST_F(TokenStoreTest, WhatCannotLockIsCalledByOneThreadAtATime) {
  add_identity();
  give_pin("1234");
  double_->cannot_lock = true;
  EXPECT_TRUE(sign(*key()));
}

TEST_F(TokenStoreTest, ARenewalIsSeen) {
  add_identity();
  give_pin("1234");
  const auto before = read();
  const auto version = store().version();
  EXPECT_EQ(before.version, version);
  const testing::Leaf next = pki_.issue({.key = "ec:P-256"});
  add_certificate(next, "02");
  add_key(next, "02");
  const auto after = read();
  EXPECT_NE(after.version, version);
  EXPECT_EQ(after.keys.size(), 2U);
  EXPECT_EQ(after.keys[0], before.keys[0]);
}

TEST_F(TokenStoreTest, AKeyThatSaysNothingIsKnownByItsId) {
  add_identity("ec:P-256");
  give_pin("1234");
  double_->nameless_key = true;
  const auto known = key();
  EXPECT_TRUE(sign(*known));
  double_->wrong_signature = true;
  store_.reset();
  EXPECT_EQ(sign(*key()).error().code, ErrorCode::kKeyMismatch) << "what it signs is looked at once";
}

TEST_F(TokenStoreTest, AnotherKeyUnderTheSameIdIsRefused) {
  add_certificate(pki_.issue({.key = "rsa:2048"}));
  add_key(pki_.issue({.key = "rsa:2048"}));
  give_pin("1234");
  EXPECT_THAT(read().keys, ::testing::IsEmpty()) << "the key says whose it is";
  double_->nameless_key = true;
  const auto known = key();
  const auto signed_ = sign(*known);
  ASSERT_FALSE(signed_);
  EXPECT_EQ(signed_.error().code, ErrorCode::kKeyMismatch);
  EXPECT_FALSE(known->intact());
}

TEST_F(TokenStoreTest, LengthsThatCannotBeTrueAreRefused) {
  add_identity();
  give_pin("1234");
  const auto known = key();
  double_->more_signature = 1000;
  EXPECT_EQ(sign(*known).error().code, ErrorCode::kCorrupt);
  double_->more_signature = 0;
  for (CK_ULONG TokenDouble::*knob :
       {&TokenDouble::more_found, &TokenDouble::more_attribute, &TokenDouble::huge_attribute}) {
    double_->*knob = 100000;
    EXPECT_EQ(read_error().code, ErrorCode::kCorrupt);
    double_->*knob = 0;
  }
  EXPECT_TRUE(sign(*known));
  store_.reset();
  double_->more_slots = 100000;
  EXPECT_EQ(read_error().code, ErrorCode::kCorrupt);
}

TEST_F(TokenStoreTest, TheTokenIsNamed) {
  add_identity();
  add_token("Another");
  EXPECT_EQ(read().certificates.size(), 1U);
  store_.reset();
  config_.token = "pkcs11:token=Another";
  EXPECT_THAT(read().certificates, ::testing::IsEmpty());
  store_.reset();
  config_.token = "Elsewhere";
  const Error error = read_error();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.message, ::testing::AllOf(HasSubstr("\"Card\""), HasSubstr("\"Another\"")));
  store_.reset();
  config_.token = "";
  EXPECT_THAT(read_error().message, ::testing::AllOf(HasSubstr("several tokens"), HasSubstr("token = ")));
}

TEST_F(TokenStoreTest, OneModuleHasOneSetOfArguments) {
  add_identity();
  read();
  StoreConfig other = config_;
  other.init_args = "something else";
  const auto source = token_store_at(other);
  EXPECT_THAT(source->stores().at(0)->read().error().message, HasSubstr("init_args"));
}

TEST_F(TokenStoreTest, WhatLeadsBackIsRefused) {
  add_identity();
  give_pin("1234");
  double_->during_slot_list = [] { ForeignCall::inside(); };  // as the PKCS#11 front asks when it is called
  const Error error = read_error();
  EXPECT_EQ(error.code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(error.message, HasSubstr("leads back to devtrust itself"));
}

TEST_F(TokenStoreTest, WhatIsNoModuleSaysSo) {
  config_.path = (folder_ / "missing.so").string();
  EXPECT_THAT(read_error().message, HasSubstr("cannot be loaded"));
  for (const char* name : {"p11-kit-proxy.so", "devtrust-pkcs11.so"}) {
    store_.reset();
    config_.path = (folder_ / name).string();
    fs::copy_file(DEVTRUST_TOKEN_DOUBLE, config_.path);
    EXPECT_EQ(read_error().code, ErrorCode::kInvalidConfig);
  }
  store_.reset();
  config_.path = own_file();
  EXPECT_THAT(read_error().message, HasSubstr("devtrust's own"));
}

}  // namespace
}  // namespace devtrust
