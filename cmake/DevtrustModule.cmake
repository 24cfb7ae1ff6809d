# How modules' files end. OpenSSL looks for .dylib on macOS, where CMake would call modules .so.
if(APPLE)
  set(DEVTRUST_MODULE_SUFFIX .dylib)
else()
  set(DEVTRUST_MODULE_SUFFIX "${CMAKE_SHARED_MODULE_SUFFIX}")
endif()

# A module that other people's programs load: their configurations hold its file's name, so it has no prefix and no
# version. It exports what `exports`, without its suffix, lists (.map for ELF, .exp for macOS, .def for Windows) and nothing
# else.
function(devtrust_link_module target exports)
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX "${DEVTRUST_MODULE_SUFFIX}" LINKER_LANGUAGE CXX)
  if(APPLE)
    # Its linker binds our names to our functions by itself, and has no nodelete: library_darwin.cc stands for that.
    set_target_properties(${target} PROPERTIES LINK_DEPENDS "${exports}.exp")
    target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/identity/library_darwin.cc")
    target_link_options(${target} PRIVATE "LINKER:-exported_symbols_list,${exports}.exp" LINKER:-dead_strip)
    return()
  endif()
  if(WIN32)
    set_target_properties(${target} PROPERTIES LINK_DEPENDS "${exports}.def")
    target_sources(${target} PRIVATE "${exports}.def" "${PROJECT_SOURCE_DIR}/identity/library_windows.cc")
    if(MINGW)
      # Nothing of mingw's own beside it; and what cannot be changed later is read-only, as the other linkers have it.
      target_link_options(${target} PRIVATE -static LINKER:--gc-sections LINKER:--dynamicbase,--nxcompat,--high-entropy-va)
    endif()
    return()
  endif()
  set_target_properties(${target} PROPERTIES LINK_DEPENDS "${exports}.map")
  target_link_options(${target} PRIVATE
    # Bsymbolic: our tables point to our functions, whoever else exports C_Sign; nodelete: our fork handler stays when a
    # host calls dlclose
    "LINKER:--version-script=${exports}.map" LINKER:--exclude-libs,ALL LINKER:--gc-sections
    LINKER:-Bsymbolic LINKER:-z,nodelete LINKER:-z,relro LINKER:-z,noexecstack)
  if(NOT DEVTRUST_SANITIZE)
    # A C++ runtime of our own, hidden: nothing is shared with the host's, and loading is faster.
    target_link_options(${target} PRIVATE LINKER:-z,defs -static-libstdc++ -static-libgcc)
  endif()
endfunction()
