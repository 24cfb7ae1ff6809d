# A module that other people's programs load: their configurations hold its file's name, so it has no prefix and no
# version. It exports what `exports` lists and nothing else.
function(devtrust_link_module target exports)
  set_target_properties(${target} PROPERTIES PREFIX "" LINKER_LANGUAGE CXX LINK_DEPENDS "${exports}")
  target_link_options(${target} PRIVATE
    # Bsymbolic: our tables point to our functions, whoever else exports C_Sign; nodelete: our fork handler stays when a
    # host calls dlclose
    "LINKER:--version-script=${exports}" LINKER:--exclude-libs,ALL LINKER:--gc-sections
    LINKER:-Bsymbolic LINKER:-z,nodelete LINKER:-z,relro LINKER:-z,noexecstack)
  if(NOT DEVTRUST_SANITIZE)
    # A C++ runtime of our own, hidden: nothing is shared with the host's, and loading is faster.
    target_link_options(${target} PRIVATE LINKER:-z,defs -static-libstdc++ -static-libgcc)
  endif()
endfunction()
