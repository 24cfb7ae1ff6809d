#include "backends/nss/discovery.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "backends/firefox_profiles.h"
#include "backends/nss/nss_store.h"
#include "identity/process.h"

namespace devtrust {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxIni = std::size_t{1} << 20;
constexpr std::size_t kMaxApps = 256;

/// What tells that a file or folder changed.
struct Mark {
  bool there = false;
  std::uint64_t inode = 0;
  std::int64_t size = 0, seconds = 0, nanoseconds = 0;
  friend bool operator==(const Mark&, const Mark&) = default;
};

Mark mark(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  return {true, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

bool exists(const std::string& path) { return mark(path).there; }

/// A small file; nothing where it is missing. `problem` says why it cannot be read.
std::optional<std::string> read_small(const std::string& path, std::vector<Error>& problems) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) {
    if (errno != ENOENT && errno != ENOTDIR) {
      problems.push_back(
          {ErrorCode::kAccessDenied,
           path + " cannot be read, so its Firefox profiles are not looked at: " + std::strerror(errno)});
    }
    return std::nullopt;
  }
  std::string text(kMaxIni, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t got = read(file, text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    length += static_cast<std::size_t>(got);
  }
  close(file);
  text.resize(length);
  return text;
}

std::vector<std::string> subfolders(const std::string& folder) {
  std::vector<std::string> names;
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.' && names.size() < kMaxApps) names.emplace_back(entry->d_name);
  }
  closedir(directory);
  std::ranges::sort(names);
  return names;
}

class UsualPlaces final : public StoreSource {
 public:
  UsualPlaces() : home_(home_directory()), config_home_(config_home()) {}

  bool changed() const override {
    return std::ranges::any_of(watched_, [](const auto& entry) { return mark(entry.first) != entry.second; });
  }

  std::vector<std::shared_ptr<Store>> stores() override {
    problems_.clear();
    watched_.clear();
    std::vector<std::string> folders;
    if (!home_.empty()) {
      folders.push_back(home_ + "/.pki/nssdb");
      folders.push_back(home_ + "/.local/share/pki/nssdb");
      add_firefox(home_ + "/.mozilla/firefox", folders);
      add_firefox(config_home_ + "/mozilla/firefox", folders);
      folders.push_back(home_ + "/snap/chromium/current/.pki/nssdb");
      add_firefox(home_ + "/snap/firefox/common/.mozilla/firefox", folders);
      const std::string apps = home_ + "/.var/app";
      watch(apps);
      for (const std::string& app : subfolders(apps)) {
        const fs::path folder = fs::path(apps) / app;
        folders.push_back(folder / ".pki/nssdb");
        if (app == "org.mozilla.firefox") add_firefox(folder / ".mozilla/firefox", folders);
      }
    }
    folders.emplace_back("/etc/pki/nssdb");

    std::map<std::string, std::shared_ptr<Store>> kept;
    std::vector<std::shared_ptr<Store>> list;
    for (const std::string& folder : folders) {
      if (kept.contains(folder)) continue;
      const auto known = known_.find(folder);
      auto store = known != known_.end() ? known->second : make_nss_store({"nss", folder, "", "", false, "", ""});
      list.push_back(store);
      kept.emplace(folder, std::move(store));
    }
    known_ = std::move(kept);
    return list;
  }

  std::vector<Error> problems() const override { return problems_; }
  bool explicitly_configured() const override { return false; }

 private:
  void watch(const std::string& path) { watched_.emplace_back(path, mark(path)); }
  void add_firefox(const std::string& root, std::vector<std::string>& folders) {
    watch(root + "/profiles.ini");
    for (std::string& folder : firefox_profiles(root, problems_)) folders.push_back(std::move(folder));
  }

  const std::string home_, config_home_;
  std::vector<std::pair<std::string, Mark>> watched_;
  std::map<std::string, std::shared_ptr<Store>> known_;
  std::vector<Error> problems_;
};

class ConfiguredPlace final : public StoreSource {
 public:
  explicit ConfiguredPlace(StoreConfig config) : config_(std::move(config)) {
    if (config_.path.starts_with("sql:")) config_.path.erase(0, 4);
    config_.path = expand_home(config_.path);
    store_ = make_nss_store(config_);
  }
  bool changed() const override { return false; }
  std::vector<std::shared_ptr<Store>> stores() override { return {store_}; }
  std::vector<Error> problems() const override {
    const std::string& folder = config_.path;
    if (folder.starts_with("dbm:") || (!exists(folder + "/key4.db") && exists(folder + "/key3.db"))) {
      return {{ErrorCode::kUnsupported,
               folder +
                   " holds NSS's old dbm form (cert8.db, key3.db), which is not supported: convert it with "
                   "certutil -K -X -d sql:" +
                   folder}};
    }
    return {};
  }
  bool explicitly_configured() const override { return true; }

 private:
  StoreConfig config_;
  std::shared_ptr<Store> store_;
};

}  // namespace

std::vector<std::string> firefox_profiles(const std::string& root, std::vector<Error>& problems) {
  const auto text = read_small(root + "/profiles.ini", problems);
  return text ? profiles_in(*text, root) : std::vector<std::string>();
}

std::unique_ptr<StoreSource> nss_usual_places() { return std::make_unique<UsualPlaces>(); }
std::unique_ptr<StoreSource> nss_store_at(const StoreConfig& config) {
  return std::make_unique<ConfiguredPlace>(config);
}

}  // namespace devtrust
