#include "pkcs11/init_string.h"

#include <algorithm>

#include "identity/process.h"

namespace devtrust::pkcs11 {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

/// Takes a value from the front of `text`.
Answer<std::string> take_value(std::string_view& text) {
  std::string value;
  const char quote = !text.empty() && (text[0] == '"' || text[0] == '\'') ? text[0] : '\0';
  if (quote == '\0') {
    const auto end = std::min(text.find_first_of(kBlanks), text.size());
    value = text.substr(0, end);
    text.remove_prefix(end);
    return value;
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    value += text[i];
  }
  return refuse(CKR_ARGUMENTS_BAD, "the init string has a quotation mark that is not closed: close it");
}

}  // namespace

Answer<InitOptions> parse_init_string(std::string_view text, InitOptions options) {
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    if (text.empty()) return options;
    const auto equals = text.find('=');
    const std::string key(text.substr(0, std::min({equals, text.find_first_of(kBlanks), text.size()})));
    if (key.size() != equals) {
      return refuse(CKR_ARGUMENTS_BAD, "the init string has the word \"" + key + "\" without a value: write key=value");
    }
    text.remove_prefix(equals + 1);
    auto value = take_value(text);
    if (!value) return tl::unexpected(value.error());
    if (key == "config") {
      options.config = expand_home(*value);
    } else if (key == "chain-trusted" && (*value == "yes" || *value == "no")) {
      options.chain_trusted = *value == "yes";
    } else {
      return refuse(CKR_ARGUMENTS_BAD, "the init string has \"" + key + "=" + *value +
                                           "\", which means nothing here: it may hold config=PATH and "
                                           "chain-trusted=yes or no");
    }
  }
}

}  // namespace devtrust::pkcs11
