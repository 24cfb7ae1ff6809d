"""Programs that sign and verify CMS: ours, gpgsm and openssl cms; and a time stamp authority."""

import http.server
import os
import pathlib
import re
import shutil
import subprocess
import threading

from programs import as_user, environment, give_away, run

STATUS = re.compile(rb"^\[GNUPG:\] (.*)$", re.MULTILINE)


class Answer:
    """What a signing program said: its exit code, what it wrote, its status lines and its words."""

    def __init__(self, ended, lines):
        self.code, self.output = ended.returncode, ended.stdout
        self.said = ended.stderr.decode()
        self.status = [line.decode() for line in lines]

    def words(self):
        """The first word of each status line."""
        return [line.split()[0] for line in self.status]

    def line(self, word):
        """The one status line that begins with `word`."""
        (line,) = [line for line in self.status if line.split()[0] == word]
        return line


def spawn(argv, home, data, *, fake_time=None, unprivileged=True, **variables):
    argv = [str(a) for a in argv]
    if fake_time:
        argv = ["faketime", "-f", fake_time, *argv]
    return subprocess.run(as_user(argv) if unprivileged else argv, env=environment(home, **variables), input=data, check=False,
                          timeout=60, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home)


class Smimesign:
    """devtrust-smimesign in a home, as git runs it."""

    def __init__(self, program, home):
        self.program, self.home = program, home

    def run(self, *arguments, data=b"", **options):
        return spawn([self.program, *arguments], self.home.folder, data, **self.home.variables, **options)

    def sign(self, data, *arguments, user="devtrust:jumpcloud", how="-bsau", **options):
        """Status lines on standard error, as git asks for them."""
        ended = self.run("--status-fd=2", *arguments, how, user, data=data, **options)
        return Answer(ended, STATUS.findall(ended.stderr))

    def verify(self, signature, data=None, **options):
        """Status lines on standard output; data on standard input, or None where the signature contains it."""
        path = self.home.write("message.sig", signature)
        ended = self.run("--keyid-format=long", "--status-fd=1", "--verify", path, *(["-"] if data is not None else []),
                         data=data or b"", **options)
        return Answer(ended, STATUS.findall(ended.stdout))

    def trust(self, *certificates):
        """Roots in the file that is read without a configuration."""
        self.home.write(".config/devtrust/roots.pem", "".join(path.read_text() for path in certificates))


def tlv(tag, content):
    """DER."""
    size = len(content)
    octets = b"" if size < 128 else size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets) if octets else size]) + octets + content


def elements(content):
    found = []
    while content:
        more = content[1] & 0x7F if content[1] & 0x80 else 0
        end = 2 + more + (int.from_bytes(content[2:2 + more], "big") if more else content[1])
        found.append((content[0], content[2 + more:end]))
        content = content[end:]
    return found


def change_signers(der, change):
    """The signature with other SignerInfos: `change` gets them as (tag, content) and returns DER. (ContentInfo, [0],
    SignedData, SET OF: each is the last in the one before it.)"""
    def last(tag, content, depth):
        children = elements(content)
        if depth == 0:
            return tlv(tag, b"".join(change(children)))
        return tlv(tag, b"".join(tlv(*child) for child in children[:-1]) + last(*children[-1], depth - 1))

    return last(*elements(der)[0], 3)


def openssl_cms_sign(leaf, data, folder, *options, certfile=None, fake_time=None):
    """A detached signature in DER."""
    message, out = folder / "cms.data", folder / "cms.der"
    message.write_bytes(data)
    argv = ["openssl", "cms", "-sign", "-binary", "-in", message, "-signer", leaf.certificate, "-inkey", leaf.key, "-outform",
            "DER", "-out", out, *options]
    if certfile:
        argv += ["-certfile", certfile]
    run((["faketime", "-f", fake_time] if fake_time else []) + argv)
    return out.read_bytes()


def chain_file(leaf, folder):
    path = folder / "issuers.pem"
    path.write_text("".join(issuer.read_text() for issuer in leaf.issuers[:-1]))
    return path


class Gpgsm:
    """gpgsm with a certificate of its own in a home, and roots that it trusts."""

    def __init__(self, home_folder, *roots):
        self.folder = pathlib.Path(home_folder)
        self.home = self.folder / ".gnupg"
        self.home.mkdir(parents=True)
        self.home.chmod(0o700)
        (self.home / "gpgsm.conf").write_text("disable-crl-checks\n")
        (self.home / "gpg-agent.conf").write_text("allow-loopback-pinentry\n")
        fingerprints = [run(["openssl", "x509", "-in", root, "-noout", "-fingerprint", "-sha1"]).stdout.strip().split("=")[1]
                        for root in roots]
        (self.home / "trustlist.txt").write_text("".join(f"{fingerprint} S relax\n" for fingerprint in fingerprints))
        give_away(self.folder)
        for root in roots:
            self.add(root)

    def add(self, certificate):
        self.run("--import", data=pathlib.Path(certificate).read_bytes())

    def add_key(self, leaf):
        """Key, certificate and chain."""
        path = self.folder / "key.p12"
        for issuer in leaf.issuers:
            self.add(issuer)
        # gpgsm 2.2 reads no newer encryption, and cannot decrypt about one in fifty good files, whichever password they have:
        # the next file's salts are others.
        for left in reversed(range(5)):
            run(["openssl", "pkcs12", "-export", "-in", leaf.certificate, "-inkey", leaf.key, "-keypbe", "PBE-SHA1-3DES",
                 "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-passout", "pass:", "-out", path])
            give_away(self.folder)
            if self.run("--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--import", path, data=b"\n",
                        check=left == 0).returncode == 0:
                break

    def run(self, *arguments, data=b"", check=True):
        ended = spawn(["gpgsm", *arguments], self.folder, data, GNUPGHOME=self.home)
        if check and ended.returncode != 0:
            raise AssertionError(f"gpgsm {arguments}\nended with {ended.returncode}:\n{ended.stderr.decode()}")
        return ended

    def verify(self, signature, data):
        path = self.folder / "message.sig"
        path.write_bytes(signature)
        give_away(self.folder)
        ended = self.run("--status-fd=1", "--verify", path, "-", data=data, check=False)
        return Answer(ended, STATUS.findall(ended.stdout))

    def close(self):
        run(["gpgconf", "--kill", "all"], home=self.folder, unprivileged=True, check=False,
            variables={"GNUPGHOME": self.home})


TSA_CONFIG = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_cert = {certificate}
certs = {chain}
signer_key = {key}
default_policy = 1.2.3.4
signer_digest = sha256
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


class TimeStampAuthority:
    """OpenSSL's own (openssl ts) behind HTTP on loopback. `fake_time` is what its clock says; `answer` replaces what it
    answers, and `change` changes it."""

    def __init__(self, folder, leaf, fake_time=None, answer=None, change=lambda reply: reply):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        (self.folder / "serial").write_text("01\n")
        chain = self.folder / "chain.pem"
        chain.write_text("".join(path.read_text() for path in leaf.issuers))
        config = self.folder / "tsa.cnf"
        config.write_text(TSA_CONFIG.format(folder=self.folder, certificate=leaf.certificate, chain=chain, key=leaf.key))
        owner, self.requests = self, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                owner.requests += 1
                query, reply = owner.folder / "query", owner.folder / "reply"
                query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
                if answer is not None:
                    body = answer
                else:
                    argv = ["openssl", "ts", "-reply", "-queryfile", query, "-out", reply, "-config", config]
                    run((["faketime", "-f", fake_time] if fake_time else []) + argv)
                    body = change(reply.read_bytes())
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/tsa"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def programs_folder(session_folder):
    """Our programs, where every user can run them."""
    folder = session_folder / "bin"
    folder.mkdir()
    for name in os.environ["DEVTRUST_PROGRAMS"].split(":"):
        shutil.copy(name, folder)
    return folder
