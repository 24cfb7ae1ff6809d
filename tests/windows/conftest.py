"""Our programs for Windows under wine, each test with a home of its own. The caller names, by environment variables, the
programs (DEVTRUST_PROGRAMS, DEVTRUST_MODULE, DEVTRUST_PROVIDER, DEVTRUST_RELAY, DEVTRUST_MY_STORE,
DEVTRUST_NCRYPT_DOUBLE), the build tree and what makes packages of it (DEVTRUST_BUILD, DEVTRUST_CPACK), OpenSSL for Windows
(DEVTRUST_OPENSSL), wine (DEVTRUST_WINE) and a prefix that is ready (WINEPREFIX)."""

import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "interop"))

from signing import STATUS, Answer  # noqa: E402
from stores import Pki  # noqa: E402

DEADLINE = 60  # seconds


def windows_path(path):
    return "Z:" + str(path).replace("/", "\\")


def unix_path(text):
    """Of a path that Windows gave us, on one of wine's drives; any other text as it is."""
    drives = {"C": os.path.join(os.environ["WINEPREFIX"], "drive_c"), "Z": ""}
    return re.sub(r"^([CZ]):([\\/].*)", lambda match: drives[match[1]] + match[2].replace("\\", "/"), text)


class Relay:
    """Runs this system's own programs for those under wine that stand for them (relay.cc)."""

    def __init__(self, home):
        self.home, self.programs = home, home / "relayed"  # before the system's own
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection):
        stream = connection.makefile("rwb")

        def number():
            return struct.unpack("!I", stream.read(4))[0]

        words = [stream.read(number()).decode("cp1252") for _ in range(number())]
        variables = {}
        while entry := stream.read(number()).decode("cp1252"):
            name, _, value = entry.partition("=")
            variables[name] = unix_path(value)
        name = re.split(r"[\\/]", words[0])[-1].removesuffix(".exe")
        ended = subprocess.run([name, *map(unix_path, words[1:])], input=stream.read(number()), check=False, timeout=DEADLINE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.home,
                               env={"PATH": f"{self.programs}:{os.environ['PATH']}", "HOME": str(self.home),
                                    "LANG": "C.UTF-8", **variables})
        stream.write(struct.pack("!I", ended.returncode))
        for text in (ended.stdout, ended.stderr):
            stream.write(struct.pack("!I", len(text)) + text)
        stream.flush()


def wine_environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "WINEPREFIX")}
    return {**kept, "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml=", "LANG": "C.UTF-8",
            "HOME": os.environ.get("HOME", "/nonexistent"), **more}


class Windows:
    """An installation, and a home on it with an identity in a file."""

    def __init__(self, installation, folder, leaf):
        self.bin, self.home = installation / "bin", folder
        self.relay = Relay(folder)
        device = folder / "device.pem"
        device.touch(mode=0o600)
        device.write_text(leaf.chain_text() + leaf.key.read_text())
        self.configure(f"[[store]]\nkind = \"file\"\npath = '{windows_path(device)}'\n")
        self.programs = folder / "programs"  # what is on PATH besides Windows' own
        self.programs.mkdir()
        self.variables = {"DEVTRUST_CONFIG": windows_path(folder / "config.toml"), "USERPROFILE": windows_path(folder),
                          "WINEPATH": windows_path(self.programs), "GIT_CONFIG_GLOBAL": windows_path(folder / ".gitconfig"),
                          "DEVTRUST_RELAY": str(self.relay.port)}

    def configure(self, text):
        (self.home / "config.toml").write_text(text)

    def install(self, program, name):
        """A program on PATH."""
        shutil.copy(program, self.programs / f"{name}.exe")

    def environment(self, **more):
        return wine_environment(**self.variables, **more)

    def argv(self, program, *arguments):
        return [os.environ["DEVTRUST_WINE"], str(self.bin / f"{program}.exe"), *map(str, arguments)]

    def start(self, argv, data=b"", **variables):
        return subprocess.run(argv, input=data, check=False, timeout=DEADLINE, cwd=self.home, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.environment(**variables))

    def run(self, program, *arguments, **options):
        return self.start(self.argv(program, *arguments), **options)

    def devtrust(self, *arguments, code=0, **variables):
        """What `devtrust` says, on standard output and standard error."""
        ended = self.run("devtrust", *arguments, **variables)
        said = (ended.stdout + ended.stderr).decode()
        assert ended.returncode == code, said
        return said

    def sign(self, data, *arguments, user="devtrust:jumpcloud", how="-bsau"):
        ended = self.run("devtrust-smimesign", "--status-fd=2", *arguments, how, user, data=data)
        return Answer(ended, STATUS.findall(ended.stderr))

    def verify(self, signature, data):
        path = self.home / "message.sig"
        path.write_bytes(signature)
        ended = self.run("devtrust-smimesign", "--status-fd=1", "--verify", windows_path(path), "-", data=data)
        return Answer(ended, STATUS.findall(ended.stdout))


@pytest.fixture(scope="session", autouse=True)
def wine():
    """Starts it, which takes longer than a program in it may."""
    subprocess.run([os.environ["DEVTRUST_WINE"], "cmd", "/c", "exit"], check=True, timeout=300, env=wine_environment(),
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def session_folder():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="devtrust-windows-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def pki(session_folder):
    return Pki(session_folder / "pki")


@pytest.fixture(scope="session")
def leaf(pki):
    return pki.issue()


@pytest.fixture(scope="session")
def installation(session_folder):
    """As `cmake --install` lays it out; with a space in its name, as in `Program Files`."""
    folder = session_folder / "Program Files"
    for name in ("bin", "lib/pkcs11", "lib/ossl-modules"):
        (folder / name).mkdir(parents=True)
    for program in os.environ["DEVTRUST_PROGRAMS"].split(":"):
        shutil.copy(program, folder / "bin")
    shutil.copy(os.environ["DEVTRUST_MODULE"], folder / "lib/pkcs11")
    shutil.copy(os.environ["DEVTRUST_PROVIDER"], folder / "lib/ossl-modules")
    return folder


@pytest.fixture
def windows(session_folder, installation, leaf):
    machine = Windows(installation, pathlib.Path(tempfile.mkdtemp(prefix="Jürgen ", dir=session_folder)), leaf)
    yield machine
    machine.relay.close()


@pytest.fixture
def hold_my(windows, session_folder):
    """Puts an identity into this user's MY store for the test, in a CSP or in CNG; the home's file is not looked at."""
    holders = []

    def hold(leaf, cng=False):
        windows.configure("[[store]]\nkind = \"windows\"\n")
        environment = wine_environment()
        if cng:  # a double answers for it, beside each program
            place = pathlib.Path(tempfile.mkdtemp(dir=session_folder))  # OpenSSL finds a provider by plain names alone
            environment["NCRYPT_DOUBLE_KEYS"] = windows.variables["NCRYPT_DOUBLE_KEYS"] = windows_path(place)
            windows.bin = shutil.copytree(windows.bin.parent, place / "devtrust") / "bin"
            for folder in (windows.bin, windows.programs):
                shutil.copy(os.environ["DEVTRUST_NCRYPT_DOUBLE"], folder)
        held = subprocess.Popen([os.environ["DEVTRUST_WINE"], os.environ["DEVTRUST_MY_STORE"], "cng" if cng else "csp",
                                 *map(windows_path, [leaf.certificate, leaf.key, *leaf.issuers])],
                                env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        holders.append(held)
        assert held.stdout.readline().strip() == b"ready"
        return windows

    yield hold
    for held in holders:
        held.stdin.close()
        assert held.wait(DEADLINE) == 0
        held.stdout.close()


@pytest.fixture
def my(hold_my, leaf):
    """With the same identity in MY, its key in a CSP."""
    return hold_my(leaf)


@pytest.fixture
def git(windows):
    """git on PATH: this system's, by the relay."""
    windows.install(os.environ["DEVTRUST_RELAY"], "git")
    return windows
