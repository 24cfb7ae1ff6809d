// Holds a certificate and its issuers in Windows' stores until standard input ends, with its key in a CSP or in CNG.
//
//   my_store csp|cng CERTIFICATE KEY ISSUER... ROOT
#include <exception>
#include <iostream>
#include <limits>
#include <string>

#include "tests/support/windows_store.h"

int main(int argc, char** argv) try {
  if (argc < 5) return 2;
  const devtrust::testing::Leaf leaf{argv[2], argv[3], {}, {argv + 4, argv + argc}};
  devtrust::testing::WindowsStore store;
  if (argv[1] == std::string("cng")) {
    store.add_with_cng_key(leaf);
  } else {
    store.add_with_csp_key(leaf);
  }
  std::cout << "ready" << std::endl;
  std::cin.ignore(std::numeric_limits<std::streamsize>::max());
  return 0;
} catch (const std::exception& error) {
  std::cerr << "my_store: " << error.what() << '\n';
  return 1;
}
