#include "identity/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <set>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "identity/process.h"

namespace devtrust {
namespace {

constexpr const char* kSystemFile = "/etc/devtrust/config.toml";
constexpr off_t kMaxConfig = off_t{1} << 20;
constexpr off_t kMaxPin = 4096;
constexpr std::size_t kMaxLabel = 32;  // CK_TOKEN_INFO.label, in bytes
constexpr int kMaxNesting = 32;

class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : value_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

/// A small regular file that only root and this user may write.
template <typename Buffer>
Result<Buffer> read_trusted(const std::string& path, off_t limit) {
  const Descriptor file(path);
  if (file.get() < 0) {
    const auto code = errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kAccessDenied;
    return fail(code, path + " cannot be opened: " + std::strerror(errno));
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kInvalidConfig, path + " is not a regular file");
  }
  if ((status.st_uid != 0 && status.st_uid != geteuid()) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(ErrorCode::kInvalidConfig, path +
                                               " may be written by others than root and this user, so it is not "
                                               "believed: make it yours and run chmod go-w on it");
  }
  if (status.st_size > limit) {
    return fail(ErrorCode::kInvalidConfig, path + " is longer than " + std::to_string(limit) + " bytes");
  }
  Buffer content(static_cast<std::size_t>(limit) + 1, {});
  std::size_t length = 0;
  while (length < content.size()) {
    const ssize_t got = read(file.get(), content.data() + length, content.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, path + " cannot be read: " + std::strerror(errno));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length > static_cast<std::size_t>(limit))
    return fail(ErrorCode::kInvalidConfig, path + " grew while it was read");
  content.resize(length);
  return content;
}

/// toml++ descends once for each bracket: deep nesting would use up a host thread's stack.
bool nests_too_deeply(std::string_view text) {
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') {
      if (++depth > kMaxNesting) return true;
    } else if (c == ']' || c == '}') {
      depth = std::max(0, depth - 1);
    }
  }
  return false;
}

bool is_name(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

/// Walks one file's tables; the first thing that is wrong ends it.
class Reader {
 public:
  Reader(std::string path, Config& config) : path_(std::move(path)), config_(config) {}

  Result<void> read(const toml::table& root) {
    table(
        root, "",
        {{"trace", [&](const toml::node& n) { text(n, config_.trace); }},
         {"audit", [&](const toml::node& n) { read_audit(n); }},
         {"audit_required", [&](const toml::node& n) { flag(n, config_.audit_required); }},
         {"store", [&](const toml::node& n) { read_stores(n); }},
         {"profile", [&](const toml::node& n) { read_profiles(n); }},
         {"sign", [&](const toml::node& n) { read_sign(n); }},
         {"verify",
          [&](const toml::node& n) {
            section(n, "verify", {{"roots", [&](const toml::node& m) { texts(m, config_.verify.roots); }}});
          }},
         {"browser",
          [&](const toml::node& n) {
            section(n, "browser", {{"urls", [&](const toml::node& m) { texts(m, config_.browser.urls); }}});
          }},
         {"keyholder", [&](const toml::node& n) {
            section(n, "keyholder", {{"programs", [&](const toml::node& m) { texts(m, config_.keyholder.programs); }}});
          }}});
    if (error_) return tl::unexpected(*std::move(error_));
    return {};
  }

 private:
  struct Key {
    std::string_view name;
    std::function<void(const toml::node&)> read;
  };

  void complain(const toml::node& node, const std::string& what) {
    if (error_) return;
    const auto at = node.source().begin;
    error_ = Error{ErrorCode::kInvalidConfig,
                   path_ + ':' + std::to_string(at.line) + ':' + std::to_string(at.column) + ": " + what};
  }

  void table(const toml::table& values, const std::string& where, const std::vector<Key>& keys) {
    for (const auto& [key, node] : values) {
      const auto known = std::ranges::find(keys, std::string_view(key.str()), &Key::name);
      if (known == keys.end()) {
        std::string expected;
        for (const Key& candidate : keys) expected += (expected.empty() ? "" : ", ") + std::string(candidate.name);
        complain(node, "unknown key \"" + std::string(key.str()) + '"' + (where.empty() ? "" : " in " + where) +
                           ": expected one of " + expected);
        return;
      }
      known->read(node);
      if (error_) return;
    }
  }
  void section(const toml::node& node, const std::string& name, const std::vector<Key>& keys) {
    if (const toml::table* values = node.as_table()) {
      table(*values, '[' + name + ']', keys);
    } else {
      complain(node, name + " must be a table");
    }
  }
  void text(const toml::node& node, std::string& out) {
    if (const auto* value = node.as_string()) {
      out = value->get();
    } else {
      complain(node, "expected a string");
    }
  }
  void flag(const toml::node& node, bool& out) {
    if (const auto* value = node.as_boolean()) {
      out = value->get();
    } else {
      complain(node, "expected true or false");
    }
  }
  void texts(const toml::node& node, std::vector<std::string>& out) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return complain(node, "expected a list of strings");
    out.clear();
    for (const toml::node& element : *list) text(element, out.emplace_back());
  }

  void read_audit(const toml::node& node) {
    text(node, config_.audit);
    if (config_.audit.starts_with("eventlog:"))
      complain(node, "eventlog: is for Windows: use a file, syslog: or journal:");
  }

  void read_sign(const toml::node& node) {
    section(node, "sign",
            {{"timestamp", [&](const toml::node& n) { text(n, config_.sign.timestamp); }},
             {"include_certs",
              [&](const toml::node& n) {
                const auto* value = n.as_integer();
                if (value == nullptr || value->get() < -3 || value->get() > 100) {
                  return complain(n, "expected a number from -3 to 100");
                }
                config_.sign.include_certs = static_cast<int>(value->get());
              }},
             {"fallback", [&](const toml::node& n) { flag(n, config_.sign.fallback); }}});
  }

  void read_stores(const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return complain(node, "stores are written as [[store]]");
    config_.stores.clear();  // a file that names stores names all of them
    for (const toml::node& element : *list) {
      StoreConfig store;
      section(element, "[store]",
              {{"kind", [&](const toml::node& n) { read_kind(n, store); }},
               {"path",
                [&](const toml::node& n) {
                  text(n, store.path);
                  store.path = expand_home(store.path);
                }},
               {"key_path",
                [&](const toml::node& n) {
                  text(n, store.key_path);
                  store.key_path = expand_home(store.key_path);
                }},
               {"pin_source",
                [&](const toml::node& n) {
                  text(n, store.pin_source);
                  if (!error_ && !store.pin_source.starts_with("file:")) {
                    complain(n, "expected \"file:\" and the path of a file that holds the password");
                  }
                }},
               {"prompt", [&](const toml::node& n) { flag(n, store.prompt); }}});
      if (error_) return;
      if (store.kind.empty()) return complain(element, "the store has no kind");
      if (store.kind == "file" && store.path.empty()) return complain(element, "a file store needs a path");
      config_.stores.push_back(std::move(store));
    }
  }
  void read_kind(const toml::node& node, StoreConfig& store) {
    static constexpr std::array<std::string_view, 5> kKinds{"nss", "keychain", "windows", "token", "file"};
    text(node, store.kind);
    if (!error_ && std::ranges::find(kKinds, store.kind) == kKinds.end()) {
      complain(node, "unknown kind \"" + store.kind + "\": expected nss, keychain, windows, token or file");
    }
  }

  void read_profiles(const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return complain(node, "profiles are written as [[profile]]");
    std::set<std::string> names;
    for (const toml::node& element : *list) {
      const toml::table* values = element.as_table();
      if (values == nullptr) return complain(element, "profiles are written as [[profile]]");
      const auto name = (*values)["name"].value<std::string>();
      if (!name || !is_name(*name)) {
        return complain(element, "a profile needs a name of lower-case letters, digits and hyphens");
      }
      if (!names.insert(*name).second) return complain(element, "there are two profiles named " + *name);
      Profile profile = start_of(*name);
      read_profile(element, profile);
      if (error_) return;
      if (profile.matches.empty()) {
        return complain(element, "profile " + *name + " is not a built-in one and needs a match");
      }
      add(std::move(profile), element);
    }
  }

  /// What an earlier file or the built-in profile of this name says.
  Profile start_of(const std::string& name) const {
    for (const std::vector<Profile>* list :
         {static_cast<const std::vector<Profile>*>(&config_.profiles), &built_in_profiles()}) {
      const auto found = std::ranges::find(*list, name, &Profile::name);
      if (found != list->end()) return *found;
    }
    Profile profile;
    profile.name = name;
    profile.label = name.substr(0, kMaxLabel);
    return profile;
  }

  void add(Profile profile, const toml::node& node) {
    profile.built_in = false;
    for (const Profile& other : config_.profiles) {
      if (other.name != profile.name && other.label == profile.label) {
        return complain(node, "profiles " + other.name + " and " + profile.name + " have the same label");
      }
    }
    const auto known = std::ranges::find(config_.profiles, profile.name, &Profile::name);
    if (known != config_.profiles.end()) {
      *known = std::move(profile);
    } else {
      config_.profiles.push_back(std::move(profile));
    }
  }

  void read_profile(const toml::node& node, Profile& profile) {
    section(node, "[profile]",
            {{"name", [](const toml::node&) {}},
             {"label",
              [&](const toml::node& n) {
                text(n, profile.label);
                if (error_) return;
                if (profile.label.empty() || profile.label.size() > kMaxLabel ||
                    profile.label.find(':') != std::string::npos) {
                  complain(n, "a label has 1 to 32 bytes and no colon");
                }
              }},
             {"show",
              [&](const toml::node& n) {
                std::string word;
                text(n, word);
                if (word == "current") {
                  profile.show = Show::kCurrent;
                } else if (word == "valid") {
                  profile.show = Show::kValid;
                } else if (word == "all") {
                  profile.show = Show::kAll;
                } else {
                  complain(n, "expected \"current\", \"valid\" or \"all\"");
                }
              }},
             {"match", [&](const toml::node& n) {
                profile.matches.clear();
                if (const toml::array* list = n.as_array()) {
                  for (const toml::node& element : *list) read_match(element, profile);
                } else {
                  read_match(n, profile);
                }
              }}});
  }

  void read_match(const toml::node& node, Profile& profile) {
    Match& match = profile.matches.emplace_back();
    const auto field = [this](std::string& out) {
      return [this, &out](const toml::node& n) {
        text(n, out);
        if (!error_ && out.empty()) complain(n, "an empty text would match nothing: leave the key out");
      };
    };
    section(node, "match",
            {{"issuer_cn", field(match.issuer_cn)},
             {"subject_cn", field(match.subject_cn)},
             {"root_cn", field(match.root_cn)},
             {"issuer_dn", field(match.issuer_dn)},
             {"subject_dn", field(match.subject_dn)},
             {"eku", field(match.eku)},
             {"oid", field(match.oid)},
             {"email", field(match.email)},
             {"root_sha256", [&](const toml::node& n) {
                text(n, match.root_sha256);
                std::erase(match.root_sha256, ':');
                const bool hex =
                    std::ranges::all_of(match.root_sha256, [](unsigned char c) { return std::isxdigit(c); });
                if (!hex || match.root_sha256.size() != 64)
                  complain(n, "expected a SHA-256 fingerprint: 64 hexadecimal digits");
              }}});
    if (!error_ && node.is_table() && node.as_table()->empty()) complain(node, "an empty match matches nothing");
  }

  std::string path_;
  Config& config_;
  std::optional<Error> error_;
};

Result<void> read_into(Config& config, std::string_view text, const std::string& path) {
  if (nests_too_deeply(text)) {
    return fail(ErrorCode::kInvalidConfig, path + " has brackets more than " + std::to_string(kMaxNesting) + " deep");
  }
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) {
    const auto at = parsed.error().source().begin;
    return fail(ErrorCode::kInvalidConfig, path + ':' + std::to_string(at.line) + ':' + std::to_string(at.column) +
                                               ": " + std::string(parsed.error().description()));
  }
  auto read = Reader(path, config).read(parsed.table());
  if (read) config.files.push_back(path);
  return read;
}

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& path) {
  Config config;
  if (auto read = read_into(config, text, path); !read) return fail(read);
  if (config.profiles.empty()) config.profiles = built_in_profiles();
  return config;
}

Result<Config> load_config(const std::string& file) {
  std::string named = file.empty() ? environment("DEVTRUST_CONFIG") : file;
  std::vector<std::string> files;
  if (!named.empty()) {
    files.push_back(expand_home(named));
  } else {
    files.emplace_back(kSystemFile);
    if (const std::string home = config_home(); !home.empty()) files.push_back(home + "/devtrust/config.toml");
  }
  Config config;
  for (const std::string& path : files) {
    const auto text = read_trusted<std::string>(path, kMaxConfig);
    if (!text) {
      if (named.empty() && text.error().code == ErrorCode::kNotFound) continue;
      return fail(ErrorCode::kInvalidConfig, "the configuration " + text.error().message);
    }
    if (auto read = read_into(config, *text, path); !read) return fail(read);
  }
  if (config.profiles.empty()) config.profiles = built_in_profiles();
  return config;
}

Result<SecureBytes> read_pin_source(const std::string& pin_source) {
  constexpr std::string_view kFile = "file:";
  if (!pin_source.starts_with(kFile)) {
    return fail(ErrorCode::kInvalidConfig, "the pin_source does not begin with file:");
  }
  auto pin = read_trusted<SecureBytes>(expand_home(pin_source.substr(kFile.size())), kMaxPin);
  if (!pin) return fail(pin.error().code, "the password file " + pin.error().message);
  if (!pin->empty() && pin->back() == '\n') pin->pop_back();
  return pin;
}

}  // namespace devtrust
