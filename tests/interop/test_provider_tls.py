"""TLS by openssl's own client and server, with the device's key on either side."""

import pytest

from programs import OpensslServer, run

KEYS = ["rsa:2048", "ec:P-256", "ec:P-384", "ec:P-521", "ed25519", "ed448", "rsa-pss:2048"]
FORMS = ["uri", "profile", "pem"]
VERSIONS = ["tls1_2", "tls1_3"]
PROTOCOLS = {"tls1_1": "TLSv1.1", "tls1_2": "TLSv1.2", "tls1_3": "TLSv1.3"}
SIGNATURES = {"rsa": "RSA-PSS", "rsa-pss": "RSA-PSS", "ec": "ECDSA", "ed25519": "ed25519", "ed448": "ed448"}
REQUEST = "hello\nCLOSE\n"


@pytest.fixture(params=KEYS)
def device(request, make_device):
    return make_device(request.param)


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def rsa(make_device):
    return make_device("rsa:2048")


def issuers(device):
    """What the other side does not have, or has as its only trust: the intermediate and the root."""
    return device.write("issuers.pem", "".join(path.read_text() for path in device.leaf.issuers))


def demanding_server(pki, web_server, version, *options):
    """Trusts the root alone, so that who connects has to send the intermediate."""
    chain = web_server.certificate.with_suffix(".chain")
    chain.write_text(web_server.chain_text())
    return OpensslServer("-cert", web_server.certificate, "-cert_chain", chain, "-key", web_server.key, f"-{version}",
                         "-Verify", 4, "-verify_return_error", "-CAfile", pki.root.certificate, *options)


def connect(device, server, web_pki, version, *options, **more):
    return device.openssl("s_client", "-connect", server.address, f"-{version}", "-brief", "-ign_eof",
                          "-verify_return_error", "-CAfile", web_pki.root.certificate, "-verify_hostname", "localhost",
                          *options, input=REQUEST, **more)


def with_chain(device, form="uri"):
    """The options that name the device's certificate, its chain and its key."""
    return ["-cert", device.leaf.certificate, "-cert_chain", issuers(device), "-key", device.key(form)]


def assert_served(device, answer, server, version, signature=None):
    said = server.finish()
    assert "olleh" in answer.stdout, (answer.stdout, said)
    for line in (f"Protocol version: {PROTOCOLS[version]}", f"Peer certificate: CN = {escaped(device)}", "Verification: OK",
                 f"Signature type: {signature or SIGNATURES[device.kind]}"):
        assert line in said.splitlines(), (line, said)


def escaped(device):
    """The name as s_server writes it."""
    return device.leaf.name.replace("–", r"\E2\80\93")


def test_a_client_logs_in(device, form, version, pki, web_pki, web_server):
    with demanding_server(pki, web_server, version) as server:
        answer = connect(device, server, web_pki, version, *with_chain(device, form))
        assert_served(device, answer, server, version)


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256", "ed25519"])
def test_a_client_takes_everything_from_the_uri(make_device, key, version, pki, web_pki, web_server):
    device = make_device(key)
    with demanding_server(pki, web_server, version) as server:
        answer = connect(device, server, web_pki, version, "-cert", "devtrust:", "-key", "devtrust:", "-cert_chain",
                         "devtrust:", "-build_chain")
        assert_served(device, answer, server, version)


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256", "ed25519"])
def test_a_client_finds_certificate_and_pem_form_in_one_file(make_device, key, version, pki, web_pki, web_server):
    device = make_device(key)
    both = device.write("both.pem", device.leaf.chain_text() + device.key("pem").read_text())
    with demanding_server(pki, web_server, version) as server:
        answer = connect(device, server, web_pki, version, "-cert", both, "-cert_chain", issuers(device))
        assert_served(device, answer, server, version)


@pytest.mark.parametrize("algorithm, signature", [("RSA+SHA256", "RSA"), ("RSA+SHA512", "RSA"), ("RSA+SHA1", "RSA"),
                                                  ("RSA-PSS+SHA256", "RSA-PSS"), ("RSA-PSS+SHA384", "RSA-PSS"),
                                                  ("RSA-PSS+SHA512", "RSA-PSS")])
def test_a_client_signs_with_what_the_server_wants(rsa, form, algorithm, signature, pki, web_pki, web_server):
    with demanding_server(pki, web_server, "tls1_2", "-client_sigalgs", algorithm, "-cipher", "DEFAULT:@SECLEVEL=0") as server:
        answer = connect(rsa, server, web_pki, "tls1_2", *with_chain(rsa, form), "-cipher", "DEFAULT:@SECLEVEL=0")
        assert_served(rsa, answer, server, "tls1_2", signature)


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_a_client_logs_in_with_tls_1_1(make_device, form, key, pki, web_pki, web_server):
    """Where RSA signs MD5 and SHA-1 together."""
    device = make_device(key)
    with demanding_server(pki, web_server, "tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0") as server:
        answer = connect(device, server, web_pki, "tls1_1", *with_chain(device, form), "-cipher", "DEFAULT:@SECLEVEL=0")
        said = server.finish()
        assert "olleh" in answer.stdout and "Verification: OK" in said and "Protocol version: TLSv1.1" in said, said


def test_the_server_demands_the_chain(rsa, version, pki, web_pki, web_server):
    """What the tests above rest on: the leaf alone is refused, and so is nobody."""
    alone = ["-cert", rsa.leaf.certificate, "-key", "devtrust:"]
    for options, reason in ((alone, "unable to get local issuer certificate"), ([], "peer did not return a certificate")):
        with demanding_server(pki, web_server, version) as server:
            answer = connect(rsa, server, web_pki, version, *options, check=False)
            said = server.finish()
        assert "olleh" not in answer.stdout and "alert" in answer.stdout, answer.stdout
        assert reason in said and "Verification: OK" not in said, said


def test_the_key_fits_no_other_certificate(make_device, rsa, form, pki):
    """Neither one with a key of another kind, nor one with another key of the same kind."""
    for other in (make_device("ec:P-256").leaf.certificate, pki.issue("rsa:2048").certificate):
        text = rsa.refused("s_client", "-connect", "127.0.0.1:1", "-cert", other, "-key", rsa.key(form))
        assert ("Private key does not match" in text or "key values mismatch" in text) and "connect:" not in text, text


# The device's key as a server's. Its certificate is for clients, so the client asks for no purpose.

def device_server(device, form, version, *options):
    return OpensslServer(*with_chain(device, form), f"-{version}", *options, home=device.home.folder, unprivileged=True,
                         variables={**device.home.variables, "OPENSSL_CONF": device.configuration})


def visit(device, server, pki, version, *options):
    """A client without the provider."""
    text = run(["openssl", "s_client", "-connect", server.address, f"-{version}", "-brief", "-ign_eof", "-verify_return_error",
                "-CAfile", pki.root.certificate, "-purpose", "any", *options], input=REQUEST).stdout
    said = server.finish()
    for line in ("olleh", f"Protocol version: {PROTOCOLS[version]}", f"Peer certificate: CN = {escaped(device)}",
                 "Verification: OK"):
        assert line in text.splitlines(), (line, text, said)
    return text


def test_a_server_has_the_key(device, form, version, pki):
    with device_server(device, form, version) as server:
        text = visit(device, server, pki, version)
    assert f"Signature type: {SIGNATURES[device.kind]}" in text.splitlines(), text


@pytest.mark.parametrize("cipher", ["AES128-SHA256", "AES256-GCM-SHA384", "AES128-SHA"])
def test_a_server_decrypts_the_key_exchange(rsa, form, cipher, pki):
    with device_server(rsa, form, "tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0") as server:
        text = visit(rsa, server, pki, "tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert f"Ciphersuite: {cipher}" in text.splitlines() and "Signature type" not in text, text


def test_a_server_decrypts_an_old_key_exchange(rsa, form, pki):
    with device_server(rsa, form, "tls1_1", "-cipher", "AES128-SHA:@SECLEVEL=0") as server:
        text = visit(rsa, server, pki, "tls1_1", "-cipher", "AES128-SHA:@SECLEVEL=0")
    assert "Ciphersuite: AES128-SHA" in text.splitlines(), text


def test_two_devices_know_each_other(make_device, version, pki):
    """A provider's key on both sides."""
    server_device, device = make_device("ec:P-256"), make_device("rsa:2048")
    demands = ["-verify_return_error", "-CAfile", pki.root.certificate]
    with device_server(server_device, "uri", version, "-Verify", 4, *demands) as server:
        answer = device.openssl("s_client", "-connect", server.address, f"-{version}", "-brief", "-ign_eof", *demands,
                                "-purpose", "any", *with_chain(device), input=REQUEST)
        assert_served(device, answer, server, version)
