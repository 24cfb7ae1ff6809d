"""devtrust setup git and unsetup git: the exact change, once, and back to the byte."""

import os
import re
import subprocess

import pytest

from programs import as_user, environment, give_away, run
from stores import Pki
from test_command import Command

BEGIN = "# >>> devtrust setup git: taken away by `devtrust unsetup git`"
END = "# <<< devtrust setup git\n"
HAND_WRITTEN = "# mine\n[user]\n\tname = A. Committer\n\temail = a@example.com\n[alias]\n\tci = commit\n"


@pytest.fixture
def home(make_home):
    return make_home("ec:P-256", fresh=True)


@pytest.fixture
def devtrust(programs, home):
    return Command(programs / "devtrust", home)


def settings(home, path=".gitconfig"):
    text = home.run(["git", "config", "--file", home.folder / path, "--list"]).stdout
    return dict(line.split("=", 1) for line in text.splitlines())


def files(home):
    """All that is in the home but the NSS database; of folders devtrust's own."""
    found = {}
    for path in sorted(home.folder.rglob("*")):
        if ".pki" not in path.parts and path.is_file():
            found[str(path.relative_to(home.folder))] = (path.read_bytes(), path.stat().st_mode)
        elif path.name == "devtrust":
            found[str(path.relative_to(home.folder))] = (b"", "folder")
    return found


def sha256(certificate):
    return run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"]).stdout.strip().split("=")[1]


def test_sets_up(devtrust, home, pki):
    ended = devtrust.run("setup", "git")
    assert ended.returncode == 0, ended.stdout
    program = str(devtrust.program.with_name("devtrust-smimesign"))
    assert settings(home) == {"gpg.format": "x509", "gpg.x509.program": program, "user.signingkey": "devtrust:jumpcloud"}
    roots = home.folder / ".config/devtrust/roots.pem"
    assert pki.root.certificate.read_text() in roots.read_text()
    assert roots.read_text().count("BEGIN CERTIFICATE") == 1
    assert roots.stat().st_mode & 0o777 == 0o644
    for said in (f"gpg.x509.program = {program}", sha256(pki.root.certificate), "now counts as good for you", "git commit -S"):
        assert said in ended.stdout.replace("\n", " "), said


def test_twice_changes_nothing(devtrust, home):
    devtrust.run("setup", "git")
    before = files(home)
    ended = devtrust.run("setup", "git")
    assert ended.returncode == 0 and "Already set up: nothing was changed." in ended.stdout
    assert files(home) == before
    assert devtrust.run("setup", "git", "--dry-run").stdout == ""


def test_all_that_was_set_up_is_undone(devtrust, home):
    home.write(".gitconfig", HAND_WRITTEN)
    before = files(home)
    devtrust.run("setup", "git")
    assert f"-{BEGIN}" in devtrust.run("unsetup", "all", "--dry-run").stdout
    ended = devtrust.run("unsetup", "all")
    assert ended.returncode == 0 and files(home) == before, ended.stdout
    home.write(".gitconfig", END)
    ended = devtrust.run("unsetup", "all")
    assert ended.returncode == 1 and "by hand" in ended.stdout


def test_a_target_that_is_none(devtrust):
    for command in (("setup", "gti"), ("unsetup", "gti")):
        ended = devtrust.run(*command)
        assert ended.returncode == 1 and f'nothing to set up for "{command[1]}": known are git, p11-kit' in ended.stdout


@pytest.mark.parametrize("text", [None, "", HAND_WRITTEN, HAND_WRITTEN[:-1], HAND_WRITTEN.replace("\n", "\r\n"),
                                  HAND_WRITTEN + "[gpg]\n\tformat = openpgp\n[user]\n\tsigningkey = ABCD\n", "\n\n\n"],
                         ids=["none", "empty", "lines", "no-newline", "crlf", "other-signing", "blank"])
def test_undone_to_the_byte(devtrust, home, text):
    if text is not None:
        home.write(".gitconfig", text).chmod(0o640)
    before = files(home)
    assert devtrust.run("setup", "git").returncode == 0
    assert settings(home)["gpg.format"] == "x509" and settings(home)["user.signingkey"] == "devtrust:jumpcloud"
    if text:
        assert (home.folder / ".gitconfig").read_bytes().startswith(text.encode())
    ended = devtrust.run("unsetup", "git")
    assert ended.returncode == 0, ended.stdout
    assert files(home) == before
    ended = devtrust.run("unsetup", "git")
    assert ended.returncode == 0 and "Nothing of devtrust's was there" in ended.stdout
    assert files(home) == before


@pytest.mark.parametrize("text", [None, "", HAND_WRITTEN, HAND_WRITTEN[:-1]], ids=["none", "empty", "lines", "no-newline"])
@pytest.mark.parametrize("what", ["setup", "unsetup"])
def test_dry_run_is_a_diff_of_just_that(devtrust, home, folder, text, what):
    if text is not None:
        home.write(".gitconfig", text)
    if what == "unsetup":
        devtrust.run("setup", "git")
    before = files(home)
    diff = devtrust.run(what, "git", "--dry-run").stdout
    assert files(home) == before
    copy = folder / "copy"
    subprocess.run(["cp", "-a", home.folder, copy], check=True)
    patch = diff.replace(str(home.folder), str(copy))
    subprocess.run(["patch", "-s", "-p0", "-d/"], input=patch, text=True, check=True)
    devtrust.run(what, "git")
    after = {name: content for name, (content, _) in files(home).items()}

    class Copy:
        pass

    Copy.folder = copy
    assert {name: content for name, (content, _) in files(Copy).items() if not name.endswith(".orig")} == after


def test_says_what_is_passed_over(devtrust, home):
    home.write(".gitconfig", HAND_WRITTEN + "[gpg]\n\tformat = ssh\n[user]\n\tsigningkey = ~/.ssh/id.pub\n")
    said = devtrust.run("setup", "git").stdout
    assert 'note: gpg.format was "ssh"; `devtrust unsetup git` brings it back' in said
    assert 'note: user.signingKey was "~/.ssh/id.pub"' in said


def test_what_git_adds_between_our_lines_stays(devtrust, home):
    home.write(".gitconfig", "[core]\n\tabbrev = 9\n")
    devtrust.run("setup", "git")
    for key, value in (("user.name", "Late Comer"), ("gpg.minTrustLevel", "fully"), ("core.pager", "cat")):
        home.run(["git", "config", "--global", key, value])
    assert devtrust.run("setup", "git").stdout.startswith("Already set up")
    devtrust.run("unsetup", "git")
    assert settings(home) == {"core.abbrev": "9", "user.name": "Late Comer", "gpg.mintrustlevel": "fully", "core.pager": "cat"}
    assert "devtrust" not in (home.folder / ".gitconfig").read_text()


def test_a_value_that_the_user_changed_stays(devtrust, home):
    devtrust.run("setup", "git")
    home.run(["git", "config", "--global", "user.signingkey", "0xABCDEF01"])
    devtrust.run("unsetup", "git")
    assert settings(home) == {"user.signingkey": "0xABCDEF01"}


def test_changed_values_are_set_again(devtrust, home):
    devtrust.run("setup", "git")
    home.run(["git", "config", "--global", "gpg.x509.program", "/usr/bin/old"])
    assert devtrust.run("setup", "git").returncode == 0
    assert settings(home)["gpg.x509.program"] == str(devtrust.program.with_name("devtrust-smimesign"))


@pytest.mark.parametrize("changed", [("gpg.x509.program", "/usr/bin/old"), ("user.signingKey", "0xABCDEF01")])
def test_what_stands_between_our_lines_outlives_a_change_of_them(devtrust, home, changed):
    """git writes into the last section of a name, which is ours where there was none."""
    devtrust.run("setup", "git")
    for key, value in (("user.name", "Late Comer"), ("core.pager", "cat"), changed):
        home.run(["git", "config", "--global", key, value])
    ended = devtrust.run("setup", "git", "-p", "okta")
    assert ended.returncode == 0 and f'note: {changed[0]} was "{changed[1]}"' in ended.stdout.replace("\n", " ")
    now = settings(home)
    assert now["user.signingkey"] == "devtrust:okta" and now["gpg.x509.program"].endswith("/devtrust-smimesign")
    assert now["user.name"] == "Late Comer" and now["core.pager"] == "cat"
    assert devtrust.run("setup", "git", "-p", "okta").stdout.startswith("Already set up")
    devtrust.run("unsetup", "git")
    assert settings(home) == {"user.name": "Late Comer", "core.pager": "cat", changed[0].lower(): changed[1]}


def test_overridden_behind_our_lines(devtrust, home):
    devtrust.run("setup", "git")
    path = home.folder / ".gitconfig"
    home.write(".gitconfig", path.read_text() + "[user]\n\tsigningkey = other\n")
    before = files(home)
    ended = devtrust.run("setup", "git")
    assert ended.returncode == 1 and files(home) == before
    assert 'user.signingKey is set again behind our lines' in ended.stdout and 'to "other"' in ended.stdout


@pytest.mark.parametrize("text, expected", [
    ("[user\n", "bad config line 1"), ("[user]\nname = \"unfinished\n", "bad config line 2"),
    (f"{BEGIN}\n[gpg]\n", "one of the two comments"), (END, "one of the two comments"),
])
def test_refuses_what_it_cannot_parse(devtrust, home, text, expected):
    home.write(".gitconfig", text)
    before = files(home)
    ended = devtrust.run("setup", "git")
    assert ended.returncode == 1 and files(home) == before
    assert expected in ended.stdout and ".gitconfig" in ended.stdout


def test_a_linked_file_stays_a_link(devtrust, home):
    home.write("dotfiles/gitconfig", HAND_WRITTEN)
    (home.folder / ".gitconfig").symlink_to("dotfiles/gitconfig")
    devtrust.run("setup", "git")
    assert (home.folder / ".gitconfig").is_symlink()
    assert BEGIN in (home.folder / "dotfiles/gitconfig").read_text()
    devtrust.run("unsetup", "git")
    assert (home.folder / "dotfiles/gitconfig").read_text() == HAND_WRITTEN


def test_a_link_that_leads_nowhere_yet(devtrust, home):
    (home.folder / ".gitconfig").symlink_to("dot/gitconfig")
    assert devtrust.run("setup", "git").returncode == 0
    assert (home.folder / ".gitconfig").is_symlink() and BEGIN in (home.folder / "dot/gitconfig").read_text()
    devtrust.run("unsetup", "git")
    assert (home.folder / ".gitconfig").is_symlink() and not (home.folder / "dot/gitconfig").exists()


@pytest.mark.parametrize("path", ["own", "folder/own"])
def test_a_file_that_is_named_from_where_we_are(devtrust, home, path):
    variables = {"GIT_CONFIG_GLOBAL": path}
    ended = home.run(["sh", "-c", 'cd "$HOME" && exec "$0" setup git', devtrust.program], check=False, variables=variables)
    assert ended.returncode == 0 and BEGIN in (home.folder / path).read_text(), ended.stdout


def test_what_is_no_file_is_left_alone(devtrust, home):
    """GIT_CONFIG_GLOBAL=/dev/null is what CI systems set, where we may be root; a pipe would keep us waiting."""
    pipe = home.folder / "pipe"
    os.mkfifo(pipe)
    for path in ("/dev/null", pipe):
        for what in ("setup", "unsetup"):
            ended = devtrust.run(what, "git", "--no-trust" if what == "setup" else "--dry-run", variables={"GIT_CONFIG_GLOBAL": path})
            assert ended.returncode == 1 and f"{path} is not a regular file" in ended.stdout, ended.stdout
    assert pipe.is_fifo()


def test_all_or_nothing(devtrust, home):
    """Where the second file cannot be written, the first one is as it was."""
    home.write(".gitconfig", HAND_WRITTEN)
    (home.folder / ".config/devtrust").mkdir(parents=True)
    give_away(home.folder)
    (home.folder / ".config/devtrust").chmod(0o555)
    before = files(home)
    ended = devtrust.run("setup", "git")
    (home.folder / ".config/devtrust").chmod(0o755)
    assert ended.returncode == 1 and "roots.pem cannot be written: Permission denied" in ended.stdout
    assert files(home) == before


def test_without_a_folder_for_temporary_files(devtrust, home):
    for arguments in (["setup", "git"], ["doctor"], ["exec", "--", "true"]):
        ended = devtrust.run(*arguments, variables={"TMPDIR": "/dev/null/none"})
        assert "an error of its own" not in ended.stdout, ended.stdout
    assert devtrust.run("exec", "--", "true", variables={"TMPDIR": "/dev/null/none"}).returncode == 0


def test_dry_run_says_what_to_know_beside_the_diff(devtrust, home):
    home.write(".gitconfig", "[gpg]\n\tformat = ssh\n")
    shown = subprocess.run(as_user([str(devtrust.program), "setup", "git", "--dry-run"]), env=environment(home.folder), check=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "note: gpg.format was" in shown.stderr and "now counts as good" in shown.stderr.replace("\n", " ")
    assert "note:" not in shown.stdout and shown.stdout.startswith("--- ")


def test_the_xdg_file(devtrust, home):
    home.write(".config/git/config", HAND_WRITTEN)
    devtrust.run("setup", "git")
    assert settings(home, ".config/git/config")["gpg.format"] == "x509"
    assert not (home.folder / ".gitconfig").exists()
    devtrust.run("unsetup", "git")
    assert (home.folder / ".config/git/config").read_text() == HAND_WRITTEN


def test_a_lock_of_another_program(devtrust, home):
    home.write(".gitconfig", HAND_WRITTEN)
    home.write(".gitconfig.lock", "")
    before = files(home)
    ended = devtrust.run("setup", "git")
    assert ended.returncode == 1 and files(home) == before
    assert ".gitconfig.lock is there, so another program is changing" in ended.stdout


def test_a_folder_that_is_read_only(devtrust, home):
    home.write(".gitconfig", HAND_WRITTEN)
    home.folder.chmod(0o555)
    ended = devtrust.run("setup", "git")
    home.folder.chmod(0o755)
    assert ended.returncode == 1 and "cannot be written: Permission denied" in ended.stdout


def test_no_trust(devtrust, home):
    ended = devtrust.run("setup", "git", "--no-trust")
    assert ended.returncode == 0 and "SHA-256" not in ended.stdout
    assert list(files(home)) == [".gitconfig"]


def test_roots_of_the_users_own_stay(devtrust, home, pki, folder):
    other = Pki(folder / "other").root.certificate.read_text()
    home.write(".config/devtrust/roots.pem", other)
    devtrust.run("setup", "git")
    text = (home.folder / ".config/devtrust/roots.pem").read_text()
    assert text.startswith(other) and pki.root.certificate.read_text() in text
    devtrust.run("unsetup", "git")
    assert (home.folder / ".config/devtrust/roots.pem").read_text() == other


def test_a_root_that_is_there_is_not_added(devtrust, home, pki):
    home.write(".config/devtrust/roots.pem", pki.root.certificate.read_text())
    devtrust.run("setup", "git")
    assert (home.folder / ".config/devtrust/roots.pem").read_text() == pki.root.certificate.read_text()


def test_a_second_root_is_added_to_the_first(devtrust, home, pki, folder):
    devtrust.run("setup", "git")
    other = Pki(folder / "other", "ec:P-256")
    home.renew(other, "ec:P-256")
    assert devtrust.run("setup", "git").returncode == 0
    text = (home.folder / ".config/devtrust/roots.pem").read_text()
    assert pki.root.certificate.read_text() in text and other.root.certificate.read_text() in text
    devtrust.run("unsetup", "git")
    assert files(home) == {}


def test_roots_that_the_configuration_has_elsewhere(devtrust, home):
    home.write(".config/devtrust/config.toml", '[verify]\nroots = ["~/own.pem"]\n')
    before = files(home)
    ended = devtrust.run("setup", "git")
    assert ended.returncode == 1 and files(home) == before
    assert "names other files than" in ended.stdout and "--no-trust" in ended.stdout
    assert devtrust.run("setup", "git", "--no-trust").returncode == 0


def test_a_chain_without_a_root(devtrust, make_home, programs, pki):
    home = make_home("ec:P-256", fresh=True)
    home.database.certutil("-D", "-n", "JumpCloud Production Device Identification Root CA")
    give_away(home.folder)
    ended = Command(programs / "devtrust", home).run("setup", "git")
    assert ended.returncode == 0 and "the store holds no root" in ended.stdout
    assert list(files(home)) == [".gitconfig"]


def test_before_there_is_a_certificate(devtrust, home):
    home.database.remove(home.leaf.name)
    give_away(home.folder)
    ended = devtrust.run("setup", "git")
    assert ended.returncode == 1 and "no device-trust certificate was found" in ended.stdout
    ended = devtrust.run("setup", "git", "-p", "jumpcloud")
    assert ended.returncode == 0 and "note: signing has to wait: no certificate" in ended.stdout
    assert settings(home)["user.signingkey"] == "devtrust:jumpcloud"
    assert devtrust.run("setup", "git", "-p", "nobody").returncode == 1


def test_for_the_system(devtrust, home, folder):
    """git's own variable names the file that would be /etc/gitconfig. The roots would go to /etc: not here."""
    folder.chmod(0o777)
    path = folder / "gitconfig"
    ended = devtrust.run("setup", "git", "--system", "--no-trust", variables={"GIT_CONFIG_SYSTEM": path})
    assert ended.returncode == 0, ended.stdout
    assert BEGIN in path.read_text()
    assert devtrust.run("unsetup", "git", "--system", variables={"GIT_CONFIG_SYSTEM": path}).returncode == 0
    assert not path.exists()


def test_another_users_file(devtrust, home, folder):
    path = folder / "gitconfig"
    path.write_text(HAND_WRITTEN)
    path.chmod(0o666)
    folder.chmod(0o777)
    ended = devtrust.run("setup", "git", "--system", "--no-trust", variables={"GIT_CONFIG_SYSTEM": path})
    assert ended.returncode == 1 and "belongs to another user" in ended.stdout
    assert path.read_text() == HAND_WRITTEN


def test_without_git(devtrust, home, folder):
    ended = home.run(["env", f"PATH={folder}", devtrust.program, "setup", "git"], check=False)
    assert ended.returncode == 1 and "git cannot be started: No such file or directory: install git first" in ended.stdout


def test_an_unknown_target(devtrust):
    for what in ("setup", "unsetup"):
        ended = devtrust.run(what, "subversion")
        assert ended.returncode == 1 and 'there is nothing to set up for "subversion": known are git, p11-kit' in ended.stdout


# As root of a user namespace, with an /etc of the test's own in a mount namespace: git's and our files are where they are.
IN_ANOTHER_ETC = """
mount --bind "$1" /etc
shift
devtrust=$1
umask 077
"$devtrust" setup git --system
[ "$(stat -c %a /etc/gitconfig /etc/devtrust/roots.pem | sort -u)" = 644 ]
[ "$(stat -c %a /etc/devtrust)" = 755 ]
git -c user.name=A -c user.email=a@example.com commit -q -S --allow-empty -m signed
[ "$(git log -1 --format=%G?)" = G ]
cat /etc/gitconfig /etc/devtrust/roots.pem
"$devtrust" unsetup git --system
[ ! -e /etc/devtrust ]
[ "$(cat /etc/gitconfig)" = "# the administrator's" ]
"""


def test_for_every_user(devtrust, home, pki, folder):
    etc = folder / "etc"
    etc.mkdir()
    (etc / "gitconfig").write_text("# the administrator's\n")
    give_away(etc)
    home.run(["git", "init", "-q", "."])
    before = files(home)
    ended = home.run(["unshare", "--map-root-user", "--mount", "sh", "-exc", IN_ANOTHER_ETC, "sh", etc, devtrust.program], check=False)
    assert ended.returncode == 0, ended.stdout
    assert "now counts as good for every user here" in ended.stdout.replace("\n", " ")
    assert pki.root.certificate.read_text() in ended.stdout and 'signingKey = "devtrust:jumpcloud"' in ended.stdout
    assert [name for name in files(home) if name not in before and not name.startswith(".git/")] == []
