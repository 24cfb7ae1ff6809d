"""The module's and the provider's files: what they show to the linker and what they ask for."""

import os

import pytest

from programs import run


@pytest.fixture(params=["DEVTRUST_MODULE", "DEVTRUST_PROVIDER"])
def library(request):
    return os.environ[request.param]


@pytest.fixture
def dynamic_section(library):
    return run(["readelf", "--wide", "--dynamic", library]).stdout


def exported(library):
    lines = run(["nm", "--dynamic", "--defined-only", library]).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


def test_provider_exports_its_entry_point_and_nothing_else():
    assert exported(os.environ["DEVTRUST_PROVIDER"]) == {"OSSL_provider_init"}


def test_module_exports_the_functions_of_pkcs11_and_nothing_else(module):
    names = exported(module)
    strangers = {name for name in names if not name.startswith("C_")}
    assert not strangers
    assert {"C_GetFunctionList", "C_GetInterface", "C_GetInterfaceList", "C_Initialize", "C_Sign"} <= names


def test_needs_few_libraries(dynamic_section):
    """SQLite is opened when an NSS store is read; p11-kit, libssl and NSS never."""
    needed = {line.split("[")[1].rstrip("]") for line in dynamic_section.splitlines() if "(NEEDED)" in line}
    assert needed <= {"libcrypto.so.3", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6",
                      "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_is_hardened(library, dynamic_section):
    headers = run(["readelf", "--wide", "--program-headers", library]).stdout
    stack = next(line for line in headers.splitlines() if "GNU_STACK" in line)
    assert "RWE" not in stack, "no executable stack"
    assert "GNU_RELRO" in headers and "TEXTREL" not in dynamic_section
    assert "RUNPATH" not in dynamic_section and "RPATH" not in dynamic_section


def test_stays_in_memory(dynamic_section):
    assert "NODELETE" in dynamic_section
