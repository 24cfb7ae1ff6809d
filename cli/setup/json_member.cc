#include "cli/setup/json_member.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace devtrust::cli {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

/// Where a member of an object stands in the text: from its name to behind its value.
struct Member {
  std::size_t name = 0, value = 0, end = 0;
};

struct Object {
  std::size_t begin = 0;  // its brace
  std::vector<std::pair<std::string, Member>> members;

  const Member* find(const std::string& name) const {
    const auto found =
        std::find_if(members.rbegin(), members.rend(), [&](const auto& each) { return each.first == name; });
    return found != members.rend() ? &found->second : nullptr;
  }
};

std::size_t next(std::string_view text, std::size_t at) { return text.find_first_not_of(kBlanks, at); }

std::size_t behind_string(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

/// Of text that is JSON, so that every value ends.
std::size_t behind_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  do {
    at = next(text, at);
    if (text[at] == '"') {
      at = behind_string(text, at);
    } else if (text[at] == '{' || text[at] == '[') {
      ++depth, ++at;
    } else if (text[at] == '}' || text[at] == ']') {
      --depth, ++at;
    } else if (text[at] == ',' || text[at] == ':') {
      ++at;
    } else {
      at = std::min(text.find_first_of(" \t\r\n,:]}", at), text.size());
    }
  } while (depth > 0);
  return at;
}

Object object_at(std::string_view text, std::size_t begin) {
  Object object{begin, {}};
  for (std::size_t at = next(text, begin + 1); text[at] != '}';) {
    Member member{at, 0, 0};
    const std::size_t end = behind_string(text, at);
    const auto name = nlohmann::json::parse(text.substr(at, end - at)).get<std::string>();
    member.value = next(text, next(text, end) + 1);
    member.end = behind_value(text, member.value);
    object.members.emplace_back(name, member);
    at = next(text, member.end);
    if (text[at] == ',') at = next(text, at + 1);
  }
  return object;
}

/// The objects that the path leads through, as far as they are there: at least the document's own.
Result<std::vector<Object>> objects_on(std::string_view text, const JsonPath& path) {
  if (!nlohmann::json::accept(text)) return fail(ErrorCode::kCorrupt, "it is not JSON");
  std::vector<Object> objects;
  std::size_t at = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (text[at] != '{') {
      return fail(ErrorCode::kCorrupt,
                  i == 0 ? "it is JSON, but not an object" : "its member " + path[i - 1] + " is not an object");
    }
    objects.push_back(object_at(text, at));
    const Member* member = objects.back().find(path[i]);
    if (member == nullptr) break;
    at = member->value;
  }
  return objects;
}

std::string quoted(const std::string& name) { return nlohmann::json(name).dump(); }

/// `value` in the objects that `path` names from `level` on; of the innermost only what it is called and is.
std::string nested(const JsonPath& path, std::size_t level, const std::string& value) {
  std::string text = quoted(path[level]) + ": ";
  std::string closing;
  while (++level < path.size()) {
    text += '{' + quoted(path[level]) + ": ";
    closing += '}';
  }
  return text + value + closing;
}

/// Unlike any file that was there before it: in those the member's line begins where the brace's ends.
std::string whole_file(const JsonPath& path, const std::string& value) {
  return "{ " + nested(path, 0, value) + " }\n";
}

}  // namespace

Result<std::optional<std::string>> json_member(std::string_view text, const JsonPath& path) {
  const auto objects = objects_on(text, path);
  if (!objects) return fail(objects);
  const Member* member = objects->size() == path.size() ? objects->back().find(path.back()) : nullptr;
  if (member == nullptr) return std::optional<std::string>();
  return std::optional(std::string(text.substr(member->value, member->end - member->value)));
}

Result<std::string> with_json_member(std::optional<std::string_view> text, const JsonPath& path,
                                     const std::string& value) {
  if (!text) return whole_file(path, value);
  const auto objects = objects_on(*text, path);
  if (!objects) return fail(objects);
  const std::size_t level = objects->size() - 1;
  const Object& object = objects->back();
  std::string after(*text);
  if (const Member* member = object.find(path[level]); member != nullptr) {
    after.replace(member->value, member->end - member->value, value);
  } else {
    std::string line = '\n' + std::string(2 * (level + 1), ' ') + nested(path, level, value);
    if (!object.members.empty()) line += ',';
    after.insert(object.begin + 1, line);
  }
  return after;
}

Result<std::optional<std::string>> without_json_member(std::string_view text, const JsonPath& path) {
  const auto value = json_member(text, path);
  if (!value) return fail(value);
  if (!*value) return std::optional(std::string(text));
  if (text == whole_file(path, **value)) return std::optional<std::string>();
  const std::vector<Object> objects = *objects_on(text, path);
  std::size_t level = objects.size() - 1;
  while (level > 0) {  // an object that was made for the member alone has no blanks in it
    const Member& around = *objects[level - 1].find(path[level - 1]);
    if (text.substr(around.value, around.end - around.value) != '{' + nested(path, level, **value) + '}') break;
    --level;
  }
  const Object& object = objects[level];
  const Member& member = *object.find(path[level]);
  std::size_t begin = object.begin + 1;
  std::size_t end = member.end;
  if (const std::size_t comma = text.rfind(',', member.name); member.name != object.members.front().second.name) {
    begin = comma;
  } else if (object.members.size() > 1) {
    end = next(text, end) + 1;
  }
  return std::optional(std::string(text).erase(begin, end - begin));
}

}  // namespace devtrust::cli
