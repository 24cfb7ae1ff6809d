"""OpenSSL 1.1's way, still the one of Debian's curl 7.88: libp11's engine."""

import pytest

from programs import run, uri

MESSAGE = "the quick brown fox\n"


@pytest.fixture(params=["rsa:2048", "ec:P-256", "ec:P-384", "ec:P-521"])
def home(request, make_home):
    return make_home(request.param)


def test_openssl_signs(home, module):
    message = home.write("message", MESSAGE)
    home.run(["openssl", "dgst", "-engine", "pkcs11", "-keyform", "engine", "-sign", uri("private"), "-sha256", "-out",
              "signature", message], variables={"PKCS11_MODULE_PATH": module})
    answer = run(["openssl", "dgst", "-sha256", "-verify", home.leaf.public_key(), "-signature", home.folder / "signature",
                  message]).stdout
    assert answer.strip() == "Verified OK"


def test_openssl_logs_in(make_home, module):
    home = make_home("rsa:2048", "sesame")
    home.run(["openssl", "dgst", "-engine", "pkcs11", "-keyform", "engine", "-sign", uri("private") + "?pin-value=sesame",
              "-sha256", "-out", "signature", home.write("message", MESSAGE)], variables={"PKCS11_MODULE_PATH": module})


def test_curl_logs_in_to_a_server(home, module, web_pki, chain_server):
    """libp11 hands over the leaf alone, so the server has the intermediate."""
    text = home.run(["curl", "--silent", "--show-error", "--engine", "pkcs11", "--cert-type", "ENG", "--key-type", "ENG",
                     "--cert", uri("cert"), "--key", uri("private"), "--cacert", web_pki.root.certificate,
                     f"https://localhost:{chain_server.port}/"], variables={"PKCS11_MODULE_PATH": module}).stdout
    assert f"client SUCCESS {home.leaf.sha1()}" in text, text
