// What the module over the double tells its tests beside PKCS#11.
#include "tests/support/security_double/double.h"

extern "C" __attribute__((visibility("default"))) std::size_t live_objects_of_double();

std::size_t live_objects_of_double() { return security_double_live_objects(); }
