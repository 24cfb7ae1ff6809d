"""What Debian 12 has in its backports: a curl that names providers itself, and pkcs11-provider beside ours."""

import os
import pathlib
import shutil

import pytest

PKCS11_KEY = "pkcs11:token=JumpCloud%20Device%20Trust;object=JumpCloud%20Device%20Trust;type=private"

CONFIG = """
openssl_conf = init
[init]
providers = all
[all]
default = default_sect
{order}
[default_sect]
activate = 1
[devtrust_sect]
module = {provider}
activate = 1
[pkcs11_sect]
module = {pkcs11_provider}
pkcs11-module-path = {module}
activate = 1
"""


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def device(request, make_device):
    return make_device(request.param)


@pytest.fixture(scope="session")
def backports(session_folder):
    """Where every user can run them. `./dev test` has fetched them; a newer distribution's own take their place."""
    fetched = pathlib.Path(os.environ["DEVTRUST_BACKPORTS"])
    if not fetched.exists():
        assert "bookworm" not in pathlib.Path("/etc/os-release").read_text(), "run ./dev test, which fetches them"
        return pathlib.Path("/")
    return shutil.copytree(fetched, session_folder / "backports")


def library(backports, name):
    return next(backports.glob(f"usr/lib/*/{name}"))


@pytest.fixture
def curl(backports, provider, web_pki):
    """Runs it on a server of ours, with the provider's folder named and nothing in openssl.cnf."""

    def run(device, server, *options, **more):
        variables = {"OPENSSL_MODULES": provider.parent, "LD_LIBRARY_PATH": library(backports, "libcurl.so.4").parent}
        return device.home.run([backports / "usr/bin/curl", "--silent", "--show-error", "--cacert", web_pki.root.certificate,
                                *options, f"https://localhost:{server.port}/"], variables=variables, **more).stdout

    return run


def test_curl_loads_the_provider_by_its_name(device, root_server, curl):
    chain = device.path("chain.pem")
    device.openssl("storeutl", "-certs", "-out", chain, "devtrust:")
    answer = curl(device, root_server, "--engine", "devtrust", "--key-type", "PROV", "--key", "devtrust:", "--cert", chain)
    assert answer == f"client SUCCESS {device.leaf.sha1()}\n"


def test_curl_takes_the_leaf_alone_from_the_store(device, chain_server, curl):
    """curl reads a password behind the certificate's colon, unless that is escaped."""
    answer = curl(device, chain_server, "--engine", "devtrust", "--key-type", "PROV", "--key", "devtrust:", "--cert-type", "PROV",
                  "--cert", "devtrust\\:")
    assert answer == f"client SUCCESS {device.leaf.sha1()}\n"


@pytest.mark.parametrize("order", [("devtrust", "pkcs11"), ("pkcs11", "devtrust")], ids="-".join)
def test_pkcs11_provider_and_ours_serve_side_by_side(device, module, provider, backports, order):
    """Its token is our own module: each of the two reaches the key in its own way, in one process."""
    configuration = device.write("both.cnf", CONFIG.format(
        order="\n".join(f"{name} = {name}_sect" for name in order), provider=provider, module=module,
        pkcs11_provider=library(backports, "ossl-modules/pkcs11.so")))
    public, message, signature = device.path("public.pem"), device.write("message", "what is signed"), device.path("signature")
    public.write_text(device.leaf.public_key().read_text())
    for key in (PKCS11_KEY, "devtrust:", device.key("pem")):
        device.openssl("dgst", "-sha256", "-sign", key, "-out", signature, message, configuration=configuration)
        checked = device.openssl("dgst", "-sha256", "-verify", public, "-signature", signature, message, configuration=configuration)
        assert "Verified OK" in checked.stdout
    made = device.path("made.pem")
    device.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", made, configuration=configuration)
    assert "BEGIN PRIVATE KEY" in made.read_text(), "by OpenSSL's own provider"
