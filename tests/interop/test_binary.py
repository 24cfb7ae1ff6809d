"""The module's file: what it shows to the linker and what it asks for."""

import pytest

from programs import run


@pytest.fixture
def dynamic_section(module):
    return run(["readelf", "--wide", "--dynamic", module]).stdout


def test_exports_the_functions_of_pkcs11_and_nothing_else(module):
    lines = run(["nm", "--dynamic", "--defined-only", module]).stdout.splitlines()
    names = {line.split()[-1].split("@")[0] for line in lines}
    strangers = {name for name in names if not name.startswith("C_")}
    assert not strangers
    assert {"C_GetFunctionList", "C_GetInterface", "C_GetInterfaceList", "C_Initialize", "C_Sign"} <= names


def test_needs_few_libraries(dynamic_section):
    """SQLite is opened when an NSS store is read; p11-kit, libssl and NSS never."""
    needed = {line.split("[")[1].rstrip("]") for line in dynamic_section.splitlines() if "(NEEDED)" in line}
    assert needed <= {"libcrypto.so.3", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6",
                      "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_is_hardened(module, dynamic_section):
    headers = run(["readelf", "--wide", "--program-headers", module]).stdout
    stack = next(line for line in headers.splitlines() if "GNU_STACK" in line)
    assert "RWE" not in stack, "no executable stack"
    assert "GNU_RELRO" in headers and "TEXTREL" not in dynamic_section
    assert "RUNPATH" not in dynamic_section and "RPATH" not in dynamic_section


def test_stays_in_memory(dynamic_section):
    assert "NODELETE" in dynamic_section
