"""README.md's lines from nothing to a signed commit, as they stand there; and its picture, which shows them."""

import html
import os
import pathlib
import re
import sys

import pytest

from programs import Account, give_away, run
from test_openssh import prepare_sshd

SOURCE = pathlib.Path(os.environ["DEVTRUST_SOURCE"])
sys.path.insert(0, str(SOURCE / "demo"))
from picture import commands  # noqa: E402

BUILD = pathlib.Path(os.environ["DEVTRUST_BUILD_TREE"])


@pytest.fixture
def installed(folder):
    """As `./dev install --prefix` does it."""
    run(["cmake", "--install", BUILD, "--prefix", folder / "prefix"], home=folder)
    return folder / "prefix"


def test_from_nothing_to_a_signed_commit(installed, make_home, pki):
    home = make_home("rsa:2048", fresh=True)
    path = {"PATH": f"{installed}/bin:{os.environ['PATH']}"}
    home.write(".gitconfig", "[user]\n\tname = Alice\n\temail = alice@example.com\n")
    home.run(["git", "init", "-q", "."])

    def as_written():
        return "".join(home.run(["sh", "-c", command], variables=path).stdout for command in commands())

    said = as_written()
    assert "* JumpCloud Device Trust Certificate" in said
    assert "Good signature from" in said
    verdicts = ["git", "log", "--format=%G?%GS"]
    assert home.run(verdicts, variables=path).stdout.split("CN=")[0] == "G"
    leaf = home.renew(pki)
    assert "Good signature from" in as_written()
    lines = home.run(verdicts, variables=path).stdout.splitlines()
    assert [line[0] for line in lines] == ["G", "G"] and leaf.name in lines[0] and leaf.name not in lines[1]


def block(beginning):
    """README's lines that begin so."""
    (found,) = [text for text in re.findall(r"```sh\n(.*?)```", (SOURCE / "README.md").read_text(), re.S)
                if text.startswith(beginning)]
    assert len(found.splitlines()) <= 3, found
    return found.splitlines()


def login_shell(account, installed, line, **variables):
    """As after a login, but for /etc/profile, which takes our PATH away."""
    return account.run(["sh", "-c", f"test ! -e ~/.profile || . ~/.profile; {line}"], **{"PATH": f"{installed}/bin:{os.environ['PATH']}", **variables}).stdout


def test_a_curl_login(installed, make_home, folder, pki, web_pki, root_server):
    home = make_home("ec:P-256", fresh=True)
    account = Account(home, folder)
    setup, login = block("devtrust setup openssl")
    login_shell(account, installed, setup)
    login = login.replace("https://portal.example/", f"https://localhost:{root_server.port}/")
    assert f"client SUCCESS {home.leaf.sha1()}\n" in login_shell(account, installed, login,
                                                                  CURL_CA_BUNDLE=str(web_pki.root.certificate))


def test_an_ssh_login(installed, make_home, folder):
    """Into a real sshd, over a pipe: as the user that runs the tests, since sshd lets nobody else in."""
    home = make_home("ec:P-256", fresh=True)
    account = Account(home, folder, uid=0)
    sshd = prepare_sshd(home, "echo logged in")
    home.write(".ssh/config", f"Host server.example\n  ProxyCommand {sshd}\n  HostKeyAlias device\n  BatchMode yes\n"
               f"  UserKnownHostsFile {home.folder}/known_hosts\n").chmod(0o600)
    run(["chown", "-R", f"{os.geteuid()}:{os.getegid()}", home.folder])
    setup, login = block("devtrust setup ssh")
    with pytest.raises(AssertionError, match="Permission denied"):
        login_shell(account, installed, login)
    login_shell(account, installed, setup)
    assert login_shell(account, installed, login).endswith("logged in\n")


def test_a_browser_login(installed, make_home, folder):
    """tests/browsers goes on from there, with the browsers themselves."""
    home = make_home("ec:P-256", fresh=True)
    (home.folder / ".pki").rename(home.folder / "device")
    home.write(".config/devtrust/config.toml", f'[[store]]\nkind = "nss"\npath = "{home.folder}/device/nssdb"\n')
    home.write(".mozilla/firefox/profiles.ini", "[Profile0]\nName=a\nIsRelative=1\nPath=a\n")
    home.write(".mozilla/firefox/a/times.json", "{}")
    give_away(home.folder)
    account = Account(home, folder)
    for line, database in zip(block("devtrust setup chromium"), (".pki/nssdb", ".mozilla/firefox/a"), strict=True):
        login_shell(account, installed, line)
        assert "name=devtrust" in (home.folder / database / "pkcs11.txt").read_text()


def test_the_picture_shows_these_lines():
    picture = html.unescape((SOURCE / "docs/terminal.svg").read_text())
    for command in commands():
        assert f">$ {command}</text>" in picture, f"`./dev picture` draws it anew: {command} is not there"
    assert "Good signature from" in picture
