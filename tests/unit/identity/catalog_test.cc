#include "identity/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <thread>

#include "identity/trace.h"
#include "tests/support/variable.h"
#include "tests/unit/identity/keys.h"

namespace devtrust {
namespace {

using ::testing::HasSubstr;
using testing::LeafOptions;
using testing::load_certificate;
using testing::load_key;
using testing::Pki;
using testing::read_file;
using testing::TempDir;
using testing::Variable;

Time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

/// A double of a store, which the test changes at will; what it holds is real.
class DoubleStore final : public Store {
 public:
  std::string_view kind() const override { return "double"; }
  const std::string& location() const override { return location_; }
  StoreVersion version() const override {
    StoreVersion version;
    version.words[0] = version_now;
    return version;
  }
  Result<StoreContents> read() override {
    ++reads;
    if (during_read) during_read();
    if (failure) return tl::unexpected(*failure);
    StoreContents copy = contents;
    if (stable) copy.version = version();
    return copy;
  }

  std::atomic<std::uint64_t> version_now{1};
  std::atomic<int> reads{0};
  bool stable = true;  // the read knows its version
  std::optional<Error> failure;
  StoreContents contents;
  std::function<void()> during_read;

 private:
  std::string location_ = "the double";
};

class DoubleSource final : public StoreSource {
 public:
  explicit DoubleSource(std::vector<std::shared_ptr<Store>>* stores, bool* moved) : stores_(stores), moved_(moved) {}
  bool changed() const override { return *moved_; }
  std::vector<std::shared_ptr<Store>> stores() override {
    *moved_ = false;
    return *stores_;
  }
  std::vector<Error> problems() const override { return {}; }
  bool explicitly_configured() const override { return true; }

 private:
  std::vector<std::shared_ptr<Store>>* stores_;
  bool* moved_;
};

class CatalogTest : public ::testing::Test {
 protected:
  CatalogTest() {
    std::vector<std::unique_ptr<StoreSource>> sources;
    sources.push_back(std::make_unique<DoubleSource>(&stores_, &moved_));
    catalog_ = std::make_unique<Catalog>(std::move(sources), built_in_profiles());
  }
  StoreContents contents(int from_days) {
    LeafOptions options;
    options.key = "ec:P-256";
    options.valid_from_days = from_days;
    const auto leaf = pki_.issue(options);
    StoreContents made;
    made.certificates = {load_certificate(leaf.certificate), load_certificate(pki_.intermediate()),
                         load_certificate(pki_.root())};
    made.keys.push_back(*SoftwareKey::from_evp(load_key(leaf.key), made.certificates[0]->public_key(), {}));
    return made;
  }
  CertificatePtr current() {
    const auto identity = catalog_->snapshot()->current("jumpcloud", now());
    return identity ? (*identity)->leaf : nullptr;
  }

  static Pki& shared_pki() {
    static const TempDir folder;
    static Pki pki(folder.path(), "ec:P-256");
    return pki;
  }
  Pki& pki_ = shared_pki();
  std::shared_ptr<DoubleStore> store_ = std::make_shared<DoubleStore>();
  std::vector<std::shared_ptr<Store>> stores_{store_};
  bool moved_ = false;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, ReadsOnlyWhatChanged) {
  store_->contents = contents(-10);
  const auto first = catalog_->snapshot();
  EXPECT_EQ(catalog_->snapshot(), first);
  EXPECT_EQ(store_->reads, 1);
  store_->contents = contents(-1);
  ++store_->version_now;
  EXPECT_EQ(current(), store_->contents.certificates[0]);
  EXPECT_EQ(store_->reads, 2);
  EXPECT_EQ(catalog_->last(), catalog_->snapshot());
  EXPECT_TRUE(first->current("jumpcloud", now()));  // an old snapshot stays as it was
}

TEST_F(CatalogTest, LastDoesNotLook) {
  store_->contents = contents(-10);
  EXPECT_TRUE(catalog_->last()->current("jumpcloud", now()));
  ++store_->version_now;
  catalog_->last();
  EXPECT_EQ(store_->reads, 1);
}

TEST_F(CatalogTest, ReadThatMayBeTornIsRepeated) {
  store_->contents = contents(-10);
  store_->stable = false;
  catalog_->snapshot();
  catalog_->snapshot();
  EXPECT_EQ(store_->reads, 2);
  store_->stable = true;
  catalog_->snapshot();
  catalog_->snapshot();
  EXPECT_EQ(store_->reads, 3);
}

TEST_F(CatalogTest, FailedReadKeepsTheLastContentsAndSaysSo) {
  store_->contents = contents(-10);
  const CertificatePtr leaf = current();
  store_->failure = Error{ErrorCode::kBusy, "the database is being written"};
  ++store_->version_now;
  const auto snapshot = catalog_->snapshot();
  EXPECT_EQ((*snapshot->current("jumpcloud", now()))->leaf, leaf);
  ASSERT_EQ(snapshot->reports().size(), 1U);
  EXPECT_THAT(snapshot->reports()[0].problems.at(0).message, HasSubstr("being written"));
  for (int i = 0; i < 50; ++i) catalog_->snapshot();
  EXPECT_LE(store_->reads, 3);  // not tried again at each search
  store_->failure.reset();
  store_->contents = contents(-1);
  ++store_->version_now;
  EXPECT_EQ(current(), store_->contents.certificates[0]);
  EXPECT_TRUE(catalog_->snapshot()->reports()[0].problems.empty());
}

TEST_F(CatalogTest, FirstReadThatFailsIsAnEmptySnapshotWithAReason) {
  store_->failure = Error{ErrorCode::kCorrupt, "key4.db is no database"};
  const auto snapshot = catalog_->snapshot();
  EXPECT_THAT(snapshot->current("jumpcloud", now()).error().message, HasSubstr("key4.db is no database"));
}

TEST_F(CatalogTest, HalfARenewalKeepsTheIdentity) {
  store_->contents = contents(-10);
  const CertificatePtr leaf = current();
  StoreContents renewed = contents(-1);
  store_->contents = renewed;
  store_->contents.keys.clear();  // the certificate is there, its key is not yet
  ++store_->version_now;
  EXPECT_EQ(current(), leaf);
  EXPECT_EQ(current(), leaf);  // and is looked at again although the version is the same
  EXPECT_GE(store_->reads, 3);
  store_->contents = renewed;
  ++store_->version_now;
  EXPECT_EQ(current(), renewed.certificates[0]);
}

TEST_F(CatalogTest, RemovedIdentityIsGoneAfterTheGrace) {
  store_->contents = contents(-10);
  ASSERT_NE(current(), nullptr);
  store_->contents = {};
  ++store_->version_now;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (current() != nullptr && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(current(), nullptr);
  const int reads = store_->reads;
  catalog_->snapshot();
  EXPECT_EQ(store_->reads, reads);
}

TEST_F(CatalogTest, NewStoresAreFound) {
  stores_.clear();
  EXPECT_EQ(current(), nullptr);
  store_->contents = contents(-10);
  stores_.push_back(store_);
  EXPECT_EQ(current(), nullptr);  // the source has not said so
  moved_ = true;
  EXPECT_NE(current(), nullptr);
  EXPECT_EQ(store_->reads, 1);
  moved_ = true;  // listed again, the same store: nothing is read twice
  EXPECT_NE(current(), nullptr);
  EXPECT_EQ(store_->reads, 1);
}

TEST_F(CatalogTest, TraceTellsOfEachReading) {
  const Variable no_trace("DEVTRUST_TRACE", std::nullopt);
  const TempDir folder;
  const std::string file = (folder / "trace").string();
  set_trace(file);
  store_->contents = contents(-10);
  store_->contents.problems.push_back({ErrorCode::kCorrupt, "something is passed over"});
  catalog_->snapshot();
  store_->failure = Error{ErrorCode::kNotFound, "the double is not there"};
  ++store_->version_now;
  catalog_->snapshot();
  set_trace("");
  EXPECT_THAT(read_file(file), AllOf(HasSubstr("store the double: private keys: 1, certificates of theirs and of "
                                               "issuers: 3"),
                                     HasSubstr("store the double: something is passed over"),
                                     HasSubstr("store the double: the double is not there")));
}

TEST_F(CatalogTest, ReadersDoNotWaitForARefresh) {
  store_->contents = contents(-10);
  const auto first = catalog_->snapshot();
  std::mutex mutex;
  std::condition_variable changed;
  bool reading = false;
  bool go_on = false;
  store_->during_read = [&] {
    std::unique_lock lock(mutex);
    reading = true;
    changed.notify_all();
    changed.wait(lock, [&] { return go_on; });
  };
  ++store_->version_now;
  std::thread refresher([this] { catalog_->snapshot(); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return reading; });
  }
  EXPECT_EQ(catalog_->snapshot(), first);  // would hang if it waited
  {
    const std::lock_guard lock(mutex);
    go_on = true;
  }
  changed.notify_all();
  refresher.join();
  EXPECT_NE(catalog_->last(), first);
}

}  // namespace
}  // namespace devtrust
