"""Shows what the module does, by programs that know nothing of it. Run by `./dev demo`.

In a temporary home an NSS database gets a device-trust identity, as a management agent would put it there; with --real
the one of this machine is used, and nothing is written anywhere but in a temporary folder.
"""

import argparse
import getpass
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

top = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(top / "tests/interop"))
from pkcs11 import CKF_LOGIN_REQUIRED, CKO_CERTIFICATE, CKO_PRIVATE_KEY, Error, Module  # noqa: E402
from programs import Nginx, environment, run, uri  # noqa: E402
from stores import LEAF_NAME, NssDatabase, Pki  # noqa: E402

CKR_PIN_INCORRECT = 0xA0
MESSAGE = b"a message of the demo"
REQUEST = "GET / HTTP/1.0\r\n\r\n"


def say(number, title, *lines):
    print(f"{number}. {title}" if number else f"   {title}")
    for line in lines:
        print(f"   {line}")
    sys.stdout.flush()


class Failed(Exception):
    """What a person should read."""


def expect(text, wanted, what):
    if wanted not in text:
        raise Failed(f"{what}: “{wanted}” is not in\n{text}")


def describe(certificate, folder):
    """One line for a DER certificate."""
    path = folder / "described.der"
    path.write_bytes(certificate)
    text = run(["openssl", "x509", "-inform", "DER", "-in", path, "-noout", "-subject", "-issuer", "-enddate", "-nameopt",
                "multiline,utf8,-esc_msb", "-dateopt", "iso_8601"]).stdout
    names = [name.strip() for name in re.findall(r"commonName *= (.*)", text)] or ["(no common name)"]
    end = re.search(r"notAfter=(\S+)", text).group(1)
    return f"{names[0]}, issued by {names[-1]}, valid until {end}"


def public_key(certificate, folder):
    """Path of a certificate's public key, PEM, and whether it is RSA, EC or another."""
    path = folder / "subject.der"
    path.write_bytes(certificate)
    pem = folder / "public.pem"
    pem.write_text(run(["openssl", "x509", "-inform", "DER", "-in", path, "-noout", "-pubkey"]).stdout)
    text = run(["openssl", "pkey", "-pubin", "-in", pem, "-noout", "-text"]).stdout
    return pem, "RSA" if "Modulus:" in text else "EC" if "NIST CURVE" in text or "ASN1 OID" in text else "other"


def verify(certificate, signature, message, folder):
    """OpenSSL's verdict."""
    (folder / "message").write_bytes(message)
    (folder / "signature").write_bytes(signature)
    text = run(["openssl", "dgst", "-sha256", "-verify", public_key(certificate, folder)[0], "-signature",
                folder / "signature", folder / "message"], check=False).stdout
    expect(text, "Verified OK", "openssl")


class Token:
    """What the demo needs to know of the identity that the module shows."""

    def __init__(self, module, slot):
        info = module.token_info(slot)
        self.label = info.label.decode().rstrip()
        self.needs_password = bool(info.flags & CKF_LOGIN_REQUIRED)
        self.password = getpass.getpass(f"Password of the store of “{self.label}”: ") if self.needs_password else None
        try:
            session = module.open(slot, self.password)
        except Error as error:
            raise Failed(f"The store of “{self.label}” did not open: {error}"
                         f"{' (a wrong password)' if error.rv == CKR_PIN_INCORRECT else ''}") from error
        self.key_label = self.certificate = None
        keys = session.find(CLASS=CKO_PRIVATE_KEY)
        if keys:
            self.key_label = session.attribute(keys[0], "LABEL").decode()
            certificates = session.find(CLASS=CKO_CERTIFICATE, ID=session.attribute(keys[0], "ID"))
            self.certificate = session.attribute(certificates[0], "VALUE")
        self.chain = [session.attribute(c, "VALUE") for c in session.find(CLASS=CKO_CERTIFICATE)]
        session.call("CloseSession")

    def uri(self, kind):
        return uri(kind, self.label, object=self.key_label)

    def variables(self):
        return {"GNUTLS_PIN": self.password, "DEVTRUST_DEMO_PIN": self.password} if self.password else {}


class Demo:
    def __init__(self, module, folder, home, keep):
        self.module, self.folder, self.home, self.keep = module, folder, home, keep
        self.devtrust = module.parents[1] / "bin/devtrust"
        self.step = 0

    def next(self, title, *lines):
        self.step += 1
        say(self.step, title, *lines)

    def run(self, argv, token=None, **options):
        variables = {**self.keep, **(token.variables() if token else {})}
        return run(argv, home=self.home, variables=variables, cwd=self.folder, **options)

    def show_token(self, token):
        login = ["--login", "--pin", "env:DEVTRUST_DEMO_PIN"] if token.needs_password else []
        text = self.run(["pkcs11-tool", "--module", self.module, "--token-label", token.label, *login, "-O"], token).stdout
        kinds = ["Private Key", "Public Key", "Certificate"]
        counts = [len(re.findall(f"^{kind} Object", text, re.MULTILINE)) for kind in kinds]
        if 0 in counts:
            raise Failed(f"pkcs11-tool does not see a key with its certificate:\n{text}")
        login = ["--login"] if token.needs_password else []
        text = self.run(["p11tool", "--provider", self.module, *login, "--test-sign", token.uri("private")], token).stdout
        expect(text, "Verifying against public key in the token... ok", "p11tool")
        self.next(f"pkcs11-tool sees the token “{token.label}”: a private key, its public key and {counts[2]} certificates.",
                  "p11tool (GnuTLS) reaches the key by this name, which stays the same when the key is renewed:",
                  token.uri("private"))

    def sign(self, token):
        kind = public_key(token.certificate, self.folder)[1]
        if kind == "other":
            raise Failed("the demo signs with RSA and EC keys; this key is neither")
        mechanism = ["SHA256-RSA-PKCS"] if kind == "RSA" else ["ECDSA-SHA256", "--signature-format", "openssl"]
        (self.folder / "message").write_bytes(MESSAGE)
        login = ["--login", "--pin", "env:DEVTRUST_DEMO_PIN"] if token.needs_password else []
        self.run(["pkcs11-tool", "--module", self.module, "--token-label", token.label, *login, "--sign", "--label",
                  token.key_label, "-m", *mechanism, "-i", "message", "-o", "made"], token)
        verify(token.certificate, (self.folder / "made").read_bytes(), MESSAGE, self.folder)
        self.next(f"pkcs11-tool signed a file with it ({mechanism[0]}). OpenSSL, with the certificate's public key: Verified OK.")

    def web(self, token):
        """nginx knows the device's chain; the web server's own certificate has nothing to do with it."""
        web = Pki(self.folder / "web", "ec:P-256", "Demo Web Root", "Demo Web Issuer")
        authorities = self.folder / "authorities.pem"
        authorities.write_text("".join(
            run(["openssl", "x509", "-inform", "DER", "-outform", "PEM"], input=der, text=False).stdout.decode()
            for der in token.chain if der != token.certificate) or "")
        server = Nginx(self.folder / "nginx", web.issue("ec:P-256", "localhost", extensions="server"), authorities)
        client = ["gnutls-cli", "--provider", self.module, "--x509cafile", web.root.certificate, "-p", server.port, "localhost"]
        try:
            text = self.run(client, input=REQUEST, check=False).stdout
            expect(text, "No required SSL certificate was sent", "nginx without a certificate")
            text = self.run([*client, "--x509certfile", token.uri("cert"), "--x509keyfile", token.uri("private")], token,
                            input=REQUEST, check=False).stdout
            expect(text, "client SUCCESS", "nginx with the certificate")
        finally:
            server.close()
        self.next("nginx, on this machine, asks for a client certificate. gnutls-cli without one is turned away (HTTP 400);",
                  "with that name for certificate and key it gets in: “client SUCCESS”.")


    def set_up_git(self):
        said = self.run([self.devtrust, "setup", "git"]).stdout.replace("\n", " ")  # broken at 80 columns
        expect(said, "user.signingKey = devtrust:jumpcloud", "devtrust setup git")
        self.run(["git", "init", "-q", "repository"])
        self.run(["git", "config", "--global", "user.name", "Demo"])
        self.run(["git", "config", "--global", "user.email", "demo@example.com"])
        verdict = self.commit()
        self.next("`devtrust setup git`, then `git commit -S`. `git log --show-signature`:", verdict)

    def commit(self):
        """Signs one more commit, and gives git's verdict on all that there are."""
        git = ["git", "-C", "repository"]
        self.run([*git, "commit", "-q", "-S", "--allow-empty", "-m", "a commit of the demo"])
        verdicts = self.run([*git, "log", "--format=%G?"]).stdout.split()
        if set(verdicts) != {"G"}:
            raise Failed(f"git does not find its commits good: {verdicts}")
        said = self.run([*git, "log", "-1", "--show-signature"]).stdout
        expect(said, "Good signature", "git log --show-signature")
        return re.search("Good signature.*", said)[0]


class Watcher:
    """demo/watch.py as a process of its own."""

    def __init__(self, module, home):
        self.process = subprocess.Popen([sys.executable, "-B", top / "demo/watch.py", module], env=environment(home), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, message):
        """The certificate of the moment, and its key's signature."""
        self.process.stdin.write(message.decode() + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failed("demo/watch.py ended early")
        answer = json.loads(line)
        return bytes.fromhex(answer["certificate"]), bytes.fromhex(answer["signature"])

    def close(self):
        self.process.stdin.close()
        return self.process.wait(60)


def throwaway(module, folder):
    print("Everything here happens in a temporary folder with a home of its own, which is removed at the end.")
    pki = Pki(folder / "pki")
    home = folder / "home"
    (home / ".pki").mkdir(parents=True)
    database = NssDatabase(home / ".pki/nssdb")
    leaf = pki.issue(name=LEAF_NAME, valid_from=-16, valid_to=14)
    database.add(leaf)
    demo = Demo(module, folder, home, {})
    demo.next("certutil and pk12util put a certificate, its key and its issuers into ~/.pki/nssdb, as a management agent does:",
              describe(leaf.der(), folder))
    digest = database.digest()
    # This process loads the module too: to it as well, the home is the temporary one.
    os.environ.update(environment(home))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "DEVTRUST_CONFIG", "DEVTRUST_TRACE"):
        os.environ.pop(name, None)
    with Module(module) as loaded:
        (slot,) = loaded.slots()
        token = Token(loaded, slot)
    demo.show_token(token)
    demo.sign(token)
    demo.web(token)
    demo.set_up_git()
    unchanged = database.digest() == digest

    watcher = Watcher(module, home)
    try:
        before, signature = watcher.ask(MESSAGE)
        verify(before, signature, MESSAGE, folder)
        renewed = pki.issue(name=LEAF_NAME[:-8] + "11223344", valid_from=-1, valid_to=29)
        database.add(renewed)
        database.remove(leaf.name)
        digest = database.digest()
        after, signature = watcher.ask(MESSAGE)
        verify(after, signature, MESSAGE, folder)
        verdict = demo.commit()
    finally:
        status = watcher.close()
    if before != leaf.der() or after != renewed.der() or status != 0:
        raise Failed("the program that keeps running did not see the renewal")
    demo.next("The agent renews: a new key, a new certificate, the old ones gone. A program that has been running since before,",
              "with its session still open, signs with the new key at once; OpenSSL: Verified OK.", describe(after, folder),
              "`git commit -S` does as well, and finds both commits good:", verdict)
    if not unchanged or database.digest() != digest:
        raise Failed("the module wrote to the database")
    demo.next("The database is byte for byte what NSS's tools left. For none but git was anything configured.")
    print("With the certificate of this machine: ./dev demo --real. Set-up for your programs: README.md.")


def real(module, folder):
    print("This reads the device-trust certificate of this machine where it stands, and writes nothing but a temporary folder.")
    home = pathlib.Path.home()
    keep = {name: os.environ[name] for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "DEVTRUST_CONFIG") if name in os.environ}
    found = 0
    with Module(module) as loaded:
        tokens = [Token(loaded, slot) for slot in loaded.slots()]
    for token in tokens:
        if token.certificate is None:
            continue
        found += 1
        demo = Demo(module, folder / str(found), home, keep)
        demo.folder.mkdir()
        demo.next("Found:", describe(token.certificate, demo.folder))
        demo.show_token(token)
        demo.sign(token)
        demo.web(token)
    if found:
        return
    text = run(["pkcs11-tool", "--module", module, "-L"], home=home, variables=keep, check=False).stdout
    raise Failed("No device-trust certificate was found here, so there is nothing to show; ./dev demo brings one of its own.\n"
                 "Looked for: the certificates of JumpCloud, Okta and the other products that docs/configuration.md names.\n"
                 "Looked in: ~/.pki/nssdb, ~/.local/share/pki/nssdb, Firefox's profiles (also those of Snap and Flatpak) and\n"
                 f"/etc/pki/nssdb, or the stores of your configuration. What the module says:\n{text}")


def main():
    parser = argparse.ArgumentParser(prog="./dev demo")
    parser.add_argument("--module", required=True, type=pathlib.Path)
    parser.add_argument("--real", action="store_true")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="devtrust-demo-"))
    try:
        (real if arguments.real else throwaway)(arguments.module.resolve(), folder)
    except (Failed, AssertionError) as error:
        print(error, file=sys.stderr)
        return 1
    except (EOFError, KeyboardInterrupt):
        return 130
    finally:
        shutil.rmtree(folder)
    return 0


sys.exit(main())
