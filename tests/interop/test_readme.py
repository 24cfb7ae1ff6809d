"""README.md's lines from nothing to a signed commit, as they stand there; and its picture, which shows them."""

import html
import os
import pathlib
import sys

import pytest

from programs import run

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


def test_the_picture_shows_these_lines():
    picture = html.unescape((SOURCE / "docs/terminal.svg").read_text())
    for command in commands():
        assert f">$ {command}</text>" in picture, f"`./dev picture` draws it anew: {command} is not there"
    assert "Good signature from" in picture
