// What a test may ask of ncrypt_double.cc, by GetProcAddress.
#pragma once

namespace devtrust::testing {

/// "ncrypt_double_handles": how many objects are open.
using NcryptDoubleHandles = long();
/// "ncrypt_double_go_stale": every open key handle is refused from now on, as after a restart of the service that keeps
/// the keys.
using NcryptDoubleGoStale = void();

}  // namespace devtrust::testing
