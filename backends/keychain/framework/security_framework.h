// macOS' own declarations. Elsewhere the tests' folder takes this one's place on the include path
// (tests/support/security_double).
#pragma once

#include <CoreFoundation/CoreFoundation.h>
#include <Security/Security.h>

// Keychains in files are deprecated, and nothing else reaches one by its path.
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
