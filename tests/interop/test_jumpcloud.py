"""conf/jumpcloud: each script on a simulated machine, by its one line and its exit code."""

import os
import pathlib
import re
import shutil

import pytest

from machine import as_root
from programs import run
from test_fleet import STATES, expected, few, fleet, kinds, make_machine  # noqa: F401 (fixtures)

SCRIPTS = pathlib.Path(os.environ["DEVTRUST_SOURCE"]) / "conf/jumpcloud"
BUILD = pathlib.Path(os.environ["DEVTRUST_BUILD_TREE"])


@pytest.fixture
def script(programs):
    def run_on(machine, name, *arguments, path=None, **variables):
        """The exit code and the line."""
        ended = machine.root([SCRIPTS / f"{name}.sh", *arguments], variables={"PATH": path or f"{programs}:{os.environ['PATH']}", **variables})
        assert ended.stdout.count("\n") == 1, ended.stdout
        return ended.returncode, ended.stdout.rstrip("\n")

    return run_on


def test_check_counts_the_states(fleet, kinds, script):
    of_state = {state: [name for name in sorted(fleet.users) if expected(fleet, kinds, name)[0] == state] for state in STATES}
    parts = []
    for state in ("expired", "misconfigured", "locked", "renewal-overdue"):
        names = of_state[state]
        assert len(names) > 5
        parts.append(f"{len(names)} {state} ({', '.join(names[:5])}, ...)")
    parts += [f"{len(of_state[state])} {state}" for state in ("usable", "not-found")]
    assert script(fleet, "check") == (STATES["expired"], "devtrust: 200 users: " + ", ".join(parts))


@pytest.mark.parametrize("people, code, line", [
    (["renewed-2-days-ago"], 0, "devtrust: 1 user: 1 usable"),
    (["never-enrolled", "emptied"], 2, "devtrust: 2 users: 2 not-found"),
    (["renewed-2-days-ago", "renewed-22-days-ago"], 4, "devtrust: 2 users: 1 renewal-overdue (user1), 1 usable"),
    ([], 2, "devtrust: 0 users"),
], ids=["usable", "none", "overdue", "nobody"])
def test_check_in_a_line(few, script, people, code, line):
    for number, kind in enumerate(people):
        few.person(f"user{number}", kind)
    assert script(few.ready(), "check") == (code, line)


def git_config(home):
    return run([*as_root(), "cat", f"{home}/.gitconfig"], check=False).stdout


def test_set_up_and_removal_for_everybody(few, kinds, script):
    for name, kind in (("alice", "renewed-2-days-ago"), ("bob", "never-enrolled"), ("carol", "renewed-22-days-ago")):
        few.person(name, kind)
    (few.homes["carol"] / ".gitconfig").write_text("[user]\n\tname = Carol\n")
    few.ready()
    for _ in range(2):
        assert script(few, "setup") == (0, "devtrust: git set up for 2 users, 1 without a certificate")
    assert "signingKey = devtrust:jumpcloud" in git_config(few.homes["alice"]).replace('"', "")
    assert run([*as_root(), "stat", "-c", "%u", few.homes["alice"] / ".gitconfig"]).stdout == f"{few.users['alice']}\n"
    assert git_config(few.homes["carol"]).startswith("[user]\n\tname = Carol\n")
    assert "No such file" in git_config(few.homes["bob"])

    code, line = script(few, "remove")
    assert code == 1 and re.fullmatch(r"devtrust: not removed: .*/devtrust is of no package: it was installed by hand", line)
    assert "No such file" in git_config(few.homes["alice"]) and "No such file" in git_config(few.homes["bob"])
    assert git_config(few.homes["carol"]) == "[user]\n\tname = Carol\n"


def test_set_up_says_for_whom_it_failed(few, kinds, script):
    few.person("alice")
    few.person("bob", "configuration")
    few.person("carol")
    (few.homes["carol"] / ".gitconfig").write_text("[user\n")
    code, line = script(few.ready(), "setup", "git")
    assert code == 2
    assert re.fullmatch(r"devtrust: git set up for 1 user, 0 without a certificate, failed for 2: bob \(misconfigured\); "
                        r"carol \(git: devtrust: git cannot read .*: mend it first; nothing was changed\)", line), line
    for arguments, variables in ((["git", "nonsense"], {}), ([], {"DEVTRUST_TARGETS": "git nonsense"})):
        code, line = script(few, "setup", *arguments, **variables)
        assert code == 2 and 'alice (nonsense: devtrust: there is nothing to set up for "nonsense"' in line


def test_removal_stops_where_something_cannot_be_undone(few, kinds, script):
    few.person("alice")
    few.person("bob")
    (few.homes["bob"] / ".gitconfig").write_text("# <<< devtrust setup git\n")
    code, line = script(few.ready(), "remove")
    assert code == 1 and re.fullmatch(r"devtrust: not removed: what was set up for 1 user cannot be undone: bob \(devtrust: .*: one of the two comments .*\)", line), line
    code, line = script(few, "remove", DEVTRUST_FORCE="yes")
    assert code == 1 and line.endswith("is of no package: it was installed by hand"), "it went on"


@pytest.mark.parametrize("name, code, line", [
    ("check", 1, "devtrust: not installed"),
    ("setup", 1, "devtrust: nothing was set up: devtrust is not installed"),
    ("remove", 0, "devtrust: not there"),
])
def test_where_devtrust_is_not(few, kinds, script, folder, name, code, line):
    for tool in ("bash", "env"):
        (folder / tool).symlink_to(shutil.which(tool))
    # The scripts look into these places themselves: nothing is there on this machine.
    few.person("alice")
    ended = few.ready().copy(["sh", "-c", f'rm -f /usr/local/bin/devtrust /usr/bin/devtrust; PATH={folder}:/usr/bin:/bin exec "$0"', SCRIPTS / f"{name}.sh"],
                             seen=few.folder)
    assert (ended.returncode, ended.stdout) == (code, line + "\n")


@pytest.mark.parametrize("name", ["install", "setup", "remove"])
def test_they_are_for_root(fleet, programs, name):
    uid = fleet.users["p000"]
    ended = fleet.root(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", SCRIPTS / f"{name}.sh"])
    assert ended.returncode == 1 and ended.stdout.endswith("this has to run as root\n")


@pytest.fixture(scope="module")
def package(session_folder):
    folder = session_folder / "package"
    run(["cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", folder], home=session_folder, timeout=300)
    (path,) = folder.glob("*.deb")
    return path


LIFE = """
set -u
step() { echo "== $*"; "$@"; echo "-> $?"; }
step "$1/install.sh" "$2"
step "$1/setup.sh"
step "$1/check.sh"
step "$1/remove.sh"
step "$1/check.sh"
"""


def test_a_devices_life(few, kinds, package, session_folder):
    """From the package to its removal, on a copy of this system; dpkg and apt-get do what they always do."""
    few.person("alice")
    few.person("bob", "never-enrolled")
    shutil.copytree(SCRIPTS, few.folder / "scripts")
    shutil.copy(package, few.folder / "devtrust.deb")
    ended = few.ready().copy(["bash", "-c", LIFE, "bash", few.folder / "scripts", few.folder / "devtrust.deb"], seen=few.folder, timeout=120)
    steps = re.findall(r"== \S+/(\w+)(?:\.sh)?.*\n(.*)\n-> (\d+)\n", ended.stdout)
    assert [(name, code) for name, _, code in steps] == \
        [("install", "0"), ("setup", "0"), ("check", "0"), ("remove", "0"), ("check", "1")], ended.stdout
    assert steps.pop()[1] == "devtrust: not installed"
    said = {name: line for name, line, _ in steps}
    assert re.fullmatch(r"devtrust \d+\.\d+\.\d+: installed", said["install"])
    assert said["setup"] == "devtrust: git set up for 1 user, 1 without a certificate"
    assert said["check"] == "devtrust: 2 users: 1 usable, 1 not-found"
    assert said["remove"] == "devtrust: removed, undone for 2 users"
    assert "No such file" in git_config(few.homes["alice"])


@pytest.mark.parametrize("arguments, said", [
    (["/nonexistent/devtrust.deb"], "there is no file /nonexistent/devtrust.deb"),
    (["http://packages.example/devtrust.deb"], "http://packages.example/devtrust.deb is not fetched, since only https://"),
    (["https://localhost:1/devtrust.deb"], "https://localhost:1/devtrust.deb cannot be fetched: curl: (7) "),
    (["FILE", "0" * 64], "the file is not the one whose SHA-256 is 0000"),
    (["FILE"], "E: "),
    (["devtrust-of-nobody"], "E: Unable to locate package devtrust-of-nobody"),
    (["devtrust-of-nobody", "0" * 64], "a SHA-256 is for a file, and devtrust-of-nobody is a name"),
], ids=["missing", "http", "unreachable", "sum", "damaged", "unknown", "name"])
def test_what_is_not_installed(few, kinds, arguments, said):
    damaged = few.folder / "devtrust.deb"
    damaged.write_text("no package")
    arguments = [str(damaged) if argument == "FILE" else argument for argument in arguments]
    ended = few.ready().copy([SCRIPTS / "install.sh", *arguments], seen=few.folder, variables={"NO_PROXY": "*", "no_proxy": "*"})
    assert ended.returncode == 1 and ended.stdout.startswith(f"devtrust: not installed: {said}") and ended.stdout.count("\n") == 1, ended.stdout
