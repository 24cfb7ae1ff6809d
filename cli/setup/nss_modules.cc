#include "cli/setup/nss_modules.h"

#include <algorithm>

#include <fmt/format.h>

namespace devtrust::cli {
namespace {

constexpr std::string_view kName = "devtrust";
constexpr std::string_view kLibrary = "library=";

struct Stanza {
  std::vector<std::string_view> lines;  // with their ends; the last may be the blank one behind it
  NssModule module;

  bool is_ours() const { return module.name == kName && module.is_devtrust(); }
};

/// All of the text, in order.
Result<std::vector<Stanza>> parse(std::string_view text) {
  std::vector<Stanza> stanzas;
  bool open = false;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    if (!open) stanzas.emplace_back();
    stanzas.back().lines.push_back(line);
    const std::string_view content = line.substr(0, line.find('\n'));
    open = !content.empty();
    if (content.empty() || content.front() == '#') continue;
    if (content.find('=') == std::string_view::npos || content.find('\0') != std::string_view::npos) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("line {} is no NAME=VALUE, as NSS has it: mend it first; nothing was changed", number));
    }
    if (content.starts_with(kLibrary)) stanzas.back().module.library = content.substr(kLibrary.size());
    if (content.starts_with("name=")) stanzas.back().module.name = content.substr(5);
  }
  return stanzas;
}

bool only_newlines(std::string_view text) { return text.find_first_not_of('\n') == std::string_view::npos; }

}  // namespace

bool NssModule::is_devtrust() const {
  const std::string_view file = std::string_view(library).substr(library.find_last_of("/\\") + 1);
  const std::string_view stem = file.substr(0, file.rfind('.'));
  const std::string_view suffix = file.substr(stem.size());
  return (stem == "devtrust-pkcs11" || stem == "devtrust-p11-kit") &&
         (suffix == ".so" || suffix == ".dll" || suffix == ".dylib");
}

Result<std::vector<NssModule>> nss_modules(std::string_view text) {
  const auto stanzas = parse(text);
  if (!stanzas) return fail(stanzas);
  std::vector<NssModule> modules;
  for (const Stanza& stanza : *stanzas) {
    if (!stanza.module.name.empty()) modules.push_back(stanza.module);
  }
  return modules;
}

Result<std::string> with_nss_module(std::optional<std::string_view> text, const std::string& library) {
  const auto stanzas = parse(text.value_or(""));
  if (!stanzas) return fail(stanzas);
  std::string out;
  bool there = false;
  for (const Stanza& stanza : *stanzas) {
    if (stanza.module.name == kName && !stanza.is_ours()) {
      return fail(
          ErrorCode::kInvalidConfig,
          fmt::format("\"devtrust\" is the name of another module there, {}: take it out first (modutil -delete "
                      "devtrust); nothing was changed",
                      stanza.module.library));
    }
    there = there || stanza.module.is_devtrust();
    for (const std::string_view line : stanza.lines) {
      if (stanza.is_ours() && line.starts_with(kLibrary)) {
        out.append(kLibrary).append(library).append(line.ends_with('\n') ? "\n" : "");
      } else {
        out += line;
      }
    }
  }
  if (there) return out;
  // At the beginning, where the file's own end needs no change. NSS's internal module need not be named: NSS adds it.
  std::string added = fmt::format("{}{}\nname={}\n\n", kLibrary, library, kName);
  if (text && only_newlines(out)) added += '\n';  // so that the file stays when our lines go
  return added + out;
}

Result<std::optional<std::string>> without_nss_module(std::string_view text) {
  const auto stanzas = parse(text);
  if (!stanzas) return fail(stanzas);
  std::string out;
  bool found = false;
  for (const Stanza& stanza : *stanzas) {
    const bool ours = stanza.is_ours();
    found = found || ours;
    for (const std::string_view line : stanza.lines) {
      if (!ours || line.front() == '#') out += line;
    }
  }
  if (!found) return std::optional(std::string(text));
  if (out.empty()) return std::optional<std::string>();
  if (only_newlines(out)) out.pop_back();
  return std::optional(out);
}

}  // namespace devtrust::cli
