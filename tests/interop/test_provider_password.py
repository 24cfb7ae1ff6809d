"""A database with a password: where openssl may get it from, and what it says when it does not."""

import pytest

from programs import run
from stores import NssDatabase

PASSWORD = "sesame & %25"
ENCODED = "sesame%20%26%20%2525"
FORMS = ["uri", "pem"]
PROMPT = "Enter pass phrase"
WITHOUT = ("needs its password, and none was given: name a pin-source in the URI, or a pin_source in the configuration")


@pytest.fixture(scope="session", params=["rsa:2048", "ec:P-256"])
def locked(request, make_device):
    """A device whose database has a password."""
    device = make_device(request.param, PASSWORD, True)
    device.database = device.home.database
    return device


@pytest.fixture(autouse=True)
def unchanged(locked):
    """No test here changes a byte of the database, or leaves a file beside it."""
    before = locked.database.digest()
    yield
    assert locked.database.digest() == before


@pytest.fixture(params=FORMS)
def key(request, locked):
    """The names of the key without a password. The PEM form is written with one, and has none in it."""
    if request.param == "uri":
        return "devtrust:"
    path = locked.home.folder / "reference.pem"
    if not path.exists():
        locked.openssl("pkey", "-in", "devtrust:", "-passin", f"pass:{PASSWORD}", "-out", path)
    return path


def signs(device, key, *options, configuration=None, **more):
    """Whether it signs, and asked for nothing."""
    message, signature = device.write("message", "the quick brown fox\n"), device.path("signature")
    text = device.openssl("dgst", "-sha256", "-sign", key, *options, "-out", signature, message, configuration=configuration,
                          start_new_session=True, **more).stdout
    assert PROMPT not in text, text
    verified = run(["openssl", "dgst", "-sha256", "-verify", device.leaf.public_key(), "-signature", signature, message])
    return verified.stdout.strip() == "Verified OK"


def fails(device, key, *options, **more):
    """What is said by a program that has no terminal to ask at."""
    text = device.refused("pkeyutl", "-sign", "-inkey", key, *options, "-in", device.write("digest", bytes(32)), "-out",
                          device.path("signature"), start_new_session=True, **more)
    assert not (device.home.folder / "signature").exists() or not (device.home.folder / "signature").read_bytes()
    return text


def reference(device, uri):
    """The PEM form of a URI, as encode_key_reference writes it; made by openssl from its ASN.1."""
    der, path = device.path("reference.der"), device.path("with-query.pem")
    configuration = device.write("asn1.cnf", "asn1 = SEQUENCE:key\n[key]\nversion = VISIBLESTRING:1\n"
                                 f"uri = FORMAT:UTF8,UTF8:{uri}\n")
    run(["openssl", "asn1parse", "-genconf", configuration, "-noout", "-out", der])
    body = run(["openssl", "base64", "-in", der]).stdout
    return device.write(path.name, f"-----BEGIN DEVTRUST KEY-----\n{body}-----END DEVTRUST KEY-----\n")


def configured(device, pin):
    """A configuration that names the file `pin` for the database."""
    content = f'[[store]]\nkind = "nss"\npath = "{device.database.folder}"\npin_source = "file:{pin}"\n'
    return {"DEVTRUST_CONFIG": device.write("pin.toml", content)}


def named(device, form, uri):
    return uri if form == "uri" else reference(device, uri)


def test_passin_gives_the_password(locked, key):
    assert signs(locked, key, "-passin", f"pass:{PASSWORD}")
    assert signs(locked, key, "-passin", f"file:{locked.write('password', PASSWORD + chr(10))}")
    assert signs(locked, key, "-passin", "env:PASSWORD", variables={"PASSWORD": PASSWORD})
    assert signs(locked, key, "-passin", "stdin", input=PASSWORD + "\n")


def test_a_typed_password_is_taken(locked, key):
    """There is no terminal, so openssl reads standard input instead."""
    result = locked.openssl("pkey", "-in", key, "-pubout", input=PASSWORD + "\n", start_new_session=True)
    assert result.stdout.count(PROMPT) == 1 and locked.leaf.public_key().read_text() in result.stdout, result.stdout


def test_storeutl_takes_a_password(locked, key):
    text = locked.openssl("storeutl", "-noout", "-keys", "-passin", f"pass:{PASSWORD}", key).stdout
    assert text.splitlines() == ["0: Pkey", "Total found: 1"]


def test_certificates_need_none(locked):
    text = locked.openssl("storeutl", "-noout", "-certs", "devtrust:", start_new_session=True).stdout
    assert text.splitlines() == ["0: Certificate", "1: Certificate", "2: Certificate", "Total found: 3"]


def test_the_public_key_needs_none(locked):
    text = locked.openssl("pkey", "-pubin", "-in", "devtrust:", "-pubout", start_new_session=True).stdout
    assert text == locked.leaf.public_key().read_text()


@pytest.mark.parametrize("form", FORMS)
def test_the_uri_gives_the_password(locked, form):
    assert signs(locked, named(locked, form, f"devtrust:?pin-value={ENCODED}"))
    assert signs(locked, named(locked, form, f"devtrust:jumpcloud?pin-value={ENCODED}"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ending", ["", "\n"], ids=["whole", "line"])
def test_the_uri_names_a_file_with_the_password(locked, form, ending):
    path = locked.write("pin", PASSWORD + ending)
    path.chmod(0o600)
    assert signs(locked, named(locked, form, f"devtrust:?pin-source=file:{path}"))
    assert signs(locked, named(locked, form, f"devtrust:?pin-source={path}"))


def test_the_configuration_names_a_file_with_the_password(locked, key):
    pin = locked.write("pin", PASSWORD + "\n")
    pin.chmod(0o600)
    assert signs(locked, key, variables=configured(locked, pin))


def test_without_a_terminal_the_reason_is_said(locked, key):
    text = fails(locked, key)
    assert f"devtrust: {locked.database.folder} {WITHOUT}" in text, text
    assert text.count(PROMPT) <= 1, text


@pytest.mark.parametrize("answers", ["wrong\n", "wrong\nwrong\nwrong\n", f"wrong\n{PASSWORD}\n"],
                         ids=["once", "thrice", "then-right"])
def test_a_wrong_answer_is_not_asked_for_again(locked, key, answers):
    text = fails(locked, key, input=answers)
    assert text.count(PROMPT) == 1 and f"{PROMPT} for {locked.database.folder}:" in text, text
    assert f"devtrust: the password is not that of {locked.database.folder}" in text, text


def test_a_wrong_password_is_said(locked, key):
    text = fails(locked, key, "-passin", "pass:wrong")
    assert f"devtrust: the password is not that of {locked.database.folder}" in text and ":wrong password:" in text, text
    assert PROMPT not in text and "pass:wrong" not in text, text


def test_an_empty_password_is_wrong(locked, key):
    text = fails(locked, key, "-passin", "pass:")
    assert f"devtrust: the password is not that of {locked.database.folder}" in text and PROMPT not in text, text


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_password_in_the_uri_is_said(locked, form):
    for query in ("pin-value=false-friend", f"pin-source=file:{locked.write('wrong-pin', 'false-friend')}"):
        text = fails(locked, named(locked, form, f"devtrust:?{query}"), "-passin", f"pass:{PASSWORD}")
        assert f"devtrust: the password is not that of {locked.database.folder}" in text and PROMPT not in text, text
        assert "wrong password" in text, text


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_password_file_is_said(locked, form):
    missing = locked.path("no-such-pin")
    text = fails(locked, named(locked, form, f"devtrust:?pin-source=file:{missing}"))
    assert f"devtrust: the password file {missing} cannot be opened: No such file" in text and PROMPT not in text, text


def test_a_wrong_password_file_of_the_configuration_is_said(locked, key):
    pin = locked.write("false-pin", "false-friend\n")
    text = fails(locked, key, variables=configured(locked, pin))
    assert "password" in text and str(pin) in text and "devtrust: " in text, text


def test_a_wrong_password_fails_a_tls_client_before_it_connects(locked, key):
    text = locked.refused("s_client", "-connect", "127.0.0.1:1", "-cert", locked.leaf.certificate, "-key", key, "-pass",
                          "pass:wrong", start_new_session=True)
    assert f"devtrust: the password is not that of {locked.database.folder}" in text and "connect:" not in text, text


def test_a_password_that_nobody_needs_is_let_be(make_device, locked):
    """A program may always have one."""
    device = make_device("ec:P-256")
    assert signs(device, "devtrust:", "-passin", "pass:anything")
    assert signs(device, "devtrust:?pin-value=anything")
    assert signs(device, device.key("pem"), "-passin", "pass:anything")
