// Lines of ours in a file of the user's: between two marks, so that they can be found, renewed and taken away again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "identity/result.h"

namespace devtrust::cli {

/// The lines of one target ("git") in files where `#` begins a comment.
class MarkedBlock {
 public:
  explicit MarkedBlock(std::string target) : target_(std::move(target)) {}

  /// What stands between our marks; nothing where they are not there. kCorrupt where one mark is there and the other is
  /// not.
  Result<std::optional<std::string>> find(std::string_view text) const;

  /// `text` (nothing: there is no file) with `lines` between our marks: where they stood before, else at the end. The
  /// marks say what was there, so that `without` leaves it to the byte.
  Result<std::string> with(std::optional<std::string_view> text, std::string_view lines) const;

  /// `text` without our lines. Nothing: the file was ours alone and should be deleted. `foreign` is given what stands
  /// between the marks, and answers what of it is not ours and stays (without it: nothing).
  Result<std::optional<std::string>> without(std::string_view text,
                                             const std::function<std::string(std::string_view)>& foreign = {}) const;

 private:
  struct Place;
  Result<std::optional<Place>> locate(std::string_view text) const;

  std::string target_;
};

}  // namespace devtrust::cli
