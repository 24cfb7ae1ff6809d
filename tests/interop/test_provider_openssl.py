"""OpenSSL's own programs with the device's key, by its URI and by the PEM form that stands where a key file would."""

import base64
import re

import pytest

from programs import run
from stores import LEAF_NAME, Pki, generate

NSS_KEYS = ["rsa:2048", "ec:P-256", "ec:P-384", "ec:P-521"]
FILE_KEYS = ["ed25519", "ed448", "rsa-pss:2048"]
FORMS = ["uri", "profile", "pem"]
MESSAGE = b"the quick brown fox\n"
STAYS = "devtrust: the private key of a device certificate stays where it is: it cannot be exported"
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)


@pytest.fixture(params=NSS_KEYS + FILE_KEYS)
def device(request, make_device):
    return make_device(request.param)


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def rsa(make_device):
    return make_device("rsa:2048")


def certificates(text):
    return CERTIFICATE.findall(text)


def chain_of(device):
    return [path.read_text() for path in [device.leaf.certificate, *device.leaf.issuers]]


def secret_of(device):
    """What must not be seen: the private number, or the seed."""
    text = run(["openssl", "pkey", "-in", device.leaf.key, "-text", "-noout"]).stdout
    number = re.search(r"^(?:priv|privateExponent):\n((?:    .*\n)+)", text, re.MULTILINE).group(1)
    return bytes.fromhex(re.sub(r"[\s:]", "", number)).lstrip(b"\0")


def holds(content, secret):
    """In binary, in hexadecimal digits with whatever between them, or in base64 of PEM."""
    text = content.decode("latin-1")
    blocks = [base64.b64decode(body) for body in re.findall(r"-----BEGIN [^-]+-----\n([A-Za-z0-9+/=\n]+)-----END", text)]
    return secret in content or secret.hex() in re.sub(r"[\s:]", "", text).lower() or any(secret in block for block in blocks)


def digest_options(device):
    return [] if device.kind.startswith("ed") else ["-sha256"]


# storeutl

def test_storeutl_lists_the_key_the_leaf_and_the_chain(device):
    text = device.openssl("storeutl", "-noout", "devtrust:").stdout
    assert text.splitlines() == ["0: Pkey", "1: Certificate", "2: Certificate", "3: Certificate", "Total found: 4"]
    text = device.openssl("storeutl", "devtrust:jumpcloud").stdout
    assert certificates(text) == chain_of(device)
    assert device.key("pem").read_text() in text and "PRIVATE KEY" not in text


def test_storeutl_lists_keys_only(device):
    text = device.openssl("storeutl", "-keys", "devtrust:").stdout
    assert "Total found: 1" in text and device.key("pem").read_text() in text and not certificates(text), text


def test_storeutl_lists_certificates_only(device):
    text = device.openssl("storeutl", "-certs", "devtrust:").stdout
    assert "Total found: 3" in text and certificates(text) == chain_of(device) and "DEVTRUST KEY" not in text, text


def test_storeutl_lists_no_crls(rsa):
    assert "Total found: 0" in rsa.openssl("storeutl", "-crls", "devtrust:").stdout


def test_storeutl_reads_the_pem_form(device):
    text = device.openssl("storeutl", "-noout", device.key("pem")).stdout
    assert text.splitlines() == ["0: Pkey", "Total found: 1"]


def subject(path):
    text = run(["openssl", "x509", "-in", path, "-noout", "-subject", "-nameopt", "compat,-esc_msb"]).stdout
    return text.split("subject=")[1].strip()


@pytest.mark.parametrize("level", [0, 1, 2])
def test_storeutl_searches_by_subject(rsa, level):
    path = [rsa.leaf.certificate, *rsa.leaf.issuers][level]
    name = f"/CN={LEAF_NAME}" if level == 0 else subject(path)
    text = rsa.openssl("storeutl", "-certs", "-subject", name, "devtrust:").stdout
    assert certificates(text) == [path.read_text()] and "Total found: 1" in text, text


def test_storeutl_finds_the_key_by_its_certificates_subject(rsa):
    text = rsa.openssl("storeutl", "-keys", "-noout", "-subject", f"/CN={LEAF_NAME}", "devtrust:").stdout
    assert text.splitlines() == ["0: Pkey", "Total found: 1"]
    text = rsa.openssl("storeutl", "-keys", "-noout", "-subject", "/CN=device-trust.intermediate", "devtrust:").stdout
    assert text.splitlines() == ["Total found: 0"]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_storeutl_searches_by_issuer_and_serial(rsa, level):
    path = [rsa.leaf.certificate, *rsa.leaf.issuers][level]
    issuer = subject([*rsa.leaf.issuers, rsa.leaf.issuers[-1]][level])
    serial = run(["openssl", "x509", "-in", path, "-noout", "-serial"]).stdout.split("=")[1].strip()
    text = rsa.openssl("storeutl", "-certs", "-issuer", issuer, "-serial", f"0x{serial}", "devtrust:").stdout
    assert certificates(text) == [path.read_text()] and "Total found: 1" in text, text
    text = rsa.openssl("storeutl", "-certs", "-issuer", issuer, "-serial", "0x1234", "devtrust:").stdout
    assert "Total found: 0" in text, text


def test_storeutl_searches_by_names_of_any_string_type(make_device, folder):
    """What is searched for is UTF8String, and many authorities write PrintableString; case does not count either."""
    device = make_device(leaf=Pki(folder / "pki", strings="pkix").issue())
    intermediate = device.leaf.issuers[0]
    assert "PRINTABLESTRING   :device-trust.intermediate" in run(["openssl", "asn1parse", "-in", intermediate]).stdout
    serial = run(["openssl", "x509", "-in", device.leaf.certificate, "-noout", "-serial"]).stdout.split("=")[1].strip()
    for name in ("/CN=device-trust.intermediate", "/CN=Device-Trust.INTERMEDIATE"):
        text = device.openssl("storeutl", "-certs", "-subject", name, "devtrust:").stdout
        assert certificates(text) == [intermediate.read_text()], text
        text = device.openssl("storeutl", "-certs", "-issuer", name, "-serial", f"0x{serial}", "devtrust:").stdout
        assert certificates(text) == [device.leaf.certificate.read_text()], text


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_storeutl_searches_by_fingerprint(rsa, digest):
    text = run(["openssl", "x509", "-in", rsa.leaf.certificate, "-noout", "-fingerprint", f"-{digest}"]).stdout
    fingerprint = text.split("=")[1].strip()
    text = rsa.openssl("storeutl", "-certs", "-fingerprint", fingerprint, f"-{digest}", "devtrust:").stdout
    assert certificates(text) == chain_of(rsa)[:1] and "Total found: 1" in text, text
    wrong = fingerprint[:-2] + ("00" if fingerprint[-2:] != "00" else "01")
    text = rsa.openssl("storeutl", "-certs", "-fingerprint", wrong, f"-{digest}", "devtrust:").stdout
    assert "Total found: 0" in text, text


def test_storeutl_searches_by_alias(rsa):
    """By the label that the PKCS#11 module shows."""
    text = rsa.openssl("storeutl", "-certs", "-alias", "JumpCloud Device Trust", "devtrust:").stdout
    assert certificates(text) == chain_of(rsa)[:1] and "Total found: 1" in text, text
    text = rsa.openssl("storeutl", "-keys", "-noout", "-alias", "JumpCloud Device Trust", "devtrust:").stdout
    assert text.splitlines() == ["0: Pkey", "Total found: 1"]
    assert "Total found: 0" in rsa.openssl("storeutl", "-certs", "-alias", "JumpCloud", "devtrust:").stdout


# pkey: the public part is everybody's, the private one nobody's

def test_pkey_writes_the_public_key(device, form):
    assert device.openssl("pkey", "-in", device.key(form), "-pubout").stdout == device.leaf.public_key().read_text()
    expected = run(["openssl", "pkey", "-pubin", "-in", device.leaf.public_key(), "-noout", "-text_pub"]).stdout
    assert device.openssl("pkey", "-in", device.key(form), "-noout", "-text_pub").stdout == expected
    assert "Key is valid" in device.openssl("pkey", "-in", device.key(form), "-noout", "-check").stdout


def test_the_public_key_is_read_alone(device):
    """Where a program asks for no more."""
    text = device.openssl("storeutl", "-noout", "-keys", "devtrust:").stdout
    assert text.splitlines() == ["0: Pkey", "Total found: 1"]
    assert device.openssl("pkey", "-pubin", "-in", "devtrust:", "-pubout").stdout == device.leaf.public_key().read_text()


def test_pkey_writes_the_public_key_as_der(device, form):
    out = device.path("public.der")
    device.openssl("pkey", "-in", device.key(form), "-pubout", "-outform", "DER", "-out", out)
    expected = run(["openssl", "pkey", "-pubin", "-in", device.leaf.public_key(), "-outform", "DER"], text=False)
    assert out.read_bytes() == expected.stdout


def test_pkey_writes_the_pem_form(device, form):
    """A reference to the profile, also from a reference; under a password, too, since it holds nothing to hide."""
    for options in ([], ["-aes-256-cbc", "-passout", "pass:x"]):
        out = device.path("again.pem")
        device.openssl("pkey", "-in", device.key(form), *options, "-out", out)
        assert out.read_text() == device.key("pem").read_text()
    lines = device.key("pem").read_text().splitlines()
    assert lines[0] == "-----BEGIN DEVTRUST KEY-----" and lines[-1] == "-----END DEVTRUST KEY-----"
    assert base64.b64decode("".join(lines[1:-1])) == b"\x30\x17\x1a\x011\x0c\x12devtrust:jumpcloud"


def test_the_pem_form_may_have_company(device):
    """Text before it, and the chain in the same file, before and after."""
    chain, reference = device.leaf.chain_text(), device.key("pem").read_text()
    for content in (f"A comment\n{reference}", chain + reference, reference + chain):
        path = device.write("together.pem", content)
        assert device.openssl("pkey", "-in", path, "-pubout").stdout == device.leaf.public_key().read_text()
    text = device.openssl("storeutl", "-noout", path).stdout
    assert text.splitlines()[-1] == "Total found: 4" and text.count("Pkey") == 1, text


EXPORTS = {
    "pkey-text": ["pkey", "-in", "{key}", "-text"],
    "pkey-text-noout": ["pkey", "-in", "{key}", "-noout", "-text"],
    "pkey-der": ["pkey", "-in", "{key}", "-outform", "DER", "-out", "{out}"],
    "pkey-traditional": ["pkey", "-in", "{key}", "-traditional", "-out", "{out}"],
    "pkcs12": ["pkcs12", "-export", "-inkey", "{key}", "-in", "{leaf}", "-passout", "pass:x", "-out", "{out}"],
}
FILE_EXPORTS = {
    "pkcs8": ["pkcs8", "-topk8", "-nocrypt", "-in", "{key}", "-out", "{out}"],
    "pkcs8-der": ["pkcs8", "-topk8", "-nocrypt", "-in", "{key}", "-outform", "DER", "-out", "{out}"],
    "pkcs8-encrypted": ["pkcs8", "-topk8", "-in", "{key}", "-passout", "pass:x", "-out", "{out}"],
}
RSA_EXPORTS = {
    "rsa-text": ["rsa", "-in", "{key}", "-text", "-out", "{out}"],
    "rsa-der": ["rsa", "-in", "{key}", "-outform", "DER", "-out", "{out}"],
    "rsa-traditional": ["rsa", "-in", "{key}", "-traditional", "-out", "{out}"],
}
EC_EXPORTS = {
    "ec-text": ["ec", "-in", "{key}", "-text", "-out", "{out}"],
    "ec-der": ["ec", "-in", "{key}", "-outform", "DER", "-out", "{out}"],
}


def assert_stays(device, form, template):
    out = device.path("exported")
    names = {"key": device.key(form), "leaf": device.leaf.certificate, "out": out}
    text = device.refused(*(part.format(**names) for part in template))
    assert STAYS in text, text
    written = out.read_bytes() if out.exists() else b""
    assert not holds(text.encode() + b"\n" + written, secret_of(device))
    assert b"PRIVATE KEY" not in written and "PRIVATE KEY" not in text


@pytest.mark.parametrize("command", EXPORTS)
def test_the_private_key_is_not_exported(device, form, command):
    assert_stays(device, form, EXPORTS[command])


@pytest.mark.parametrize("command", FILE_EXPORTS)
def test_pkcs8_does_not_export_it(device, command):
    """This program takes only files."""
    assert_stays(device, "pem", FILE_EXPORTS[command])


@pytest.mark.parametrize("command", RSA_EXPORTS)
def test_rsa_does_not_export_it(rsa, form, command):
    assert_stays(rsa, form, RSA_EXPORTS[command])


@pytest.mark.parametrize("command", EC_EXPORTS)
def test_ec_does_not_export_it(make_device, form, command):
    assert_stays(make_device("ec:P-256"), form, EC_EXPORTS[command])


def test_rsa_and_ec_write_the_public_key(make_device, form):
    for key, program in (("rsa:2048", "rsa"), ("ec:P-256", "ec")):
        device, out = make_device(key), make_device(key).path("public.pem")
        device.openssl(program, "-in", device.key(form), "-pubout", "-out", out)
        assert out.read_text() == device.leaf.public_key().read_text()


def test_the_secret_would_be_found(device):
    """That of the test's own copy is, in each way in which these programs write keys."""
    secret = secret_of(device)
    out = device.path("plain")
    for options in (["-text"], ["-outform", "DER"], []):
        run(["openssl", "pkey", "-in", device.leaf.key, *options, "-out", out])
        assert holds(out.read_bytes(), secret), options


# pkeyutl and dgst

def check_signature(device, form, data, options):
    """Signs, and verifies with the plain public key and with the device's key, which both refuse another signature."""
    source, signature = device.write("input", data), device.path("signature")
    device.openssl("pkeyutl", "-sign", "-inkey", device.key(form), "-in", source, *options, "-out", signature)
    verify = ["pkeyutl", "-verify", *options, "-sigfile", signature, "-in"]
    other = device.write("other", bytes([data[0] ^ 1]) + data[1:])
    for inkey in (["-pubin", "-inkey", device.leaf.public_key()], ["-inkey", device.key(form)]):
        assert "Signature Verified Successfully" in device.openssl(*verify, source, *inkey).stdout
        assert "Signature Verification Failure" in device.refused(*verify, other, *inkey)
    plain = run(["openssl", *verify, source, "-pubin", "-inkey", device.leaf.public_key()]).stdout
    assert "Signature Verified Successfully" in plain
    return signature.read_bytes()


def pss(digest, salt, mgf1=None):
    mgf1 = ["-pkeyopt", f"rsa_mgf1_md:{mgf1}"] if mgf1 else []
    return ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", f"digest:{digest}", "-pkeyopt", f"rsa_pss_saltlen:{salt}", *mgf1]


PADDINGS = {
    "pkcs1-sha1": (20, ["-pkeyopt", "digest:sha1"]),
    "pkcs1-sha256": (32, ["-pkeyopt", "digest:sha256"]),
    "pkcs1-sha384": (48, ["-pkeyopt", "digest:sha384"]),
    "pkcs1-sha512": (64, ["-pkeyopt", "rsa_padding_mode:pkcs1", "-pkeyopt", "digest:sha512"]),
    "pkcs1-sha3-256": (32, ["-pkeyopt", "digest:sha3-256"]),
    "pkcs1-plain": (19, ["-pkeyopt", "rsa_padding_mode:pkcs1"]),
    "pss-sha256": (32, pss("sha256", "digest")),
    "pss-sha384-max": (48, pss("sha384", "max")),
    "pss-sha512-auto": (64, pss("sha512", "auto")),
    "pss-sha256-0": (32, pss("sha256", 0)),
    "pss-sha256-20-sha1": (32, pss("sha256", 20, "sha1")),
    "rawin": (1000, ["-rawin", "-digest", "sha256"]),
}


@pytest.mark.parametrize("padding", PADDINGS)
def test_pkeyutl_signs_with_rsa(rsa, form, padding):
    size, options = PADDINGS[padding]
    check_signature(rsa, form, bytes([0]) + bytes(range(1, 256)) * 4 if size > 256 else bytes(range(size)), options)


def test_pkeyutl_recovers_what_was_signed(rsa, form):
    options = ["-pkeyopt", "digest:sha256"]
    digest = bytes(range(32))
    check_signature(rsa, form, digest, options)
    out = rsa.path("recovered")
    rsa.openssl("pkeyutl", "-verifyrecover", "-inkey", rsa.key(form), "-in", rsa.home.folder / "signature", *options, "-out",
                out)
    assert out.read_bytes() == digest


def test_pkeyutl_signs_pkcs1_as_every_other_key(rsa, form):
    """The padding has nothing random, so that the plain key says what the signature is."""
    for padding in ("pkcs1-sha1", "pkcs1-sha256", "pkcs1-sha3-256", "pkcs1-plain"):
        size, options = PADDINGS[padding]
        made = check_signature(rsa, form, bytes(range(size)), options)
        expected = rsa.path("expected")
        run(["openssl", "pkeyutl", "-sign", "-inkey", rsa.leaf.key, "-in", rsa.home.folder / "input", *options, "-out",
             expected])
        assert made == expected.read_bytes(), padding


def test_rsautl_signs_without_padding(rsa, form):
    """pkeyutl takes no input of the key's size."""
    data, out = bytes(range(256)), rsa.path("signature")
    rsa.openssl("rsautl", "-sign", "-raw", "-inkey", rsa.key(form), "-in", rsa.write("input", data), "-out", out)
    recovered = rsa.path("recovered")
    run(["openssl", "rsautl", "-verify", "-raw", "-pubin", "-inkey", rsa.leaf.public_key(), "-in", out, "-out", recovered])
    assert recovered.read_bytes() == data


def test_pkeyutl_refuses_x931(rsa, form):
    text = rsa.refused("pkeyutl", "-sign", "-inkey", rsa.key(form), "-in", rsa.write("input", bytes(32)), "-pkeyopt",
                       "digest:sha256", "-pkeyopt", "rsa_padding_mode:x931")
    assert "devtrust: of RSA's paddings, PKCS#1, PSS and none can be used" in text, text


@pytest.mark.parametrize("key", ["rsa:2048", "rsa-pss:2048", "ec:P-256"])
def test_pkeyutl_refuses_an_input_of_the_wrong_length(make_device, form, key):
    device = make_device(key)
    text = device.refused("pkeyutl", "-sign", "-inkey", device.key(form), "-in", device.write("input", bytes(31)), "-pkeyopt",
                          "digest:sha256")
    assert "devtrust: a digest of 31 bytes is none of SHA2-256" in text, text


@pytest.mark.parametrize("key", ["rsa-pss:2048", "ec:P-256", "ec:P-384", "ec:P-521"])
def test_pkeyutl_signs_digests(make_device, form, key):
    device = make_device(key)
    for digest, size in (("sha256", 32), ("sha384", 48), ("sha512", 64)):
        salt = ["-pkeyopt", "rsa_pss_saltlen:digest"] if device.kind == "rsa-pss" else []
        check_signature(device, form, bytes(range(size)), ["-pkeyopt", f"digest:{digest}", *salt])
    check_signature(device, form, MESSAGE, ["-rawin", "-digest", "sha256"])


@pytest.mark.parametrize("key", ["ed25519", "ed448"])
def test_pkeyutl_signs_with_edwards_keys(make_device, form, key):
    device = make_device(key)
    made = check_signature(device, form, MESSAGE, ["-rawin"])
    run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", device.leaf.key, "-in", device.home.folder / "input", "-out",
         device.path("expected")])
    assert made == (device.home.folder / "expected").read_bytes()


def test_rsa_pss_keys_sign_nothing_else(make_device, form):
    device = make_device("rsa-pss:2048")
    text = device.refused("pkeyutl", "-sign", "-inkey", device.key(form), "-in", device.write("input", bytes(32)), "-pkeyopt",
                          "digest:sha256", "-pkeyopt", "rsa_padding_mode:pkcs1")
    assert "devtrust: the parameters do not fit the key" in text, text


ENCRYPTIONS = {
    "pkcs1": ["rsa_padding_mode:pkcs1"],
    "oaep": ["rsa_padding_mode:oaep"],
    "oaep-sha256": ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256"],
    "oaep-sha512-sha1": ["rsa_padding_mode:oaep", "rsa_oaep_md:sha512", "rsa_mgf1_md:sha1"],
    "oaep-label": ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_oaep_label:666f78"],
}


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
@pytest.mark.parametrize("by_device", [False, True])
def test_pkeyutl_decrypts(rsa, form, encryption, by_device):
    options = [part for option in ENCRYPTIONS[encryption] for part in ("-pkeyopt", option)]
    sealed, opened = rsa.path("sealed"), rsa.path("opened")
    public = ["-inkey", rsa.key(form)] if by_device else ["-pubin", "-inkey", rsa.leaf.public_key()]
    rsa.openssl("pkeyutl", "-encrypt", *public, *options, "-in", rsa.write("input", MESSAGE), "-out", sealed)
    rsa.openssl("pkeyutl", "-decrypt", "-inkey", rsa.key(form), *options, "-in", sealed, "-out", opened)
    assert opened.read_bytes() == MESSAGE


def test_pkeyutl_does_not_open_what_was_changed(rsa, form):
    sealed = rsa.path("sealed")
    options = ["-pkeyopt", "rsa_padding_mode:oaep"]
    rsa.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", rsa.leaf.public_key(), *options, "-in", rsa.write("input", MESSAGE),
                "-out", sealed)
    changed = bytearray(sealed.read_bytes())
    changed[-1] ^= 1
    text = rsa.refused("pkeyutl", "-decrypt", "-inkey", rsa.key(form), *options, "-in", rsa.write("changed", bytes(changed)))
    assert ":decryption failed:" in text and "devtrust: " in text, text


@pytest.mark.parametrize("key", ["ec:P-256", "ec:P-384", "ec:P-521"])
@pytest.mark.parametrize("options", [[], ["ecdh_cofactor_mode:1"],
                                     ["ecdh_kdf_md:sha256", "kdf-outlen:40", "kdf-type:X963KDF"]],
                         ids=["plain", "cofactor", "kdf"])
def test_pkeyutl_derives(make_device, form, key, options):
    device = make_device(key)
    peer = generate(key, device.path("peer.key"))
    public = device.path("peer.pub")
    run(["openssl", "pkey", "-in", peer, "-pubout", "-out", public])
    options = [part for option in options for part in ("-pkeyopt", option)]
    ours, theirs = device.path("ours"), device.path("theirs")
    device.openssl("pkeyutl", "-derive", "-inkey", device.key(form), "-peerkey", public, *options, "-out", ours)
    run(["openssl", "pkeyutl", "-derive", "-inkey", peer, "-peerkey", device.leaf.public_key(), *options, "-out", theirs])
    assert ours.read_bytes() == theirs.read_bytes() and ours.stat().st_size > 0


def test_pkeyutl_refuses_a_peer_on_another_curve(make_device, form):
    device = make_device("ec:P-256")
    public = device.path("peer.pub")
    run(["openssl", "pkey", "-in", generate("ec:P-384", device.path("peer.key")), "-pubout", "-out", public])
    text = device.refused("pkeyutl", "-derive", "-inkey", device.key(form), "-peerkey", public)
    assert "different parameters" in text or "devtrust: " in text, text


@pytest.mark.parametrize("digest", ["sha1", "sha224", "sha256", "sha384", "sha512", "sha3-384"])
@pytest.mark.parametrize("key", NSS_KEYS)
def test_dgst_signs(make_device, form, key, digest):
    device = make_device(key)
    check_dgst(device, form, [f"-{digest}"])


def check_dgst(device, form, options):
    message, signature = device.write("message", MESSAGE), device.path("signature")
    device.openssl("dgst", *options, "-sign", device.key(form), "-out", signature, message)
    verify = ["dgst", *options, "-signature", signature]
    assert run(["openssl", *verify, "-verify", device.leaf.public_key(), message]).stdout.strip() == "Verified OK"
    assert device.openssl(*verify, "-prverify", device.key(form), message).stdout.strip() == "Verified OK"
    other = device.write("other", MESSAGE + b"!")
    assert "verification failure" in device.refused(*verify, "-prverify", device.key(form), other).lower()


@pytest.mark.parametrize("options", [["-sigopt", "rsa_padding_mode:pss"],
                                     ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"],
                                     ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_mgf1_md:sha512"]],
                         ids=["pss", "salt", "mgf1"])
@pytest.mark.parametrize("key", ["rsa:2048", "rsa-pss:2048"])
def test_dgst_signs_pss(make_device, form, key, options):
    check_dgst(make_device(key), form, ["-sha256", *options])


# Certificates

def test_req_makes_a_request(device, form):
    request = device.path("request.pem")
    device.openssl("req", "-new", "-key", device.key(form), "-subj", "/CN=renewal", *digest_options(device), "-out", request)
    text = run(["openssl", "req", "-in", request, "-verify", "-pubkey", "-noout"]).stdout
    assert "self-signature verify OK" in text and device.leaf.public_key().read_text() in text, text
    assert "verify OK" in device.openssl("req", "-in", request, "-verify", "-noout", "-key", device.key(form)).stdout


def test_req_makes_a_self_signed_certificate(device, form):
    certificate = device.path("own.pem")
    device.openssl("req", "-x509", "-new", "-key", device.key(form), "-subj", "/CN=own", *digest_options(device), "-days", "1",
                   "-out", certificate)
    assert f"{certificate}: OK" in run(["openssl", "verify", "-CAfile", certificate, certificate]).stdout


def certify(device, form, *options):
    """A certificate that the device's key issues, as if its leaf were an authority."""
    key, request, certificate = device.path("other.key"), device.path("other.csr"), device.path("other.pem")
    run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj",
         "/CN=other", "-out", request, "-config", "/dev/null"])
    device.openssl("x509", "-req", "-in", request, "-CA", device.leaf.certificate, "-CAkey", device.key(form), "-days", "1",
                   *digest_options(device), *options, "-out", certificate)
    return certificate


def is_signed(device, certificate):
    """Whether the signature is right; that the leaf is no authority is another matter."""
    trusted = device.path("authority.pem")
    run(["openssl", "req", "-x509", "-new", "-key", device.leaf.key, "-subj", f"/CN={LEAF_NAME}", "-utf8", "-config",
         "/dev/null", "-out", trusted])
    text = run(["openssl", "verify", "-CAfile", trusted, certificate], check=False).stdout
    return f"{certificate}: OK" in text


def test_x509_issues_certificates(device, form):
    assert is_signed(device, certify(device, form))


def test_x509_issues_with_pss(rsa, form):
    certificate = certify(rsa, form, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32")
    text = run(["openssl", "x509", "-in", certificate, "-noout", "-text"]).stdout
    assert "Signature Algorithm: rsassaPss" in text and is_signed(rsa, certificate), text


def test_x509_refuses_the_key_of_another(make_device, form):
    device, other = make_device("ec:P-256"), make_device("rsa:2048")
    request = device.path("request.pem")
    device.openssl("req", "-new", "-key", device.key(form), "-subj", "/CN=x", "-out", request)
    text = device.refused("x509", "-req", "-in", request, "-CA", other.leaf.certificate, "-CAkey", device.key(form))
    assert "do not match" in text, text


# CMS

def check_cms_signature(device, form, *options):
    signed, message = device.path("signed.p7"), device.write("message", MESSAGE)
    chain = device.write("issuers.pem", "".join(chain_of(device)[1:-1]))
    device.openssl("cms", "-sign", "-binary", "-nodetach", "-in", message, "-signer", device.leaf.certificate, "-inkey",
                   device.key(form), "-certfile", chain, *options, "-outform", "DER", "-out", signed)
    verify = ["cms", "-verify", "-binary", "-inform", "DER", "-in", signed, "-CAfile", device.leaf.issuers[-1], "-purpose",
              "any"]
    assert "Verification successful" in run(["openssl", *verify]).stdout
    text = device.openssl(*verify).stdout
    assert "Verification successful" in text and MESSAGE.decode().strip() in text
    return run(["openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", signed]).stdout


@pytest.mark.parametrize("key", NSS_KEYS)
def test_cms_signs(make_device, form, key):
    structure = check_cms_signature(make_device(key), form)
    assert structure.count("signerInfos:") == 1 and "device-trust.intermediate" in structure


def test_cms_does_not_sign_with_edwards_keys(make_device, form):
    """OpenSSL 3.0 cannot with any key."""
    for key in ("ed25519", "ed448"):
        device = make_device(key)
        text = device.refused("cms", "-sign", "-binary", "-in", device.write("message", MESSAGE), "-signer",
                              device.leaf.certificate, "-inkey", device.key(form), "-md", "sha512", "-out",
                              device.path("signed.p7"))
        assert "devtrust: Ed25519 and Ed448 sign a message, not a digest" in text, text


@pytest.mark.parametrize("key", ["rsa:2048", "rsa-pss:2048"])
def test_cms_signs_with_pss(make_device, form, key):
    assert "rsassaPss" in check_cms_signature(make_device(key), form, "-keyopt", "rsa_padding_mode:pss")


def check_cms_decryption(device, form, *options):
    sealed, opened = device.path("sealed.p7"), device.path("opened")
    run(["openssl", "cms", "-encrypt", "-binary", "-aes-256-cbc", "-in", device.write("message", MESSAGE), "-outform", "DER",
         "-out", sealed, "-recip", device.leaf.certificate, *options])
    device.openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-in", sealed, "-recip", device.leaf.certificate, "-inkey",
                   device.key(form), "-out", opened)
    assert opened.read_bytes() == MESSAGE
    device.openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-in", sealed, "-inkey", device.key(form), "-out", opened)
    assert opened.read_bytes() == MESSAGE


@pytest.mark.parametrize("key", NSS_KEYS)
def test_cms_decrypts(make_device, form, key):
    check_cms_decryption(make_device(key), form)


@pytest.mark.parametrize("options", [["rsa_padding_mode:oaep"], ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256"],
                                     ["rsa_padding_mode:oaep", "rsa_oaep_label:666f78"]], ids=["oaep", "sha256", "label"])
def test_cms_decrypts_oaep(rsa, form, options):
    check_cms_decryption(rsa, form, *(part for option in options for part in ("-keyopt", option)))


@pytest.mark.parametrize("options", [["ecdh_kdf_md:sha384"], ["ecdh_cofactor_mode:1"]], ids=["kdf", "cofactor"])
def test_cms_decrypts_with_other_key_agreements(make_device, form, options):
    check_cms_decryption(make_device("ec:P-256"), form, *(part for option in options for part in ("-keyopt", option)))
