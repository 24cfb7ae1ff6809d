"""OpenSC's pkcs11-tool: every mechanism, checked by openssl."""

import pytest

from programs import run
from stores import TOKEN_LABEL

DIGESTS = ["SHA1", "SHA224", "SHA256", "SHA384", "SHA512"]
CURVES = ["ec:P-256", "ec:P-384", "ec:P-521"]
MESSAGE = b"the quick brown fox jumps over the lazy dog\n"


def tool(home, module, *arguments, **options):
    return home.run(["pkcs11-tool", "--module", module, *arguments], **options).stdout


def digest(name, data=MESSAGE):
    return run(["openssl", "dgst", f"-{name.lower()}", "-binary"], input=data, text=False).stdout


def sign(home, module, mechanism, data, *more):
    tool(home, module, "--sign", "--label", TOKEN_LABEL, "-m", mechanism, "-i", home.write("in", data), "-o", "out", *more)
    return home.folder / "out"


def verify_digest(home, signature, name, *options):
    """openssl's judgement of a signature over MESSAGE."""
    sigopts = [part for option in options for part in ("-sigopt", option)]
    message = home.write("message", MESSAGE)
    answer = run(["openssl", "dgst", f"-{name.lower()}", "-verify", home.leaf.public_key(), "-signature", signature,
                  *sigopts, message]).stdout
    assert answer.strip() == "Verified OK"


def test_lists_the_token(module, rsa_home):
    text = tool(rsa_home, module, "-L")
    assert f"token label        : {TOKEN_LABEL}\n" in text
    flags = next(line for line in text.splitlines() if "token flags" in line)
    assert "token initialized" in flags and "readonly" in flags and "login required" not in flags


def test_says_that_a_password_is_needed(module, make_home):
    text = tool(make_home("rsa:2048", "sesame"), module, "-L")
    flags = next(line for line in text.splitlines() if "token flags" in line)
    assert "login required" in flags and "PIN initialized" in flags


def test_lists_the_objects(module, rsa_home):
    text = tool(rsa_home, module, "-O")
    assert text.count("Private Key Object; RSA") == 1
    assert text.count("Public Key Object; RSA 2048 bits") == 1
    assert text.count("Certificate Object; type = X.509 cert") == 3
    for name in ["JumpCloud Device Trust Certificate", "device-trust.intermediate",
                 "JumpCloud Production Device Identification Root CA"]:
        assert f"CN={name}" in text
    assert "warning" not in text.lower()


def test_explains_an_empty_store(module, folder):
    text = run(["pkcs11-tool", "--module", module, "-L"], home=folder).stdout
    assert "token label" in text, "programs need a token, even where nothing is found"
    assert "no device" in text.lower() or "no identity" in text.lower() or "not found" in text.lower() or \
        "no certificate" in text.lower(), text


def test_reads_the_certificate(module, rsa_home):
    tool(rsa_home, module, "--read-object", "--type", "cert", "--label", TOKEN_LABEL, "-o", "out")
    assert (rsa_home.folder / "out").read_bytes() == rsa_home.leaf.der()


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256", "ec:P-521"])
def test_reads_the_public_key(module, make_home, key):
    """OpenSC 0.23 cannot write any token's P-384 point: test_gnutls.py reads it."""
    home = make_home(key)
    tool(home, module, "--read-object", "--type", "pubkey", "--label", TOKEN_LABEL, "-o", "out")
    der = run(["openssl", "pkey", "-pubin", "-in", home.leaf.public_key(), "-outform", "DER"], text=False).stdout
    assert (home.folder / "out").read_bytes() == der


@pytest.mark.parametrize("name", DIGESTS)
def test_signs_rsa_pkcs1(module, rsa_home, name):
    verify_digest(rsa_home, sign(rsa_home, module, f"{name}-RSA-PKCS", MESSAGE), name)


def test_signs_plain_rsa_pkcs1(module, rsa_home):
    signature = sign(rsa_home, module, "RSA-PKCS", MESSAGE)
    plain = run(["openssl", "pkeyutl", "-verifyrecover", "-pubin", "-inkey", rsa_home.leaf.public_key(), "-in", signature],
                text=False).stdout
    assert plain == MESSAGE


def test_signs_raw_rsa(module, rsa_home):
    block = b"\x00\x01" + b"\xff" * 200 + b"\x00" + MESSAGE.rjust(53, b".")
    signature = sign(rsa_home, module, "RSA-X-509", block)
    plain = run(["openssl", "pkeyutl", "-verifyrecover", "-pubin", "-inkey", rsa_home.leaf.public_key(), "-in", signature,
                 "-pkeyopt", "rsa_padding_mode:none"], text=False).stdout
    assert plain == block


@pytest.mark.parametrize("name", DIGESTS)
def test_signs_rsa_pss(module, rsa_home, name):
    signature = sign(rsa_home, module, f"{name}-RSA-PKCS-PSS", MESSAGE)
    verify_digest(rsa_home, signature, name, "rsa_padding_mode:pss", "rsa_pss_saltlen:digest", f"rsa_mgf1_md:{name}")


@pytest.mark.parametrize("name", DIGESTS)
def test_signs_a_digest_with_rsa_pss(module, rsa_home, name):
    signature = sign(rsa_home, module, "RSA-PKCS-PSS", digest(name), "--hash-algorithm", name.replace("SHA1", "SHA-1"))
    verify_digest(rsa_home, signature, name, "rsa_padding_mode:pss", "rsa_pss_saltlen:digest", f"rsa_mgf1_md:{name}")


def test_signs_rsa_pss_with_another_salt(module, rsa_home):
    signature = sign(rsa_home, module, "SHA256-RSA-PKCS-PSS", MESSAGE, "--salt-len", "20")
    verify_digest(rsa_home, signature, "SHA256", "rsa_padding_mode:pss", "rsa_pss_saltlen:20")


@pytest.mark.parametrize("name", DIGESTS)
@pytest.mark.parametrize("key", CURVES)
def test_signs_ecdsa(module, make_home, key, name):
    home = make_home(key)
    verify_digest(home, sign(home, module, f"ECDSA-{name}", MESSAGE, "--signature-format", "openssl"), name)


@pytest.mark.parametrize("key", CURVES)
def test_signs_a_digest_with_ecdsa(module, make_home, key):
    home = make_home(key)
    signature = sign(home, module, "ECDSA", digest("SHA256"), "--signature-format", "openssl")
    verify_digest(home, signature, "SHA256")


@pytest.mark.parametrize("mechanism, options", [
    ("RSA-PKCS", ["rsa_padding_mode:pkcs1"]),
    *((("RSA-PKCS-OAEP", name), ["rsa_padding_mode:oaep", f"rsa_oaep_md:{name}", f"rsa_mgf1_md:{name}"]) for name in DIGESTS),
])
def test_decrypts(module, rsa_home, mechanism, options):
    pkeyopts = [part for option in options for part in ("-pkeyopt", option)]
    encrypted = run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", rsa_home.leaf.public_key(), *pkeyopts],
                    input=MESSAGE, text=False).stdout
    name, *hash_name = [mechanism] if isinstance(mechanism, str) else mechanism
    more = ["--hash-algorithm", hash_name[0].replace("SHA1", "SHA-1")] if hash_name else []
    tool(rsa_home, module, "--decrypt", "--label", TOKEN_LABEL, "-m", name, *more, "-i", rsa_home.write("in", encrypted),
         "-o", "out")
    assert (rsa_home.folder / "out").read_bytes() == MESSAGE


@pytest.mark.parametrize("key", CURVES)
def test_derives(module, make_home, folder, key):
    home = make_home(key)
    curve = key.split(":")[1]
    other, public = folder / "other.pem", home.write("other.der", b"")
    run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", other])
    run(["openssl", "pkey", "-in", other, "-pubout", "-outform", "DER", "-out", public])
    expected = run(["openssl", "pkeyutl", "-derive", "-inkey", other, "-peerkey", home.leaf.public_key()], text=False).stdout
    tool(home, module, "--derive", "-m", "ECDH1-DERIVE", "--label", TOKEN_LABEL, "-i", public, "-o", "out")
    assert (home.folder / "out").read_bytes() == expected


@pytest.mark.parametrize("mechanism, options", [
    ("SHA256-RSA-PKCS", []),
    ("SHA256-RSA-PKCS-PSS", ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"]),
])
def test_verifies_rsa(module, rsa_home, mechanism, options):
    verifies(module, rsa_home, mechanism, options)


@pytest.mark.parametrize("key", CURVES)
def test_verifies_ecdsa(module, make_home, key):
    verifies(module, make_home(key), "ECDSA-SHA256", [], "--signature-format", "openssl")


def verifies(module, home, mechanism, options, *more):
    """openssl signs; the module says yes, and no to another message."""
    sigopts = [part for option in options for part in ("-sigopt", option)]
    message = home.write("message", MESSAGE)
    signature = home.write("signature", run(["openssl", "dgst", "-sha256", "-sign", home.leaf.key, *sigopts, message],
                                            text=False).stdout)
    verify = ["--verify", "--label", TOKEN_LABEL, "-m", mechanism, "--signature-file", signature, *more, "-i"]
    assert "Signature is valid" in tool(home, module, *verify, message)
    other = home.write("other", MESSAGE + b"!")
    assert "Invalid signature" in tool(home, module, *verify, other, check=False)


@pytest.mark.parametrize("mechanism, name", [("SHA-1", "SHA1"), *((d, d) for d in DIGESTS[1:])])
def test_digests(module, rsa_home, mechanism, name):
    tool(rsa_home, module, "--hash", "-m", mechanism, "-i", rsa_home.write("in", MESSAGE), "-o", "out")
    assert (rsa_home.folder / "out").read_bytes() == digest(name)


def test_makes_random_numbers(module, rsa_home):
    seen = set()
    for _ in range(2):
        tool(rsa_home, module, "--generate-random", "64", "-o", "out")
        seen.add((rsa_home.folder / "out").read_bytes())
    assert len(seen) == 2 and all(len(value) == 64 for value in seen)


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
@pytest.mark.parametrize("password", ["", "sesame"])
def test_passes_the_tools_own_test(module, make_home, key, password):
    """The exit code says nothing (SoftHSM gets a 1 as well): the text does."""
    home = make_home(key, password)
    text = tool(home, module, "--test", "--login", "--pin", password or "0000", "--allow-sw", check=False)
    assert "ERR" not in text and "error" not in text.lower().replace("0 errors", "").replace("no errors", ""), text
    assert "seems to be OK" in text, text


def test_refuses_a_wrong_password(module, make_home):
    text = tool(make_home("rsa:2048", "sesame"), module, "-O", "--login", "--pin", "wrong", check=False)
    assert "CKR_PIN_INCORRECT" in text


def test_shows_the_private_key_after_login_only(module, make_home):
    home = make_home("rsa:2048", "sesame")
    assert "Private Key Object" not in tool(home, module, "-O")
    assert "Private Key Object" in tool(home, module, "-O", "--login", "--pin", "sesame")


def test_works_after_a_fork(module, rsa_home):
    text = tool(rsa_home, module, "--test-fork", "-L")
    assert "CKR_" not in text, text


def test_works_in_threads(module, rsa_home):
    threads = ["--test-threads", "ILGISLT0GI"] * 4
    text = tool(rsa_home, module, *threads, "-L")
    # Each of the five prints the token; pkcs11-tool's threads share one buffer for that, and mix up what is in it.
    assert "all threads have ended with CKR_OK" in text and text.count("token label") == 5 and TOKEN_LABEL in text, text


@pytest.mark.parametrize("arguments", [
    ["--write-object", "message", "--type", "data", "--label", "new"],
    ["--delete-object", "--type", "cert", "--label", TOKEN_LABEL],
    ["--set-id", "0102", "--type", "cert", "--label", TOKEN_LABEL],
])
def test_refuses_to_write(module, rsa_home, arguments):
    before = rsa_home.database.digest()
    rsa_home.write("message", MESSAGE)
    result = rsa_home.run(["pkcs11-tool", "--module", module, *arguments, "--session-rw"], check=False)
    assert result.returncode != 0 and "CKR_" in result.stdout, result.stdout
    assert rsa_home.database.digest() == before


def test_shows_interfaces(module, rsa_home):
    text = tool(rsa_home, module, "--list-interfaces")
    assert "PKCS 11" in text and "version: 2.40" in text and "version: 3.0" in text, text
