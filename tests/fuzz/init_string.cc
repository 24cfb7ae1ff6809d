// What a host passes to C_Initialize.
#include "pkcs11/init_string.h"

#include <cstdlib>

#include "identity/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto options = devtrust::pkcs11::parse_init_string(devtrust::as_text({data, size}));
  if (!options && (options.error().rv != CKR_ARGUMENTS_BAD || options.error().message.empty())) std::abort();
  return 0;
}
