"""devtrust setup firefox and chromium: the module in the databases that browsers read, by NSS's own word, and back to the
byte. tests/browsers has the browsers themselves."""

import contextlib
import socket
import subprocess
import sys

import pytest

from conftest import Home
from programs import run
from stores import TOKEN_LABEL, NssDatabase
from test_doctor import Doctor, find
from test_setup_git import devtrust, files  # noqa: F401 - one is a fixture

PROFILES = "[Install1]\nDefault=a.default\n\n[Profile0]\nName=a\nIsRelative=1\nPath=a.default\n\n[Profile1]\nName=b\nIsRelative=0\nPath={b}\n"
OFFERED = f"\n{TOKEN_LABEL}:{TOKEN_LABEL} "
MODULE = 'name="devtrust"'
SHARED = ".pki/nssdb"
NOTHING = "Nothing of devtrust's was there"
HAND_WRITTEN = "# mine\nlibrary=/opt/mine.so\nname=Mine\nNSS=slotParams=(1={askpw=any})\n\n"


@pytest.fixture
def home(folder, pki):
    """The identity is in a database that no browser reads; two profiles of Firefox, and Chromium was used."""
    home = Home(folder / "home", "ec:P-256", pki.issue("ec:P-256"), "")
    (home.folder / ".pki").rename(home.folder / "device")
    home.write(".config/devtrust/config.toml", f'[[store]]\nkind = "nss"\npath = "{home.folder}/device/nssdb"\n')
    home.write(".config/chromium/First Run", "")
    for name in ("a.default", "b"):
        NssDatabase(home.folder / ".mozilla/firefox" / name)
    home.write(".mozilla/firefox/profiles.ini", PROFILES.format(b=home.folder / ".mozilla/firefox/b"))
    return home


DATABASES = {"firefox": [".mozilla/firefox/a.default", ".mozilla/firefox/b"], "chromium": [SHARED]}
targets = pytest.mark.parametrize("target", DATABASES)


def offered(home, database):
    """What NSS finds on all tokens when it opens the database."""
    return home.run(["certutil", "-L", "-d", f"sql:{home.folder / database}", "-h", "all"]).stdout


def modules(home, database):
    return home.run(["modutil", "-dbdir", f"sql:{home.folder / database}", "-rawlist"]).stdout


def succeeds(devtrust, *arguments):
    ended = devtrust.run(*arguments)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def refused(devtrust, home, reason, *arguments):
    before = files(home)
    ended = devtrust.run(*arguments)
    said = " ".join(ended.stdout.split())
    assert ended.returncode == 1 and reason in said, said
    assert files(home) == before
    return said


@targets
def test_nss_then_offers_the_certificate(devtrust, home, target):
    if target == "chromium":
        NssDatabase(home.folder / SHARED)
        home.write("mine", "")
    assert all(OFFERED not in offered(home, database) for database in DATABASES[target])
    before = files(home), [(home.folder / database / "pkcs11.txt").read_bytes() for database in DATABASES[target]]
    said = succeeds(devtrust, "setup", target)
    for database in DATABASES[target]:
        assert OFFERED in offered(home, database)
        assert MODULE in modules(home, database) and f"{database}/pkcs11.txt" in said.replace("\n", "")
    between = files(home)
    assert "Already set up: nothing was changed." in succeeds(devtrust, "setup", target) and files(home) == between
    assert succeeds(devtrust, "setup", target, "--dry-run") == ""
    assert NOTHING not in succeeds(devtrust, "unsetup", target)
    assert (files(home), [(home.folder / database / "pkcs11.txt").read_bytes() for database in DATABASES[target]]) == before
    assert NOTHING in succeeds(devtrust, "unsetup", target)
    assert all(OFFERED not in offered(home, database) for database in DATABASES[target])


def test_before_chromiums_first_start(devtrust, home):
    """NSS makes its database around our file, and loads its own module besides."""
    succeeds(devtrust, "setup", "chromium")
    database = home.folder / SHARED
    assert [path.name for path in database.iterdir()] == ["pkcs11.txt"] and database.stat().st_mode & 0o777 == 0o700
    home.run(["certutil", "-N", "-d", f"sql:{database}", "--empty-password"])
    assert OFFERED in offered(home, SHARED) and "NSS Internal PKCS #11 Module" in modules(home, SHARED)
    succeeds(devtrust, "unsetup", "chromium")
    assert not (database / "pkcs11.txt").exists()
    assert OFFERED not in offered(home, SHARED)


def test_where_newer_chromiums_keep_it(devtrust, home):
    newer = ".local/share/pki/nssdb"
    NssDatabase(home.folder / newer)
    home.write("mine", "")
    succeeds(devtrust, "setup", "chromium")
    assert OFFERED in offered(home, newer) and not (home.folder / ".pki").exists()
    succeeds(devtrust, "unsetup", "chromium")
    assert OFFERED not in offered(home, newer)


@pytest.mark.parametrize("text", ["", "\n", "\n\n", HAND_WRITTEN, HAND_WRITTEN[:-1], HAND_WRITTEN[:-2], "# mine"])
def test_what_is_there_stays_to_the_byte(devtrust, home, text):
    path = home.write(".mozilla/firefox/b/pkcs11.txt", text)
    path.chmod(0o640)
    before = files(home)
    succeeds(devtrust, "setup", "firefox")
    assert OFFERED in offered(home, ".mozilla/firefox/b")
    assert path.read_text().endswith(text) and path.stat().st_mode & 0o777 == 0o640
    succeeds(devtrust, "unsetup", "firefox")
    assert files(home) == before


def test_modules_that_come_and_go_in_between(devtrust, home):
    """NSS rewrites the file: ours is still known, and only ours goes."""
    database = f"sql:{home.folder / '.mozilla/firefox/b'}"
    client = run(["pkg-config", "--variable=p11_module_path", "p11-kit-1"]).stdout.strip() + "/p11-kit-client.so"
    home.run(["modutil", "-dbdir", database, "-add", "before", "-libfile", client.replace("client", "trust"), "-force"])
    succeeds(devtrust, "setup", "firefox")
    home.run(["modutil", "-dbdir", database, "-add", "after", "-libfile", client, "-force"])
    home.run(["modutil", "-dbdir", database, "-delete", "before", "-force"])
    assert OFFERED in offered(home, ".mozilla/firefox/b")
    succeeds(devtrust, "unsetup", "firefox")
    listed = modules(home, ".mozilla/firefox/b")
    assert 'name="after"' in listed and MODULE not in listed


def test_a_module_that_moved_is_renewed(devtrust, home, programs):
    path = home.folder / ".mozilla/firefox/b/pkcs11.txt"
    home.write(path, "library=/gone/devtrust-pkcs11.so\nname=devtrust\n\n" + HAND_WRITTEN)
    succeeds(devtrust, "setup", "firefox")
    assert "/gone/" not in path.read_text() and OFFERED in offered(home, ".mozilla/firefox/b")
    assert path.read_text().endswith(HAND_WRITTEN)


def test_what_the_user_added_is_not_touched(devtrust, home, module):
    path = home.write(".mozilla/firefox/b/pkcs11.txt", "library=/opt/mine.so\nname=devtrust\n\n")
    refused(devtrust, home, f"{path}: \"devtrust\" is the name of another module there, /opt/mine.so", "setup", "firefox")
    assert NOTHING in succeeds(devtrust, "unsetup", "firefox")
    home.write(path, f"library={module}\nname=by hand\n\n")
    succeeds(devtrust, "setup", "firefox")
    assert path.read_text() == f"library={module}\nname=by hand\n\n"
    succeeds(devtrust, "unsetup", "firefox")
    assert path.read_text() == f"library={module}\nname=by hand\n\n"


@pytest.mark.parametrize("content", [b"library=/opt/mine.so\nwhat is this\n", b"a=\x00b\n"])
def test_a_file_that_cannot_be_parsed_is_refused(devtrust, home, content):
    path = home.write(".mozilla/firefox/b/pkcs11.txt", content)
    for what in ("setup", "unsetup"):
        refused(devtrust, home, f"{path}: line", what, "firefox")


LOCK = "import fcntl, sys; f = open(sys.argv[1], 'wb'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"


@contextlib.contextmanager
def locked(path):
    """As Firefox locks it: in a process of its own, since ours would lose the lock when it reads the file."""
    with subprocess.Popen([sys.executable, "-c", LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.stdin.close()


def test_not_while_firefox_runs(devtrust, home):
    lock = home.write(".mozilla/firefox/b/.parentlock", "")
    with locked(lock):
        said = refused(devtrust, home, "is running (process ", "setup", "firefox")
        assert f"{lock.parent} is running" in said and "close it first; nothing was changed" in said
    succeeds(devtrust, "setup", "firefox")  # the file is there, as after a crash
    with locked(lock):
        assert "Already set up" in succeeds(devtrust, "setup", "firefox")
        refused(devtrust, home, "is running (process ", "unsetup", "firefox")


def test_not_while_chromium_runs(devtrust, home):
    link = home.folder / ".config/chromium/SingletonLock"
    link.symlink_to(f"{socket.gethostname()}-1")
    refused(devtrust, home, "Chromium is running (process 1): close it first", "setup", "chromium")
    link.unlink()
    link.symlink_to("elsewhere.invalid-1")
    refused(devtrust, home, "on the machine elsewhere.invalid", "setup", "chromium")
    link.unlink()
    link.symlink_to(f"{socket.gethostname()}-4194305")  # above the kernel's highest number: it crashed
    succeeds(devtrust, "setup", "chromium")


def test_a_database_that_holds_the_certificate_is_not_given_it_twice(devtrust, home, programs):
    doctor = Doctor(programs / "devtrust", home)
    (home.folder / ".mozilla/firefox/b").rename(home.folder / "old")
    (home.folder / "device/nssdb").rename(home.folder / ".mozilla/firefox/b")
    (home.folder / ".config/devtrust/config.toml").unlink()
    said = succeeds(devtrust, "setup", "firefox").replace("\n", " ")
    assert f"{home.folder}/.mozilla/firefox/b holds the certificate itself" in said
    assert MODULE not in modules(home, ".mozilla/firefox/b") and MODULE in modules(home, ".mozilla/firefox/a.default")
    assert find(doctor.lines(), "firefox", "in all 2 profiles")[0] == "ok"
    text = (home.folder / ".mozilla/firefox/a.default/pkcs11.txt").read_text()
    home.write(".mozilla/firefox/b/pkcs11.txt", text)
    assert "shown twice" in succeeds(devtrust, "setup", "firefox").replace("\n", " ")
    cure = find(doctor.problems(), "firefox", "shown twice")[3]
    succeeds(devtrust, *cure.split()[1:])
    assert not [line for line in doctor.problems() if line[1] == "firefox"]


def test_auto_select(devtrust, home):
    line = 'user_pref("security.default_personal_cert", "Select Automatically");\n'
    profile = ".mozilla/firefox/b"
    home.write(f"{profile}/user.js", '// mine\nuser_pref("a", 1);')
    preferences = home.write(f"{profile}/prefs.js", 'user_pref("b", 2);\n')
    chosen = home.write(".mozilla/firefox/a.default/prefs.js", line)
    before = files(home)
    said = succeeds(devtrust, "setup", "firefox", "--auto-select").replace("\n", " ")
    assert "EVERY site" in said and line in (home.folder / profile / "user.js").read_text()
    assert not (home.folder / ".mozilla/firefox/a.default/user.js").exists(), "the user chose it"
    between = files(home)
    assert "Already set up" in succeeds(devtrust, "setup", "firefox", "--auto-select") and files(home) == between
    preferences.write_text(preferences.read_text() + line)  # as Firefox copies it
    succeeds(devtrust, "unsetup", "firefox")
    assert files(home) == before and chosen.read_text() == line
    refused(devtrust, home, "--auto-select is for firefox alone", "setup", "chromium", "--auto-select")


def test_what_cannot_be_set_up_is_said(devtrust, home):
    (home.folder / ".mozilla/firefox/profiles.ini").unlink()
    refused(devtrust, home, "start it once, close it", "setup", "firefox")
    home.write("snap/firefox/common/.mozilla/firefox/profiles.ini", "")
    refused(devtrust, home, "Firefox from Snap cannot load a module of this machine", "setup", "firefox")
    home.write(".var/app/org.mozilla.firefox/data", "")
    refused(devtrust, home, "docs/sandboxes.md says how it reaches the key through the user unit devtrust-p11-kit.socket", "setup", "firefox")
    home.write(".config/devtrust/config.toml", f'[[store]]\nkind = "nss"\npath = "{home.folder}/.mozilla/firefox/b"\n')
    refused(devtrust, home, "no store holds a device-trust certificate yet", "setup", "chromium")


def test_a_store_with_a_password(devtrust, home, pki, make_home):
    locked = make_home("rsa:2048", "secret")
    home.write(".config/devtrust/config.toml", f'[[store]]\nkind = "nss"\npath = "{locked.folder}/.pki/nssdb"\n')
    assert "needs a password" in succeeds(devtrust, "setup", "chromium").replace("\n", " ")


@targets
def test_doctors_cures_cure(devtrust, home, programs, target):
    doctor = Doctor(programs / "devtrust", home)
    line = find(doctor.lines(), target, "")
    assert line[0] == "off" and line[3] == f"devtrust setup {target}"
    succeeds(devtrust, *line[3].split()[1:])
    assert find(doctor.lines(), target, "")[0] == "ok"
    for database in DATABASES[target]:
        path = home.folder / database / "pkcs11.txt"
        path.write_text(path.read_text().replace("library=/", "library=/gone/"))
        line = find(doctor.problems(), target, "is to load /gone/.*, which is not there")
        succeeds(devtrust, *line[3].split()[1:])
        assert find(doctor.lines(), target, "")[0] == "ok"
