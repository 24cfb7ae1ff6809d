// One member of a JSON document that others write, too: added and taken away again with every other byte as it was.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/result.h"

namespace devtrust::cli {

/// The names from the document's object down to a member: {"policies", "SecurityDevices", "Add"}.
using JsonPath = std::vector<std::string>;

/// The member's value, as it is written; nothing where it, or what it would be in, is not there. Of members of one name
/// the last counts, as for other readers. All of these: kCorrupt where `text` is not JSON, or no object where the path
/// needs one.
Result<std::optional<std::string>> json_member(std::string_view text, const JsonPath& path);

/// `text` (nothing: there is no file) with `value`, which is JSON, there: in place of the member's value, else as a new
/// line at the head of the object that it belongs to, with whatever objects are missing around it.
Result<std::string> with_json_member(std::optional<std::string_view> text, const JsonPath& path,
                                     const std::string& value);

/// `text` without the member, and without the objects that `with_json_member` made for it. Nothing: the file was ours
/// alone and should be deleted.
Result<std::optional<std::string>> without_json_member(std::string_view text, const JsonPath& path);

}  // namespace devtrust::cli
