"""devtrust setup gpgsm: gpgsm and git then sign with the device's key, and again after a renewal; and doctor on it."""

import os
import subprocess

import pytest

from programs import give_away, run, with_mounts
from test_command import Command
from test_doctor import Doctor, find
from test_setup_git import files

NAMES = ["gpg-agent.conf", "gnupg-pkcs11-scd.conf", "gpgsm.conf", "trustlist.txt"]
LEARN = "gpgconf --kill gpg-agent && gpgsm --learn-card"


@pytest.fixture
def home(make_home):
    home = make_home("rsa:2048", fresh=True)
    yield home
    home.run(["gpgconf", "--kill", "all"], check=False)


@pytest.fixture
def devtrust(programs, home):
    return Command(programs / "devtrust", home)


def set_up(devtrust, *options, **more):
    ended = devtrust.run("setup", "gpgsm", *options, **more)
    assert ended.returncode == 0, ended.stdout
    return " ".join(ended.stdout.split())


def refused(devtrust, home, reason, **more):
    before = files(home)
    ended = devtrust.run("setup", "gpgsm", **more)
    assert ended.returncode == 1 and reason in " ".join(ended.stdout.split()), ended.stdout
    assert files(home) == before


def follow(home, command, **variables):
    """As a shell runs what we say."""
    return home.run(["sh", "-c", command], variables=variables).stdout


def sha1(leaf):
    return leaf.sha1().upper()


@pytest.fixture
def sign(home, programs):
    """git commit -S by gpgsm, and what gpgsm and our own program then say of it."""
    repository = home.folder / "repository"
    home.run(["git", "init", "-q", repository])
    home.write(".config/devtrust/roots.pem", home.leaf.issuers[-1].read_text())

    def git(*arguments, program="gpgsm", check=True):
        return home.run(["git", "-C", repository, "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "gpg.format=x509",
                         "-c", f"gpg.x509.program={program}", *arguments], check=check)

    def commit(key, check=True):
        made = git("-c", f"user.signingKey={key}", "commit", "-q", "--allow-empty", "-S", "-m", "m", check=check)
        if not check:
            return made
        good = git("verify-commit", "HEAD").stdout
        assert "Good signature" in good, good
        # Some of GnuPG 2.2's card signatures have a zero byte too many, which gpgsm passes over and OpenSSL does not:
        # another message is another signature.
        for attempt in range(30):
            ours = git("verify-commit", "HEAD", program=programs / "devtrust-smimesign", check=False)
            if ours.returncode == 0:
                break
            git("-c", f"user.signingKey={key}", "commit", "-q", "--allow-empty", "--amend", "-S", "-m", f"m{attempt}")
        assert "Good signature" in ours.stdout and ours.returncode == 0, ours.stdout
        return made

    return commit


def test_git_signs_by_gpgsm(devtrust, home, sign):
    said = set_up(devtrust)
    assert LEARN in said and sha1(home.leaf.__class__(home.leaf.issuers[-1], None, "", [])) in said, said
    follow(home, LEARN)
    sign(sha1(home.leaf))


def test_after_a_renewal_it_is_learned_again(devtrust, home, pki, sign):
    set_up(devtrust)
    follow(home, LEARN)
    sign(sha1(home.leaf))
    old = home.leaf
    home.renew(pki)
    home.database.remove(old.name)
    give_away(home.folder)
    assert sign(sha1(home.leaf), check=False).returncode != 0
    follow(home, LEARN)
    sign(sha1(home.leaf))


def test_dry_run_is_a_diff(devtrust, home):
    before = files(home)
    said = devtrust.run("setup", "gpgsm", "--dry-run").stdout
    assert files(home) == before and [name for name in NAMES if f"+++ {home.folder}/.gnupg/{name}" in said.splitlines()] == NAMES
    set_up(devtrust)
    before = files(home)
    devtrust.run("setup", "gpgsm", "--dry-run")
    assert files(home) == before


def test_a_running_agent_takes_notice(devtrust, home):
    follow(home, "mkdir -m 700 .gnupg && gpg-connect-agent /bye")
    set_up(devtrust)
    follow(home, LEARN)
    assert sha1(home.leaf) in follow(home, "gpgsm --with-colons -K")


def test_without_trust(devtrust, home):
    set_up(devtrust, "--no-trust")
    assert sorted(path.name for path in (home.folder / ".gnupg").iterdir()) == sorted(NAMES[:2])


def test_its_folder_is_the_users_alone(devtrust, home):
    set_up(devtrust)
    folder = home.folder / ".gnupg"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_gnupghome(devtrust, home):
    set_up(devtrust, variables={"GNUPGHOME": home.folder / "mine"})
    assert sorted(path.name for path in (home.folder / "mine").iterdir()) == sorted(NAMES)
    assert not (home.folder / ".gnupg").exists()


def test_what_the_user_has_comes_back_to_the_byte(devtrust, home):
    for name, text in zip(NAMES, ("default-cache-ttl 60\n", "# mine\n", "armor", "# roots\n")):
        home.write(f".gnupg/{name}", text)
    before = files(home)
    set_up(devtrust)
    assert "include-default" not in (home.folder / ".gnupg/trustlist.txt").read_text()
    between = files(home)
    assert "Already set up" in set_up(devtrust) and files(home) == between
    devtrust.run("unsetup", "gpgsm")
    assert files(home) == before


def test_a_root_that_the_user_names_is_left_to_him(devtrust, home):
    root = home.leaf.issuers[-1]
    colons = run(["openssl", "x509", "-in", root, "-noout", "-fingerprint", "-sha1"]).stdout.strip().split("=")[1]
    for line in (f"{colons} S\n", f"!{colons.lower()}\n", f"  ! {colons.replace(':', '')} S relax\n"):
        home.write(".gnupg/trustlist.txt", line)
        set_up(devtrust)
        assert (home.folder / ".gnupg/trustlist.txt").read_text() == line


@pytest.mark.parametrize("name, text, reason", [
    ("gpg-agent.conf", "scdaemon-program /opt/mine\n", 'sets scdaemon-program to "/opt/mine"'),
    ("gpg-agent.conf", "  disable-scdaemon\n", "has disable-scdaemon"),
    ("gpg-agent.conf", "no-such-option\n", "gpg-agent cannot read"),
    ("gpgsm.conf", "no-such-option\n", "gpgsm cannot read"),
    ("gnupg-pkcs11-scd.conf", "providers mine\nprovider-mine-library /opt/mine.so\n", 'sets providers to "mine"'),
    ("trustlist.txt", "# <<< devtrust setup gpgsm\n", "one of the two comments"),
])
def test_what_stands_in_the_way_is_refused(devtrust, home, name, text, reason):
    home.write(f".gnupg/{name}", text)
    (home.folder / ".gnupg").chmod(0o700)
    refused(devtrust, home, reason)


def test_another_kind_of_key_is_refused(programs, make_home):
    home = make_home("ec:P-256", fresh=True)
    refused(Command(programs / "devtrust", home), home, "offers RSA keys only")


@pytest.fixture
def no_gnupg(folder):
    """A PATH with nothing of GnuPG's."""
    (folder / "setpriv").symlink_to("/usr/bin/setpriv")
    return folder


def test_without_the_card_daemon(devtrust, home, no_gnupg):
    refused(devtrust, home, "gnupg-pkcs11-scd is not installed: install it first", variables={"PATH": no_gnupg})


def test_of_the_whole_machine(programs, home, folder):
    etc = folder / "etc"
    subprocess.run(["cp", "-a", "/etc", etc], check=os.geteuid() == 0)  # others may not read all of it
    before = sorted(str(path) for path in etc.rglob("*") if path.is_file())
    give_away(home.folder)
    subprocess.run(["chown", "-R", f"{os.geteuid()}:{os.getegid()}", home.folder], check=True)
    as_root = lambda *argv: run(with_mounts({"/etc": etc}, argv), home=home.folder)
    as_root(programs / "devtrust", "setup", "gpgsm", "--system")
    try:
        as_root("sh", "-c", LEARN)
        signed = as_root("sh", "-c", f"echo data | gpgsm --detach-sign --armor -u 0x{sha1(home.leaf)}").stdout
        assert "BEGIN SIGNED MESSAGE" in signed
    finally:
        as_root("gpgconf", "--kill", "all")
    as_root(programs / "devtrust", "unsetup", "gpgsm", "--system")
    assert sorted(str(path) for path in etc.rglob("*") if path.is_file()) == before


# --- doctor ---


def test_doctor_until_all_is_well(programs, home, pki):
    doctor = Doctor(programs / "devtrust", home)

    def line(message):
        return find(doctor.lines(), "gpgsm", message)

    def cure(message, finding="problem"):
        found = line(message)
        assert found[0] == finding, found
        path = f"{programs}:{os.environ['PATH']}"
        follow(home, found[3], PATH=path)

    gnupg = home.folder / ".gnupg"
    cure("^does not offer the device's key", "off")
    cure("^has not learned the current certificate")
    assert line("^offers the device's key")[0] == "ok"
    old = home.leaf
    home.renew(pki)
    home.database.remove(old.name)
    give_away(home.folder)
    cure("^has not learned the current certificate")
    assert line("^offers the device's key")[0] == "ok"
    text = (gnupg / "gnupg-pkcs11-scd.conf").read_text()
    home.write(".gnupg/gnupg-pkcs11-scd.conf", text.replace("/devtrust-pkcs11.so", "/gone.so"))
    cure("^is to load .*/gone.so, which is not there")
    home.write(".gnupg/trustlist.txt", "# >>> devtrust setup gpgsm: taken away by `devtrust unsetup gpgsm`\n# <<< devtrust setup gpgsm\n")
    cure("^does not trust the root of the certificate's chain, \"JumpCloud Production")
    assert line("^offers the device's key")[0] == "ok"
    agent = (gnupg / "gpg-agent.conf").read_text()
    home.write(".gnupg/gpg-agent.conf", "scdaemon-program /usr/lib/gnupg/scdaemon\n")
    assert "take that scdaemon-program out" in line("^uses another card daemon, /usr/lib/gnupg/scdaemon")[3]
    home.write(".gnupg/gpg-agent.conf", agent)
    assert line("^offers the device's key")[0] == "ok"
    settings = (gnupg / "gpgsm.conf").read_text()
    home.write(".gnupg/gpgsm.conf", settings + "digest-algo NOSUCH\n")
    assert line("^does not start with its configuration: .*digest algorithm is invalid")[3] == "mend that file first"
    home.write(".gnupg/gpgsm.conf", settings)
    assert line("^offers the device's key")[0] == "ok"


def test_doctor_without_the_card_daemon(programs, home, no_gnupg):
    doctor = Doctor(programs / "devtrust", home)
    assert find(doctor.lines(variables={"PATH": no_gnupg}), "gpgsm", "^gnupg-pkcs11-scd is not installed")[0] == "off"
    (no_gnupg / "gnupg-pkcs11-scd").symlink_to("/usr/bin/gnupg-pkcs11-scd")
    assert find(doctor.lines(variables={"PATH": no_gnupg}), "gpgsm", "^is not installed")[0] == "off"


def test_doctor_of_another_kind_of_key(programs, make_home):
    doctor = Doctor(programs / "devtrust", make_home("ec:P-256"))
    assert find(doctor.lines(), "gpgsm", "^cannot use the device's key")[0] == "off"
