#include "backends/nss/discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/command.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::write_file;

class DiscoveryTest : public ::testing::Test {
 protected:
  DiscoveryTest() {
    setenv("HOME", home_.path().c_str(), 1);
    unsetenv("XDG_CONFIG_HOME");
  }
  static std::vector<std::string> places(StoreSource& source) {
    std::vector<std::string> list;
    for (const auto& store : source.stores()) list.push_back(store->location());
    return list;
  }
  void write_profiles(const std::string& root, const std::string& text) const {
    fs::create_directories(home_ / root);
    write_file(home_ / root / "profiles.ini", text);
  }
  std::string at(const std::string& path) const { return (home_ / path).string(); }

  TempDir home_;
};

TEST_F(DiscoveryTest, LooksAtTheUsualPlaces) {
  write_profiles(
      ".mozilla/firefox",
      "[Install4F96D1932A9F858E]\nDefault=abc.default-esr\n\n[Profile1]\r\nName=default\r\nIsRelative=1\r\n"
      "Path=abc.default-esr\r\n\n[Profile0]\nName=other\nIsRelative=0\nPath=/srv/profile\n\n[General]\nVersion=2\n");
  write_profiles("snap/firefox/common/.mozilla/firefox", "[Profile0]\nPath=snap.default\nIsRelative=1\n");
  write_profiles(".var/app/org.mozilla.firefox/.mozilla/firefox", "[Profile0]\nIsRelative=1\nPath=flat.default\n");
  write_profiles(".config/mozilla/firefox", "[Profile0]\nIsRelative=1\nPath=new.default\n");
  fs::create_directories(home_ / ".var/app/com.google.Chrome");
  const auto source = nss_usual_places();
  const auto found = places(*source);
  for (const char* path : {".pki/nssdb", ".local/share/pki/nssdb", ".mozilla/firefox/abc.default-esr",
                           ".config/mozilla/firefox/new.default", "snap/chromium/current/.pki/nssdb",
                           "snap/firefox/common/.mozilla/firefox/snap.default", ".var/app/com.google.Chrome/.pki/nssdb",
                           ".var/app/org.mozilla.firefox/.mozilla/firefox/flat.default"}) {
    EXPECT_THAT(found, Contains(at(path)));
  }
  EXPECT_THAT(found, Contains("/srv/profile"));
  EXPECT_THAT(found, Contains("/etc/pki/nssdb"));
  EXPECT_EQ(found.front(), at(".pki/nssdb"));
  EXPECT_FALSE(source->explicitly_configured());
  EXPECT_TRUE(source->problems().empty());
}

TEST_F(DiscoveryTest, XdgConfigHomeIsRespected) {
  setenv("XDG_CONFIG_HOME", at("elsewhere").c_str(), 1);
  write_profiles("elsewhere/mozilla/firefox", "[Profile0]\nPath=p\nIsRelative=1\n");
  EXPECT_THAT(places(*nss_usual_places()), Contains(at("elsewhere/mozilla/firefox/p")));
}

TEST_F(DiscoveryTest, NewProfilesAreFoundAndOldStoresKept) {
  const auto source = nss_usual_places();
  const auto first = source->stores();
  EXPECT_FALSE(source->changed());
  write_profiles(".mozilla/firefox", "[Profile0]\nPath=late\nIsRelative=1\n");
  EXPECT_TRUE(source->changed());
  const auto second = source->stores();
  EXPECT_FALSE(source->changed());
  EXPECT_EQ(second.size(), first.size() + 1);
  EXPECT_EQ(second.front(), first.front());
  fs::create_directories(home_ / ".var/app/new.App");
  EXPECT_TRUE(source->changed());
  EXPECT_THAT(places(*source), Contains(at(".var/app/new.App/.pki/nssdb")));
}

TEST_F(DiscoveryTest, HostileProfilesIniIsBounded) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "[Profile" + std::to_string(i) + "]\nPath=p" + std::to_string(i) + '\n';
  write_profiles(".mozilla/firefox", text + std::string(3 << 20, 'x'));
  EXPECT_LT(places(*nss_usual_places()).size(), 100U);
}

TEST_F(DiscoveryTest, ConfiguredPlaceTakesNsssPrefix) {
  const auto source = nss_store_at({"nss", "sql:/srv/nssdb", "", "", false});
  EXPECT_EQ(places(*source), std::vector<std::string>{"/srv/nssdb"});
  EXPECT_TRUE(source->explicitly_configured());
}

TEST_F(DiscoveryTest, OldDbmFormIsNamed) {
  fs::create_directories(home_ / "old");
  write_file(home_ / "old/key3.db", "x");
  write_file(home_ / "old/cert8.db", "x");
  const auto problems = nss_store_at({"nss", at("old"), "", "", false})->problems();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0].message, HasSubstr("dbm"));
  EXPECT_EQ(nss_store_at({"nss", "dbm:" + at("old"), "", "", false})->problems().size(), 1U);
}

}  // namespace
}  // namespace devtrust
