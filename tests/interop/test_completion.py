"""What TAB offers in bash and zsh, and that the man pages know every command and option."""

import os
import pathlib
import re

import pytest

from programs import on_a_terminal, run

SOURCE = pathlib.Path(os.environ["DEVTRUST_SOURCE"])
COMPLETIONS = SOURCE / "conf/completions"
MANUALS = {name: SOURCE / f"docs/man/{name}.1" for name in ("devtrust", "devtrust-smimesign")}


@pytest.fixture
def home(make_home):
    return make_home("ec:P-256")


@pytest.fixture
def offered(home, programs):
    def offers(*words, program="devtrust"):
        lines = home.run([programs / program, "__complete", *words]).stdout.splitlines()
        return [line.split("\t")[0] for line in lines]

    return offers


COMMANDS = ["list", "status", "doctor", "setup", "unsetup", "sign", "verify", "pem", "uri", "exec"]


@pytest.mark.parametrize("words, expected", [
    ([""], COMMANDS),
    (["s"], ["status", "setup", "sign"]),
    (["--"], ["--help", "--version", "--help-all"]),
    (["setup", ""], ["all", "chromium", "curl", "firefox", "git", "gpgsm", "openssl", "p11-kit", "ssh"]),
    (["unsetup", ""], ["all", "chromium", "curl", "firefox", "git", "gpgsm", "openssl", "p11-kit", "ssh"]),
    (["unsetup", "x", "--"], ["--help", "--help-all", "--dry-run", "--system"]),
    (["status", "--profile", "j"], ["jumpcloud"]),
    (["status", "-p", "j"], ["jumpcloud"]),
    (["status", "--profile=j"], ["--profile=jumpcloud"]),
    (["status", "--profile=x"], []),
    (["status", "--nonsense=x"], []),
    (["status", "--pro"], ["--profile", "--prometheus"]),
    (["status", "--all"], ["--all-users"]),
    (["status", "--timeout", ""], []),
    (["pem", "-o", "fol"], [":folders"]),
    (["pem", "--output=fol"], []),
    (["verify", "--policy", "x"], [":files"]),
    (["verify", "--range", "--policy", "x"], [":files"]),  # the range is called --policy
    (["verify", "x"], [":files"]),
    (["exec", "--", "l"], [":commands"]),
    (["exec", "--", "-"], [":commands"]),
    (["list", "x"], []),
    ([], []),
    (["nonsense", "s"], ["status", "setup", "sign"]),
], ids=" ".join)
def test_offers(offered, words, expected):
    assert sorted(offered(*words)) == sorted(expected)


def test_profiles_of_a_broken_configuration(home, programs):
    config = home.write("broken.toml", "nonsense = 1")
    ended = home.run([programs / "devtrust", "__complete", "status", "-p", ""], variables={"DEVTRUST_CONFIG": config})
    assert ended.stdout == "" and ended.returncode == 0


def test_offers_of_smimesign(offered):
    assert offered("--deta", program="devtrust-smimesign") == ["--detach-sign"]
    assert offered("--verify", "x", program="devtrust-smimesign") == [":files"]


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"source {COMPLETIONS}/devtrust.bash"),
    "zsh": (["zsh", "-f", "-i"], f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -D -u"),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("typed, ran", [
    (b"devtrust stat\t-p jump\t\n", "valid"),
    (b"devtrust status --profile=jump\t\n", "valid"),
    (b"devtrust set\tgi\t--dry\t\n", "signingKey"),
    (b"devtrust-smimesign --list\t\n", "Emails:"),
    (b"devtrust exec -- openss\tversion\n", "OpenSSL 3"),
    (b"devtrust verify 'a fi\t\n", "the signature has no block|the signature is damaged"),
], ids=["value", "equals", "target", "smimesign", "command", "file"])
def test_in_the_shell(home, programs, shell, typed, ran):
    home.write("a file", "no signature")
    argv, prepare = SHELLS[shell]
    said, _ = on_a_terminal(argv, home=home.folder, cwd=home.folder, PATH=f"{programs}:{os.environ['PATH']}", PS1="first> ",
                            answer=["first> ", f"{prepare}; PS1=n'ow> '\n".encode(), "now> ", typed,
                                    f"(?s)now> .*({ran}).*now> ", b"exit\n"])
    assert re.search(ran, said), said


def help_of(programs, program):
    text = run([programs / program, "--help-all" if program == "devtrust" else "--help"]).stdout
    return set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", text)), text


@pytest.mark.parametrize("program", MANUALS)
def test_the_manual_has_every_option_and_no_other(programs, program):
    manual = MANUALS[program].read_text().replace("\\-", "-")
    # Another program's own options are no options of ours.
    documented = set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", re.sub(r"(?ms)^\.EX.*?^\.EE", "", manual)))
    offered, _ = help_of(programs, program)
    assert documented == offered, documented ^ offered


def test_the_manual_has_every_command(programs):
    manual = MANUALS["devtrust"].read_text()
    section = manual[manual.index(".SH COMMANDS"):manual.index(".SH OPTIONS")]
    assert re.findall(r"^\.TP\n\.BI? ([a-z]+)", section, re.M) == COMMANDS


@pytest.mark.parametrize("program", MANUALS)
def test_the_manual_is_well_formed(program):
    said = run(["groff", "-man", "-Tutf8", "-ww", "-z", MANUALS[program]]).stdout
    assert said == ""
