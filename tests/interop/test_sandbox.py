"""The units for sandboxes: programs in a container sign with the key through a socket, and cannot reach the database."""

import hashlib
import os
import pathlib
import shlex
import socket
import subprocess

import pytest

from machine import as_root
from programs import UNPRIVILEGED, environment, run, uri, wait_until
from stores import TOKEN_LABEL
from test_setup_curl import Session

SOCKET_UNIT = "devtrust-p11-kit.socket"
SERVICE = "devtrust-p11-kit.service"
MODULES = pathlib.Path(run(["pkg-config", "--variable=p11_module_path", "p11-kit-1"]).stdout.strip())
CLIENT = MODULES / "p11-kit-client.so"
PROXY = MODULES.parent / "p11-kit-proxy.so"

CONFIG = """\
audit = "~/audit.log"
audit_required = true
"""

# A file system of its own: the system's programs, the socket's folder ($2), and a folder for what goes in and out ($3).
# $1: an empty folder; after $3, the command. Whoever runs it is root in there, as in a container without privileges.
IN_A_SANDBOX = """
mount -t tmpfs tmpfs "$1"
mkdir -p "$1/usr" "$1/dev" "$1/run/devtrust" "$1/exchange" "$1/tmp" "$1/etc/ssl" "$1/etc/pkcs11/modules"
for path in /bin /sbin /lib*; do
  if [ -L "$path" ]; then cp -P "$path" "$1"; else mkdir "$1$path"; mount --rbind "$path" "$1$path"; fi
done
for path in /usr /dev; do mount --rbind "$path" "$1$path"; done
mount --bind "$2" "$1/run/devtrust"
mount --bind "$3" "$1/exchange"
cp /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /etc/ld.so.cache "$1/etc"
cp /etc/ssl/openssl.cnf "$1/etc/ssl"
echo "remote: unix:path=/run/devtrust/p11-kit" >"$1/etc/pkcs11/modules/devtrust.module"
root=$1
shift 3
exec chroot "$root" "$@"
"""


class Sandbox:
    def __init__(self, folder, sockets):
        self.root, self.work, self.sockets = folder / "sandbox", folder / "work", sockets
        self.root.mkdir()
        self.work.mkdir()

    def command(self, argv):
        return [str(word) for word in ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", IN_A_SANDBOX, "sh", self.root,
                                       self.sockets, self.work, *argv]]

    def run(self, *argv, **options):
        """`/exchange` is the folder that is seen on both sides."""
        return run(self.command(argv), variables={"P11_KIT_SERVER_ADDRESS": "unix:path=/run/devtrust/p11-kit"}, **options)

    def sign(self, leaf, key):
        """What OpenSSL, outside, says of a signature that was made inside, as one by the key of this certificate."""
        message = self.work / "message"
        message.write_bytes(b"message")
        (self.work / "digest").write_bytes(hashlib.sha256(message.read_bytes()).digest())
        # p11-kit 0.24 passes an EC key's plain mechanism on, and not those that hash.
        how = ["-m", "ECDSA", "--signature-format", "openssl", "-i", "/exchange/digest"] if key.startswith("ec") else \
            ["-m", "SHA256-RSA-PKCS", "-i", "/exchange/message"]
        self.run("pkcs11-tool", "--module", CLIENT, "--sign", *how, "-o", "/exchange/signature")
        return run(["openssl", "dgst", "-sha256", "-verify", leaf.public_key(), "-signature", self.work / "signature", message],
                   check=False).stdout

    def tokens(self):
        said = self.run("p11tool", "--provider", CLIENT, "--list-tokens").stdout
        return [line.split(": ", 1)[1] for line in said.splitlines() if line.strip().startswith("Label: ")]


@pytest.fixture(scope="module")
def units(session_folder):
    """The folder of the units, as an installation has them."""
    prefix = session_folder / "a prefix"
    run(["cmake", "--install", os.environ["DEVTRUST_BUILD_TREE"], "--prefix", prefix], home=session_folder)
    return prefix / "lib/systemd/user"


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def home(request, make_home):
    home = make_home(request.param, fresh=True)
    home.write(".config/devtrust/config.toml", CONFIG)
    return home


@pytest.fixture
def session(home, units, programs, folder):
    """A user's service manager that finds the units where systemd finds those of packages."""
    made = Session(home, programs / "devtrust", folder / "runtime", SYSTEMD_UNIT_PATH=f"{units}:")
    yield made
    made.close()


@pytest.fixture
def sockets(session, folder):
    """The folder of the socket, once the user has enabled it."""
    session.run("systemctl", "--user", "enable", "--now", SOCKET_UNIT)
    return folder / "runtime/devtrust"


@pytest.fixture
def sandbox(folder, sockets):
    return Sandbox(folder, sockets)


def audit(home):
    """The lines, each as a dictionary."""
    lines = (home.folder / "audit.log").read_text().splitlines()
    return [dict(word.split("=", 1) for word in shlex.split(line)) for line in lines]


def sha256(leaf):
    return hashlib.sha256(leaf.der()).hexdigest()


def renew(home, pki):
    """What an agent does; Home.renew would give the files to another user."""
    leaf = pki.issue(home.key, "JumpCloud Device Trust Certificate \u2013 11223344", valid_from=-1, valid_to=29)
    home.database.add(leaf)
    return leaf


def test_the_units_are_well_formed(units, folder):
    paths = [units / f"devtrust-{name}.{kind}" for name in ("p11-kit", "keyholder") for kind in ("socket", "service")]
    said = run(["systemd-analyze", "--user", "--man=no", "verify", *paths], home=folder, variables={"XDG_RUNTIME_DIR": folder}).stdout
    assert "devtrust" not in said, said
    assert "@DEVTRUST" not in "".join(path.read_text() for path in paths)


def test_nothing_listens_until_the_user_enables_it(session, folder):
    assert session.systemctl("is-enabled", SOCKET_UNIT) == "disabled\n"
    assert session.systemctl("is-active", SOCKET_UNIT) == "inactive\n"
    session.run("systemctl", "--user", "enable", "--now", SOCKET_UNIT)
    assert os.listdir(folder / "runtime/devtrust") == ["p11-kit"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(folder / "runtime/devtrust/p11-kit"))
        wait_until(lambda: "running" in session.systemctl("list-units", "--no-legend", SERVICE), "the service")
        session.run("systemctl", "--user", "disable", "--now", SOCKET_UNIT)
        connection.settimeout(60)
        assert connection.recv(1) == b"", "the end of the socket is that of its connections"
    assert os.listdir(folder / "runtime/devtrust") == []


def test_signs_without_seeing_the_database(sandbox, home, pki):
    inside = sandbox.run("sh", "-c", 'ls -A /run/devtrust /home /root /proc; cat "$1"; find / -name usr -prune -o -name "*.db" -print',
                         "sh", home.folder / ".pki/nssdb/key4.db", check=False).stdout
    assert "/run/devtrust:\np11-kit\n" in inside and ".db\n" not in inside, inside
    assert inside.count("No such file or directory") == 4, inside
    assert sandbox.run("p11tool", "--provider", CLIENT, "--export", uri("cert")).stdout.strip() == \
        run(["openssl", "x509", "-in", home.leaf.certificate]).stdout.strip()
    assert sandbox.sign(home.leaf, home.key) == "Verified OK\n"
    new = renew(home, pki)
    assert sandbox.sign(new, home.key) == "Verified OK\n"
    assert sandbox.sign(home.leaf, home.key) != "Verified OK\n", "the judge does not say so of all"
    # Who signed, by the keyholder's own word.
    uses = audit(home)
    assert [use["sha256"] for use in uses] == [sha256(home.leaf), sha256(new), sha256(new)]
    assert {(use["operation"], use["program"], use["profile"]) for use in uses} == {("sign", "pkcs11-tool", "jumpcloud")}


def test_the_key_stays_outside(sandbox, home):
    for command in (["p11tool", "--provider", CLIENT, "--export", uri("private")],
                    ["pkcs11-tool", "--module", CLIENT, "--read-object", "--type", "privkey", "-o", "/exchange/key"]):
        ended = sandbox.run(*command, check=False)
        assert ended.returncode != 0 and "PRIVATE KEY" not in ended.stdout, ended.stdout
    assert not (sandbox.work / "key").exists()


def test_a_program_that_stays_connected_follows_a_renewal(sandbox, home, pki):
    (sandbox.work / "pkcs11.py").write_bytes((pathlib.Path(__file__).parent / "pkcs11.py").read_bytes())
    script = """if True:
        import sys
        from pkcs11 import CKO_CERTIFICATE, Module, ulong
        with Module(sys.argv[1]) as module:
            session = module.open(module.slots()[0])
            for _ in sys.stdin:
                shown = session.find(CLASS=ulong(CKO_CERTIFICATE), LABEL=b"JumpCloud Device Trust")
                print(*[session.attribute(each, "VALUE").hex() for each in shown], flush=True)
    """
    variables = {"PYTHONPATH": "/exchange", "P11_KIT_SERVER_ADDRESS": "unix:path=/run/devtrust/p11-kit", "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(sandbox.command(["/usr/bin/python3", "-c", script, CLIENT]), env=environment(**variables), text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        def shown():
            program.stdin.write("\n")
            program.stdin.flush()
            return program.stdout.readline().strip()

        assert shown() == home.leaf.der().hex()
        new = renew(home, pki)
        assert shown() == new.der().hex()
        program.stdin.close()
        assert program.wait(60) == 0


def test_each_product_is_shown_once_it_is_there(sandbox, home, pki):
    assert sandbox.tokens() == [TOKEN_LABEL]
    home.database.add(pki.issue("ec:P-256", "dev.firezone.device-trust"))
    assert sandbox.tokens() == [TOKEN_LABEL, "Firezone Device Trust"]


def test_by_p11_kits_own_configuration(sandbox, home, web_pki, root_server):
    """A container in which a file names the socket: wget logs in, with the chain, and ssh-keygen sees the key."""
    (sandbox.work / "ca.pem").write_text(web_pki.root.certificate.read_text())
    said = sandbox.run("wget", "-q", "-O", "-", "--ca-certificate=/exchange/ca.pem", f"--certificate={uri('cert')}",
                       f"--private-key={uri('private')}", f"https://localhost:{root_server.port}/").stdout
    assert said == f"client SUCCESS {home.leaf.sha1()}\n"
    public = sandbox.work / "public.pem"
    public.write_text(home.leaf.public_key().read_text())
    line = run(["ssh-keygen", "-i", "-m", "PKCS8", "-f", public]).stdout.strip()
    assert line in sandbox.run("ssh-keygen", "-D", PROXY).stdout


def test_curl_by_openssls_engine(sandbox, home, web_pki, chain_server):
    (sandbox.work / "ca.pem").write_text(web_pki.root.certificate.read_text())
    said = sandbox.run("env", f"PKCS11_MODULE_PATH={CLIENT}", "curl", "--silent", "--show-error", "--engine", "pkcs11", "--cert-type",
                       "ENG", "--key-type", "ENG", "--cert", uri("cert"), "--key", uri("private"), "--cacert", "/exchange/ca.pem",
                       f"https://localhost:{chain_server.port}/").stdout
    assert said == f"client SUCCESS {home.leaf.sha1()}\n"


def test_other_users_do_not_get_in(sockets):
    path = sockets / "p11-kit"
    assert (sockets.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    script = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    for user, expected in ((os.geteuid(), None), (UNPRIVILEGED, "PermissionError")):
        command = [*as_root(), "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "/usr/bin/python3", "-c", script, path]
        ended = run(command, check=False)
        assert (ended.returncode == 0) == (expected is None) and (expected or "") in ended.stdout, ended.stdout


def test_a_burst_of_connections_does_not_switch_it_off(sandbox, session, sockets, home):
    for _ in range(300):  # systemd's limit would be 200 in two seconds
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(sockets / "p11-kit"))
    assert session.systemctl("is-active", SOCKET_UNIT) == "active\n"
    assert sandbox.sign(home.leaf, home.key) == "Verified OK\n"


def test_is_back_after_it_was_killed(sandbox, session, home):
    assert sandbox.sign(home.leaf, home.key) == "Verified OK\n"
    killed = session.systemctl("show", "-P", "MainPID", SERVICE)
    session.run("systemctl", "--user", "kill", "--signal=KILL", SERVICE)
    wait_until(lambda: session.systemctl("show", "-P", "MainPID", SERVICE) != killed, "its end")
    assert sandbox.sign(home.leaf, home.key) == "Verified OK\n"
    assert session.systemctl("is-active", SOCKET_UNIT) == "active\n"


def test_the_other_socket_is_where_p11_kits_client_looks(session, home):
    assert "JumpCloud" not in session.run("pkcs11-tool", "--module", CLIENT, "-L", check=False)
    session.run("systemctl", "--user", "enable", "--now", "devtrust-keyholder.socket")
    said = session.run("pkcs11-tool", "--module", CLIENT, "-O", "--type", "privkey")
    assert "label:      JumpCloud Device Trust" in said, said


def test_the_service_is_confined(session, sockets):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(sockets / "p11-kit"))
        wait_until(lambda: "running" in session.systemctl("list-units", "--no-legend", SERVICE), "the service")
        process = pathlib.Path("/proc", session.systemctl("show", "-P", "MainPID", SERVICE).strip(), "status")
        # "running" it is as soon as systemd forked, before it became our program.
        wait_until(lambda: process.read_text().startswith("Name:\tdevtrust-"), "the service's program")
        status = process.read_text()
    assert "NoNewPrivs:\t1\n" in status and "Seccomp:\t2\n" in status
