# Every outside library, in one place.
set(OPENSSL_USE_STATIC_LIBS ${DEVTRUST_BUNDLED_CRYPTO})
# find_package keeps what it has found, also when the other kind is wanted now.
if(DEFINED DEVTRUST_FOUND_BUNDLED AND NOT DEVTRUST_FOUND_BUNDLED STREQUAL DEVTRUST_BUNDLED_CRYPTO)
  unset(OPENSSL_CRYPTO_LIBRARY CACHE)
  unset(OPENSSL_SSL_LIBRARY CACHE)
endif()
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto SSL)
set(DEVTRUST_FOUND_BUNDLED ${DEVTRUST_BUNDLED_CRYPTO} CACHE INTERNAL "")

# Libraries that are all headers. Of the machine that builds: beside them are its C library's headers, which another
# system's compiler must not see, so that one gets a folder with nothing but these.
function(devtrust_header_library variable header)
  if(NOT CMAKE_CROSSCOMPILING)
    find_path(${variable} "${header}" REQUIRED)
    return()
  endif()
  find_path(${variable}_OF_BUILD_MACHINE "${header}" REQUIRED NO_CMAKE_FIND_ROOT_PATH)
  cmake_path(GET header PARENT_PATH folder)
  set(headers "${PROJECT_BINARY_DIR}/headers")
  file(MAKE_DIRECTORY "${headers}")
  file(CREATE_LINK "${${variable}_OF_BUILD_MACHINE}/${folder}" "${headers}/${folder}" SYMBOLIC)
  set(${variable} "${headers}" PARENT_SCOPE)
endfunction()

devtrust_header_library(EXPECTED_INCLUDE_DIR tl/expected.hpp)
devtrust_header_library(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h)
# The command's own.
devtrust_header_library(CLI11_INCLUDE_DIR CLI/CLI.hpp)
devtrust_header_library(FMT_INCLUDE_DIR fmt/format.h)
devtrust_header_library(NLOHMANN_JSON_INCLUDE_DIR nlohmann/json.hpp)
add_library(devtrust_expected INTERFACE)
target_include_directories(devtrust_expected SYSTEM INTERFACE "${EXPECTED_INCLUDE_DIR}")

if(DEVTRUST_SYSTEM STREQUAL linux)
  # SQLite is opened with dlopen when an NSS store is read: only its header is needed here.
  find_path(SQLITE3_INCLUDE_DIR sqlite3.h REQUIRED)
endif()

# Only p11-kit's headers, which are in a folder of their own: the module does not link it.
if(MSVC)
  find_path(P11KIT_INCLUDE_DIRS p11-kit/pkcs11.h PATH_SUFFIXES p11-kit-1 REQUIRED)  # no pkg-config there
else()
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(P11KIT REQUIRED p11-kit-1)
endif()
add_library(devtrust_cryptoki INTERFACE)
target_include_directories(devtrust_cryptoki SYSTEM INTERFACE ${P11KIT_INCLUDE_DIRS})
