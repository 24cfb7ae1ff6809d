#include "cli/setup/file_change.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/files.h"
#include "cli/output.h"

namespace devtrust::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFile = std::size_t{16} << 20;
constexpr std::size_t kContext = 3;  // lines around a change, as diff -u has them

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end == std::string_view::npos ? end : end + 1));
    text.remove_prefix(lines.back().size());
  }
  return lines;
}

void append_line(std::string& out, char sign, std::string_view line) {
  out += sign;
  out += line;
  if (!line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

Error failed(const std::string& path, const char* what) {
  return {errno == EACCES || errno == EPERM || errno == EROFS ? ErrorCode::kAccessDenied : ErrorCode::kIo,
          fmt::format("{} cannot be {}: {}", path, what, std::strerror(errno))};
}

/// What the path leads to, where it is a link; it need not be there.
std::string target_of(const std::string& path) {
  constexpr int kMaxLinks = 40;  // the kernel's own limit
  std::error_code error;
  fs::path target = path;
  for (int i = 0; i < kMaxLinks && fs::is_symlink(target, error); ++i) {
    const fs::path next = fs::read_symlink(target, error);
    if (error) return path;
    target = target.parent_path() / next;  // an absolute one replaces what is before it
  }
  const fs::path canonical = fs::weakly_canonical(target, error);
  return error ? target.string() : canonical.string();
}

/// Makes the folders above `path` that are missing. Root makes none in another user's folder, who could not change what
/// is in them afterwards.
Result<void> make_folders(const fs::path& path, const FileChange& change) {
  std::vector<fs::path> missing;
  std::error_code error;
  fs::path folder = path.parent_path();
  for (; !folder.empty() && !fs::exists(folder, error); folder = folder.parent_path()) missing.push_back(folder);
  struct stat status {};
  if (geteuid() == 0 && stat(folder.c_str(), &status) == 0 && status.st_uid != 0) {
    return fail(ErrorCode::kAccessDenied, folder.string() + " belongs to another user: run this as that user");
  }
  for (; !missing.empty(); missing.pop_back()) {
    const std::string name = missing.back().string();
    const mode_t mode =
        (change.mode & 077U) == 0 ? 0700 : 0777;  // a file of the user's alone is in a folder of his alone
    if (mkdir(name.c_str(), mode) != 0 && errno != EEXIST) {
      return fail(ErrorCode::kAccessDenied, fmt::format("{} cannot be made: {}", name, std::strerror(errno)));
    }
    if (change.shared) chmod(name.c_str(), 0755);  // whatever the umask takes away
  }
  return {};
}

/// A file that is there while nobody else may change PATH; it becomes PATH, or goes away.
class Lock {
 public:
  Lock(const std::string& path, mode_t mode) : name_(path + ".lock") {
    descriptor_ = open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (descriptor_ >= 0) fchmod(descriptor_, mode);  // whatever the umask takes away
  }
  ~Lock() {
    if (descriptor_ < 0) return;
    close(descriptor_);
    if (!name_.empty()) unlink(name_.c_str());
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  bool held() const { return descriptor_ >= 0; }
  const std::string& name() const { return name_; }
  bool write(std::string_view text) const { return write_all(descriptor_, text) && fsync(descriptor_) == 0; }
  bool become(const std::string& path) {
    if (rename(name_.c_str(), path.c_str()) != 0) return false;
    name_.clear();
    return true;
  }

 private:
  std::string name_;
  int descriptor_ = -1;
};

/// `path` is where the change's path leads to.
Result<void> replace(const FileChange& change, const std::string& path) {
  struct stat status {};
  const bool exists = stat(path.c_str(), &status) == 0;
  if (exists && status.st_uid != geteuid()) {
    return fail(ErrorCode::kAccessDenied, path + " belongs to another user: run this as that user");
  }
  if (!exists) {
    if (auto made = make_folders(path, change); !made) return made;
  }
  Lock lock(path, exists ? status.st_mode & 07777U : change.mode);
  if (!lock.held()) {
    if (errno == EEXIST) {
      return fail(ErrorCode::kBusy, lock.name() + " is there, so another program is changing " + path +
                                        ": try again, or delete it where none is");
    }
    return tl::unexpected(failed(path, "written"));
  }
  const auto now = read_if_there(path);
  if (!now) return fail(now);
  if (*now != change.before)
    return fail(ErrorCode::kBusy, path + " was changed by another program at this moment: try again");
  if (!change.after) {
    if (unlink(path.c_str()) != 0) return tl::unexpected(failed(path, "deleted"));
    return {};
  }
  if (!lock.write(*change.after) || !lock.become(path)) return tl::unexpected(failed(path, "written"));
  return {};
}

}  // namespace

Result<std::optional<std::string>> read_if_there(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kInvalidConfig, path + " is not a regular file, so that nothing can be kept in it");
  }
  auto content = read_whole_file(path);
  if (content && content->size() > kMaxFile) return fail(ErrorCode::kInvalidArgument, path + " is longer than 16 MiB");
  if (content) return std::optional(std::string(as_text(*content)));
  if (content.error().code == ErrorCode::kNotFound) return std::optional<std::string>();
  return fail(content);
}

std::string unified_diff(const FileChange& change) {
  if (change.empty()) return {};
  const auto before = lines_of(change.before ? *change.before : std::string_view());
  const auto after = lines_of(change.after ? *change.after : std::string_view());
  std::string out = fmt::format("--- {}\n+++ {}\n", change.before ? change.path : "/dev/null",
                                change.after ? change.path : "/dev/null");
  const std::size_t shorter = std::min(before.size(), after.size());
  std::size_t same = 0;
  while (same < shorter && before[same] == after[same]) ++same;
  std::size_t tail = 0;
  while (tail < shorter - same && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) ++tail;
  const std::size_t first = same - std::min(same, kContext);
  const std::size_t context_after = std::min(tail, kContext);
  const std::size_t old_count = before.size() - tail - first + context_after;
  const std::size_t new_count = after.size() - tail - first + context_after;
  // A range of no lines is named by the line before it
  out += fmt::format("@@ -{},{} +{},{} @@\n", old_count == 0 ? first : first + 1, old_count,
                     new_count == 0 ? first : first + 1, new_count);
  for (std::size_t i = first; i < same; ++i) append_line(out, ' ', before[i]);
  for (std::size_t i = same; i < before.size() - tail; ++i) append_line(out, '-', before[i]);
  for (std::size_t i = same; i < after.size() - tail; ++i) append_line(out, '+', after[i]);
  for (std::size_t i = before.size() - tail; i < before.size() - tail + context_after; ++i)
    append_line(out, ' ', before[i]);
  return out;
}

Result<void> apply(const FileChange& change) {
  if (change.empty()) return {};
  const std::string path = target_of(change.path);
  auto done = replace(change, path);
  const fs::path folder = fs::path(path).parent_path();
  if (done && !change.after && folder.filename() == "devtrust") rmdir(folder.c_str());  // where it was the last one
  return done;
}

}  // namespace devtrust::cli
