// PEM and PKCS#12 files. Certificates and key in one file, as `path` without `key_path` has them.
#include "tests/fuzz/store_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace devtrust::fuzz;
  static const auto path = scratch() / "store.pem";
  static const auto pin = scratch() / "pin";
  static const bool written = (overwrite(pin, devtrust::as_bytes("password\n")), true);
  (void)written;
  overwrite(path, {data, size});
  use_store({"file", path, "", "file:" + pin.string(), false});
  return 0;
}
