#include "cli/setup/file_change.h"

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
  fs::path target = path_of(path);
  for (int i = 0; i < kMaxLinks && fs::is_symlink(target, error); ++i) {
    const fs::path next = fs::read_symlink(target, error);
    if (error) return path;
    target = target.parent_path() / next;  // an absolute one replaces what is before it
  }
  const fs::path canonical = fs::weakly_canonical(target, error);
  return text_of(error ? target : canonical);
}

std::string folder_of(const std::string& path) { return text_of(path_of(path).parent_path()); }

/// Makes the folders above `path` that are missing. Root makes none in another user's folder, who could not change what
/// is in them afterwards.
Result<void> make_folders(const std::string& path, const FileChange& change) {
  std::vector<std::string> missing;
  std::string folder = folder_of(path);
  for (; folder_of(folder) != folder && !exists(folder); folder = folder_of(folder)) missing.push_back(folder);
  if (const FileStatus status = file_status(folder); runs_as_root() && status.exists && !status.ours) {
    return fail(ErrorCode::kAccessDenied, folder + " belongs to another user: run this as that user");
  }
  for (; !missing.empty(); missing.pop_back()) {
    const std::string& name = missing.back();
    const Mode mode =
        (change.mode & 077U) == 0 ? 0700 : 0777;  // a file of the user's alone is in a folder of his alone
    if (!make_folder(name, mode) && errno != EEXIST) {
      return fail(ErrorCode::kAccessDenied, fmt::format("{} cannot be made: {}", name, std::strerror(errno)));
    }
    if (change.shared) share_folder(name);
  }
  return {};
}

/// A file that is there while nobody else may change PATH; it becomes PATH, or goes away.
class Lock {
 public:
  Lock(const std::string& path, Mode mode) : name_(path + ".lock"), descriptor_(create_file(name_, mode)) {
    held_ = descriptor_ >= 0;
  }
  ~Lock() {
    if (!held()) return;
    end_writing();
    if (!name_.empty()) remove_file(name_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  bool held() const { return held_; }
  const std::string& name() const { return name_; }
  bool write(std::string_view text) const { return write_all(descriptor_, text) && flush(descriptor_); }
  bool become(const std::string& path) {
    end_writing();
    if (!renew_file_by(path, name_)) return false;
    name_.clear();
    return true;
  }

 private:
  void end_writing() {
    if (descriptor_ >= 0) close_file(descriptor_);
    descriptor_ = -1;
  }

  std::string name_;
  int descriptor_;
  bool held_;
};

/// `path` is where the change's path leads to.
Result<void> replace(const FileChange& change, const std::string& path) {
  const FileStatus status = file_status(path);
  if (status.exists && !status.ours) {
    return fail(ErrorCode::kAccessDenied, path + " belongs to another user: run this as that user");
  }
  if (!status.exists) {
    if (auto made = make_folders(path, change); !made) return made;
  }
  Lock lock(path, status.exists ? status.mode : change.mode);
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
    if (!remove_file(path)) return tl::unexpected(failed(path, "deleted"));
    return {};
  }
  if (!lock.write(*change.after) || !lock.become(path)) return tl::unexpected(failed(path, "written"));
  return {};
}

}  // namespace

Result<std::optional<std::string>> read_if_there(const std::string& path) {
  if (const FileStatus status = file_status(path); status.exists && !status.regular) {
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
  const std::string folder = folder_of(path);
  if (done && !change.after && folder.ends_with("/devtrust")) remove_folder(folder);  // where it was the last one
  return done;
}

}  // namespace devtrust::cli
