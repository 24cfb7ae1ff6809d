"""Java's SunPKCS11: keytool, and a TLS client of our own."""

import hashlib
import os
import pathlib

import pytest

from conftest import Home
from programs import Conversation, Nginx, give_away, run
from stores import TOKEN_LABEL

VERSIONS = ["TLSv1.2", "TLSv1.3"]


def sun_pkcs11(home, module, settings=""):
    """SunPKCS11's configuration."""
    return home.write("pkcs11.cfg", f"name = devtrust\nlibrary = {module}\n{settings}")


def keytool(home, module, *arguments, settings="", **options):
    return home.run(["keytool", *arguments, "-keystore", "NONE", "-storetype", "PKCS11", "-storepass",
                     home.password or "none", "-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg",
                     sun_pkcs11(home, module, settings)], **options).stdout


@pytest.fixture(params=[("rsa:2048", ""), ("ec:P-256", ""), ("rsa:2048", "sesame")], ids=str)
def home(request, make_home):
    return make_home(*request.param)


def test_lists_the_identity_and_trusts_nothing(home, module):
    text = keytool(home, module, "-list", "-v")
    assert f"Alias name: {TOKEN_LABEL}" in text and "Entry type: PrivateKeyEntry" in text, text
    assert "Certificate chain length: 3" in text, text
    assert "trustedCertEntry" not in text, text


@pytest.mark.parametrize("algorithm", ["SHA256withRSA", "SHA512withRSA", "RSASSA-PSS"])
def test_signs_with_rsa(make_home, module, algorithm):
    signs(make_home("rsa:2048"), module, algorithm)


@pytest.mark.parametrize("key, algorithm", [("ec:P-256", "SHA256withECDSA"), ("ec:P-384", "SHA384withECDSA"),
                                            ("ec:P-521", "SHA512withECDSA")])
def test_signs_with_ec(make_home, module, key, algorithm):
    signs(make_home(key), module, algorithm)


def signs(home, module, algorithm):
    """A certificate request is signed with the key that it names."""
    request = home.write("request.pem", keytool(home, module, "-certreq", "-alias", TOKEN_LABEL, "-sigalg", algorithm))
    text = run(["openssl", "req", "-in", request, "-verify", "-noout", "-pubkey"]).stdout
    assert "verify OK" in text and home.leaf.public_key().read_text().strip() in text, text


def test_finds_a_token_where_there_is_no_identity(folder, module):
    """A module without any token makes Java fail at once."""
    configuration = folder / "pkcs11.cfg"
    configuration.write_text(f"name = devtrust\nlibrary = {module}\n")
    text = run(["keytool", "-list", "-keystore", "NONE", "-storetype", "PKCS11", "-storepass", "none", "-providerClass",
                "sun.security.pkcs11.SunPKCS11", "-providerArg", configuration], home=folder).stdout
    assert "contains 0 entries" in text, text


def test_each_products_certificate_by_a_configuration_of_its_own(make_home, module, pki):
    home = make_home("rsa:2048", fresh=True)
    home.database.add(pki.issue("ec:P-256", "dev.firezone.device-trust"))
    give_away(home.folder)
    for settings, label in (("", TOKEN_LABEL), ("slotListIndex = 1\n", "Firezone Device Trust")):
        text = keytool(home, module, "-list", settings=settings)
        assert "contains 1 entry" in text and f"\n{label}, PrivateKeyEntry" in text, text


@pytest.fixture(scope="session")
def classes(session_folder):
    """The folder of our clients, compiled."""
    folder = session_folder / "java"
    sources = pathlib.Path(os.environ["DEVTRUST_SOURCE"]) / "tests/interop/hosts"
    run(["javac", "-d", folder, *sources.glob("*.java")], home=session_folder)
    return folder


@pytest.fixture(scope="session")
def server(session_folder, pki, web_server):
    """Asks for a client certificate, trusts the root only, and says whose certificate it got."""
    answer = 'return 200 "$ssl_protocol $ssl_client_verify $ssl_client_fingerprint $ssl_client_s_dn\\n";'
    server = Nginx(session_folder / "java-server", web_server, pki.root.certificate, location=answer)
    yield server
    server.close()


class TlsClient(Conversation):
    """A JVM that logs in to the server, as often as it is asked to."""

    def __init__(self, home, module, classes, root, server, version):
        argv = ["java", "-cp", classes, "TlsClient", sun_pkcs11(home, module), home.password or "none", root, server.port, version]
        super().__init__(argv, home, **home.variables)

    def ask(self, line):
        """What it says to "load" or "connect"; all that it says where that fails, which ends it."""
        self.tell(line)
        said = ""
        for answer in self.process.stdout:
            if answer == "done\n":
                return said
            said += answer
        return said + f"ended with {self.process.wait()}"


@pytest.fixture
def tls_client(module, classes, web_pki, server):
    return lambda home, version="TLSv1.3": TlsClient(home, module, classes, web_pki.root.certificate, server, version)


def subject(leaf):
    """As nginx prints it."""
    return "CN=" + "".join(chr(octet) if octet < 128 else f"\\{octet:02X}" for octet in leaf.name.encode())


def accepted(version, leaf):
    return f"{version} SUCCESS {leaf.sha1()} {subject(leaf)}\n"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key, password, mechanism", [
    ("rsa:2048", "", "CKM_RSA_PKCS_PSS"), ("rsa:2048", "sesame", "CKM_RSA_PKCS_PSS"), ("ec:P-256", "", "CKM_ECDSA_SHA256"),
    ("ec:P-384", "", "CKM_ECDSA_SHA384"), ("ec:P-521", "", "CKM_ECDSA_SHA512")])
def test_a_tls_client_logs_in(make_home, tls_client, key, password, mechanism, version):
    """The server says whose certificate it saw, and the module's audit that the JVM signed with that key."""
    home = make_home(key, password, fresh=True)
    audit = home.folder / "audit.log"
    home.variables = {"DEVTRUST_CONFIG": home.write("config.toml", f'audit = "{audit}"\naudit_required = true\n')}
    with tls_client(home, version) as client:
        said = client.ask("load") + client.ask("connect")
    assert f"entries: [{TOKEN_LABEL}]\n" in said and accepted(version, home.leaf) in said, said
    (line,) = audit.read_text().splitlines()
    for field in (f'operation="sign" program="java" pid="{client.process.pid}"', f'mechanism="{mechanism}"',
                  f'sha256="{hashlib.sha256(home.leaf.der()).hexdigest()}"'):
        assert field in line, line


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_after_a_renewal(make_home, tls_client, pki, key):
    """A new JVM has the new certificate, and so has a running one that loads its key store anew. What it loaded before
    goes on working, with the old key."""
    home = make_home(key, fresh=True)
    with tls_client(home) as running:
        said = running.ask("load") + running.ask("connect")
        assert accepted("TLSv1.3", home.leaf) in said, said
        old, new = home.leaf, home.renew(pki, key)
        home.database.remove(old.name)
        with tls_client(home) as fresh:
            said = fresh.ask("load") + fresh.ask("connect")
            assert accepted("TLSv1.3", new) in said, said
        said = running.ask("connect")
        assert accepted("TLSv1.3", old) in said, said
        said = running.ask("load") + running.ask("connect")
        assert accepted("TLSv1.3", new) in said, said


@pytest.fixture
def expired(folder, pki):
    return Home(folder / "home", "rsa:2048", pki.issue(valid_from=-30, valid_to=-1), "")


def test_an_expired_certificate_is_not_there(expired, module, tls_client):
    """Java finds nothing to log in with, and says why to who asks it what it knows of the token."""
    with tls_client(expired) as client:
        said = client.ask("load") + client.ask("connect")
    assert "entries: []\n" in said and "400 No required SSL certificate was sent" in said, said
    text = keytool(expired, module, "-list", settings="showInfo = true\n")
    assert "contains 0 entries" in text and "slotDescription: Expired 1 day ago: " in text, text


def test_an_expired_certificate_that_is_shown_all_the_same(expired, tls_client):
    """The server refuses it."""
    expired.variables = {"DEVTRUST_CONFIG": expired.write("config.toml", '[[profile]]\nname = "jumpcloud"\nshow = "all"\n')}
    with tls_client(expired) as client:
        said = client.ask("load") + client.ask("connect")
    assert f"entries: [{TOKEN_LABEL} " in said and "400 The SSL certificate error" in said, said
