// The command line in UTF-8.
#pragma once

#include <string>
#include <vector>

namespace devtrust::cli {

class Arguments {
 public:
  /// What main was given; Windows' own command line instead, of which main is given what the ANSI code page has.
  Arguments(int argc, char** argv);
  int count() const { return static_cast<int>(words_.size()); }
  /// Ends with a null pointer, as main's do.
  char** pointers();

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

}  // namespace devtrust::cli
