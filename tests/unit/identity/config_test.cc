#include "identity/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "tests/unit/identity/config_fixture.h"
#include "tests/unit/identity/surroundings.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;
using testing::ConfigFile;
using ::testing::ElementsAre;
using testing::full_path;
using ::testing::HasSubstr;
using testing::load_refusal;
using testing::read_file;
using testing::refusal;
using ::testing::StartsWith;
using testing::Variable;

/// A configuration as it is on this system.
std::string with_full_paths(const std::string& text) {
  return std::regex_replace(text, std::regex("([\"']|file:)/"), "$1" + full_path("/"));
}

std::vector<std::string> names(const Config& config) {
  std::vector<std::string> list;
  for (const Profile& profile : config.profiles) list.push_back(profile.name);
  return list;
}

TEST(Config, AnEmptyFileMeansTheDefaults) {
  const auto config = parse_config("", "c.toml");
  ASSERT_TRUE(config);
  EXPECT_THAT(config->files, ElementsAre("c.toml"));
  EXPECT_EQ(config->trace, "");
  EXPECT_EQ(config->audit, "");
  EXPECT_FALSE(config->audit_required);
  EXPECT_TRUE(config->stores.empty());
  EXPECT_EQ(config->profiles.size(), built_in_profiles().size());
  EXPECT_TRUE(config->profiles.front().built_in);
  EXPECT_EQ(config->sign.include_certs, -2);
  EXPECT_TRUE(config->sign.fallback);
}

TEST(Config, ReadsEveryKey) {
  const testing::Home home(full_path("/home/someone"));
  const auto config = parse_config(with_full_paths(R"(
trace = "~/trace"
audit = "~/audit"
audit_required = true

[[store]]
kind = "nss"
path = "sql:~/.pki/nssdb"
pin_source = "file:~/pin"
prompt = true

[[store]]
kind = "file"
path = "/run/secrets/tls.crt"
key_path = "/run/secrets/tls.key"

[[profile]]
name = "jumpcloud"
label = "Work – laptop"
show = "valid"

[[profile]]
name = "own"
show = "all"
match = [
  { issuer_cn = "Own CA", subject_cn = "*", root_cn = "Own Root", eku = "1.3.6.1.5.5.7.3.2", oid = "1.2.3", email = "*@example.org", issuer_dn = "O=Own, DC=example", subject_dn = "OU=Laptops", root_sha256 = "AA:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:ff" },
  { issuer_cn = "Other CA" },
]

[sign]
timestamp = "http://tsa.example/"
timestamp_required = true
include_certs = -1
fallback = false

[verify]
roots = ["~/roots.pem"]
timestamp_roots = ["/etc/time.pem"]
timestamp_required = true
allow = [{ email = "*@example.com" }, { root_cn = "Own Root" }]

[browser]
urls = ["https://portal.example"]

[keyholder]
programs = ["/usr/bin/git"]
)"),
                                   "c.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->trace, full_path("/home/someone/trace"));
  EXPECT_EQ(config->audit, full_path("/home/someone/audit"));
  EXPECT_TRUE(config->audit_required);
  ASSERT_EQ(config->stores.size(), 2U);
  EXPECT_EQ(config->stores[0].kind, "nss");
  EXPECT_EQ(config->stores[0].path, full_path("/home/someone/.pki/nssdb"));
  EXPECT_EQ(config->stores[0].pin_source, "file:" + full_path("/home/someone/pin"));
  EXPECT_TRUE(config->stores[0].prompt);
  EXPECT_EQ(config->stores[1].kind, "file");
  EXPECT_EQ(config->stores[1].path, full_path("/run/secrets/tls.crt"));
  EXPECT_EQ(config->stores[1].key_path, full_path("/run/secrets/tls.key"));
  EXPECT_THAT(names(*config), ElementsAre("jumpcloud", "own"));
  EXPECT_EQ(config->profiles[0].label, "Work – laptop");
  EXPECT_EQ(config->profiles[0].show, Show::kValid);
  EXPECT_EQ(config->profiles[1].label, "own");
  EXPECT_EQ(config->profiles[1].show, Show::kAll);
  ASSERT_EQ(config->profiles[1].matches.size(), 2U);
  const Match& match = config->profiles[1].matches[0];
  EXPECT_EQ(match.issuer_cn, "Own CA");
  EXPECT_EQ(match.subject_cn, "*");
  EXPECT_EQ(match.root_cn, "Own Root");
  EXPECT_EQ(match.issuer_dn, "O=Own, DC=example");
  EXPECT_EQ(match.subject_dn, "OU=Laptops");
  EXPECT_EQ(match.eku, "1.3.6.1.5.5.7.3.2");
  EXPECT_EQ(match.oid, "1.2.3");
  EXPECT_EQ(match.email, "*@example.org");
  EXPECT_EQ(match.root_sha256.size(), 64U);
  EXPECT_EQ(config->profiles[1].matches[1].issuer_cn, "Other CA");
  EXPECT_EQ(config->sign.timestamp, "http://tsa.example/");
  EXPECT_TRUE(config->sign.timestamp_required);
  EXPECT_EQ(config->sign.include_certs, -1);
  EXPECT_FALSE(config->sign.fallback);
  EXPECT_THAT(config->verify.roots, ElementsAre(full_path("/home/someone/roots.pem")));
  EXPECT_THAT(config->verify.timestamp_roots, ElementsAre(full_path("/etc/time.pem")));
  EXPECT_TRUE(config->verify.timestamp_required);
  ASSERT_EQ(config->verify.allow.size(), 2U);
  EXPECT_EQ(config->verify.allow[0].email, "*@example.com");
  EXPECT_EQ(config->verify.allow[1].root_cn, "Own Root");
  EXPECT_THAT(config->browser.urls, ElementsAre("https://portal.example"));
  EXPECT_THAT(config->keyholder.programs, ElementsAre(full_path("/usr/bin/git")));
}

TEST(Config, ABuiltInProfileKeepsItsMatchUnlessAnotherIsGiven) {
  const auto kept = parse_config("[[profile]]\nname = \"jumpcloud\"\nlabel = \"Work\"\n", "c.toml");
  ASSERT_TRUE(kept) << kept.error().message;
  ASSERT_THAT(names(*kept), ElementsAre("jumpcloud"));
  EXPECT_EQ(kept->profiles[0].label, "Work");
  EXPECT_EQ(kept->profiles[0].matches[0].issuer_cn, built_in_profiles()[0].matches[0].issuer_cn);
  EXPECT_FALSE(kept->profiles[0].built_in);

  const auto changed = parse_config("[[profile]]\nname = \"jumpcloud\"\nmatch = { root_cn = \"Own\" }\n", "c.toml");
  ASSERT_TRUE(changed);
  ASSERT_EQ(changed->profiles[0].matches.size(), 1U);
  EXPECT_EQ(changed->profiles[0].matches[0].issuer_cn, "");
  EXPECT_EQ(changed->profiles[0].matches[0].root_cn, "Own");
  EXPECT_EQ(changed->profiles[0].label, "JumpCloud Device Trust");
}

struct Refused {
  const char* name;
  std::string text;
  const char* message;  // after the file's name
};

class ConfigRefuses : public ::testing::TestWithParam<Refused> {};

TEST_P(ConfigRefuses, AndSaysWhereAndWhatItExpected) {
  EXPECT_THAT(refusal(with_full_paths(GetParam().text)), StartsWith(std::string("c.toml") + GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Config, ConfigRefuses,
    ::testing::Values(
        Refused{"NoToml", "trace = \n", ":1:"},                                                                     //
        Refused{"Duplicate", "trace = \"\"\ntrace = \"\"\n", ":2:"},                                                //
        Refused{"NoUtf8", "trace = \"\xff\"\n", ":1:"},                                                             //
        Refused{"UnknownKey", "\n  colour = 1\n", ":2:3: unknown key \"colour\": expected one of trace, audit, "},  //
        Refused{"UnknownTable", "[signing]\n", ":1:2: unknown key \"signing\""},                                    //
        Refused{"UnknownStoreKey", "[[store]]\nkind = \"nss\"\npin = \"1\"\n",
                ":3:1: unknown key \"pin\" in [[store]]: expected one of kind, path"},
        Refused{"UnknownMatchKey", "[[profile]]\nname = \"a\"\nmatch = { cn = \"x\" }\n",
                ":3:11: unknown key \"cn\" in match: expected one of issuer_cn"},
        Refused{"Type", "trace = 1\n", ":1:9: trace must be a string, and this is a number"},
        Refused{"BooleanType", "audit_required = \"yes\"\n",
                ":1:18: audit_required must be true or false, and this is a string"},
        Refused{"ListType", "[verify]\nroots = \"/x\"\n",
                ":2:9: roots must be a list of strings, and this is a string"},
        Refused{"ElementType", "[browser]\nurls = [[]]\n", ":2:9: urls must be a string, and this is a list"},
        Refused{"TableType", "sign = 2020-01-01\n", ":1:8: sign must be a table, and this is a date or time"},
        Refused{"StoreTable", "[store]\nkind = \"nss\"\n", ":1:1: stores are written as [[store]]"},
        Refused{"StoreElement", "store = [1]\n", ":1:10: stores are written as [[store]]"},
        Refused{"ProfileTable", "[profile]\nname = \"a\"\n", ":1:1: profiles are written as [[profile]]"},
        Refused{"MatchType", "[[profile]]\nname = \"a\"\nmatch = [\"x\"]\n",
                ":3:10: match must be a table, and this is a string"},
        Refused{"Range", "[sign]\ninclude_certs = -4\n", ":2:17: include_certs must be a whole number from -3"},
        Refused{"RequiredAuditOfNothing", "audit_required = true\n", ": audit_required is true and there is no audit"},
        Refused{"RequiredTimeStampOfNobody", "[sign]\ntimestamp_required = true\n",
                ": timestamp_required is true and there is no authority to ask"},
        Refused{"RelativeAudit", "audit = \"log\"\n", ":1:9: audit must be a path"},
        Refused{"RelativeRoot", "[verify]\nroots = [\"a.pem\"]\n", ":2:9: roots must be a path"},
        Refused{"ControlCharacter", "trace = \"/a\\u0000b\"\n", ":1:9: trace has a control character"},
        Refused{"NoKind", "[[store]]\npath = \"/x\"\n", ":1:1: this store has no kind"},
        Refused{"UnknownKind", "[[store]]\nkind = \"nns\"\n",
                ":2:8: unknown kind \"nns\": expected nss, keychain, windows, token or file"},
        Refused{"FileWithoutPath", "[[store]]\nkind = \"file\"\n", ":1:1: a file store needs a path"},
        Refused{"RelativePath", "[[store]]\nkind = \"nss\"\npath = \"nssdb\"\n", ":3:8: path must be a path that"},
        Refused{"TokenWithoutModule", "[[store]]\nkind = \"token\"\n", ":1:1: a token store needs a path"},
        Refused{"TokenElsewhere", "[[store]]\nkind = \"nss\"\ntoken = \"x\"\n",
                ":1:1: token and init_args are for stores"},
        Refused{"TokensUri", "[[store]]\nkind = \"token\"\npath = \"/x\"\ntoken = \"pkcs11:tokn=x\"\n",
                ":4:9: token is no pkcs11: URI"},
        Refused{"TokensPin", "[[store]]\nkind = \"token\"\npath = \"/x\"\ntoken = \"pkcs11:token=x?pin-value=1\"\n",
                ":4:9: a token's URI has no PIN"},
        Refused{"KeyPathElsewhere", "[[store]]\nkind = \"nss\"\nkey_path = \"/x\"\n", ":1:1: key_path is for stores"},
        Refused{"PinOfNoStore", "[[store]]\nkind = \"nss\"\npin_source = \"file:/x\"\n",
                ":1:1: a store with a pin_source"},
        Refused{"PinSource", "[[store]]\nkind = \"nss\"\npath = \"/x\"\npin_source = \"1234\"\n",
                ":4:14: pin_source must be \"file:\" and"},
        Refused{"RelativePin", "[[store]]\nkind = \"nss\"\npath = \"/x\"\npin_source = \"file:pin\"\n",
                ":4:14: pin_source must be a path"},
        Refused{"NoName", "[[profile]]\nlabel = \"x\"\n", ":1:1: a profile needs a name"},
        Refused{"BadName", "[[profile]]\nname = \"Jump Cloud\"\n", ":1:1: a profile needs a name"},
        Refused{"TwoOfOneName", "[[profile]]\nname = \"okta\"\n[[profile]]\nname = \"okta\"\n",
                ":3:1: there are two profiles named okta"},
        Refused{"TwoOfOneLabel",
                "[[profile]]\nname = \"okta\"\nlabel = \"X\"\n[[profile]]\nname = \"duo\"\nlabel = \"X\"\n",
                ":4:1: profiles okta and duo have the same label"},
        Refused{"NoMatch", "[[profile]]\nname = \"own\"\n",
                ":1:1: profile own is not a built-in one and needs a match"},
        Refused{"EmptyMatch", "[[profile]]\nname = \"own\"\nmatch = {}\n", ":3:9: an empty table would match nothing"},
        Refused{"EmptyMatches", "[[profile]]\nname = \"okta\"\nmatch = []\n", ":1:1: profile okta is not"},
        Refused{"EmptyName", "[[profile]]\nname = \"own\"\nmatch = { root_cn = \"\" }\n",
                ":3:21: root_cn must be left out rather than empty"},
        Refused{"LongLabel", "[[profile]]\nname = \"okta\"\nlabel = \"" + std::string(33, 'x') + "\"\n",
                ":3:9: a label has"},
        Refused{"LongLabelInBytes", "[[profile]]\nname = \"okta\"\nlabel = \"ééééééééééééééééé\"\n",
                ":3:9: a label has"},
        Refused{"ColonInLabel", "[[profile]]\nname = \"okta\"\nlabel = \"a:b\"\n", ":3:9: a label has"},
        Refused{"EmptyLabel", "[[profile]]\nname = \"okta\"\nlabel = \"\"\n", ":3:9: a label has"},
        Refused{"BlankAtLabelsEnd", "[[profile]]\nname = \"okta\"\nlabel = \"x \"\n", ":3:9: a label has"},
        Refused{"Show", "[[profile]]\nname = \"okta\"\nshow = \"newest\"\n",
                ":3:8: show must be \"current\", \"valid\" or \"all\""},
        Refused{"Fingerprint", "[[profile]]\nname = \"own\"\nmatch = { root_sha256 = \"12:34\" }\n",
                ":3:25: root_sha256 must be a SHA-256 fingerprint"},
        Refused{"FingerprintDigits",
                "[[profile]]\nname = \"own\"\nmatch = { root_sha256 = \"" + std::string(64, 'g') + "\" }\n",
                ":3:25: root_sha256 must be a SHA-256 fingerprint"},
        Refused{"Oid", "[[profile]]\nname = \"own\"\nmatch = { oid = \"1.2..3\" }\n",
                ":3:17: oid must be an object identifier"},
        Refused{"EkuByName", "[[profile]]\nname = \"own\"\nmatch = { eku = \"clientAuth\" }\n",
                ":3:17: eku must be an object identifier"},
        Refused{"DnAttribute", "[[profile]]\nname = \"own\"\nmatch = { issuer_dn = \"CNN=x\" }\n",
                ":3:23: issuer_dn must be attributes and values"}),
    [](const auto& test) { return test.param.name; });

TEST(Config, SaysWhenNestingIsTooDeep) {
  const std::string deep(100'000, '[');
  std::string dotted = "a";
  for (int i = 0; i < 200'000; ++i) dotted += ".a";
  for (const std::string& text : {
           "trace = " + deep,
           deep,
           "trace = \"\"\"x\"\"\"\" " + deep,
           "trace = '\n" + deep,
           "# '\n" + deep,
           dotted + " = 1",
           '[' + dotted + ']',
           "a = {" + dotted + " = 1}",
           "\"a\\\"\" = " + deep,
       }) {
    EXPECT_THAT(refusal(text), StartsWith("c.toml")) << text.substr(0, 20);
  }
  EXPECT_THAT(refusal(dotted + " = 1"), HasSubstr("more than 16 deep"));
}

TEST(Config, BracketsAndDotsInStringsAndCommentsDoNotNest) {
  const std::string noise = "[[[[[[[[[[[[[[[[[[[[ .......................... {{{{{{{{{{{{{{{{{{{{{";
  EXPECT_EQ(refusal(with_full_paths("# " + noise + "\ntrace = \"/" + noise + "\\\"" + noise + "\"\naudit = '/" + noise +
                                    "'\n[browser]\nurls = [\"\"\"" + "https://\"\" " + noise + "\"\"\"\"\"]\n")),
            "");
}

TEST(Config, EveryKeyIsInTheDocumentation) {
  const std::string page = read_file(fs::path(DEVTRUST_SOURCE) / "docs" / "configuration.md");
  const std::regex word("[a-z_0-9]+");
  int keys = 0;
  for (const std::string& text : {std::string("unknown = 1"), std::string("[[store]]\nunknown = 1"),
                                  std::string("[[profile]]\nname = \"a\"\nunknown = 1"),
                                  std::string("[[profile]]\nname = \"a\"\nmatch = { unknown = 1 }"),
                                  std::string("[sign]\nunknown = 1"), std::string("[verify]\nunknown = 1"),
                                  std::string("[browser]\nunknown = 1"), std::string("[keyholder]\nunknown = 1")}) {
    const std::string message = refusal(text);
    const std::string known = message.substr(message.find("expected one of ") + 16);
    for (auto key = std::sregex_iterator(known.begin(), known.end(), word); key != std::sregex_iterator(); ++key) {
      const std::string name = key->str();
      EXPECT_TRUE(page.find('`' + name + '`') != std::string::npos ||
                  page.find('.' + name + '`') != std::string::npos || page.find('[' + name + "]") != std::string::npos)
          << name;
      ++keys;
    }
  }
  EXPECT_EQ(keys, 39);
  for (const Profile& profile : built_in_profiles()) {
    EXPECT_THAT(page, HasSubstr("| `" + profile.name + "` | " + profile.label + " |"));
  }
}

TEST_F(ConfigFile, LaterFilesGoOverEarlierOnes) {
  const fs::path system = write("system.toml", with_full_paths(R"(
trace = "/system/trace"
audit = "/system/audit"
audit_required = true
[[store]]
kind = "nss"
[[profile]]
name = "jumpcloud"
label = "Company laptop"
show = "all"
[[profile]]
name = "own"
match = { issuer_cn = "Own CA" }
[sign]
include_certs = 1
timestamp = "http://tsa.example/"
[browser]
urls = ["https://one.example", "https://two.example"]
)"));
  const fs::path user = write("user.toml", with_full_paths(R"(
trace = "/user/trace"
[[store]]
kind = "file"
path = "/user/key.pem"
[[profile]]
name = "mine"
match = { issuer_cn = "My CA" }
[[profile]]
name = "jumpcloud"
label = "My laptop"
[sign]
include_certs = 2
[browser]
urls = ["https://three.example"]
)"));
  const auto config = load_config_files({system.string(), user.string()}, true);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->files, ElementsAre(system.string(), user.string()));
  EXPECT_EQ(config->trace, full_path("/user/trace"));
  EXPECT_EQ(config->audit, full_path("/system/audit"));
  EXPECT_TRUE(config->audit_required);
  ASSERT_EQ(config->stores.size(), 1U);
  EXPECT_EQ(config->stores[0].kind, "file");
  EXPECT_THAT(names(*config), ElementsAre("jumpcloud", "own", "mine"));
  EXPECT_EQ(config->profiles[0].label, "My laptop");
  EXPECT_EQ(config->profiles[0].show, Show::kAll);
  EXPECT_EQ(config->sign.include_certs, 2);
  EXPECT_EQ(config->sign.timestamp, "http://tsa.example/");
  EXPECT_THAT(config->browser.urls, ElementsAre("https://three.example"));
}

TEST_F(ConfigFile, UsualFilesNeedNotExistAndNamedOnesMust) {
  const auto none = load_config_files({(folder_ / "a.toml").string(), (folder_ / "b.toml").string()}, false);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->files.empty());
  EXPECT_THAT(load_refusal(folder_ / "a.toml"), HasSubstr("cannot be opened: "));
}

TEST_F(ConfigFile, TheOneThatIsNamedIsTheOnlyOne) {
  const fs::path by_variable = write("variable.toml", with_full_paths("trace = \"/variable\"\n"));
  const fs::path by_host = write("host.toml", with_full_paths("trace = \"/host\"\n"));
  const Variable variable("DEVTRUST_CONFIG", by_variable.string());
  const auto from_variable = load_config();
  ASSERT_TRUE(from_variable) << from_variable.error().message;
  EXPECT_THAT(from_variable->files, ElementsAre(by_variable.string()));
  const auto from_host = load_config(by_host.string());
  ASSERT_TRUE(from_host);
  EXPECT_THAT(from_host->files, ElementsAre(by_host.string()));
}

TEST_F(ConfigFile, ErrorsNameTheFile) {
  EXPECT_THAT(load_refusal(write("config.toml", "trace = 1\n")), HasSubstr("config.toml:1:9: "));
}

TEST_F(ConfigFile, IsASmallRegularFile) {
  EXPECT_THAT(load_refusal(folder_.path()), HasSubstr("is not a regular file"));
  const auto large = write("large.toml", "");
  std::filesystem::resize_file(large, (1U << 20U) + 1);
  EXPECT_THAT(load_refusal(large), HasSubstr("is longer than 1048576 bytes"));
}

TEST_F(ConfigFile, PinSourceGivesThePassword) {
  const auto pin = [this](const std::string& content) {
    return read_pin_source("file:" + write("pin", content).string());
  };
  const auto text = [](const Result<SecureBytes>& read) {
    return read ? std::string(as_text(*read)) : "error: " + read.error().message;
  };
  EXPECT_EQ(text(pin("secret\n")), "secret");
  EXPECT_EQ(text(pin("secret")), "secret");
  EXPECT_EQ(text(pin("two\nlines\n\n")), "two\nlines\n");
  EXPECT_EQ(text(pin("")), "");
  EXPECT_EQ(text(pin(std::string(4096, 'x'))), std::string(4096, 'x'));
  EXPECT_THAT(text(pin(std::string(4097, 'x'))), HasSubstr("is longer than 4096 bytes"));
  EXPECT_EQ(read_pin_source("secret").error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(read_pin_source("secret").error().message, ::testing::Not(HasSubstr("secret")));
  EXPECT_EQ(read_pin_source("file:" + (folder_ / "none").string()).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace devtrust
