"""A store's password: from the configuration, by pinentry, on the terminal, or not at all."""

import re

import pytest

from programs import on_a_terminal
from signing import Smimesign
from test_smimesign import DATA, SUBJECT

PASSWORD = "correct horse %41 battery"


@pytest.fixture
def home(make_home):
    return make_home("ec:P-256", password=PASSWORD)


@pytest.fixture
def signer(programs, home, pki):
    program = Smimesign(programs / "devtrust-smimesign", home)
    program.trust(pki.root.certificate)
    return program


@pytest.fixture
def no_pinentry(folder):
    """A PATH without one."""
    return {"PATH": str(folder)}


def only(folder, **programs):
    """A PATH that has nothing but these."""
    for name, path in programs.items():
        (folder / name).symlink_to(path)
    return {"PATH": str(folder)}


def sign_at(signer, variables, *answer):
    """Signs at a terminal, and what was said there; the message and the signature are files."""
    home = signer.home
    path = home.write("message", DATA)
    script = f"exec env PATH={variables['PATH']} {signer.program} --status-fd=2 -bsau devtrust: {path} >message.sig"
    said, code = on_a_terminal(["sh", "-c", script], home.folder, home.folder, answer=answer)
    return said, code, (home.folder / "message.sig").read_bytes()


def test_a_pin_source_asks_nobody(make_home, programs, pki):
    home = make_home("ec:P-256", password="secret", fresh=True)
    home.write("pin", "secret\n").chmod(0o600)
    home.write(".config/devtrust/config.toml", '[[store]]\nkind = "nss"\npath = "~/.pki/nssdb"\npin_source = "file:~/pin"\n')
    signer = Smimesign(programs / "devtrust-smimesign", home)
    signer.trust(pki.root.certificate)
    answer = signer.sign(DATA)
    assert answer.code == 0, answer.said
    assert signer.verify(answer.output, DATA).code == 0


def test_the_terminal(signer, no_pinentry):
    said, code, signature = sign_at(signer, no_pinentry, r"Password: $", PASSWORD.encode() + b"\n")
    assert code == 0, said
    assert "The password of" in said and ".pki/nssdb, where the device's key lies" in said
    assert PASSWORD not in said
    assert signer.verify(signature, DATA).line("GOODSIG").endswith(SUBJECT)


def test_the_terminal_asks_again(signer, no_pinentry):
    said, code, signature = sign_at(signer, no_pinentry, r"Password: $", b"wrong\n", r"not the password of .*\s+Password: $",
                                    PASSWORD.encode() + b"\n")
    assert code == 0, said
    assert signature


def test_three_wrong_passwords(signer, no_pinentry):
    again = r"not the password of[^\r]*\r\nPassword: $"
    said, code, signature = sign_at(signer, no_pinentry, r"Password: $", b"a\n", again, b"b\n", again, b"c\n")
    assert code == 1 and signature == b""
    assert said.count("Password:") == 3 and "SIG_CREATED" not in said


def test_the_end_of_input_cancels(signer, no_pinentry):
    said, code, signature = sign_at(signer, no_pinentry, r"Password: $", b"\x04")
    assert code == 1 and signature == b""
    assert "was not given: cancelled" in said


@pytest.mark.parametrize("key", [b"\x03", b"\x1c"], ids=["Ctrl-C", "Ctrl-\\"])
def test_an_interrupt_cancels_and_leaves_the_echo_on(signer, no_pinentry, key):
    home = signer.home
    path = home.write("message", DATA)
    script = (f"trap : INT QUIT; env PATH={no_pinentry['PATH']} {signer.program} --status-fd=2 -bsau devtrust: {path} >message.sig\n"
              "echo ended $?; stty -a | grep -ow -e '-\\?echo'")
    said, _ = on_a_terminal(["bash", "-c", script], home.folder, home.folder, answer=(r"Password: $", key))
    assert "was not given: cancelled" in said and "ended 1" in said and re.search(r"(?<!-)echo\s*$", said), said


def test_pinentry(signer, folder):
    variables = only(folder, pinentry="/usr/bin/pinentry-tty")
    said, code, signature = sign_at(signer, variables, r"Password:\s*$", PASSWORD.encode() + b"\n")
    assert code == 0, said
    assert "where the device's key lies" in said and PASSWORD not in said
    assert signer.verify(signature, DATA).code == 0


def test_pinentry_asks_again(signer, folder):
    variables = only(folder, pinentry="/usr/bin/pinentry-tty")
    said, code, signature = sign_at(signer, variables, r"Password:\s*$", b"wrong\n", r"This is not the password[\s\S]*Password:\s*$",
                                    PASSWORD.encode() + b"\n")
    assert code == 0 and signature, said


@pytest.mark.parametrize("pinentry", ["/bin/false", "/bin/cat", "/nonexistent"])
def test_a_pinentry_that_is_none(signer, folder, pinentry):
    said, code, signature = sign_at(signer, only(folder, pinentry=pinentry), r"Password: $", PASSWORD.encode() + b"\n")
    assert code == 0 and signature, said


def test_nobody_to_ask(signer, no_pinentry, folder):
    variables = only(folder, setsid="/usr/bin/setsid")
    ended = signer.home.run(["setsid", "-w", "env", f"PATH={variables['PATH']}", signer.program, "-bsau", "devtrust:"], check=False)
    assert ended.returncode == 1
    assert "needs its password, and there is neither a pinentry nor a terminal to ask for it: name a pin_source" in ended.stdout
    ended = signer.home.run(["setsid", "-w", signer.program, "-bsau", "devtrust:"], check=False)  # with a pinentry that has no terminal
    assert ended.returncode == 1 and "name a pin_source" in ended.stdout
