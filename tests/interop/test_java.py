"""Java's SunPKCS11."""

import pytest

from programs import run
from stores import TOKEN_LABEL


def keytool(home, module, *arguments, **options):
    configuration = home.write("pkcs11.cfg", f"name = devtrust\nlibrary = {module}\n")
    return home.run(["keytool", *arguments, "-keystore", "NONE", "-storetype", "PKCS11", "-storepass",
                     home.password or "none", "-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg",
                     configuration], **options).stdout


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
