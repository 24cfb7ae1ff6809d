"""Hosts that export names which our libraries have too."""

import pytest

from programs import run


def test_a_host_with_a_sqlite_of_its_own(rsa_home, module, helpers):
    text = rsa_home.run([helpers / "sqlite_clash_host", module]).stdout
    assert "signed and verified" in text


def test_a_host_that_is_a_pkcs11_module_itself(rsa_home, module, helpers):
    text = rsa_home.run([helpers / "cryptoki_clash_host", module]).stdout
    assert "signed and verified" in text


def test_a_host_with_a_libcrypto_of_its_own_captures_a_dynamic_build(rsa_home, module, helpers):
    """Known, and why DEVTRUST_BUNDLED_CRYPTO exists: the dynamic linker gives the host's names to everybody."""
    if "libcrypto" not in run(["readelf", "--dynamic", module]).stdout:
        pytest.fail("this build is bundled already: nothing to show")
    result = rsa_home.run([helpers / "crypto_clash_host", module], check=False)
    assert result.returncode != 0 and "the host's" in result.stdout, result.stdout


def test_a_host_with_a_libcrypto_of_its_own_and_a_bundled_build(rsa_home, bundled_module, helpers):
    text = rsa_home.run([helpers / "crypto_clash_host", bundled_module]).stdout
    assert "signed and verified" in text


def test_a_bundled_build_shows_no_libcrypto(bundled_module):
    assert "libcrypto" not in run(["readelf", "--dynamic", bundled_module]).stdout
    names = {line.split()[-1] for line in run(["nm", "--dynamic", "--defined-only", bundled_module]).stdout.splitlines()}
    assert all(name.startswith("C_") for name in names)
