#!/usr/bin/env python3
"""Makes the fuzz targets' seeds: make_seeds.py FOLDER, one folder in it for each target. Uses openssl and NSS's tools."""
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

INIT_STRINGS = {
    "empty": "",
    "both": "config=/etc/devtrust/config.toml chain-trusted=yes",
    "quoted": "config='~/a b/\\'c.toml' chain-trusted=\"no\"",
    "unknown": "configdir='' tokens=<0x1=[]>",
}

URIS = {
    "profile": "devtrust:jumpcloud?pin-source=file:/run/pin",
    "token": "pkcs11:token=JumpCloud%20Device%20Trust;object=JumpCloud%20Device%20Trust;type=private;id=%00%ff",
    "slot": "pkcs11:slot-id=1;slot-description=d;slot-manufacturer=m;library-version=2.40?pin-value=1%202",
    "module": "PKCS11:?module-name=n&module-path=/usr/lib/n.so",
}

# As key_reference.cc reads them: text as it is, or DER that it puts into our PEM form.
KEY_REFERENCES = {
    "profile": b"\x01\x30\x17\x1a\x011\x0c\x12devtrust:jumpcloud",
    "later": b"\x01\x30\x17\x1a\x012\x0c\x12devtrust:jumpcloud",
    "token": b"\x01\x30\x19\x1a\x011\x0c\x14pkcs11:token=x;id=%0",
    "text": b"\x00-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
            b"-----BEGIN DEVTRUST KEY-----\nMBcaATEMEmRldnRydXN0Omp1bXBjbG91ZA==\n-----END DEVTRUST KEY-----\n",
}

CONFIGS = {
    "full": """
trace = "/var/log/devtrust"
audit = "syslog:"
audit_required = true
[[store]]
kind = "nss"
path = "~/.pki/nssdb"
pin_source = "file:/run/secrets/pin"
prompt = false
[[store]]
kind = "file"
path = "/run/secrets/cert.pem"
key_path = "/run/secrets/key.pem"
[[profile]]
name = "jumpcloud"
show = "all"
[[profile]]
name = "own"
label = "Our own"
match = { issuer_cn = "CA", subject_cn = "Device *", root_cn = "Root", eku = "1.3.6.1.5.5.7.3.2", oid = "2.5.29.15" }
[[profile]]
name = "two"
label = "Two ways"
match = [ { email = "a@b.example" }, { subject_dn = "DC=okta, CN=Org*", root_sha256 = "%s" } ]
[sign]
timestamp = "http://tsa.example/"
include_certs = -2
fallback = true
[verify]
roots = ["a.pem", "b.pem"]
[browser]
urls = ["https://portal.example"]
[keyholder]
programs = []
""" % ("00:" * 31 + "ff"),
    "unknown": 'colour = "red"\n',
    "wrong_type": "[[store]]\nkind = 1\n",
    "dates": "a = 1979-05-27T07:32:00Z\nb = 0x1F\nc = '''\nx'''\n[d.\"e f\"]\ng = [1, [2.5, {h = inf}]]\n",
}

# Bytes as pkcs11_calls.cc reads them: a call's number, then what it asks for.
CALLS = {
    "slots": [2, 1, 3, 2, 0, 1, 4, 0, 5, 0, 6, 64, 0, 0, 7, 0, 0],
    "find": [14, 0, 1, 0, 0, 0, 16, 0, 16, 18, 0, 19, 1, 4, 0, 0, 2, 3, 0xE0, 11, 0x80, 0],
    "sign_in_parts": [b for o in range(12) for m in (6, 16, 20) for b in
                      (32, m, 0, 0, o, 35, 3, 1, 2, 3, 0, 35, 0xC0, 2, 1, 0, 36, 0xE0, 0, 36, 7, 0, 36, 0, 0)],
    "derive": [b for o in range(12) for b in (53, 18, 0x84, 0xFF, 0xFF, 1, 0, 0, o)],
    "digest": [27, 11, 0, 0, 29, 2, 65, 66, 0, 30, 1, 0, 31, 0, 0, 27, 11, 0, 0, 28, 1, 9, 0, 0],
    "decrypt": [b for o in range(12) for b in (49, 0, 0, 0, o, 51, 0xC0, 9, 0, 0, 0, 52, 0, 0)],
    "again": [8, 1, 0, 10, 0, 0, 1, 1, 9, 0, 12, 0xFF, 1, 0, 13, 0, 57, 61, 0, 0],
}

for pair in range(3):
    for way in (0, 1):
        CALLS[f"round_trips-{pair}-{way}"] = [
            b for m in range(21) for kind in (0, 2, 3)
            for b in ((63, pair, m, kind) + ((0, 0, 32) if kind == 2 else (0xFF, 0, 0, 1) if kind == 3 else ())
                      + (0xC0, 2, 7, way))]

# Bytes as nss_rows.cc reads them: which database, then column, row, change.
ROWS = {
    "as_it_is": [0],
    "with_password": [1],
    "check": [0, 13, 0, 1, 40, 0, 1],
    "salt": [0, 12, 0, 3, 9, 0],
    "iterations": [0, 3, 0, 1, 45, 0, 7],
    "modulus": [0, 4, 1, 1, 10, 0, 1],
    "prime": [0, 6, 1, 3, 60, 0],
    "certificate": [0, 17, 0, 1, 200, 1, 3, 17, 1, 5, 1],
    "ids": [0, 2, 0, 0, 3, 1, 2, 3, 19, 0, 4, 2, 1, 2],
}

LEAVES = {
    "rsa": (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
            "extendedKeyUsage=clientAuth\nsubjectAltName=email:a@b.example,DNS:c.example\nauthorityKeyIdentifier=keyid\n"),
    "ec": (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid,issuer\n"
           "1.3.6.1.4.1.99999.1=ASN1:UTF8String:x\n"),
    "ed": (["-algorithm", "ED25519"], "certificatePolicies=1.2.3.4\n"),
}
SUBJECT = "JumpCloud Device Trust Certificate – SEED"


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Pki:
    """A root, an intermediate that two roots have signed, and leaves."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("root", "other-root", "intermediate", "tsa"):
            run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self / f"{name}.key")
        for name, cn in (("root", "Root"), ("other-root", "Other root")):
            run("openssl", "req", "-x509", "-new", "-key", self / f"{name}.key", "-out", self / f"{name}.pem", "-subj",
                f"/O=JumpCloud/CN={cn}", "-days", "36500")
        authority = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        self.sign("intermediate", "device-trust.intermediate", "root", authority)
        self.sign("intermediate", "device-trust.intermediate", "other-root", authority, out="cross")
        for name, (arguments, extensions) in LEAVES.items():
            run("openssl", "genpkey", *arguments, "-out", self / f"{name}.key")
            self.sign(name, SUBJECT, "intermediate", extensions)

    def __truediv__(self, name):
        return str(self.folder / name)

    def sign(self, name, subject, issuer, extensions, out=None):
        (self.folder / "extensions").write_text(extensions)
        run("openssl", "req", "-new", "-utf8", "-key", self / f"{name}.key", "-subj", f"/CN={subject}", "-out", self / "request")
        run("openssl", "x509", "-req", "-in", self / "request", "-CA", self / f"{issuer}.pem", "-CAkey", self / f"{issuer}.key",
            "-days", "36500", "-extfile", self / "extensions", "-out", self / f"{out or name}.pem")

    def pem(self, *names):
        return b"".join((self.folder / name).read_bytes() for name in names)

    def der(self, name):
        run("openssl", "x509", "-in", self / f"{name}.pem", "-outform", "DER", "-out", self / "der")
        return (self.folder / "der").read_bytes()


def certificates(pki):
    for leaf in LEAVES:
        chain = [pki.der(name) for name in (leaf, "intermediate", "cross", "root", "other-root")]
        yield leaf, b"".join(struct.pack("<H", len(der)) + der for der in chain)
        yield leaf + "-alone", struct.pack("<H", len(chain[0])) + chain[0]


def stores(pki):
    issuers = ("intermediate.pem", "root.pem")
    for leaf in LEAVES:
        yield leaf, pki.pem(f"{leaf}.key", f"{leaf}.pem", *issuers)
        encrypted = pki / "encrypted.key"
        run("openssl", "pkcs8", "-topk8", "-in", pki / f"{leaf}.key", "-passout", "pass:password", "-iter", "10", "-out", encrypted)
        yield leaf + "-encrypted", pki.pem(f"{leaf}.pem", "encrypted.key")
        for name, options in (("p12", ["-iter", "10"]), ("p12-nomac", ["-nomac", "-iter", "10"]),
                              ("p12-old", ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1",
                                           "-iter", "10"])):
            (pki.folder / "issuers").write_bytes(pki.pem(*issuers))
            run("openssl", "pkcs12", "-export", "-in", pki / f"{leaf}.pem", "-inkey", pki / f"{leaf}.key", "-certfile",
                pki / "issuers", "-passout", "pass:password", "-name", SUBJECT, *options, "-out", pki / "p12")
            yield f"{leaf}-{name}", (pki.folder / "p12").read_bytes()
    for name, kind in (("rsa", "rsa"), ("ec", "ec")):
        run("openssl", kind, "-in", pki / f"{name}.key", "-out", pki / "old.key",
            *(["-traditional"] if kind == "rsa" else []))
        yield f"{name}-traditional", pki.pem("old.key", f"{name}.pem")


TSA = """
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
"""


def signatures(pki):
    """As cms.cc reads them: what it is, then the bytes. Nobody there knows the root of these."""
    (pki.folder / "data").write_text("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nmessage\n")
    (pki.folder / "issuers").write_bytes(pki.pem("intermediate.pem", "root.pem"))

    def cms(name, *arguments):
        run("openssl", "cms", *arguments, "-binary", "-in", pki / "data", "-out", pki / name)
        return (pki.folder / name).read_bytes()

    by = {leaf: ["-signer", pki / f"{leaf}.pem", "-inkey", pki / f"{leaf}.key"] for leaf in ("rsa", "ec")}
    for leaf in by:
        for digest in ("sha1", "sha256", "sha512"):
            yield f"{leaf}-{digest}", b"\0" + cms("cms", "-sign", *by[leaf], "-md", digest, "-certfile", pki / "issuers", "-outform", "DER")
        yield f"{leaf}-attached", b"\1" + cms("cms", "-sign", *by[leaf], "-nodetach", "-outform", "DER")
        yield f"{leaf}-pem", b"\0" + cms("cms", "-sign", *by[leaf], "-outform", "PEM")
    yield "two-signers", b"\0" + cms("cms", "-sign", *by["rsa"], *by["ec"], "-outform", "DER")
    yield "no-attributes", b"\0" + cms("cms", "-sign", *by["rsa"], "-noattr", "-outform", "DER")
    yield "no-certificates", b"\0" + cms("cms", "-sign", *by["rsa"], "-nocerts", "-outform", "DER")
    yield "key-identifier", b"\0" + cms("cms", "-sign", *by["ec"], "-keyid", "-outform", "DER")
    yield "pss", b"\0" + cms("cms", "-sign", *by["rsa"], "-keyopt", "rsa_padding_mode:pss", "-outform", "DER")
    yield "encrypted", b"\1" + cms("cms", "-encrypt", "-outform", "DER", "-recip", pki / "rsa.pem")
    run("openssl", "crl2pkcs7", "-nocrl", "-certfile", pki / "issuers", "-outform", "DER", "-out", pki / "p7b")
    yield "p7b", b"\1" + (pki.folder / "p7b").read_bytes()
    (pki.folder / "signature").write_text("signature")
    (pki.folder / "tsa.cnf").write_text(TSA.format(folder=pki.folder))
    pki.sign("tsa", "Time stamps", "intermediate", "extendedKeyUsage=critical,timeStamping\n")
    for digest in ("sha256", "sha512"):
        (pki.folder / "serial").write_text("01\n")
        run("openssl", "ts", "-query", "-data", pki / "signature", f"-{digest}", "-cert", "-out", pki / "query")
        run("openssl", "ts", "-reply", "-config", pki / "tsa.cnf", "-queryfile", pki / "query", "-signer", pki / "tsa.pem",
            "-inkey", pki / "tsa.key", "-token_out", "-out", pki / "token")
        yield f"time-stamp-{digest}", b"\3" + (pki.folder / "token").read_bytes()
    for name, change in {"as-it-is": [], "byte": [0, 9, 0, 3], "shorter": [1, 4, 0], "longer": [2, 200, 0, 0x30]}.items():
        yield name, bytes([2, *change])


def databases(pki):
    for password in ("", "password"):
        folder = pki.folder / f"nss{len(password)}"
        folder.mkdir()
        (folder / "pin").write_text(password + "\n")
        base = ["-d", f"sql:{folder}"]
        run("certutil", "-N", *base, "-f", str(folder / "pin"))
        for leaf in ("rsa", "ec"):
            (pki.folder / "issuers").write_bytes(pki.pem("intermediate.pem", "root.pem"))
            run("openssl", "pkcs12", "-export", "-in", pki / f"{leaf}.pem", "-inkey", pki / f"{leaf}.key", "-certfile",
                pki / "issuers", "-passout", "pass:x", "-name", leaf, "-out", pki / "p12")
            run("pk12util", "-i", pki / "p12", *base, "-k", str(folder / "pin"), "-W", "x")
            cert9, key4 = ((folder / name).read_bytes() for name in ("cert9.db", "key4.db"))
            yield f"{leaf}-{password}", struct.pack("<I", len(cert9)) + cert9 + key4


def main():
    out = pathlib.Path(sys.argv[1])
    done = out / "done"
    stamp = str(pathlib.Path(__file__).stat().st_mtime_ns)
    if done.exists() and done.read_text() == stamp:
        return
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        pki = Pki(pathlib.Path(folder))
        seeds = {
            "certificate": dict(certificates(pki)),
            "cms": dict(signatures(pki)),
            "config": {name: text.encode() for name, text in CONFIGS.items()},
            "file_store": dict(stores(pki)),
            "init_string": {name: text.encode() for name, text in INIT_STRINGS.items()},
            "nss_database": dict(databases(pki)),
            "nss_rows": {name: bytes(octets) for name, octets in ROWS.items()},
            "pkcs11_calls": {name: bytes(octets) for name, octets in CALLS.items()},
            "key_reference": KEY_REFERENCES,
            "uri": {name: text.encode() for name, text in URIS.items()},
        }
    for target, files in seeds.items():
        (out / target).mkdir(parents=True)
        for name, content in files.items():
            (out / target / name).write_bytes(content)
    done.write_text(stamp)


if __name__ == "__main__":
    os.environ.pop("OPENSSL_CONF", None)
    main()
