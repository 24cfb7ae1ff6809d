// What exec takes: pointers to texts, and a null pointer after them.
#pragma once

#include <string>
#include <vector>

namespace devtrust::cli {

/// Valid as long as `texts` is left alone.
inline std::vector<char*> exec_pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace devtrust::cli
