# cmake -DBUILD=… -DWORK=… -DVERSION=… -DGENERATOR=… -DOPENSSL=… [-DSANITIZE=…] -P install_test.cmake:
# installs into a folder that is elsewhere than the configured prefix, and uses what is there as a stranger's project does.
cmake_minimum_required(VERSION 3.22)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}\nended with ${status}:\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
set(prefix "${WORK}/a prefix")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${prefix}")

file(STRINGS "${prefix}/share/devtrust/p11-kit/devtrust.module" line REGEX "^module: ")
string(REPLACE "module: " "" named "${line}")
if(NOT EXISTS "${named}")
  message(FATAL_ERROR "devtrust.module names ${named}, which was not installed")
endif()

# Homebrew's folder of one version: what is written down outlives it.
set(cellar "${WORK}/Cellar/devtrust/${VERSION}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${cellar}")
file(STRINGS "${cellar}/share/devtrust/p11-kit/devtrust.module" line REGEX "^module: ")
string(FIND "${line}" "module: ${WORK}/opt/devtrust/lib" place)
if(NOT place EQUAL 0)
  message(FATAL_ERROR "devtrust.module names a version's folder: ${line}")
endif()

# A sanitizer's runtime is not in the system's openssl, and cannot come into it this late.
if(NOT SANITIZE)
  set(conf "${prefix}/share/devtrust/openssl/devtrust.cnf")
  execute_process(COMMAND "${CMAKE_COMMAND}" -E env "OPENSSL_CONF=${conf}" "${OPENSSL}" list -providers
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0 OR NOT output MATCHES "default\n.*devtrust\n.*version: ${VERSION}\n *status: active")
    message(FATAL_ERROR "${conf} does not activate the provider:\n${output}")
  endif()
endif()

file(WRITE "${WORK}/project/CMakeLists.txt" [=[
cmake_minimum_required(VERSION 3.22)
project(stranger NONE)
find_package(devtrust "${WANTED}" REQUIRED CONFIG)
get_target_property(location devtrust::pkcs11 IMPORTED_LOCATION)
if(NOT location STREQUAL DEVTRUST_PKCS11_MODULE OR NOT EXISTS "${location}")
  message(FATAL_ERROR "no module at ${location}")
endif()
]=])
run("${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${WORK}/project" -B "${WORK}/project/build" "-DCMAKE_PREFIX_PATH=${prefix}" "-DWANTED=${VERSION}")
