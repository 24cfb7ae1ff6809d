// What the operating system does with files. A function that fails leaves the reason in errno.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace devtrust::cli {

/// As chmod(2) has it. Windows knows of two: those where the user alone may read (0600, 0700), and what the folder's
/// rules say.
using Mode = unsigned;

/// The library's path of a text of ours, and back. By itself it takes Windows' ANSI code page; and the separator is `/`
/// there as well, which every function of Windows takes, and no configuration file for an escape.
std::filesystem::path path_of(std::string_view text);
std::string text_of(const std::filesystem::path& path);

/// A descriptor to read from; -1 where that fails.
int open_to_read(const std::string& path);
/// The same, to write to a new file of exactly this mode; EEXIST where there is something, if only a link to nowhere.
int create_file(const std::string& path, Mode mode);
/// The same by a name that nothing has; `path` ends with XXXXXX and becomes that name.
int create_unique_file(std::string& path, Mode mode);
/// Until it is on the disk.
bool flush(int descriptor);
void close_file(int descriptor);

/// Puts a file that is closed in the place of another one, all at once; what stood there, if only a link, is gone.
bool replace_file_by(const std::string& path, const std::string& successor);
/// The same for a successor that was made with the file's mode: on Windows, where that does not say all, it takes over
/// the file's access rules.
bool renew_file_by(const std::string& path, const std::string& successor);
bool remove_file(const std::string& path);

/// 0777: less what the umask takes away.
bool make_folder(const std::string& path, Mode mode);
/// `path` as for a file; 0700.
bool make_unique_folder(std::string& path);
/// Everyone may look into it, whatever the umask takes away.
void share_folder(const std::string& path);
/// One that is empty.
bool remove_folder(const std::string& path);

struct FileStatus {
  bool exists = false;
  bool regular = false;
  bool ours = false;  ///< it belongs to this user
  Mode mode = 0;
};
/// Of what the path leads to.
FileStatus file_status(const std::string& path);
bool is_readable(const std::string& path);
bool exists(const std::string& path);
/// From here, where it is relative.
std::string full_path(const std::string& path);

/// Whoever can write where nobody else can: root. Windows has no such user, only rights.
bool runs_as_root();

}  // namespace devtrust::cli
