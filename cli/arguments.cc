#include "cli/arguments.h"

namespace devtrust::cli {

char** Arguments::pointers() {
  pointers_.clear();
  for (std::string& word : words_) pointers_.push_back(word.data());
  pointers_.push_back(nullptr);
  return pointers_.data();
}

}  // namespace devtrust::cli
