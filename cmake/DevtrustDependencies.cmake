# Every outside library, in one place.
find_package(PkgConfig REQUIRED)

if(DEVTRUST_BUNDLED_CRYPTO)
  set(OPENSSL_USE_STATIC_LIBS TRUE)
  target_compile_definitions(devtrust_options INTERFACE DEVTRUST_BUNDLED_CRYPTO=1)
endif()
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto SSL)

find_package(tl-expected REQUIRED)
pkg_check_modules(P11KIT REQUIRED p11-kit-1)
# SQLite is opened with dlopen when an NSS store is read: only its header is needed here.
find_path(SQLITE3_INCLUDE_DIR sqlite3.h REQUIRED)
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)
# The command's own, all of them headers.
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)
find_path(FMT_INCLUDE_DIR fmt/format.h REQUIRED)
find_path(NLOHMANN_JSON_INCLUDE_DIR nlohmann/json.hpp REQUIRED)
# Only p11-kit's headers: the module does not link it.
add_library(devtrust_cryptoki INTERFACE)
target_include_directories(devtrust_cryptoki SYSTEM INTERFACE ${P11KIT_INCLUDE_DIRS})
