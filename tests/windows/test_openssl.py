"""The provider in openssl.exe, with a key that lies in this user's MY store, and Windows' own way to the same key: OpenSSL's
engine capi."""

import os

import pytest

from conftest import windows_path
from programs import OpensslServer, run
from signing import chain_file
from stores import Pki

DATA = b"what is signed\r\n\x1a\x00"
KEY = "devtrust:jumpcloud"


class Openssl:
    """openssl.exe with the provider in its configuration."""

    def __init__(self, windows, leaf):
        self.windows, self.leaf = windows, leaf
        windows.install(os.environ["DEVTRUST_OPENSSL"], "openssl")
        self.variables = {"OPENSSL_CONF": windows_path(windows.home / "openssl.cnf")}
        windows.devtrust("setup", "openssl", **self.variables)
        windows.devtrust("pem", "--output", windows_path(windows.home))
        (windows.home / "data").write_bytes(DATA)

    def run(self, *arguments, code=0, **options):
        """In the home, so that files are named as everywhere."""
        program = [os.environ["DEVTRUST_WINE"], self.windows.programs / "openssl.exe", *arguments]
        ended = self.windows.start(program, **options, **self.variables)
        assert ended.returncode == code, (ended.stdout + ended.stderr).decode(errors="replace")
        return (ended.stdout + ended.stderr).decode(errors="replace").replace("\r\n", "\n")

    def path(self, name):
        return self.windows.home / name

    def verify(self, signature, *options):
        """By this system's OpenSSL, which has the public key alone."""
        run(["openssl", "dgst", "-sha256", "-verify", self.leaf.public_key(), *options, "-signature", self.path(signature),
             self.path("data")])


@pytest.fixture
def openssl(my, leaf):
    return Openssl(my, leaf)


def test_names_the_key_and_keeps_it(openssl, leaf):
    assert openssl.run("pkey", "-in", KEY, "-pubout") == leaf.public_key().read_text()
    openssl.run("pkey", "-in", KEY, "-out", "copy.pem")
    assert "BEGIN DEVTRUST KEY" in openssl.path("copy.pem").read_text()
    assert openssl.run("pkey", "-in", "copy.pem", "-pubout") == leaf.public_key().read_text()


def test_signs_a_request(openssl, leaf):
    openssl.run("req", "-new", "-key", KEY, "-subj", "/CN=renewal", "-out", "request.pem", "-config", "openssl.cnf")
    said = run(["openssl", "req", "-in", openssl.path("request.pem"), "-verify", "-noout", "-pubkey"]).stdout
    assert "verify OK" in said and said.endswith(leaf.public_key().read_text())


def test_signs_a_message(openssl, leaf, pki):
    """The certificate comes out of the store, too."""
    chain_file(leaf, openssl.windows.home)
    openssl.run("cms", "-sign", "-binary", "-in", "data", "-signer", KEY, "-inkey", KEY, "-certfile", "issuers.pem", "-outform",
                "PEM", "-out", "message")
    verified = run(["openssl", "cms", "-verify", "-binary", "-inform", "PEM", "-in", openssl.path("message"), "-content",
                    openssl.path("data"), "-CAfile", pki.root.certificate, "-purpose", "any"], text=False)
    assert verified.stdout == DATA


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
def test_the_engine_capi_agrees(openssl, leaf, digest):
    """PKCS#1 v1.5 has one signature for each text: Windows' is ours, bit for bit, and of OpenSSL's own code for the key's file."""
    openssl.run("dgst", f"-{digest}", "-sign", KEY, "-out", "ours", "data")
    run(["openssl", "dgst", f"-{digest}", "-sign", leaf.key, "-out", openssl.path("expected"), openssl.path("data")])
    assert openssl.path("ours").read_bytes() == openssl.path("expected").read_bytes()
    openssl.run("dgst", f"-{digest}", "-engine", "capi", "-keyform", "ENGINE", "-sign", "0A1B2C3D", "-out", "theirs", "data")
    assert openssl.path("theirs").read_bytes() == openssl.path("ours").read_bytes()


# --- TLS ---


@pytest.fixture(scope="session")
def server_leaf(session_folder):
    return Pki(session_folder / "web", "ec:P-256", "Web Root", "Web Issuer").issue("ec:P-256", "localhost", extensions="server")


def visit(openssl, server_leaf, pki, version, *options, code=0):
    """A server of this system's that believes the root alone, so that the issuers have to come along."""
    chain = openssl.path("server.pem")
    chain.write_text(server_leaf.chain_text())
    with OpensslServer("-cert", chain, "-cert_chain", chain, "-key", server_leaf.key, f"-{version}", "-Verify", 4,
                       "-verify_return_error", "-CAfile", pki.root.certificate) as server:
        answer = openssl.run("s_client", "-connect", server.address, "-brief", "-ign_eof", "-cert", KEY, "-key", KEY,
                             "-cert_chain", "chain.pem", *options, data=b"hello\nCLOSE\n", code=code)
        return answer, server.finish()


def assert_shown(answer, said):
    assert "olleh\n" in answer and "0A1B2C3D" in said and "Verification: OK" in said, (answer, said)


def test_a_csps_key_is_for_tls_1_2_with_pkcs1(openssl, server_leaf, pki):
    assert_shown(*visit(openssl, server_leaf, pki, "tls1_2", "-client_sigalgs", "RSA+SHA256"))
    with open(openssl.path("openssl.cnf"), "a") as configuration:
        configuration.write("[openssl_init]\nssl_conf = all\n[all]\nsystem_default = tls\n[tls]\n"
                            "ClientSignatureAlgorithms = RSA+SHA256\n")
    assert_shown(*visit(openssl, server_leaf, pki, "tls1_2"))


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_pss_is_what_a_csps_key_cannot_do(openssl, server_leaf, pki, version):
    """TLS 1.3 has nothing else for RSA, and OpenSSL takes it first in TLS 1.2."""
    answer, _ = visit(openssl, server_leaf, pki, version, code=1)
    assert "olleh\n" not in answer and "the private key's provider cannot do this" in answer, answer


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_tls_with_a_key_of_cng_NcryptDouble(windows, hold_my, pki, server_leaf, key, version):
    leaf = pki.issue(key)
    openssl = Openssl(hold_my(leaf, cng=True), leaf)
    assert_shown(*visit(openssl, server_leaf, pki, version))
    openssl.run("dgst", "-sha256", "-sign", KEY, "-out", "signature", "data")
    openssl.verify("signature")
