"""The host's openssl.cnf is the host's: our module takes nothing from it, and may itself be named in it."""

import pytest

from programs import uri

PROVIDER_CONFIG = """
openssl_conf = openssl_init
[openssl_init]
providers = providers
[providers]
default = default_provider
probe = probe_provider
[default_provider]
activate = 1
[probe_provider]
module = {helpers}/config_provider.so
activate = 1
"""
ENGINE_CONFIG = """
openssl_conf = openssl_init
[openssl_init]
engines = engines
[engines]
pkcs11 = pkcs11_engine
[pkcs11_engine]
engine_id = pkcs11
MODULE_PATH = {module}
init = 1
"""


@pytest.fixture
def surroundings(folder, helpers):
    """The environment in which libcrypto loads the probe as soon as it reads its configuration."""
    configuration = folder / "openssl.cnf"
    configuration.write_text(PROVIDER_CONFIG.format(helpers=helpers))
    marker = folder / "marker"
    marker.touch()
    marker.chmod(0o666)
    return marker, {"OPENSSL_CONF": configuration, "DEVTRUST_TEST_MARKER": marker}


def test_a_bundled_libcrypto_reads_no_configuration(rsa_home, bundled_module, helpers, surroundings):
    marker, variables = surroundings
    text = rsa_home.run([helpers / "sign_host", bundled_module], variables=variables).stdout
    assert "signed and verified" in text and marker.read_text() == ""
    rsa_home.run(["openssl", "list", "-providers"], variables=variables)
    assert marker.read_text() == "loaded\n", "the probe works"


def test_the_systems_libcrypto_reads_it_where_it_does_no_harm(rsa_home, module, helpers, surroundings):
    """It looks for engines at the first digest, and reads the configuration for that, whatever the library context. Here it
    does so in the middle of our C_Initialize, and what is configured calls our module back: nobody may wait for himself."""
    marker, variables = surroundings
    text = rsa_home.run([helpers / "sign_host", module], variables={**variables, "DEVTRUST_TEST_MODULE": module}).stdout
    assert "signed and verified" in text
    assert marker.read_text() == "loaded\nsigned\n"


@pytest.mark.parametrize("section", ["default_properties = provider=nobody", "default_properties = fips=yes"])
def test_what_is_configured_does_not_reach_our_context(rsa_home, module, helpers, section):
    configuration = rsa_home.write("openssl.cnf", f"openssl_conf = i\n[i]\nalg_section = a\n[a]\n{section}\n")
    variables = {"OPENSSL_CONF": configuration}
    assert "signed and verified" in rsa_home.run([helpers / "sign_host", module], variables=variables).stdout
    digest = rsa_home.run(["openssl", "dgst", "-sha256", "/dev/null"], variables=variables, check=False)
    assert digest.returncode != 0, "others suffer"


def test_a_provider_of_the_configuration_may_use_the_module(rsa_home, module, surroundings):
    """libcrypto holds its locks while it loads providers: whoever comes back to its default context now hangs."""
    marker, variables = surroundings
    rsa_home.run(["openssl", "list", "-providers"], variables={**variables, "DEVTRUST_TEST_MODULE": module})
    assert marker.read_text() == "loaded\nsigned\n"


def test_an_engine_of_the_configuration_may_use_the_module(rsa_home, module):
    configuration = rsa_home.write("openssl.cnf", ENGINE_CONFIG.format(module=module))
    message = rsa_home.write("message", "the quick brown fox")
    rsa_home.run(["openssl", "dgst", "-engine", "pkcs11", "-keyform", "engine", "-sign", uri("private"), "-sha256", "-out",
                  "signature", message], variables={"OPENSSL_CONF": configuration})
    answer = rsa_home.run(["openssl", "dgst", "-sha256", "-verify", rsa_home.leaf.public_key(), "-signature", "signature",
                           message]).stdout
    assert "Verified OK" in answer


def test_a_broken_configuration_of_the_host_does_no_harm(rsa_home, module, helpers):
    configuration = rsa_home.write("openssl.cnf", "openssl_conf = nowhere\n[nowhere\n")
    text = rsa_home.run([helpers / "sign_host", module], variables={"OPENSSL_CONF": configuration}).stdout
    assert "signed and verified" in text
