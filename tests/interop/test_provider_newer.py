"""What Debian 12 does not have, or has older: a curl that names providers itself, pkcs11-provider and OpenSSL's FIPS
provider beside ours, and OpenSSL 3.5."""

import functools
import os
import pathlib
import platform
import shutil

import pytest

from programs import run

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


FIPS_CONFIG = """
openssl_conf = init
[init]
providers = all
alg_section = algorithms
[algorithms]
{properties}
[all]
{order}
[default_sect]
activate = 1
[base_sect]
activate = 1
[devtrust_sect]
module = {provider}
activate = 1
[fips_sect]
module = {module}
{installed}
"""


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def device(request, make_device):
    return make_device(request.param)


def fetched(session_folder, suite):
    """Where every user can run them. `./dev test` has fetched them; a newer distribution's own take their place."""
    folder = pathlib.Path(os.environ["DEVTRUST_NEWER"]) / suite
    if not folder.exists():
        assert "bookworm" not in pathlib.Path("/etc/os-release").read_text(), "run ./dev test, which fetches them"
        return pathlib.Path("/")
    return shutil.copytree(folder, session_folder / suite, symlinks=True)


@pytest.fixture(scope="session")
def backports(session_folder):
    return fetched(session_folder, "bookworm-backports")


@pytest.fixture(scope="session")
def trixie(session_folder):
    return fetched(session_folder, "trixie")


def library(root, name):
    found = list(root.glob(f"usr/lib/*/{name}"))
    assert found, f"{name} is not installed"
    return found[0]


def newer_openssl(trixie, *command):
    """`command` with the libraries of Debian 13, its C library included."""
    if trixie == pathlib.Path("/"):
        return command
    folder = library(trixie, "libc.so.6").parent
    loader = folder / {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}[platform.machine()]
    return [loader, "--library-path", f"{folder}:/usr/lib/{folder.name}:/lib/{folder.name}", *command]


def assert_signs(device, key, openssl):
    """`openssl` runs the program in question, which verifies it, too."""
    message, signature = device.write("message", "what is signed"), device.path("signature")
    public = device.write("public.pem", device.leaf.public_key().read_text())
    openssl("dgst", "-sha256", "-sign", key, "-out", signature, message)
    verify = ["dgst", "-sha256", "-verify", public, "-signature", signature, message]
    assert "Verified OK" in run(["openssl", *verify]).stdout
    assert "Verified OK" in openssl(*verify).stdout


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
    openssl = functools.partial(device.openssl, configuration=configuration)
    for key in (PKCS11_KEY, "devtrust:", device.key("pem")):
        assert_signs(device, key, openssl)
    made = device.path("made.pem")
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", made)
    assert "BEGIN PRIVATE KEY" in made.read_text(), "by OpenSSL's own provider"


@pytest.fixture
def with_fips(trixie, device, provider):
    """openssl.cnf with OpenSSL's FIPS provider beside ours."""
    module = library(trixie, "ossl-modules/fips.so")
    run(["openssl", "fipsinstall", "-quiet", "-module", module, "-out", device.home.folder / "fips.cnf"])
    installed = (device.home.folder / "fips.cnf").read_text().partition("[fips_sect]\n")[2]

    def write(order, properties=""):
        return device.write("with_fips.cnf", FIPS_CONFIG.format(
            order="\n".join(f"{name} = {name}_sect" for name in order.split()), provider=provider, module=module,
            installed=installed, properties=f"default_properties = {properties}" if properties else ""))

    return write


@pytest.mark.parametrize("properties", ["", "?fips=yes"], ids=["any", "fips-first"])
@pytest.mark.parametrize("order", ["default devtrust fips", "fips default devtrust", "fips base devtrust"])
def test_ours_serves_beside_the_fips_provider(device, root_server, web_pki, with_fips, order, properties):
    openssl = functools.partial(device.openssl, configuration=with_fips(order, properties))
    chain = device.write("chain.pem", device.leaf.chain_text())
    for key in ("devtrust:", device.key("pem")):
        assert_signs(device, key, openssl)
        answer = openssl("s_client", "-connect", f"localhost:{root_server.port}", "-quiet", "-ign_eof", "-verify_return_error",
                         "-CAfile", web_pki.root.certificate, "-cert", chain, "-cert_chain", chain, "-key", key,
                         input="GET / HTTP/1.0\r\n\r\n").stdout
        assert f"client SUCCESS {device.leaf.sha1()}" in answer


def test_who_demands_fips_does_not_get_ours(device, with_fips):
    """It does its work with OpenSSL's default provider, and does not say otherwise."""
    configuration = with_fips("fips base devtrust", "fips=yes")
    text = device.refused("pkey", "-in", "devtrust:", "-noout", configuration=configuration)
    assert "unregistered scheme" in text, text


def test_openssl_3_5_signs_with_the_key(device, trixie, provider_conf):
    program = newer_openssl(trixie, "openssl" if trixie == pathlib.Path("/") else trixie / "usr/bin/openssl")

    def openssl(*arguments):
        return device.home.run([*program, *arguments], variables={"OPENSSL_CONF": provider_conf / "devtrust.cnf"})

    version = openssl("version").stdout.split()[1]
    assert [int(part) for part in version.split(".")[:2]] >= [3, 5], version
    assert openssl("storeutl", "-certs", "devtrust:").stdout.count("BEGIN CERTIFICATE") == 3
    reference = device.path("reference.pem")
    openssl("pkey", "-in", "devtrust:", "-out", reference)
    for key in ("devtrust:", reference):
        assert_signs(device, key, openssl)


def test_all_of_the_providers_own_tests_pass_with_openssl_3_5(trixie):
    result = run([*newer_openssl(trixie, os.environ["DEVTRUST_PROVIDER_TEST"]), "--gtest_brief=1"], home="/nonexistent", timeout=300)
    assert "[  PASSED  ]" in result.stdout
