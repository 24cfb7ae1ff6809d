"""p11-kit: its list of modules, its proxy and its remoting."""

import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

from pkcs11 import (CKG_MGF1_SHA256, CKM_ECDSA, CKM_ECDSA_SHA256, CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_SHA256, CKM_SHA256_RSA_PKCS,
                    CKM_SHA256_RSA_PKCS_PSS, ulong)
from programs import DEADLINE, Conversation, accepts, as_user, environment, run, uri, wait_until
from signing import tlv
from stores import TOKEN_LABEL
from test_gnutls import wget

TOKEN = uri("").split(";")[0]
MESSAGE = b"the quick brown fox"
DIGEST = hashlib.sha256(MESSAGE).digest()
SHA256_OID = bytes.fromhex("608648016503040201")
DIGEST_INFO = tlv(0x30, tlv(0x30, tlv(0x06, SHA256_OID) + tlv(0x05, b"")) + tlv(0x04, DIGEST))
PSS = ulong(CKM_SHA256) + ulong(CKG_MGF1_SHA256) + ulong(32)

# For each mechanism its parameter and what it signs, which makes it a signature of MESSAGE with SHA-256.
MECHANISMS = {
    "rsa:2048": {CKM_RSA_PKCS: (b"", DIGEST_INFO), CKM_SHA256_RSA_PKCS: (b"", MESSAGE), CKM_RSA_PKCS_PSS: (PSS, DIGEST),
                 CKM_SHA256_RSA_PKCS_PSS: (PSS, MESSAGE)},
    "ec:P-256": {CKM_ECDSA: (b"", DIGEST), CKM_ECDSA_SHA256: (b"", MESSAGE)},
}
# p11-kit 0.24's remoting knows these by no name: it takes them off the token's list, and answers CKR_MECHANISM_INVALID itself.
UNKNOWN_TO_OLD_REMOTING = {CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256}


@pytest.fixture
def home(rsa_home, p11_kit_module):
    rsa_home.add_to_p11_kit(p11_kit_module)
    return rsa_home


def test_lists_the_module(home, p11_kit_module):
    text = home.run(["p11-kit", "list-modules"]).stdout
    ours = text[text.index("devtrust:"):]
    assert f"devtrust: {p11_kit_module}\n" in ours and "token: JumpCloud Device Trust\n" in ours, text


def test_lists_the_module_with_a_broken_store(make_home, module):
    """A program that lists all modules must not suffer from ours."""
    home = make_home("ec:P-256", fresh=True)
    home.add_to_p11_kit(module)
    for name in ("cert9.db", "key4.db"):
        home.write(f".pki/nssdb/{name}", b"no database" * 100)
    text = home.run(["p11-kit", "list-modules"]).stdout
    assert "devtrust:" in text and "p11-kit-trust:" in text and "couldn't" not in text, text


def test_signs_through_the_remoting(home, module):
    """As sandboxed programs reach it: p11-kit server outside, p11-kit-client inside."""
    script = """
        eval "$(p11-kit server --provider "$1" "$2")"
        p11tool --provider "$(pkg-config --variable=p11_module_path p11-kit-1)/p11-kit-client.so" --test-sign "$3"
        status=$?
        kill "$P11_KIT_SERVER_PID"
        exit "$status"
    """
    text = home.run(["sh", "-c", script, "sh", module, "pkcs11:token=JumpCloud%20Device%20Trust", uri("private")],
                    variables={"XDG_RUNTIME_DIR": home.folder}).stdout
    assert "Verifying against public key in the token... ok" in text, text


class Way:
    """How a program of this home comes to our module: by the library `module`, with `variables` in its environment."""

    def __init__(self, name, home, ours):
        self.name, self.home, self.variables, self.server = name, home, {}, None
        self.module = p11_kit("proxy_module")
        socket = home.folder / "p11-kit.socket"
        if name in ("server", "client"):
            argv = ["p11-kit", "server", "--foreground", "--name", str(socket), "--provider", str(ours), TOKEN]
            self.server = subprocess.Popen(as_user(argv), env=environment(home.folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            wait_until(lambda: accepts(socket), "p11-kit server", self.server)
        if name == "client":
            self.module = p11_kit("p11_module_path") + "/p11-kit-client.so"
            self.variables = {"P11_KIT_SERVER_ADDRESS": f"unix:path={socket}"}
        else:
            line = {"proxy": f"module: {ours}", "remote": f"remote: |p11-kit remote {ours}", "server": f"remote: unix:path={socket}"}
            home.write(".config/pkcs11/modules/devtrust.module", line[name] + "\n")

    def run(self, argv):
        return self.home.run(argv, variables=self.variables).stdout

    def close(self):
        if self.server:
            self.server.terminate()
            self.server.wait(DEADLINE)


def p11_kit(variable):
    return run(["pkg-config", f"--variable={variable}", "p11-kit-1"]).stdout.strip()


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def any_home(request, make_home):
    return make_home(request.param, fresh=True)


@pytest.fixture(params=["proxy", "remote", "server", "client"])
def way(request, any_home, p11_kit_module):
    """p11-kit's proxy, with our module in the program itself, in a process of its own, or in a server; and p11-kit's client,
    which needs no .module file."""
    way = Way(request.param, any_home, p11_kit_module)
    yield way
    way.close()


def test_each_way_lists_the_objects(way):
    text = way.run(["pkcs11-tool", "--module", way.module, "--token-label", TOKEN_LABEL, "--list-objects"])
    found = [text.count(kind) for kind in ("Certificate Object; type = X.509 cert", "Private Key Object; ", "Public Key Object; ")]
    assert found == [3, 1, 1], text


@pytest.fixture(scope="session")
def session_host(session_folder):
    """hosts/session_host.py, where every user can run it."""
    tests = pathlib.Path(os.environ["DEVTRUST_SOURCE"]) / "tests/interop"
    shutil.copy(tests / "pkcs11.py", session_folder)
    return shutil.copy(tests / "hosts/session_host.py", session_folder)


class Host(Conversation):
    """A program that keeps its session."""

    def __init__(self, script, way):
        super().__init__(["/usr/bin/python3", script, way.module, TOKEN_LABEL], way.home, **way.variables)
        said = self.process.stdout.readline()
        assert said.startswith("mechanisms "), said + self.process.stdout.read()
        self.mechanisms = [int(number, 16) for number in said.split()[1:]]

    def sign(self, mechanism, parameter, data):
        """The certificate's SHA-1 and the signature, or what went wrong."""
        self.tell(f"{mechanism:x},{parameter.hex()},{data.hex()}")
        return self.process.stdout.readline().rstrip("\n")


@pytest.fixture
def host(session_host, way):
    with Host(session_host, way) as host:
        yield host


def verifies(leaf, folder, mechanism, signature):
    """OpenSSL's word on it."""
    options = []
    if mechanism in (CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS):
        options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
    if mechanism in (CKM_ECDSA, CKM_ECDSA_SHA256):  # PKCS#11 has the two numbers one after the other
        numbers = [int.from_bytes(signature[half:half + 32], "big") for half in (0, 32)]
        signature = tlv(0x30, b"".join(tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in numbers))
    (folder / "message").write_bytes(MESSAGE)
    (folder / "signature").write_bytes(signature)
    argv = ["openssl", "dgst", "-sha256", "-verify", leaf.public_key(), *options, "-signature", folder / "signature", folder / "message"]
    return "Verified OK" in run(argv, check=False).stdout


def signs(host, way, folder):
    """With each mechanism, and the certificate that the home has now."""
    for mechanism, (parameter, data) in MECHANISMS[way.home.key].items():
        answer = host.sign(mechanism, parameter, data)
        if mechanism in UNKNOWN_TO_OLD_REMOTING and mechanism not in host.mechanisms and way.name != "proxy":
            assert answer == "C_SignInit answered 0x70", f"{mechanism:x}: {answer}"
            continue
        certificate, _, signature = answer.partition(" ")
        assert certificate == way.home.leaf.sha1() and verifies(way.home.leaf, folder, mechanism, bytes.fromhex(signature)), \
            f"{mechanism:x}: {answer}"


def test_each_way_signs(way, host, folder):
    signs(host, way, folder)


def test_each_way_has_the_renewed_key_in_an_old_session(way, host, folder, pki):
    signs(host, way, folder)
    old, _ = way.home.leaf, way.home.renew(pki, way.home.key)
    way.home.database.remove(old.name)
    signs(host, way, folder)


@pytest.mark.parametrize("way", ["remote", "server"], indirect=True)
def test_wget_logs_in_through_the_remoting(way, web_pki, root_server):
    """A program that has nothing of ours in its own process."""
    assert f"client SUCCESS {way.home.leaf.sha1()}" in way.run(wget(web_pki, root_server))
