"""devtrust-keyholder: programs use the key through it, by p11-kit's client at the place where that looks."""

import hashlib
import os
import pathlib
import random
import shlex
import signal
import socket
import struct
import subprocess

import pytest

from keyholder import CLIENT, Keyholder
from machine import as_root
from programs import DEADLINE, UNPRIVILEGED, Conversation, as_user, environment, run, uri, wait_until
from test_setup_gpgsm import LEARN

CONFIG = 'audit = "~/audit.log"\naudit_required = true\n'
USER = UNPRIVILEGED if os.geteuid() == 0 else os.geteuid()
OTHER_USER = 65533

# Signs at each line that it is told, and says what came of it; "again" begins anew, as a program that is started does.
SIGNER = """if True:
    import sys
    from pkcs11 import CKO_PRIVATE_KEY, CKM_SHA256_RSA_PKCS, Error, Module
    module = Module(sys.argv[1])
    def begin():
        session = module.open(module.slots()[0])
        return session, session.find(CLASS=CKO_PRIVATE_KEY)[0]
    session, key = begin()
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            if line == "again\\n":
                module.call("Finalize", None)
                module.call("Initialize", None)
                session, key = begin()
            print("signed", len(session.sign(key, CKM_SHA256_RSA_PKCS, b"message")), flush=True)
        except Error as error:
            print(error, flush=True)
    module.close()
"""


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def home(request, make_home):
    home = make_home(request.param, fresh=True)
    home.write(".config/devtrust/config.toml", CONFIG)
    return home


@pytest.fixture
def rsa(make_home):
    home = make_home("rsa:2048", fresh=True)
    home.write(".config/devtrust/config.toml", CONFIG)
    return home


@pytest.fixture
def make_keyholder(programs, folder):
    made = []

    def make(home, **variables):
        made.append(Keyholder(programs / "devtrust-keyholder", home.folder, folder / "runtime", **variables))
        return made[-1]

    yield make
    for keyholder in made:
        if keyholder.process:
            keyholder.close()


def sign(home, keyholder):
    """What OpenSSL says of a signature that pkcs11-tool got, as one by the home's key."""
    message = home.write("message", b"message")
    home.write("digest", hashlib.sha256(b"message").digest())
    # p11-kit 0.24 passes an EC key's plain mechanism on, and not those that hash.
    how = ["-m", "ECDSA", "--signature-format", "openssl", "-i", "digest"] if home.key.startswith("ec") else \
        ["-m", "SHA256-RSA-PKCS", "-i", message]
    home.run(["pkcs11-tool", "--module", CLIENT, "--sign", *how, "-o", "signature"], variables=keyholder.variables)
    return run(["openssl", "dgst", "-sha256", "-verify", home.leaf.public_key(), "-signature", home.folder / "signature", message],
               check=False).stdout


def uses(home):
    """The audit's lines, each as a dictionary."""
    path = home.folder / "audit.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return [dict(word.split("=", 1) for word in shlex.split(line)) for line in lines]


class Signer(Conversation):
    def __init__(self, keyholder, home, module=CLIENT):
        program = home.write("pkcs11.py", (pathlib.Path(__file__).parent / "pkcs11.py").read_bytes())
        super().__init__(["/usr/bin/python3", "-c", SIGNER, module], home, PYTHONPATH=program.parent, PYTHONDONTWRITEBYTECODE="1",
                         **keyholder.variables)
        assert self.hear() == "ready"

    def hear(self):
        return self.process.stdout.readline().strip()

    def ask(self, line="sign"):
        self.tell(line)
        return self.hear()


def test_signs_at_p11_kits_own_place_and_writes_down_for_whom(make_keyholder, home, pki):
    with make_keyholder(home) as keyholder:
        assert sign(home, keyholder) == "Verified OK\n"
        old = home.leaf
        new = home.renew(pki, home.key)
        assert sign(home, keyholder) == "Verified OK\n"
        assert [use["sha256"] for use in uses(home)] == [hashlib.sha256(leaf.der()).hexdigest() for leaf in (old, new)]
        assert {(use["operation"], use["program"], use["uid"], use["profile"]) for use in uses(home)} == \
            {("sign", "pkcs11-tool", str(USER), "jumpcloud")}
        assert str(keyholder.process.pid) not in {use["pid"] for use in uses(home)}
        assert keyholder.close() == 0 and not keyholder.socket.exists()
        assert keyholder.said() == ""


def test_the_key_stays_there(make_keyholder, home):
    with make_keyholder(home) as keyholder:
        ended = home.run(["p11tool", "--provider", CLIENT, "--export", uri("private")], variables=keyholder.variables, check=False)
        assert ended.returncode != 0 and "PRIVATE KEY" not in ended.stdout, ended.stdout


def test_what_one_ends_stays_for_others(make_keyholder, rsa):
    with make_keyholder(rsa) as keyholder, Signer(keyholder, rsa) as first, Signer(keyholder, rsa) as second:
        assert first.ask() == second.ask() == "signed 256"
        second.process.stdin.close()
        assert second.process.wait(DEADLINE) == 0
        assert first.ask() == "signed 256"
        assert {use["pid"] for use in uses(rsa)} == {str(first.process.pid), str(second.process.pid)}


def test_killed_in_the_middle_of_a_signature_and_back(make_keyholder, rsa):
    with make_keyholder(rsa) as keyholder, Signer(keyholder, rsa) as signer:
        assert signer.ask() == "signed 256"
        keyholder.process.send_signal(signal.SIGSTOP)
        signer.tell("sign")
        keyholder.process.kill()
        keyholder.process.wait(DEADLINE)
        assert signer.hear().endswith("answered 0x30"), "CKR_DEVICE_ERROR"
        assert keyholder.socket.exists(), "it was killed"
        keyholder.start()
        assert signer.ask("again") == "signed 256"


def test_ends_after_what_was_asked_is_answered(make_keyholder, rsa):
    with make_keyholder(rsa) as keyholder, Signer(keyholder, rsa) as signer:
        assert keyholder.close() == 0
        assert signer.ask().endswith("answered 0x30")


def test_one_is_enough(make_keyholder, rsa):
    with make_keyholder(rsa) as keyholder:
        second = run(keyholder.command(), home=rsa.folder, variables=keyholder.variables, check=False)
        assert second.returncode == 1 and "a devtrust-keyholder runs already for" in second.stdout, second.stdout
        assert sign(rsa, keyholder) == "Verified OK\n"


def test_refuses_a_folder_that_others_can_enter(make_keyholder, rsa):
    keyholder = make_keyholder(rsa)
    with keyholder:
        pass
    keyholder.socket.parent.chmod(0o711)
    refused = run(keyholder.command(), home=rsa.folder, variables=keyholder.variables, check=False)
    assert refused.returncode == 1 and "chmod 700" in refused.stdout, refused.stdout


def test_programs_that_are_not_listed_are_refused(make_keyholder, rsa):
    listed = run(["readlink", "-f", "/usr/bin/pkcs11-tool"]).stdout.strip()
    rsa.write(".config/devtrust/config.toml", f'{CONFIG}[keyholder]\nprograms = ["{listed}"]\n')
    with make_keyholder(rsa) as keyholder:
        assert sign(rsa, keyholder) == "Verified OK\n"
        seen = rsa.run(["p11tool", "--provider", CLIENT, "--list-tokens"], variables=keyholder.variables, check=False).stdout
        assert "JumpCloud" not in seen, seen
        assert "/p11tool (process" in keyholder.said() and "it is not among the programs of [keyholder]" in keyholder.said()
        # It is looked at for each connection.
        rsa.write(".config/devtrust/config.toml", CONFIG)
        seen = rsa.run(["p11tool", "--provider", CLIENT, "--list-tokens"], variables=keyholder.variables).stdout
        assert "JumpCloud" in seen, seen


def test_stores_that_lead_back_are_passed_over(make_keyholder, rsa):
    """One configuration for all: for the module the key is behind the keyholder, for the keyholder in the usual places."""
    rsa.write(".config/devtrust/config.toml", f'{CONFIG}[[store]]\nkind = "token"\npath = "{CLIENT}"\n')
    with make_keyholder(rsa) as keyholder:
        assert sign(rsa, keyholder) == "Verified OK\n"


def test_a_wrong_configuration_is_a_token_that_says_so(make_keyholder, rsa):
    rsa.write(".config/devtrust/config.toml", "nonsense = 1\n")
    with make_keyholder(rsa) as keyholder:
        seen = rsa.run(["pkcs11-tool", "--module", CLIENT, "-L"], variables=keyholder.variables, check=False).stdout
        assert "Device trust is misconfigured" in seen and ".config/devtrust/config" in seen, seen


def test_a_client_cannot_choose_the_configuration(make_keyholder, rsa):
    """p11-kit sends what a client passes to C_Initialize; in there could be a file, and in that any module to load."""
    other = rsa.write("other.toml", "nonsense = 1\n")
    with make_keyholder(rsa) as keyholder:
        rsa.write(".config/pkcs11/modules/devtrust.module",
                  f"remote: unix:path={keyholder.socket}\nx-init-reserved: config={other}\n")
        seen = rsa.run(["p11tool", "--list-tokens"], variables=keyholder.variables).stdout
        assert "JumpCloud" in seen, seen


def test_our_module_and_provider_come_to_it(make_keyholder, home, module, provider_conf):
    """One configuration for all."""
    home.write(".config/devtrust/config.toml", f'{CONFIG}[[store]]\nkind = "token"\npath = "{CLIENT}"\n')
    with make_keyholder(home) as keyholder:
        seen = home.run(["pkcs11-tool", "--module", module, "-O", "--type", "privkey"], variables=keyholder.variables).stdout
        assert "label:      JumpCloud Device Trust" in seen, seen
        home.write("message", b"message")
        variables = {**keyholder.variables, "OPENSSL_CONF": provider_conf / "devtrust.cnf"}
        home.run(["openssl", "dgst", "-sha256", "-sign", "devtrust:", "-out", "signature", "message"], variables=variables)
        assert run(["openssl", "dgst", "-sha256", "-verify", home.leaf.public_key(), "-signature", home.folder / "signature",
                    home.folder / "message"]).stdout == "Verified OK\n"
        # The provider's line and the keyholder's, of one program.
        assert len(uses(home)) == 2 and len({(use["program"], use["pid"]) for use in uses(home)}) == 1, uses(home)
    assert "JumpCloud" not in home.run(["pkcs11-tool", "--module", module, "-L"], variables=keyholder.variables, check=False).stdout


def test_our_module_connects_anew_by_itself(make_keyholder, rsa, module):
    rsa.write(".config/devtrust/config.toml", f'{CONFIG}[[store]]\nkind = "token"\npath = "{CLIENT}"\n')
    with make_keyholder(rsa) as keyholder, Signer(keyholder, rsa, module) as signer:
        assert signer.ask() == "signed 256"
        keyholder.process.send_signal(signal.SIGSTOP)
        signer.tell("sign")
        keyholder.process.kill()
        keyholder.process.wait(DEADLINE)
        assert signer.hear().split()[-1] in ("0x30", "0xe0"), "CKR_DEVICE_ERROR or CKR_TOKEN_NOT_PRESENT"
        keyholder.start()
        assert signer.ask() == "signed 256"


def garbage():
    """What is sent, and why it is none of p11-kit's protocol."""
    dice = random.Random(11)
    yield b""
    yield b"\0"
    yield b"\xff" * 64
    for size in (0, 1, 12, 0x7FFFFFFF, 0xFFFFFFFF):  # version, then call id, lengths of options and of the message
        yield b"\0" + struct.pack(">III", 1, size, size)
        yield b"\0" + struct.pack(">III", 1, 4, size) + b"abcd" + b"x" * 100
    for _ in range(200):
        yield b"\0" * dice.randrange(2) + dice.randbytes(dice.randrange(400))
    for _ in range(200):  # whole messages with calls that there are or not
        body = struct.pack(">I", dice.randrange(90)) + dice.randbytes(dice.randrange(80))
        yield b"\0" + struct.pack(">III", 1, 0, len(body)) + body


def test_survives_garbage_and_silence(make_keyholder, rsa):
    with make_keyholder(rsa) as keyholder, Signer(keyholder, rsa) as signer, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(keyholder.socket))
        for octets in garbage():
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(keyholder.socket))
                client.settimeout(DEADLINE)
                try:
                    client.sendall(octets)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(4096):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it saw soon enough what that was
        assert keyholder.process.poll() is None
        assert signer.ask() == "signed 256"
        assert sign(rsa, keyholder) == "Verified OK\n"
        assert keyholder.close() == 0, "the silent one does not hold it up"


def greeted(keyholder):
    """Whether a new connection is served: each side begins with the version that it speaks."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE)
        client.connect(str(keyholder.socket))
        try:
            client.sendall(b"\0")
            return client.recv(1) != b""
        except (BrokenPipeError, ConnectionResetError):
            return False


def test_too_many_at_a_time_are_refused(make_keyholder, rsa):
    with make_keyholder(rsa) as keyholder:
        held = [socket.socket(socket.AF_UNIX) for _ in range(70)]
        for client in held:
            client.connect(str(keyholder.socket))
        wait_until(lambda: "there are 64 already" in keyholder.said(), "a refusal", keyholder.process)
        for client in held:
            client.close()
        wait_until(lambda: greeted(keyholder), "room", keyholder.process)
        assert sign(rsa, keyholder) == "Verified OK\n"


class HandedOver:
    """The keyholder on a socket that somebody else listens on, as systemd starts it; here every user can connect to it."""

    def __init__(self, keyholder, folder, *options):
        self.path = folder / "socket"
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(self.path))
        self.path.chmod(0o777)
        listening.listen()
        start = 'exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
        with keyholder.log.open("a") as log:
            keyholder.process = subprocess.Popen(
                as_user(["sh", "-c", start, "sh", str(keyholder.program), *options]), stdin=listening, stderr=log,
                env=environment(keyholder.home, **keyholder.variables), cwd=keyholder.home)
        listening.close()
        keyholder.variables["P11_KIT_SERVER_ADDRESS"] = f"unix:path={self.path}"


def test_other_users_are_refused_by_name(make_keyholder, rsa, folder):
    keyholder = make_keyholder(rsa)
    HandedOver(keyholder, folder)
    tokens = ["p11tool", "--provider", CLIENT, "--list-tokens"]
    seen = run([*as_root(), "env", f"P11_KIT_SERVER_ADDRESS={keyholder.variables['P11_KIT_SERVER_ADDRESS']}", "setpriv",
                f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups", *tokens], check=False).stdout
    assert "JumpCloud" not in seen, seen
    wait_until(lambda: f"user {OTHER_USER}) was refused: only user {USER} and root" in keyholder.said(), "a refusal", keyholder.process)
    assert "JumpCloud" in rsa.run(tokens, variables=keyholder.variables).stdout
    assert "JumpCloud" in run([*as_root(), "env", f"P11_KIT_SERVER_ADDRESS={keyholder.variables['P11_KIT_SERVER_ADDRESS']}",
                               *tokens]).stdout, "root could become that user"


def test_ends_by_itself_where_somebody_else_listens_on(make_keyholder, rsa, folder):
    keyholder = make_keyholder(rsa)
    handed = HandedOver(keyholder, folder, "--idle", "1")
    assert sign(rsa, keyholder) == "Verified OK\n"
    assert keyholder.process.wait(DEADLINE) == 0
    assert handed.path.exists() and not keyholder.socket.exists()


def test_curl_by_openssls_engine(make_keyholder, home, web_pki, chain_server):
    with make_keyholder(home) as keyholder:
        said = home.run(["curl", "--silent", "--show-error", "--engine", "pkcs11", "--cert-type", "ENG", "--key-type", "ENG", "--cert",
                         uri("cert"), "--key", uri("private"), "--cacert", web_pki.root.certificate,
                         f"https://localhost:{chain_server.port}/"],
                        variables={**keyholder.variables, "PKCS11_MODULE_PATH": CLIENT}).stdout
        assert said == f"client SUCCESS {home.leaf.sha1()}\n"
        assert {use["program"] for use in uses(home)} == {"curl"}


def test_gpgsm_signs(make_keyholder, rsa, programs):
    rsa.run([programs / "devtrust", "setup", "gpgsm"])
    path = rsa.folder / ".gnupg/gnupg-pkcs11-scd.conf"
    text = path.read_text()
    modules = [line.split()[-1] for line in text.splitlines() if "-library " in line]
    assert len(modules) == 1 and "devtrust" in modules[0], text
    rsa.write(".gnupg/gnupg-pkcs11-scd.conf", text.replace(modules[0], str(CLIENT)))
    with make_keyholder(rsa) as keyholder:
        try:
            rsa.run(["sh", "-c", LEARN], variables=keyholder.variables)
            rsa.write("message", b"message")
            rsa.run(["gpgsm", "--batch", "--local-user", f"0x{rsa.leaf.sha1().upper()}", "--output", "message.p7s", "--detach-sign",
                     "message"], variables=keyholder.variables)
            said = rsa.run(["gpgsm", "--verify", "message.p7s", "message"], variables=keyholder.variables).stdout
            assert "Good signature" in said, said
            assert {use["program"] for use in uses(rsa)} == {"gnupg-pkcs11-scd"}
        finally:
            rsa.run(["gpgconf", "--kill", "all"], check=False, variables=keyholder.variables)


@pytest.mark.parametrize("arguments, said", [(["--idle", "soon"], "--idle takes a number of seconds"), (["x"], "see --help"),
                                             (["--socket", "here"], "full path"), (["--nonsense"], "nonsense")])
def test_a_wrong_command_line(programs, arguments, said):
    ended = run([programs / "devtrust-keyholder", *arguments], check=False)
    assert ended.returncode == 1 and said in ended.stdout, ended.stdout


def test_says_what_it_is(programs):
    assert run([programs / "devtrust-keyholder", "--help"]).stdout.startswith("Usage: devtrust-keyholder ")
    assert run([programs / "devtrust-keyholder", "--version"]).stdout.startswith("devtrust-keyholder ")
