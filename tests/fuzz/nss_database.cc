// An NSS database's two files. The input: the length of cert9.db in four bytes, cert9.db, key4.db.
#include "tests/fuzz/input.h"
#include "tests/fuzz/store_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace devtrust::fuzz;
  static const auto folder = scratch();
  Input input(data, size);
  const std::uint64_t length = input.number(4);
  overwrite(folder / "cert9.db", input.bytes(length));
  overwrite(folder / "key4.db", input.rest());
  use_store({"nss", folder, "", "", false});
  return 0;
}
