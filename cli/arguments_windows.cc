#include <windows.h>
// after windows.h
#include <shellapi.h>

#include "cli/arguments.h"
#include "identity/utf16.h"

namespace devtrust::cli {

Arguments::Arguments(int /*argc*/, char** /*argv*/) {
  int count = 0;
  wchar_t** words = CommandLineToArgvW(GetCommandLineW(), &count);
  for (int i = 0; words != nullptr && i < count; ++i) words_.push_back(to_utf8(words[i]));
  LocalFree(words);
}

}  // namespace devtrust::cli
