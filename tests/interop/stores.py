"""Throwaway device-trust chains and NSS databases, made by openssl, certutil and pk12util."""

import datetime
import hashlib
import pathlib
import shutil

from programs import run

LEAF_NAME = "JumpCloud Device Trust Certificate – 0A1B2C3D"
TOKEN_LABEL = "JumpCloud Device Trust"

CA_CONFIG = """
[ca]
default_ca = issuer
[issuer]
database = {folder}/index.txt
new_certs_dir = {folder}/issued
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any_name
string_mask = utf8only
[any_name]
domainComponent = optional
countryName = optional
organizationName = optional
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tls_authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
extendedKeyUsage = critical, serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[device]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment, keyAgreement
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[time]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[email]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth, emailProtection
subjectAltName = email:committer@example.com
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


SIZES = {"rsa": "rsa_keygen_bits", "rsa-pss": "rsa_keygen_bits", "ec": "ec_paramgen_curve"}


def generate(key, path):
    """A new key: "rsa:BITS", "rsa-pss:BITS", "ec:CURVE", "ed25519" or "ed448"."""
    kind, _, size = key.partition(":")
    options = ["-pkeyopt", f"{SIZES[kind]}:{size}"] if size else []
    run(["openssl", "genpkey", "-algorithm", kind.upper(), *options, "-out", path])
    return path


class Leaf:
    """A certificate and its key, as PEM files."""

    def __init__(self, certificate, key, name, issuers):
        self.certificate, self.key, self.name, self.issuers = certificate, key, name, issuers

    def der(self):
        return certificate_der(self.certificate)

    def public_key(self):
        """Path of the public key, PEM."""
        path = self.certificate.with_suffix(".pub.pem")
        path.write_text(run(["openssl", "x509", "-in", self.certificate, "-pubkey", "-noout"]).stdout)
        return path

    def chain_text(self):
        """The certificate and its issuers, PEM."""
        return "".join(path.read_text() for path in [self.certificate, *self.issuers])

    def sha1(self):
        """As nginx prints it."""
        return hashlib.sha1(self.der()).hexdigest()

    def pkcs12(self, password):
        path = self.certificate.with_suffix(".p12")
        chain = path.with_suffix(".chain.pem")
        chain.write_text("".join(issuer.read_text() for issuer in self.issuers))
        run(["openssl", "pkcs12", "-export", "-in", self.certificate, "-inkey", self.key, "-certfile", chain,
             "-name", self.name, "-passout", f"pass:{password}", "-out", path])
        return path


class Pki:
    """A root, an intermediate, and leaves under it."""

    def __init__(self, folder, key="rsa:2048", root_name="JumpCloud Production Device Identification Root CA",
                 intermediate_name="device-trust.intermediate", strings="utf8only"):
        """`strings`: in which of ASN.1's types names are, as req's string_mask has it."""
        self.folder = pathlib.Path(folder)
        (self.folder / "issued").mkdir(parents=True)
        (self.folder / "index.txt").touch()
        self.config = self.folder / "ca.cnf"
        self.config.write_text(CA_CONFIG.format(folder=self.folder))
        self.requests = self.folder / "req.cnf"
        self.requests.write_text(f"[req]\nstring_mask = {strings}\ndistinguished_name = name\n[name]\n")
        self.count = 0
        self.root = self._certify(root_name, key, "authority", None, -400, 3000)
        self.intermediate = self._certify(intermediate_name, key, "authority", self.root, -300, 2000)

    def issue(self, key="rsa:2048", name=LEAF_NAME, valid_from=-10, valid_to=20, extensions="device", issuer=None, digest="sha256"):
        """A leaf under the intermediate (or `issuer`), valid between the two days from now."""
        return self._certify(name, key, extensions, issuer or self.intermediate, valid_from, valid_to, digest)

    def certify_again(self, leaf, valid_from, valid_to):
        """A new certificate for the key of an older one."""
        return self._certify(leaf.name, leaf.key, "device", self.intermediate, valid_from, valid_to)

    def issue_authority(self, name, extensions="authority", valid_from=-100, valid_to=3000):
        """One under the root."""
        return self._certify(name, "rsa:2048", extensions, self.root, valid_from, valid_to)

    def sign(self, request, valid_from=-10, valid_to=20):
        """A device certificate for a request, whose key is elsewhere."""
        return self._sign(request, None, "", "device", self.intermediate, valid_from, valid_to)

    def _certify(self, name, key, extensions, issuer, valid_from, valid_to, digest="sha256"):
        """`key` is as `generate` has it, or the path of one."""
        request = self._next(".csr")
        if isinstance(key, str):
            key = generate(key, request.with_suffix(".key"))
        run(["openssl", "req", "-new", "-utf8", "-config", self.requests, "-key", key, "-subj", f"/CN={name}", "-out", request])
        return self._sign(request, key, name, extensions, issuer, valid_from, valid_to, digest)

    def _sign(self, request, key, name, extensions, issuer, valid_from, valid_to, digest="sha256"):
        certificate = self._next(".pem")
        now = datetime.datetime.now(datetime.timezone.utc)
        start, end = ((now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ") for days in (valid_from, valid_to))
        signer = ["-selfsign", "-keyfile", key] if issuer is None else \
            ["-cert", issuer.certificate, "-keyfile", issuer.key]
        run(["openssl", "ca", "-batch", "-notext", "-config", self.config, "-extensions", extensions, "-startdate", start,
             "-enddate", end, "-md", digest, *signer, "-in", request, "-out", certificate])
        issuers = [] if issuer is None else [issuer.certificate, *issuer.issuers]
        return Leaf(certificate, key, name, issuers)

    def _next(self, suffix):
        self.count += 1
        return self.folder / f"{self.count}{suffix}"


class NssDatabase:
    """An NSS database under NSS's own tools. An empty password means none."""

    def __init__(self, folder, password=""):
        self.folder, self.password = pathlib.Path(folder), password
        self.folder.mkdir(parents=True)
        self.password_file = self.folder.with_name(self.folder.name + ".password")
        self.password_file.write_text(password + "\n")
        self.certutil("-N", *([] if password else ["--empty-password"]))

    def certutil(self, *arguments):
        return run(["certutil", *arguments, "-d", f"sql:{self.folder}", "-f", self.password_file]).stdout

    def add(self, leaf):
        """The key, its certificate and the chain; the nickname is the certificate's name."""
        run(["pk12util", "-i", leaf.pkcs12("transport"), "-W", "transport", "-d", f"sql:{self.folder}",
             "-k", self.password_file])

    def add_certificate(self, path, nickname, trust=",,"):
        self.certutil("-A", "-n", nickname, "-t", trust, "-i", path)

    def remove(self, nickname):
        """The certificate and its key."""
        self.certutil("-F", "-n", nickname)

    def copy(self, folder):
        copy = object.__new__(NssDatabase)
        copy.folder, copy.password, copy.password_file = pathlib.Path(folder), self.password, self.password_file
        shutil.copytree(self.folder, folder)
        return copy

    def digest(self):
        """SHA-256 of each file."""
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(self.folder.iterdir())}


def certificate_der(pem):
    return run(["openssl", "x509", "-in", pem, "-outform", "DER"], text=False).stdout
