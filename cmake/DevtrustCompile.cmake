# How every target is compiled: C++20, all warnings as errors, nothing exported unless a version script says so.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# What the operating system alone can do is in files whose names end with it: fork_posix.cc, fork_windows.cc. What Linux and
# macOS do in two ways, too: registry_linux.cc, registry_darwin.cc.
if(WIN32)
  set(DEVTRUST_OS windows)
  set(DEVTRUST_SYSTEM windows)
elseif(APPLE)
  set(DEVTRUST_OS posix)
  set(DEVTRUST_SYSTEM darwin)
else()
  set(DEVTRUST_OS posix)
  set(DEVTRUST_SYSTEM linux)
endif()
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

find_program(CCACHE ccache)
if(CCACHE)
  # Without this it keeps nothing that is compiled with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE}")
endif()

# Half of what a compiler does here is reading the same headers: those that most files include are compiled once for the
# product (with devtrust_identity), and once for the tests (precompiled_for_tests). `./dev lint` reads the files of a Debug
# build without them, and so finds one that includes too little.
set(DEVTRUST_COMMON_HEADERS <algorithm> <array> <atomic> <chrono> <cstring> <filesystem> <functional> <map> <memory> <mutex>
  <optional> <set> <span> <string> <string_view> <vector>)
if(MSVC OR APPLE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()

# Small: each page of text that a host reads in costs its start time and memory, and the work is libcrypto's. The module
# is a third smaller than with -O3.
string(REPLACE "-O3" "-Os" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

# Not optimised: instrumented code takes longer to compile than its tests take to run.
set(CMAKE_C_FLAGS_SANITIZE "-O0 -g1")
set(CMAKE_CXX_FLAGS_SANITIZE "-O0 -g1")

add_library(devtrust_options INTERFACE)
target_include_directories(devtrust_options INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
if(MSVC)
  target_compile_options(devtrust_options INTERFACE /W4 /WX /permissive- /utf-8 /EHsc /Zc:__cplusplus /Zc:preprocessor /guard:cf)
else()
  target_compile_options(devtrust_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
    -Wformat=2 -Werror -fstack-protector-strong)
endif()
if(WIN32)
  # The API of Windows 10, with nothing that a name of ours could meet.
  target_compile_definitions(devtrust_options INTERFACE WIN32_LEAN_AND_MEAN NOMINMAX UNICODE _UNICODE _WIN32_WINNT=0x0A00)
  if(MINGW)
    target_link_options(devtrust_options INTERFACE -fstack-protector-strong)  # its functions are in a library of their own
  endif()
elseif(NOT APPLE)
  target_compile_options(devtrust_options INTERFACE -fno-plt)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(devtrust_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)  # for ccache
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # gcc 12 believes that inlined comparisons and concatenations of the standard library overflow
  target_compile_options(devtrust_options INTERFACE -Wno-restrict -Wno-stringop-overread)
endif()
target_compile_definitions(devtrust_options INTERFACE
  $<$<CONFIG:Release>:_FORTIFY_SOURCE=2> $<$<CONFIG:Debug,Sanitize>:_GLIBCXX_ASSERTIONS> OPENSSL_API_COMPAT=30000 OPENSSL_NO_DEPRECATED)
target_link_libraries(devtrust_options INTERFACE Threads::Threads)
if(DEVTRUST_SANITIZE)
  target_compile_options(devtrust_options INTERFACE
    "-fsanitize=${DEVTRUST_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(devtrust_options INTERFACE "-fsanitize=${DEVTRUST_SANITIZE}")
  target_compile_definitions(devtrust_options INTERFACE DEVTRUST_SANITIZED=1)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc's flow analysis gives false alarms in instrumented code
    target_compile_options(devtrust_options INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow)
  endif()
endif()
