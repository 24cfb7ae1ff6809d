"""What must never leave: key material, passwords and what was signed."""

import pytest

import pkcs11
from programs import run
from stores import TOKEN_LABEL

PASSWORD = "open-sesame-3141"
MESSAGE = b"a message that nobody else may read 2718"


def secrets(key_path):
    """The key's secret numbers, as openssl prints them."""
    text = run(["openssl", "pkey", "-in", key_path, "-text", "-noout"]).stdout
    numbers, name = {}, None
    for line in text.splitlines():
        if line.startswith(" "):
            numbers[name] += line.strip().replace(":", "")
        else:
            name = line.split(":")[0]
            numbers[name] = ""
    public = {"modulus", "publicExponent", "pub", "Private-Key", "ASN1 OID", "NIST CURVE"}
    values = {name: bytes.fromhex(value).lstrip(b"\0") for name, value in numbers.items()
              if value and name not in public and "Private-Key" not in name}
    assert values, text
    return values


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_traces_hold_no_secret(make_home, module, key):
    home = make_home(key, PASSWORD)
    mechanism = "SHA256-RSA-PKCS" if key.startswith("rsa") else "ECDSA-SHA256"
    home.run(["pkcs11-tool", "--module", module, "--login", "--pin", PASSWORD, "--sign", "-m", mechanism, "--label",
              TOKEN_LABEL, "-i", home.write("in", MESSAGE), "-o", "out"], variables={"DEVTRUST_TRACE": home.folder / "trace"})
    home.run(["pkcs11-tool", "--module", module, "--login", "--pin", PASSWORD + "x", "-O"], check=False,
             variables={"DEVTRUST_TRACE": home.folder / "trace"})
    trace = (home.folder / "trace").read_bytes()
    assert b"C_Login" in trace and b"C_SignInit" in trace and b"C_Sign" in trace
    assert (home.folder / "trace").stat().st_mode & 0o777 == 0o600
    forbidden = {"password": PASSWORD.encode(), "message": MESSAGE, **secrets(home.leaf.key)}
    for name, value in forbidden.items():
        for form in (value, value.hex().encode(), value.hex().upper().encode(), value.hex(":").encode(),
                     value.hex(" ").encode()):
            assert form[:32] not in trace, name


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256", "ec:P-521"])
def test_attributes_hold_no_secret(make_home, module, folder, key):
    home = make_home(key)
    configuration = folder / "config.toml"
    configuration.write_text(f'[[store]]\nkind = "nss"\npath = "{home.database.folder}"\n')
    with pkcs11.Module(module, f"config={configuration}") as loaded:
        session = loaded.open(loaded.slots()[0])
        (private_key,) = session.find(CLASS=pkcs11.CKO_PRIVATE_KEY)
        names = ["PRIVATE_EXPONENT", "PRIME_1", "PRIME_2", "EXPONENT_1", "EXPONENT_2", "COEFFICIENT"] \
            if key.startswith("rsa") else ["VALUE"]
        for name in names:
            assert session.attribute(private_key, name) == "sensitive", name
        shown = [value for handle in session.find() for value in session.attributes(handle).values()]
        for name, secret in secrets(home.leaf.key).items():
            assert not any(isinstance(value, bytes) and secret in value for value in shown), name
            assert session.find(**{names[0]: secret}) == [], "a search must not tell either"


def test_a_trace_is_not_written_through_a_link(make_home, module):
    home = make_home("rsa:2048", fresh=True)
    target = home.write("target", "mine")
    (home.folder / "link").symlink_to(target)
    home.run(["pkcs11-tool", "--module", module, "-L"], variables={"DEVTRUST_TRACE": home.folder / "link"})
    assert target.read_text() == "mine"
