"""devtrust-smimesign as git runs it: what it signs others verify, what others sign it verifies, and each verdict."""

import base64
import datetime
import hashlib
import re
import socket

import pytest

from conftest import FileHome
from programs import give_away, run
from signing import Gpgsm, Smimesign, TimeStampAuthority, chain_file, change_signers, elements, openssl_cms_sign, tlv
from stores import LEAF_NAME, Pki

DATA = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.com> 1 +0000\n\na message\n"
SUBJECT = f"CN={LEAF_NAME}"
NUMBERS = {"rsa:2048": "1 8", "ec:P-256": "19 8", "ec:P-384": "19 9", "ec:P-521": "19 10"}


@pytest.fixture(params=NUMBERS)
def key(request):
    return request.param


@pytest.fixture(scope="session")
def make_signer(session_folder, programs, pki):
    """devtrust-smimesign in a home that has one identity and trusts its root."""
    made = {}

    def make(key="rsa:2048", leaf=None, trusted=True, config=""):
        kind = (key, trusted, config) if leaf is None else len(made)
        if kind not in made:
            home = FileHome(session_folder / f"signer{len(made)}", key, leaf or pki.issue(key))
            if config:
                home.write("config.toml", home.variables["DEVTRUST_CONFIG"].read_text() + config)
            made[kind] = Smimesign(programs / "devtrust-smimesign", home)
            if trusted:
                made[kind].trust(pki.root.certificate)
        return made[kind]

    return make


@pytest.fixture
def signer(make_signer):
    return make_signer()


@pytest.fixture(scope="session")
def gpgsm(session_folder, pki):
    program = Gpgsm(session_folder / "gpgsm", pki.root.certificate)
    program.add(pki.intermediate.certificate)
    yield program
    program.close()


def fingerprint(leaf):
    return leaf.sha1().upper()


def pem_of(der, label="SIGNED MESSAGE"):
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()


def der_of(pem):
    return base64.b64decode(b"".join(line for line in pem.splitlines() if b"-" not in line))


def days_ago(days):
    return f"-{days}d"


# signing


def test_signs_as_git_asks(make_signer, key):
    signer = make_signer(key)
    answer = signer.sign(DATA)
    assert answer.code == 0, answer.said
    lines = answer.output.decode().splitlines()
    assert lines[0] == "-----BEGIN SIGNED MESSAGE-----" and lines[-1] == "-----END SIGNED MESSAGE-----"
    assert max(map(len, lines)) == 64
    assert answer.words() == ["BEGIN_SIGNING", "SIG_CREATED"]
    assert b"\n[GNUPG:] SIG_CREATED " in answer.said.encode()
    assert re.fullmatch(rf"SIG_CREATED D {NUMBERS[key]} 00 \d+ {fingerprint(signer.home.leaf)}", answer.line("SIG_CREATED"))


@pytest.mark.parametrize("how", ["-bsu", "-su"], ids=["detached", "attached"])
def test_openssl_verifies(make_signer, key, how, folder, pki):
    signer = make_signer(key)
    answer = signer.sign(DATA, how=how)
    (folder / "signature").write_bytes(answer.output)
    (folder / "data").write_bytes(DATA)
    content = ["-content", folder / "data"] if how == "-bsu" else []
    ended = run(["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", folder / "signature", "-CAfile",
                 pki.root.certificate, "-purpose", "any", "-out", folder / "out", *content])
    assert "Verification successful" in ended.stdout
    assert (folder / "out").read_bytes() == DATA
    assert answer.line("SIG_CREATED").split()[1] == ("D" if how == "-bsu" else "S")


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256", "ec:P-384"])  # gpgsm 2.2 has no P-521, whoever signed
def test_gpgsm_verifies(make_signer, key, gpgsm):
    signer = make_signer(key)
    answer = gpgsm.verify(signer.sign(DATA).output, DATA)
    assert answer.code == 0, answer.said
    assert answer.line("GOODSIG").split()[1] == fingerprint(signer.home.leaf)
    assert "TRUST_FULLY" in answer.words()


def test_smimesigns_attributes(signer, folder):
    path = folder / "signature"
    path.write_bytes(signer.sign(DATA, how="-bsu").output)
    text = run(["openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", path]).stdout
    info = text[text.index("signerInfos:"):]
    assert re.search(r"version: 1\n\s*d\.issuerAndSerialNumber:", info)
    signed = info[info.index("signedAttrs:"):info.index("signatureAlgorithm:")]
    assert set(re.findall(r"object: (\w+)", signed)) == {"contentType", "signingTime", "messageDigest"}
    assert "unsignedAttrs:\n" in info and "<ABSENT>" in info[info.index("unsignedAttrs:"):]


@pytest.mark.parametrize("number, expected", [(None, 2), ("-3", 2), ("-2", 2), ("-1", 3), ("0", 0), ("1", 1), ("2", 2), ("9", 3)])
def test_includes_certificates(signer, folder, number, expected):
    path = folder / "signature"
    path.write_bytes(signer.sign(DATA, *([f"--include-certs={number}"] if number else []), how="-bsu").output)
    text = run(["openssl", "pkcs7", "-print_certs", "-inform", "DER", "-in", path]).stdout
    assert text.count("BEGIN CERTIFICATE") == expected


def test_leaves_out_an_issuer_that_can_be_fetched(make_signer, pki, folder):
    pki.config.write_text(pki.config.read_text() + "[fetch]\nbasicConstraints = CA:FALSE\n"
                          "authorityInfoAccess = caIssuers;URI:http://localhost/ca.der\n")
    signer = make_signer(leaf=pki.issue(extensions="fetch"))
    path = folder / "signature"
    for number, expected in (("-3", 1), ("-2", 2)):
        path.write_bytes(signer.sign(DATA, f"--include-certs={number}", how="-bsu").output)
        assert run(["openssl", "pkcs7", "-print_certs", "-inform", "DER", "-in", path]).stdout.count("BEGIN CERTIFICATE") == expected


def test_keeps_a_lone_self_signed_leaf(session_folder, make_signer, folder):
    own = Pki(session_folder / "own")
    leaf = own._certify("Google Endpoint Verification", "rsa:2048", "device", None, -10, 20)
    signer = make_signer(leaf=leaf)
    path = folder / "signature"
    path.write_bytes(signer.sign(DATA, user="devtrust:google", how="-bsu").output)
    assert run(["openssl", "pkcs7", "-print_certs", "-inform", "DER", "-in", path]).stdout.count("BEGIN CERTIFICATE") == 1


# who signs


def user_ids(leaf):
    return ["devtrust:jumpcloud", "devtrust:", leaf.sha1(), f"0x{leaf.sha1().upper()}", leaf.sha1()[-8:], "committer@example.com",
            "A. Committer <Committer@example.com>"]


def test_user_ids(make_signer, pki):
    leaf = pki.issue(extensions="email")
    signer = make_signer(leaf=leaf)
    for user in user_ids(leaf):
        answer = signer.sign(DATA, user=user)
        assert answer.code == 0, f"{user}: {answer.said}"
        assert answer.line("SIG_CREATED").split()[-1] == fingerprint(leaf)
        assert "no certificate has" not in answer.said


@pytest.mark.parametrize("user", ["somebody@example.com", "Some Body <somebody@example.com>", "root <root>"])
def test_falls_back_to_the_device_and_says_so(signer, user):
    answer = signer.sign(DATA, user=user)
    assert answer.code == 0
    address = user.split("<")[-1].rstrip(">")
    assert f"no certificate has the address {address}: signing with the device's, \"{LEAF_NAME}\"" in answer.said


def test_an_empty_user_id_is_the_device(signer):
    """As git gives it where user.signingKey is set to nothing."""
    answer = signer.sign(DATA, user="")
    assert answer.code == 0 and f"the USER-ID is empty: signing with the device's, \"{LEAF_NAME}\"" in answer.said


@pytest.mark.parametrize("user", ["somebody@example.com", ""])
def test_falls_back_only_where_it_may(make_signer, user):
    answer = make_signer(config="[sign]\nfallback = false\n").sign(DATA, user=user)
    assert answer.code == 1 and answer.output == b""
    assert "sign.fallback = false forbids another one" in answer.said


@pytest.mark.parametrize("user, expected", [
    ("jumpcloud", "did you mean devtrust:jumpcloud?"),
    ("devtrust:okta", "no certificate with a private key for profile okta was found"),
    ("devtrust:nobody", "there is no profile nobody: known are jumpcloud, okta"),
    ("0xdeadbeef", "no certificate's SHA-1 fingerprint ends in deadbeef"),
    ("beef", "the USER-ID beef is too short for a fingerprint"),
    ("some thing", "is neither devtrust:PROFILE, nor an e-mail address"),
])
def test_user_ids_that_mean_nobody(signer, user, expected):
    answer = signer.sign(DATA, user=user)
    assert answer.code == 1 and answer.output == b"" and "SIG_CREATED" not in answer.words()
    assert expected in answer.said


def test_the_current_one_of_two_with_one_address(make_home, programs, pki):
    home = make_home(fresh=True)
    old = pki.issue(name=LEAF_NAME, extensions="email", valid_from=-25, valid_to=5)
    new = pki.issue(name=f"{LEAF_NAME[:-8]}22222222", extensions="email", valid_from=-1, valid_to=29)
    for leaf in (new, old):
        home.database.add(leaf)
    give_away(home.folder)
    signer = Smimesign(programs / "devtrust-smimesign", home)
    assert signer.sign(DATA, user="committer@example.com").line("SIG_CREATED").split()[-1] == fingerprint(new)
    assert signer.sign(DATA, user=old.sha1()).line("SIG_CREATED").split()[-1] == fingerprint(old)


def test_refuses_an_expired_certificate(make_signer, pki):
    leaf = pki.issue(valid_from=-40, valid_to=-10)
    signer = make_signer(leaf=leaf)
    for user in ("devtrust:jumpcloud", leaf.sha1(), "a@example.com"):
        answer = signer.sign(DATA, user=user)
        assert answer.code == 1 and answer.output == b""
        assert "expired 10 days ago" in answer.said or "expired 9 days ago" in answer.said
        assert "see that the agent runs and renews it" in answer.said


def test_an_expired_fingerprint_is_told_of_its_successor(make_home, programs, pki):
    home = make_home(fresh=True)
    old = pki.issue(name=f"{LEAF_NAME[:-8]}33333333", valid_from=-40, valid_to=-10)
    home.database.add(old)
    give_away(home.folder)
    answer = Smimesign(programs / "devtrust-smimesign", home).sign(DATA, user=old.sha1())
    assert answer.code == 1
    assert "its successor is there: name it as devtrust:jumpcloud" in answer.said


def test_warns_when_renewal_is_overdue(make_signer, pki):
    answer = make_signer(leaf=pki.issue(valid_from=-25, valid_to=5)).sign(DATA)
    assert answer.code == 0 and "SIG_CREATED" in answer.words()
    assert re.search(r"warning: .* is valid [45] more days, renewal overdue for [45] days: see that the agent runs", answer.said)


@pytest.mark.parametrize("kind, expected", [("ed25519", "is of type Ed25519, with which OpenSSL 3.0 makes no CMS signatures"),
                                            ("rsa-pss:2048", "cannot make the signatures that CMS wants")])
def test_refuses_keys_that_cms_has_no_signature_for(make_signer, kind, expected):
    answer = make_signer(kind).sign(DATA)
    assert answer.code == 1 and answer.output == b""
    assert expected in answer.said


def test_refuses_a_certificate_that_does_not_allow_signatures(make_signer, pki):
    pki.config.write_text(pki.config.read_text() + "[encipherment]\nkeyUsage = critical, keyEncipherment\n")
    answer = make_signer(leaf=pki.issue(extensions="encipherment")).sign(DATA)
    assert answer.code == 1 and "does not allow signatures (its key usage has no digitalSignature)" in answer.said


def test_nothing_there(session_folder, programs):
    folder = session_folder / "nothing"
    folder.mkdir()

    class Empty:
        variables = {}

    Empty.folder = folder
    answer = Smimesign(programs / "devtrust-smimesign", Empty).sign(DATA)
    assert answer.code == 1
    assert "no certificate with a private key for profile jumpcloud was found in any of the places" in answer.said


def test_writes_an_audit_line(make_signer, pki):
    signer = make_signer(leaf=pki.issue())
    path = signer.home.folder / "audit.log"
    config = signer.home.variables["DEVTRUST_CONFIG"]
    signer.home.write("config.toml", f'audit = "{path}"\n' + config.read_text())
    signer.sign(DATA)
    (line,) = path.read_text().splitlines()
    assert 'operation="sign" program="devtrust-smimesign"' in line and 'mechanism="CMS-RSA-SHA256"' in line
    assert "message" not in line


@pytest.mark.parametrize("kind", ["syslog", "journal"])
def test_writes_an_audit_line_to_the_system(make_signer, pki, kind):
    signer = make_signer(leaf=pki.issue())
    path = signer.home.folder / "socket"
    config = signer.home.variables["DEVTRUST_CONFIG"]
    signer.home.write("config.toml", f'audit = "{kind}:{path}"\naudit_required = true\n' + config.read_text())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        give_away(signer.home.folder)
        assert signer.sign(DATA).code == 0
        listener.settimeout(10)
        line = listener.recv(65536).decode()
    assert "devtrust-smimesign" in line and "CMS-RSA-SHA256" in line and "jumpcloud" in line
    assert ("MESSAGE=" in line) == (kind == "journal")


def test_signs_nothing_that_it_cannot_write_down(make_signer, pki):
    signer = make_signer(leaf=pki.issue())
    config = signer.home.variables["DEVTRUST_CONFIG"]
    path = signer.home.folder / "missing/audit.log"
    signer.home.write("config.toml", f'audit = "{path}"\naudit_required = true\n' + config.read_text())
    answer = signer.sign(DATA)
    assert answer.code == 1 and answer.output == b"" and f"the audit line cannot be written to {path}" in answer.said
    assert not any(line.startswith("SIG_CREATED") for line in answer.status)


# the command line


@pytest.mark.parametrize("arguments, expected", [
    ([], "give one of --sign, --verify and --list-keys"),
    (["--sign", "--verify"], "give one of --sign, --verify and --list-keys"),
    (["--sign", "--list-keys"], "give one of --sign, --verify and --list-keys"),
    (["--nonsense"], "--help shows what there is"),
    (["-s", "--include-certs=101"], "--include-certs"),
    (["-s", "one", "two"], "one file can be signed at a time"),
    (["--verify", "one", "two", "three"], "name one file"),
    (["-s", "/nonexistent/file"], "/nonexistent/file cannot be opened"),
    (["--verify", "/nonexistent/file"], "/nonexistent/file cannot be opened"),
])
def test_wrong_command_lines(signer, arguments, expected):
    ended = signer.run(*arguments)
    assert ended.returncode == 1 and ended.stdout == b""
    assert expected in ended.stderr.decode()
    assert ended.stderr.count(b"\n") == 1


def test_help_and_version(signer):
    for option in ("-h", "--help"):
        assert signer.run(option).returncode == 0 and b"--list-keys" in signer.run(option).stdout
    for option in ("-v", "--version"):
        assert re.fullmatch(rb"devtrust-smimesign \d+\.\d+\.\d+\n", signer.run(option).stdout)


def test_a_file_instead_of_standard_input(signer):
    path = signer.home.write("data", DATA)
    answer = signer.sign(b"something else", "-b", "-s", "-a", path, how="-u")
    assert signer.verify(answer.output, DATA).code == 0
    ended = signer.run("--verify", signer.home.write("s", answer.output), path)
    assert ended.returncode == 0 and b"Good signature from" in ended.stderr and ended.stdout == b""


def test_a_status_descriptor_that_is_closed(signer):
    answer = signer.run("--status-fd=99", "-bsau", "devtrust:", data=DATA)
    assert answer.returncode == 1 and answer.stdout == b""
    assert b"the status lines cannot be written to --status-fd: Bad file descriptor" in answer.stderr


@pytest.mark.parametrize("how", ["-bsau", "-sau"], ids=["detached", "attached"])
def test_nothing_takes_the_place_of_a_closed_descriptor(make_home, programs, how):
    """Least of all the database, whose content would be signed and handed out."""
    home = make_home("ec:P-256")
    program = programs / "devtrust-smimesign"
    ended = home.run(["sh", "-c", f"{program} {how} devtrust: <&-"], check=False)
    assert ended.returncode == 1 and "standard input cannot be read: Bad file descriptor" in ended.stdout
    ended = home.run(["sh", "-c", f"echo data | {program} {how} devtrust: >&-"], check=False)
    assert ended.returncode == 1 and "the signature cannot be written: Bad file descriptor" in ended.stdout
    for option in ("--status-fd=4", "--status-fd=0"):
        ended = home.run(["sh", "-c", f"echo data | {program} {option} {how} devtrust:"], check=False)
        assert ended.returncode == 1 and ended.stdout == ("devtrust-smimesign: the status lines cannot be written to "
                                                          "--status-fd: Bad file descriptor\n")


def test_git_hears_that_there_is_a_signature(make_signer, pki):
    """Whatever keeps us from checking it: git takes NEWSIG alone for none."""
    signer = make_signer(leaf=pki.issue())
    signature = signer.sign(DATA).output
    ended = signer.run("--status-fd=1", "--verify", "/dev/null/none", "-", data=DATA)
    assert b"ERRSIG 0 0 0 00" in ended.stdout and b"TRUST_UNDEFINED" in ended.stdout and b"/dev/null/none cannot be opened" in ended.stderr
    signer.home.write("config.toml", "nonsense = 1\n")
    forged(signer, signature, DATA, "ERRSIG", "TRUST_UNDEFINED", "unknown key \"nonsense\"")


def test_output_that_cannot_be_written(signer):
    ended = run(["sh", "-c", 'exec "$0" -bsau devtrust: </dev/null >/dev/full', signer.program], home=signer.home.folder,
                unprivileged=True, check=False, variables=signer.home.variables)
    assert ended.returncode == 1 and "the signature cannot be written: No space left on device" in ended.stdout


def test_lists_keys(make_signer, pki):
    leaf = pki.issue("ec:P-256", extensions="email")
    text = make_signer(leaf=leaf).run("--list-keys").stdout.decode()
    block = dict(line.split(": ", 1) for line in text.splitlines())
    assert [name.strip() for name in block] == ["ID", "S/N", "Algorithm", "Validity", "Issuer", "Subject", "Emails"]
    values = {name.strip(): value for name, value in block.items()}
    assert values["ID"] == leaf.sha1() and values["Emails"] == "committer@example.com" and values["Subject"] == SUBJECT
    serial = run(["openssl", "x509", "-in", leaf.certificate, "-noout", "-serial"]).stdout.strip().split("=")[1]
    assert int(values["S/N"], 16) == int(serial, 16)


# verifying: good


def test_verifies_its_own(make_signer, key):
    signer = make_signer(key)
    answer = signer.verify(signer.sign(DATA).output, DATA)
    assert answer.code == 0, answer.said
    print_ = fingerprint(signer.home.leaf)
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    assert answer.words() == ["NEWSIG", "GOODSIG", "VALIDSIG", "TRUST_FULLY"]
    assert answer.line("GOODSIG") == f"GOODSIG {print_} {SUBJECT}"
    assert re.fullmatch(rf"VALIDSIG {print_} {today} \d+ 0 - - {NUMBERS[key]} 00 {print_}", answer.line("VALIDSIG"))
    assert answer.line("TRUST_FULLY") == "TRUST_FULLY 0 shell"
    assert f"Signature made using certificate ID 0x{print_.lower()}" in answer.said
    assert f'Good signature from "{SUBJECT}"' in answer.said


@pytest.mark.parametrize("how", ["-su", "-sau"], ids=["DER", "PEM"])
def test_verifies_an_attached_one(signer, how):
    assert signer.verify(signer.sign(DATA, how=how).output).code == 0


@pytest.mark.parametrize("label", ["SIGNED MESSAGE", "CMS", "PKCS7", None])
def test_verifies_openssls(signer, key, label, folder, pki):
    leaf = pki.issue(key)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    answer = signer.verify(pem_of(der, label) if label else der, DATA)
    assert answer.code == 0, answer.said
    assert answer.line("GOODSIG").split()[1] == fingerprint(leaf)


@pytest.mark.parametrize("options", [["-keyid"], ["-noattr"], ["-keyopt", "rsa_padding_mode:pss"], ["-md", "sha512"]], ids=" ".join)
def test_verifies_openssls_variants(signer, options, folder, pki):
    leaf = pki.issue()
    answer = signer.verify(openssl_cms_sign(leaf, DATA, folder, *options, certfile=chain_file(leaf, folder)), DATA)
    assert answer.code == 0, answer.said


def test_verifies_gpgsms(signer, gpgsm, pki):
    leaf = pki.issue()
    gpgsm.add_key(leaf)
    made = gpgsm.run("--armor", "--detach-sign", "-u", f"0x{fingerprint(leaf)}", data=DATA)
    answer = signer.verify(made.stdout, DATA)
    assert answer.code == 0, answer.said
    assert answer.line("GOODSIG").split()[1] == fingerprint(leaf)


def test_completes_the_chain_from_the_store(signer, folder, pki):
    """The leaf alone in the signature; the intermediate is in the device's store."""
    assert signer.verify(openssl_cms_sign(pki.issue(), DATA, folder), DATA).code == 0


def test_completes_the_signer_from_the_store(signer):
    answer = signer.verify(signer.sign(DATA, "--include-certs=0").output, DATA)
    assert answer.code == 0 and answer.line("GOODSIG").split()[1] == fingerprint(signer.home.leaf)


def test_roots_of_the_configuration(make_signer, pki):
    config = f'\n[verify]\nroots = ["{pki.root.certificate}"]\n'
    signer = make_signer(trusted=False, config=config)
    pki.root.certificate.parent.chmod(0o755)
    assert signer.verify(signer.sign(DATA).output, DATA).line("TRUST_FULLY")


# verifying: not good


def forged(signer, signature, data, verdict, trust, expected, code=1, **options):
    answer = signer.verify(signature, data, **options)
    assert (answer.code, answer.words()[-1]) == (code, trust), f"{answer.status}\n{answer.said}"
    kinds = {"GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"}
    assert [word for word in answer.words() if word in kinds] == [verdict]
    assert answer.words()[0] == "NEWSIG"
    assert expected in answer.said
    return answer


def test_changed_data(signer, key, make_signer):
    signature = make_signer(key).sign(DATA).output
    forged(signer, signature, DATA + b"x", "BADSIG", "TRUST_NEVER", "BAD signature from")
    forged(signer, signature, b"", "BADSIG", "TRUST_NEVER", "BAD signature from")


def test_a_changed_signature(signer):
    der = bytearray(der_of(signer.sign(DATA).output))
    der[-1] ^= 1
    forged(signer, pem_of(bytes(der)), DATA, "BADSIG", "TRUST_NEVER", "the signature does not fit the data")


def test_changed_attributes(signer):
    der = der_of(signer.sign(DATA).output)
    oid = bytes.fromhex("06092a864886f70d010905")  # signingTime
    at = der.index(oid) + len(oid) + 4 + 3
    changed = der[:at] + (b"1" if der[at:at + 1] != b"1" else b"2") + der[at + 1:]
    forged(signer, changed, DATA, "BADSIG", "TRUST_NEVER", "BAD signature")


@pytest.mark.parametrize("cut", [1, 10, 200, 1000])
def test_a_truncated_signature(signer, cut):
    forged(signer, der_of(signer.sign(DATA).output)[:-cut], DATA, "ERRSIG", "TRUST_UNDEFINED", "the signature is damaged")


@pytest.mark.parametrize("garbage", [b"", b"hello", b"-----BEGIN SIGNED MESSAGE-----\n", b"\x30\x80\x00\x00", b"\0" * 1000])
def test_garbage(signer, garbage):
    forged(signer, garbage, DATA, "ERRSIG", "TRUST_UNDEFINED", "the signature")


def test_a_detached_one_without_its_data(signer):
    forged(signer, signer.sign(DATA).output, None, "ERRSIG", "TRUST_UNDEFINED", "the signature is detached: name the file")


def test_another_chain(signer, session_folder, folder):
    other = Pki(folder / "other")
    leaf = other.issue()
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    answer = forged(signer, der, DATA, "GOODSIG", "TRUST_UNDEFINED", "is neither in the signature nor among verify.roots")
    assert "VALIDSIG" in answer.words()


def test_another_chain_with_its_root(signer, folder):
    leaf = Pki(folder / "other").issue()
    everything = folder / "everything.pem"
    everything.write_text("".join(path.read_text() for path in leaf.issuers))
    der = openssl_cms_sign(leaf, DATA, folder, certfile=everything)
    # the names are the trusted root's; its key is not
    forged(signer, der, DATA, "GOODSIG", "TRUST_UNDEFINED", "among verify.roots")


def test_an_untrusted_root(make_signer):
    signer = make_signer(trusted=False)
    forged(signer, signer.sign(DATA).output, DATA, "GOODSIG", "TRUST_UNDEFINED", "its root \"CN=JumpCloud Production")


def test_signed_after_expiry(signer, folder, pki):
    leaf = pki.issue(valid_from=-40, valid_to=-10)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    forged(signer, der, DATA, "EXPKEYSIG", "TRUST_NEVER", "after its certificate had expired")


def test_signed_before_it_was_valid(signer, folder, pki):
    leaf = pki.issue(valid_from=5, valid_to=35)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    forged(signer, der, DATA, "GOODSIG", "TRUST_NEVER", "before its certificate was valid")


def test_expired_since(signer, folder, pki):
    leaf = pki.issue(valid_from=-40, valid_to=-10)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder), fake_time=days_ago(20))
    answer = forged(signer, der, DATA, "EXPKEYSIG", "TRUST_FULLY", "its certificate has expired since", code=0)
    day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=20)
    assert answer.line("VALIDSIG").split()[2] == day.strftime("%Y-%m-%d")


def test_no_signing_time_and_expired(signer, folder, pki):
    leaf = pki.issue(valid_from=-40, valid_to=-10)
    der = openssl_cms_sign(leaf, DATA, folder, "-noattr", certfile=chain_file(leaf, folder))
    forged(signer, der, DATA, "EXPKEYSIG", "TRUST_NEVER", "after its certificate had expired")


def test_a_signing_time_in_the_future(signer, folder, pki):
    """It proves nothing: the certificate counts as it is today."""
    leaf = pki.issue(valid_from=-10, valid_to=60)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder), fake_time="+90d")
    assert signer.verify(der, DATA).line("TRUST_FULLY")
    leaf = pki.issue(valid_from=5, valid_to=35)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder), fake_time="+10d")
    forged(signer, der, DATA, "GOODSIG", "TRUST_NEVER", "before its certificate was valid")


def test_an_issuer_that_has_expired_since(signer, folder, pki):
    """Whoever has its key could name any time, and let the leaf be valid for ever."""
    authority = pki.issue_authority("short", valid_from=-100, valid_to=-50)
    leaf = pki.issue(issuer=authority, valid_from=-90, valid_to=3000)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder), fake_time=days_ago(70))
    forged(signer, der, DATA, "EXPKEYSIG", "TRUST_FULLY", "an issuer's certificate has expired since", code=0)


@pytest.mark.parametrize("valid_from, valid_to", [(-30, -20), (20, 30)], ids=["expired", "not yet valid"])
def test_of_a_stranger_no_time_is_told(signer, folder, valid_from, valid_to):
    """git's Y is for those who were believed once, not for whoever makes an expired certificate."""
    leaf = Pki(folder / "other", root_name="Other Root", intermediate_name="Other Issuer").issue(valid_from=valid_from, valid_to=valid_to)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    forged(signer, der, DATA, "GOODSIG", "TRUST_UNDEFINED", "is neither in the signature nor among verify.roots")


def test_a_weak_key(signer, folder, pki):
    leaf = pki.issue("rsa:1024")
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    forged(signer, der, DATA, "GOODSIG", "TRUST_NEVER", "key too weak")


def test_a_certificate_signed_with_sha1(signer, folder, pki):
    leaf = pki.issue(digest="sha1")
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    forged(signer, der, DATA, "GOODSIG", "TRUST_NEVER", "signature digest algorithm too weak")


@pytest.mark.parametrize("extensions, expected", [("server", "it is for another purpose"), ("time", "it is for another purpose")])
def test_the_wrong_purpose(signer, folder, pki, extensions, expected):
    leaf = pki.issue(extensions=extensions)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    forged(signer, der, DATA, "GOODSIG", "TRUST_NEVER", expected)


def test_an_authority_for_another_purpose(signer, folder, pki):
    leaf = pki.issue(issuer=pki.issue_authority("TLS only", "tls_authority"))
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    forged(signer, der, DATA, "GOODSIG", "TRUST_NEVER", '"CN=TLS only": it is for another purpose')


def test_an_issuer_that_is_no_authority(signer, folder, pki):
    leaf = pki.issue(issuer=pki.issue(name="not an authority"))
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    forged(signer, der, DATA, "GOODSIG", "TRUST_NEVER", "invalid CA certificate")


def test_a_subject_that_forges_status_lines(signer, folder, pki):
    name = "x\n[GNUPG:] GOODSIG 0000 f\n[GNUPG:] TRUST_FULLY\r\x1b[2J%0A\u202et"
    leaf = pki.issue(name=name)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    answer = signer.verify(der, DATA)
    assert answer.words() == ["NEWSIG", "GOODSIG", "VALIDSIG", "TRUST_FULLY"]
    assert answer.line("GOODSIG").split()[1] == fingerprint(leaf)
    for forbidden in ("\r", "\x1b", "\u202e"):
        assert forbidden not in answer.said + answer.output.decode()
    assert "\n[GNUPG:] GOODSIG 0000" not in answer.output.decode() + answer.said


def test_the_wrong_certificate_first(signer, folder, pki):
    leaf, other = pki.issue("ec:P-256"), pki.issue("ec:P-256", name=f"{LEAF_NAME[:-8]}0BADBAD0")
    first = folder / "first.pem"
    first.write_text(other.certificate.read_text() + pki.intermediate.certificate.read_text())
    # CMS sorts its set of certificates in DER; gpgsm and others do not
    message = openssl_cms_sign(leaf, DATA, folder, "-nocerts", certfile=first)
    assert signer.verify(message, DATA).words()[1] == "ERRSIG"
    both = folder / "both.pem"
    both.write_text(first.read_text() + leaf.certificate.read_text())
    answer = signer.verify(openssl_cms_sign(leaf, DATA, folder, "-nocerts", certfile=both), DATA)
    assert answer.line("GOODSIG").split()[1] == fingerprint(leaf)


def test_no_certificate(signer, folder, pki):
    answer = forged(signer, openssl_cms_sign(pki.issue(), DATA, folder, "-nocerts"), DATA, "ERRSIG", "TRUST_UNDEFINED",
                    "the signer's certificate is not in the signature")
    assert re.fullmatch(r"ERRSIG [0-9a-f]+ 1 8 00 \d+ 9", answer.line("ERRSIG"))


def test_of_an_unknown_signer_a_part_of_the_id_is_told(signer, folder, pki):
    def long_id(signers):
        (tag, content), = signers
        version, identifier, *rest = elements(content)
        assert identifier[0] == 0x80
        return [tlv(tag, tlv(*version) + tlv(0x80, b"x" * 500_000) + b"".join(tlv(*part) for part in rest))]

    der = change_signers(openssl_cms_sign(pki.issue(), DATA, folder, "-nocerts", "-keyid"), long_id)
    answer = signer.verify(der, DATA)
    assert re.fullmatch(r"ERRSIG (78){32} 1 8 00 \d+ 9", answer.line("ERRSIG"))


def with_digests(der, count):
    """The signature with one of its SignedData's digestAlgorithms, which nobody signs, so many times."""
    content_type, wrapped = elements(elements(der)[0][1])
    (_, signed_data), = elements(wrapped[1])
    fields = elements(signed_data)
    fields[1] = (fields[1][0], fields[1][1] * count)
    return tlv(0x30, tlv(*content_type) + tlv(0xA0, tlv(0x30, b"".join(tlv(*field) for field in fields))))


def test_a_signature_that_lists_a_digest_very_often(signer):
    """libcrypto's own way takes minutes for these, and then the stack."""
    der = with_digests(der_of(signer.sign(DATA).output), 70_000)
    assert signer.verify(der, DATA).line("TRUST_FULLY")
    forged(signer, with_digests(der, 2), DATA, "ERRSIG", "TRUST_UNDEFINED", "is longer than 1 MiB")


def test_attributes_are_no_data(signer, folder, pki):
    """A signature without attributes is one over the data; that over attributes must not become one over data that looks like them."""
    leaf = pki.issue()
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    attributes = []

    def without(signers):
        (tag, content), = signers
        fields = elements(content)
        attributes.extend(tlv(0x31, field) for name, field in fields if name == 0xA0)
        return [tlv(tag, b"".join(tlv(*field) for field in fields if field[0] != 0xA0))]

    bare = change_signers(der, without)
    forged(signer, bare, attributes[0], "BADSIG", "TRUST_NEVER", "is one over attributes, not over data")


def test_a_type_of_content_that_was_not_signed(signer, folder, pki):
    leaf = pki.issue()
    data, compressed = bytes.fromhex("06092a864886f70d010701"), bytes.fromhex("06092a864886f70d010702")
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    at = der.index(data)  # eContentType comes first; the attribute follows
    forged(signer, der[:at] + compressed + der[at + len(data):], DATA, "BADSIG", "TRUST_NEVER", "does not fit the data")


def test_an_edwards_signature_is_not_called_bad(signer, pki):
    """RFC 8419, which OpenSSL 3.0 does not know. No tool here makes one."""
    leaf = pki.issue("ed25519")
    _, serial, _, issuer, *_ = elements(elements(elements(leaf.der())[0][1])[0][1])
    sha512 = tlv(0x30, bytes.fromhex("0609608648016503040203"))
    data = bytes.fromhex("06092a864886f70d010701")
    attributes = (tlv(0x30, bytes.fromhex("06092a864886f70d010903") + tlv(0x31, data)) +
                  tlv(0x30, bytes.fromhex("06092a864886f70d010904") + tlv(0x31, tlv(4, hashlib.sha512(DATA).digest()))))
    to_sign = signer.home.write("attributes", tlv(0x31, attributes))
    signature = run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", leaf.key, "-in", to_sign], text=False).stdout
    info = tlv(0x30, tlv(2, b"\1") + tlv(0x30, tlv(*issuer) + tlv(*serial)) + sha512 + tlv(0xA0, attributes) +
               tlv(0x30, bytes.fromhex("06032b6570")) + tlv(4, signature))
    der = tlv(0x30, bytes.fromhex("06092a864886f70d010702") +
              tlv(0xA0, tlv(0x30, tlv(2, b"\1") + tlv(0x31, sha512) + tlv(0x30, data) + tlv(0xA0, leaf.der()) + tlv(0x31, info))))
    forged(signer, der, DATA, "ERRSIG", "TRUST_UNDEFINED", "is an Edwards key, whose CMS signatures this OpenSSL cannot check")


@pytest.mark.parametrize("digest, number", [("sha1", 2), ("md5", 1)])
def test_digests_that_are_not_believed(signer, folder, pki, digest, number):
    leaf = pki.issue()
    der = openssl_cms_sign(leaf, DATA, folder, "-md", digest, certfile=chain_file(leaf, folder))
    answer = forged(signer, der, DATA, "ERRSIG", "TRUST_UNDEFINED", "which is not believed: SHA-2 or SHA-3 is needed")
    assert re.fullmatch(rf"ERRSIG {fingerprint(leaf)} 1 {number} 00 \d+ 4", answer.line("ERRSIG"))


def test_two_signers(signer, folder, pki):
    """A program that looks at one of them only must not be told that all is well."""
    good, other = pki.issue(), Pki(folder / "other").issue()
    first = openssl_cms_sign(good, DATA, folder, certfile=chain_file(good, folder))
    message = folder / "first.der"
    message.write_bytes(first)
    out = folder / "both.der"
    run(["openssl", "cms", "-resign", "-binary", "-inform", "DER", "-in", message, "-signer", other.certificate, "-inkey", other.key,
         "-outform", "DER", "-out", out, "-content", folder / "cms.data"])
    answer = signer.verify(out.read_bytes(), DATA)
    assert answer.code == 1
    assert answer.words().count("NEWSIG") == answer.words().count("GOODSIG") == 2
    assert answer.words().count("TRUST_FULLY") == answer.words().count("TRUST_UNDEFINED") == 1


def test_messages_that_are_not_signed(signer, folder, pki):
    run(["openssl", "cms", "-data_create", "-in", "/dev/null", "-outform", "DER", "-out", folder / "data"])
    forged(signer, (folder / "data").read_bytes(), DATA, "ERRSIG", "TRUST_UNDEFINED", "but not a signed one")
    run(["openssl", "crl2pkcs7", "-nocrl", "-certfile", pki.root.certificate, "-outform", "DER", "-out", folder / "certificates"])
    forged(signer, (folder / "certificates").read_bytes(), DATA, "ERRSIG", "TRUST_UNDEFINED", "holds certificates, and no signature")


def revocation_list(pki, path, *revoked, fake_time="-0d", days=30):
    own = ["faketime", "-f", fake_time, "openssl", "ca", "-config", pki.config, "-cert", pki.intermediate.certificate, "-keyfile",
           pki.intermediate.key]
    for leaf in revoked:
        run([*own, "-revoke", leaf.certificate])
    run([*own, "-gencrl", "-crldays", str(days), "-out", path])
    return path


def test_a_revoked_certificate(make_signer, folder, pki):
    leaf = pki.issue()
    signer = make_signer(leaf=leaf)
    signature = signer.sign(DATA).output
    before = revocation_list(pki, folder / "before.pem")
    signer.trust(pki.root.certificate, before)
    assert signer.verify(signature, DATA).line("TRUST_FULLY")
    after = revocation_list(pki, folder / "after.pem", leaf)
    signer.trust(pki.root.certificate, after)
    forged(signer, signature, DATA, "REVKEYSIG", "TRUST_NEVER", "was revoked")


@pytest.mark.parametrize("order", [1, -1], ids=["old first", "new first"])
def test_an_older_list_does_not_help_who_backdates(make_signer, folder, pki, order):
    leaf = pki.issue(valid_from=-25)
    signer = make_signer(leaf=leaf)
    old = revocation_list(pki, folder / "old.pem", fake_time=days_ago(9), days=4)
    new = revocation_list(pki, folder / "new.pem", leaf, fake_time=days_ago(3), days=7)
    signer.trust(pki.root.certificate, *[old, new][::order])
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder), fake_time=days_ago(7))
    forged(signer, der, DATA, "REVKEYSIG", "TRUST_NEVER", "was revoked")


def test_a_list_that_is_lost_lets_nobody_pass(make_signer, folder, pki):
    """Whether it is damaged, or in a file that is not believed."""
    leaf = pki.issue()
    signer = make_signer(leaf=leaf)
    der = openssl_cms_sign(leaf, DATA, folder, certfile=chain_file(leaf, folder))
    revoked = revocation_list(pki, folder / "list.pem", leaf).read_text()
    roots = signer.home.folder / ".config/devtrust/roots.pem"
    root = roots.read_text()
    at = revoked.index("\n") + 100
    for damaged in (revoked[:at] + "!" + revoked[at + 1:], revoked[:-200]):
        roots.write_text(root + damaged)
        forged(signer, der, DATA, "GOODSIG", "TRUST_NEVER", "its PEM block 2 is damaged")
    roots.write_text(root)
    signer.home.write("open.pem", revoked).chmod(0o666)
    signer.home.write("config.toml", signer.home.variables["DEVTRUST_CONFIG"].read_text() +
                      f'\n[verify]\nroots = ["{roots}", "{signer.home.folder}/open.pem"]\n')
    forged(signer, der, DATA, "GOODSIG", "TRUST_NEVER", "whom to believe is not known as long as a part of verify.roots is missing")


@pytest.mark.parametrize("content, expected", [
    ("", "holds no certificate in PEM"),
    ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "neither a certificate nor a revocation list"),
    ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "block 1 (PRIVATE KEY) is neither"),
])
def test_roots_that_are_none(make_signer, pki, content, expected):
    signer = make_signer(leaf=pki.issue(), trusted=False)
    signer.home.write(".config/devtrust/roots.pem", content)
    forged(signer, signer.sign(DATA).output, DATA, "GOODSIG", "TRUST_UNDEFINED", expected)


def test_roots_that_others_may_write(make_signer, pki):
    signer = make_signer(leaf=pki.issue())
    (signer.home.folder / ".config/devtrust/roots.pem").chmod(0o666)
    forged(signer, signer.sign(DATA).output, DATA, "GOODSIG", "TRUST_UNDEFINED", "may be written by others than its owner")


def test_a_missing_file_of_roots_is_told(make_signer):
    signer = make_signer(trusted=False, config='\n[verify]\nroots = ["/nonexistent/roots.pem"]\n')
    forged(signer, signer.sign(DATA).output, DATA, "GOODSIG", "TRUST_UNDEFINED", "/nonexistent/roots.pem cannot be opened")


# time stamps


@pytest.fixture(scope="session")
def time_pki(session_folder):
    return Pki(session_folder / "time", root_name="Time Root", intermediate_name="Time Issuer")


@pytest.fixture(scope="session")
def clock(time_pki):
    """The authority's certificate."""
    return time_pki.issue(name="Time Authority", valid_from=-100, valid_to=1000, extensions="time")


@pytest.fixture
def authority(folder, clock):
    with TimeStampAuthority(folder / "tsa", clock) as server:
        yield server


@pytest.fixture
def stamped(session_folder, make_signer, pki, time_pki):
    """Trusts the authority's root as one of time stamps."""
    time_pki.folder.chmod(0o755)

    def make(more="", **options):
        return make_signer(config=f'\n[verify]\ntimestamp_roots = ["{time_pki.root.certificate}"]\n{more}', **options)

    return make


def test_time_stamps(stamped, authority):
    signer = stamped()
    made = signer.sign(DATA, "-t", authority.url)
    assert made.code == 0 and "warning" not in made.said and authority.requests == 1
    answer = signer.verify(made.output, DATA)
    assert answer.code == 0 and answer.line("TRUST_FULLY")
    assert re.search(r'time-stamped on [-0-9]+ [:0-9]+ UTC by "CN=Time Authority"', answer.said)


def test_time_stamps_by_the_configuration(stamped, authority):
    signer = stamped(f'[sign]\ntimestamp = "{authority.url}"\n')
    assert signer.sign(DATA).code == 0 and authority.requests == 1


def test_gpgsm_and_openssl_verify_time_stamped_ones(stamped, authority, gpgsm):
    assert gpgsm.verify(stamped().sign(DATA, "-t", authority.url).output, DATA).code == 0


def test_good_after_expiry_when_time_stamped(make_signer, programs, session_folder, folder, pki, time_pki, clock):
    leaf = pki.issue(valid_from=-40, valid_to=-10)
    signer = make_signer(leaf=leaf)
    time_pki.folder.chmod(0o755)
    signer.home.write("config.toml", signer.home.variables["DEVTRUST_CONFIG"].read_text() +
                      f'\n[verify]\ntimestamp_roots = ["{time_pki.root.certificate}"]\n')
    with TimeStampAuthority(folder / "tsa", clock, fake_time=days_ago(20)) as authority:
        made = signer.sign(DATA, "-t", authority.url, fake_time=days_ago(20))
        assert made.code == 0, made.said
        answer = signer.verify(made.output, DATA)
        assert (answer.code, answer.words()) == (0, ["NEWSIG", "GOODSIG", "VALIDSIG", "TRUST_FULLY"]), answer.said
        plain = signer.sign(DATA, fake_time=days_ago(20))
    forged(signer, plain.output, DATA, "EXPKEYSIG", "TRUST_FULLY", "expired since", code=0)


def test_a_stamp_later_than_the_certificate(make_signer, folder, pki, time_pki, clock):
    """By its own word signed in time; the authority saw it too late."""
    leaf = pki.issue(valid_from=-40, valid_to=-10)
    signer = make_signer(leaf=leaf)
    signer.home.write("config.toml", signer.home.variables["DEVTRUST_CONFIG"].read_text() +
                      f'\n[verify]\ntimestamp_roots = ["{time_pki.root.certificate}"]\n')
    with TimeStampAuthority(folder / "tsa", clock) as authority:
        made = signer.sign(DATA, "-t", authority.url, fake_time=days_ago(20))
    forged(signer, made.output, DATA, "EXPKEYSIG", "TRUST_NEVER", "after its certificate had expired")


def test_a_stamp_that_nobody_trusts_does_not_count(make_signer, authority):
    signer = make_signer()
    answer = signer.verify(signer.sign(DATA, "-t", authority.url).output, DATA)
    assert answer.code == 0
    assert 'by "CN=Time Authority") does not count' in answer.said and "add its root to verify.timestamp_roots" in answer.said


def test_a_stamp_of_another_signature(stamped, authority):
    signer = stamped()
    marker = bytes.fromhex("060b2a864886f70d010910020e")  # the unsigned attributes come last
    one = der_of(signer.sign(DATA + b"1", "-t", authority.url).output)
    for _ in range(50):  # until the token is as long as the other, or the splice would be no CMS at all
        two = der_of(signer.sign(DATA + b"2", "-t", authority.url).output)
        if len(two) == len(one):
            break
    at = [der.index(marker) for der in (one, two)]
    assert len(one) == len(two) and at[0] == at[1]
    answer = signer.verify(one[:at[0]] + two[at[1]:], DATA + b"1")
    assert "the time stamp is not one of this signature" in answer.said


def with_stamp(der, make_token):
    """The signature with a time stamp of its value."""
    def stamped_signer(tag, content):
        attribute = tlv(0x30, bytes.fromhex("060b2a864886f70d010910020e") + tlv(0x31, make_token(elements(content)[-1][1])))
        return tlv(tag, content + tlv(0xA1, attribute))

    return change_signers(der, lambda signers: [stamped_signer(*signer) for signer in signers])


@pytest.mark.parametrize("digest, said", [("sha256", r'time-stamped on \S+ \S+ UTC by "CN=Time Authority"'),
                                          ("sha1", "the time stamp's digest is not SHA-256 or longer: it does not count")])
def test_a_stamp_of_a_digest_that_can_be_forged(stamped, authority, folder, digest, said):
    signer = stamped()

    def token(signature):
        (folder / "value").write_bytes(signature)
        config = folder / "tsa/tsa.cnf"
        config.write_text(config.read_text().replace("digests = ", "digests = sha1, "))
        run(["openssl", "ts", "-query", "-data", folder / "value", f"-{digest}", "-cert", "-out", folder / "query"])
        run(["openssl", "ts", "-reply", "-config", config, "-queryfile", folder / "query", "-token_out", "-out", folder / "token"])
        return (folder / "token").read_bytes()

    answer = signer.verify(with_stamp(der_of(signer.sign(DATA).output), token), DATA)
    assert answer.code == 0 and re.search(said, answer.said), answer.said


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_stamp_that_lists_a_digest_very_often(stamped, authority):
    signer = stamped()
    signature = der_of(signer.sign(DATA, "-t", authority.url).output)
    token = []

    def lengthened(signers):
        (tag, content), = signers
        fields = elements(content)
        attribute = elements(elements(fields[-1][1])[0][1])  # the unsigned attribute: its type, its values
        token.append(tlv(*elements(attribute[1][1])[0]))
        long = tlv(0x30, tlv(*attribute[0]) + tlv(0x31, with_digests(token[0], 20_000)))
        return [tlv(tag, b"".join(tlv(*field) for field in fields[:-1]) + tlv(0xA1, long))]

    answer = signer.verify(change_signers(signature, lengthened), DATA)
    assert answer.code == 0 and "what stands for a time stamp is none: it does not count" in answer.said


def test_a_stamp_that_was_changed_on_its_way_is_none(make_signer, folder, clock):
    with TimeStampAuthority(folder / "tsa", clock, change=lambda reply: reply[:-5] + bytes([reply[-5] ^ 1]) + reply[-4:]) as authority:
        config = f'\n[sign]\ntimestamp = "{authority.url}"\n'
        answer = make_signer(config=config).sign(DATA)
        assert answer.code == 0 and "is not signed, or was changed on its way; signed without a time stamp" in answer.said
        answer = make_signer(config=config + "timestamp_required = true\n").sign(DATA)
        assert answer.code == 1 and answer.output == b"" and "is not signed, or was changed on its way" in answer.said


def test_a_stamp_by_an_authority_that_we_do_not_believe_ourselves(stamped, folder):
    stranger = Pki(folder / "other", root_name="Other Root").issue(name="Stranger", extensions="time")
    with TimeStampAuthority(folder / "tsa", stranger) as authority:
        config = f'[sign]\ntimestamp = "{authority.url}"\ntimestamp_required = true\n'
        answer = stamped(config).sign(DATA)
    assert answer.code == 1 and 'signs as "CN=Stranger", which verify.timestamp_roots does not believe' in answer.said


def test_a_revoked_authority(make_signer, folder, pki, authority, time_pki, clock):
    """Whatever its stamps say of their time."""
    signer = make_signer(leaf=pki.issue())
    revoked = revocation_list(time_pki, signer.home.folder / "list.pem", clock)
    time_pki.folder.chmod(0o755)
    made = signer.sign(DATA, "-t", authority.url)
    signer.home.write("config.toml", signer.home.variables["DEVTRUST_CONFIG"].read_text() +
                      f'\n[verify]\ntimestamp_roots = ["{time_pki.root.certificate}", "{revoked}"]\n')
    answer = signer.verify(made.output, DATA)
    assert 'by "CN=Time Authority") does not count' in answer.said and answer.line("TRUST_FULLY")


def test_an_authority_that_does_not_answer(signer):
    answer = signer.sign(DATA, "-t", f"http://127.0.0.1:{closed_port()}/")
    assert answer.code == 0 and "SIG_CREATED" in answer.words()
    assert "gave no time stamp" in answer.said and "signed without a time stamp" in answer.said
    assert signer.verify(answer.output, DATA).code == 0


def test_an_authority_that_has_to_answer(make_signer):
    url = f"http://127.0.0.1:{closed_port()}/"
    answer = make_signer(config=f'\n[sign]\ntimestamp = "{url}"\ntimestamp_required = true\n').sign(DATA)
    assert answer.code == 1 and answer.output == b"" and "SIG_CREATED" not in answer.words()
    assert "sign.timestamp_required = true forbids to sign without" in answer.said


@pytest.mark.parametrize("url, expected", [("https://localhost/", "https://, which is not supported"),
                                           ("ftp://localhost/", "is not a URL")])
def test_addresses_that_are_none(signer, url, expected):
    answer = signer.sign(DATA, "-t", url)
    assert answer.code == 0 and expected in answer.said and "signed without a time stamp" in answer.said


def test_an_authority_that_answers_nonsense(signer, folder, clock):
    with TimeStampAuthority(folder / "tsa", clock, answer=b"\x30\x03\x02\x01\x00") as authority:
        answer = signer.sign(DATA, "-t", authority.url)
    assert answer.code == 0 and "signed without a time stamp" in answer.said


# homes with NSS databases and passwords


def test_signs_from_an_nss_database(make_home, programs, pki):
    home = make_home("ec:P-256", fresh=True)
    signer = Smimesign(programs / "devtrust-smimesign", home)
    signer.trust(pki.root.certificate)
    before = signer.sign(DATA).output
    home.renew(pki, "ec:P-256")
    after = signer.sign(DATA)
    assert after.line("SIG_CREATED").split()[-1] == fingerprint(home.leaf)
    for signature in (before, after.output):
        assert signer.verify(signature, DATA).line("TRUST_FULLY")
