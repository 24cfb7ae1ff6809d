"""Another PKCS#11 module's token as a store, in real programs."""

import os
import shutil
import signal
import subprocess

import pytest

import pkcs11
from conftest import Device, FileHome
from pkcs11 import CKM_ECDSA, CKM_SHA256_RSA_PKCS, CKO_PRIVATE_KEY
from programs import DEADLINE, accepts, run, uri, wait_until
from test_p11_kit import p11_kit

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "1234"
CONFIG = """
[[store]]
kind = "token"
path = "{module}"
token = "A card"
pin_source = "file:{folder}/pin"
"""


class TokenHome(FileHome):
    """A home whose identity lies on a token of SoftHSM's."""

    def __init__(self, folder, key, leaf):
        super().__init__(folder, key, leaf)
        (folder / "tokens").mkdir()
        self.variables["SOFTHSM2_CONF"] = self.write("softhsm2.conf", f"directories.tokendir = {folder}/tokens\n")
        self.write("pin", PIN).chmod(0o600)
        self.run(["softhsm2-util", "--init-token", "--free", "--label", "A card", "--pin", PIN, "--so-pin", "officer"])
        self.add("privkey", ["pkey", "-in", leaf.key], "01", "--sensitive", "--usage-sign")
        for number, certificate in enumerate(leaf.chain_text().split("-----BEGIN")[1:], 1):
            self.add("cert", ["x509", "-in", self.write("one.pem", "-----BEGIN" + certificate)], f"{number:02}")
        self.use(SOFTHSM)

    def add(self, kind, convert, number, *options):
        self.write("object.der", b"")
        run(["openssl", *convert, "-outform", "DER", "-out", self.folder / "object.der"])
        self.run(["pkcs11-tool", "--module", SOFTHSM, "--login", "--pin", PIN, "--write-object", "object.der", "--type", kind,
                  "--id", number, *options])

    def use(self, module):
        self.write("config.toml", CONFIG.format(folder=self.folder, module=module))


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def home(request, folder, pki):
    return TokenHome(folder / "home", request.param, pki.issue(request.param))


def test_the_command_shows_it(home, programs):
    text = home.run([programs / "devtrust", "list"]).stdout
    assert f"in {SOFTHSM} (A card) (token)" in text, text
    text = home.run([programs / "devtrust", "doctor"], check=False, variables={"COLUMNS": "400"}).stdout
    assert "is the certificate's, and signs" in text and "the chain is complete" in text, text


def test_openssl_signs_and_ends_well(home, provider_conf):
    """At exit SoftHSM's objects are gone before libcrypto unloads the provider."""
    device = Device(home, provider_conf / "devtrust.cnf")
    device.write("message", "signed")
    signature = device.path("signature")
    device.openssl("dgst", "-sha256", "-sign", "devtrust:", "-out", signature, "message")
    device.openssl("pkey", "-in", "devtrust:", "-pubout", "-out", device.path("public.pem"))
    assert "Verified OK" in home.run(
        ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", signature, "message"]).stdout


def test_gnutls_signs(home, p11_kit_module):
    home.add_to_p11_kit(p11_kit_module)
    text = home.run(["p11tool", "--test-sign", uri("private")]).stdout
    assert "Verifying against public key in the token... ok" in text, text


def test_p11_kits_proxy_is_refused(home, module, programs):
    """Whoever comes: the command, a program, or p11-kit itself, whose library it is."""
    home.add_to_p11_kit(module)
    home.use(p11_kit("proxy_module"))
    home.variables["DEVTRUST_TRACE"] = "1"
    for argv in ([programs / "devtrust", "list"], ["pkcs11-tool", "--module", module, "-L"], ["p11-kit", "list-modules"]):
        text = " ".join(home.run(argv, check=False).stdout.split())
        assert "it shows the tokens of all modules, devtrust's own among them" in text, text


def test_a_module_that_leads_back_is_refused(home, module):
    """p11-kit's proxy under a name that nobody knows."""
    home.add_to_p11_kit(module)
    home.use(shutil.copy(p11_kit("proxy_module"), home.folder / "other.so"))
    home.variables["DEVTRUST_TRACE"] = "1"
    text = home.run(["pkcs11-tool", "--module", module, "-L"]).stdout
    assert "it leads back to devtrust itself" in text, text


class Server:
    """p11-kit's, with a process for each client."""

    def __init__(self, home):
        socket = home.folder / "socket"
        socket.unlink(missing_ok=True)
        argv = ["p11-kit", "server", "--foreground", "--name", str(socket), "--provider", SOFTHSM, "pkcs11:token=A%20card"]
        self.process = subprocess.Popen(argv, env={**os.environ, "SOFTHSM2_CONF": str(home.variables["SOFTHSM2_CONF"])},
                                        stdout=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: accepts(socket), "p11-kit server", self.process)

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)


def test_a_server_dies_and_comes_back(home, module, monkeypatch):
    home.use(p11_kit("p11_module_path") + "/p11-kit-client.so")
    run(["chown", "-R", "root", home.folder])
    monkeypatch.setenv("P11_KIT_SERVER_ADDRESS", f"unix:path={home.folder}/socket")
    mechanism = CKM_SHA256_RSA_PKCS if home.key.startswith("rsa") else CKM_ECDSA
    server = Server(home)
    with pkcs11.Module(module, f"config={home.folder}/config.toml") as loaded:
        session = loaded.open(loaded.slots()[0])
        (key,) = session.find(CLASS=CKO_PRIVATE_KEY)
        assert session.sign(key, mechanism, bytes(32))
        server.kill()
        for _ in range(2):
            with pytest.raises(pkcs11.Error, match="0x30|0xe0"):
                session.sign(key, mechanism, bytes(32))
        server = Server(home)
        assert session.sign(key, mechanism, bytes(32))
    server.kill()
