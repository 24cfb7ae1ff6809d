// An agent renews key and certificate while threads sign. DEVTRUST_SOAK_RENEWALS says how often (./dev soak: 10,000).
#include <fcntl.h>
#include <malloc.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

#include "tests/conformance/fixture.h"
#include "tests/conformance/peer.h"

namespace devtrust::testing {
namespace {

constexpr int kIdentities = 8;
constexpr int kThreads = 8;

/// store_agent in a process of its own, as an agent is.
class Agent {
 public:
  Agent(const std::filesystem::path& master, const std::filesystem::path& live) {
    std::array<int, 2> to{};
    std::array<int, 2> from{};
    if (pipe2(to.data(), O_CLOEXEC) != 0 || pipe2(from.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    std::string program = DEVTRUST_STORE_AGENT;
    std::string first = master.string();
    std::string second = live.string();
    const std::array<char*, 4> argv = {program.data(), first.data(), second.data(), nullptr};
    const int error = posix_spawn(&child_, program.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    if (error != 0) throw std::runtime_error("cannot run " + program);
    in_ = fdopen(from[0], "r");
    out_ = fdopen(to[1], "w");
    id_ = answer();
  }
  ~Agent() {
    std::fclose(out_);
    std::fclose(in_);
    int status = 0;
    waitpid(child_, &status, 0);
  }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// CKA_ID of the identity that is there now, in hexadecimal.
  const std::string& id() const { return id_; }
  const std::string& renew(int number) {
    std::fprintf(out_, "%d\n", number);
    std::fflush(out_);
    return id_ = answer();
  }

 private:
  std::string answer() {
    std::array<char, 128> line{};
    if (std::fgets(line.data(), line.size(), in_) == nullptr) throw std::runtime_error("the agent has ended");
    std::string text = line.data();
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

  pid_t child_ = -1;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
  std::string id_;
};

std::string upper_hex(ByteView bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02X", byte);
    text += digits.data();
  }
  return text;
}

/// In KiB.
long resident_memory() {
  std::ifstream statm("/proc/self/statm");
  long total = 0;
  long resident = 0;
  statm >> total >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

std::ptrdiff_t open_files() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

int renewals() {
  const char* wanted = std::getenv("DEVTRUST_SOAK_RENEWALS");
  return wanted != nullptr ? std::stoi(wanted) : 20;
}

/// An NSS database with several identities, by NSS's own tools; RSA and EC by turns.
void build(BuiltStore& built) {
  built.pki = std::make_unique<Pki>(built.folder / "pki", "ec:P-256");
  NssDatabase master(built.folder / "master");
  for (int i = 0; i < kIdentities; ++i) {
    built.leaf = built.pki->issue({.key = i % 2 == 0 ? "ec:P-256" : "rsa:2048",
                                   .common_name = "JumpCloud Device Trust Certificate – " + std::to_string(i),
                                   .valid_from_days = -10 - i});
    master.import(built.leaf);
  }
  built.module_path = DEVTRUST_MODULE;
  built.token_label = "JumpCloud Device Trust";
  built.init_string = "config=" + write_config(built.folder.path(), nss_store(built.folder / "live")).string();
}

const Store kRenewing{"nss_renewing", Owner::kOurs, "", "", build};

class Renewal : public Conformance {
 protected:
  void SetUp() override {
    BuiltStore& store = built(kRenewing);
    live_ = store.folder / "live";
    std::filesystem::remove_all(live_);
    std::filesystem::copy(store.folder / "master", live_);
    agent_ = std::make_unique<Agent>(store.folder / "master", live_);
    Conformance::SetUp();
    // every key that there will ever be
    for (int i = 1; i <= kIdentities; ++i) {
      Leaf leaf = store.leaf;
      leaf.certificate = store.pki->folder() / ("leaf" + std::to_string(i) + ".pem");
      leaf.key = store.pki->folder() / ("leaf" + std::to_string(i) + ".key");
      auto peer = std::make_unique<Peer>(leaf);
      const Bytes spki = peer->spki();
      peers_.emplace(spki, std::move(peer));
    }
  }
  void TearDown() override {
    Conformance::TearDown();
    agent_.reset();
  }

  struct Key {
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    std::string id;
    const Peer* peer = nullptr;
  };
  /// The one private key that a search finds now. The test fails where there is none or more than one.
  Key current(CK_SESSION_HANDLE session) const {
    Key key;
    const auto found = find(session, CKO_PRIVATE_KEY);
    EXPECT_EQ(found.size(), 1U) << "at each moment there is a current identity";
    if (found.size() != 1) return key;
    key.handle = found.front();
    key.id = upper_hex(attribute(session, key.handle, CKA_ID).value_or(Bytes{}));
    const auto peer = peers_.find(attribute(session, key.handle, CKA_PUBLIC_KEY_INFO).value_or(Bytes{}));
    EXPECT_NE(peer, peers_.end()) << "a key that nobody has made";
    if (peer != peers_.end()) key.peer = peer->second.get();
    return key;
  }
  bool sign(CK_SESSION_HANDLE session, const Key& key, ByteView message) const {
    if (key.peer == nullptr) return false;
    SignCase how;
    how.type = key.peer->rsa() ? CKM_SHA256_RSA_PKCS : CKM_ECDSA_SHA256;
    how.padding = key.peer->rsa() ? SignCase::Padding::kPkcs1 : SignCase::Padding::kEcdsa;
    how.hash = EVP_sha256();
    CK_MECHANISM mechanism = how.mechanism();
    const CK_RV begun = f_->C_SignInit(session, &mechanism, key.handle);
    EXPECT_THAT(begun, ok());
    if (begun != CKR_OK) return false;
    Bytes signature(key.peer->size());
    CK_ULONG length = signature.size();
    const CK_RV rv = f_->C_Sign(session, mutable_data(message), message.size(), signature.data(), &length);
    EXPECT_THAT(rv, ok());
    const bool good = rv == CKR_OK && length == signature.size() && key.peer->verify(how, message, signature);
    EXPECT_TRUE(good) << "a wrong signature";
    return good;
  }
  /// Signs until `stop_`, with the current key and now and then with the one that its session saw first.
  void work(std::size_t number) {
    for (std::uint64_t round = 0; !stop_;) {
      const CK_SESSION_HANDLE session = open();
      const Key first = current(session);
      for (int i = 0; i < 64 && !stop_; ++i, ++round) {
        const Bytes message = some_bytes(20 + static_cast<std::size_t>(round % 50));
        if (!sign(session, current(session), message) || (i % 16 == 15 && !sign(session, first, message))) {
          failed_ = true;
          stop_ = true;
        }
        done_[number].fetch_add(1);
        done_[number].notify_all();
      }
      EXPECT_THAT(f_->C_CloseSession(session), ok());
    }
    done_[number].fetch_add(1);
    done_[number].notify_all();
  }
  /// Until each thread has signed `times` more.
  void wait_for_signatures(std::uint64_t times) {
    for (auto& done : done_) {
      const std::uint64_t goal = done + times;
      for (std::uint64_t now = done; now < goal && !stop_; now = done) done.wait(now);
    }
  }

  std::filesystem::path live_;
  std::unique_ptr<Agent> agent_;
  std::map<Bytes, std::unique_ptr<Peer>> peers_;  // by SPKI
  std::array<std::atomic<std::uint64_t>, kThreads> done_{};
  std::atomic<bool> stop_ = false, failed_ = false;
};

TEST_P(Renewal, WhileThreadsSign) {
  const int count = renewals();
  mallopt(M_ARENA_MAX, 1);  // the fragments of eight threads' arenas would outgrow any small leak
  const CK_SESSION_HANDLE kept = open();
  const auto issuers = [&] {
    std::map<Bytes, CK_OBJECT_HANDLE> handles;
    const std::string leaf = current(kept).id;  // which goes, and with enough renewals comes again
    for (const CK_OBJECT_HANDLE handle : find(kept, CKO_CERTIFICATE)) {
      if (upper_hex(attribute(kept, handle, CKA_ID).value_or(Bytes{})) == leaf) continue;
      handles[attribute(kept, handle, CKA_VALUE).value_or(Bytes{})] = handle;
    }
    return handles;
  };
  const auto before = issuers();
  EXPECT_EQ(before.size(), 2U);
  EXPECT_EQ(current(kept).id, agent_->id());

  const std::ptrdiff_t descriptors = open_files();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) threads.emplace_back([this, i] { work(i); });
  long memory = 0;
  for (int number = 1; number <= count && !failed_; ++number) {
    const std::string id = agent_->renew(number);
    // While another thread reads the store, a search still gives what was there before.
    for (int rounds = 0; current(kept).id != id && !failed_; ++rounds) {
      if (rounds == 1000) {
        ADD_FAILURE() << "renewal " << number << " is never seen";
        failed_ = true;
        stop_ = true;
      }
      wait_for_signatures(1);
    }
    wait_for_signatures(1);
    if (number == std::max(count / 4, 1)) memory = resident_memory();
  }
  const long grown = resident_memory() - memory;
#ifndef DEVTRUST_SANITIZED
  EXPECT_LE(grown, 2048) << "KiB more than after a quarter of the renewals";
#endif
  RecordProperty("renewals", count);
  RecordProperty("grown_kib", static_cast<int>(grown));

  const auto written = file_contents(live_);
  wait_for_signatures(3);
  stop_ = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(failed_);
  EXPECT_EQ(open_files(), descriptors) << "files stay open";
  EXPECT_TRUE(file_contents(live_) == written) << "nobody writes but the agent";  // who wants to read its bytes?
  EXPECT_EQ(written.size(), 4U) << "cert9.db, key4.db, pkcs11.txt, password: no journal";

  EXPECT_EQ(issuers(), before) << "what did not change is the same object still";
}

TEST_P(Renewal, AnOperationFinishesOnTheKeyThatItBeganWith) {
  const CK_SESSION_HANDLE session = open();
  const Key old = current(session);
  CK_MECHANISM mechanism = plain(old.peer->rsa() ? CKM_SHA256_RSA_PKCS : CKM_ECDSA_SHA256);
  const Bytes message = some_bytes(99);
  ASSERT_THAT(f_->C_SignInit(session, &mechanism, old.handle), ok());
  ASSERT_THAT(f_->C_SignUpdate(session, mutable_data(message), message.size()), ok());
  for (const int number : {1, 2, 3}) {
    agent_->renew(number);
    EXPECT_EQ(current(session).id, agent_->id());
  }
  Bytes signature(old.peer->size());
  CK_ULONG length = signature.size();
  ASSERT_THAT(f_->C_SignFinal(session, signature.data(), &length), ok());
  for (const SignCase& how : old.peer->sign_cases(message)) {
    if (how.type == mechanism.mechanism) {
      EXPECT_TRUE(old.peer->verify(how, message, signature));
    }
  }
  EXPECT_TRUE(sign(session, old, message)) << "a handle that a session has seen stays usable in it";
  EXPECT_NE(current(session).handle, old.handle);
}

INSTANTIATE_TEST_SUITE_P(Stores, Renewal, ::testing::Values(&kRenewing), store_name);

}  // namespace
}  // namespace devtrust::testing
