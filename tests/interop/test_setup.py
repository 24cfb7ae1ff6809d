"""devtrust setup and unsetup, for all targets but git: the exact change, once, back to the byte, and the real program then
uses the device's key."""

import os
import pathlib
import subprocess

import pytest

from programs import Account, run, uri, with_mounts
from test_openssh import prepare_sshd
from test_setup_git import devtrust, files, home  # noqa: F401 - two are fixtures

PROVIDER = "  devtrust\n"


@pytest.fixture
def account(home, folder):
    return Account(home, folder)


def settled(account, program, target, what="setup", **variables):
    return account.run([program, what, target], **variables).stdout


TARGETS = {
    "p11-kit": [".config/pkcs11/modules/devtrust.module"],
    "openssl": [".config/devtrust/openssl.cnf", ".config/environment.d/devtrust.conf", ".profile"],
    "ssh": [".ssh/config"],
}
targets = pytest.mark.parametrize("target", TARGETS)


@targets
def test_once_and_back_to_nothing(account, devtrust, home, target):
    before = files(home)
    said = settled(account, devtrust.program, target).replace("\n", " ")
    added = sorted(set(files(home)) - set(before))
    assert [name for name in added if name != ".config/devtrust"] == sorted(TARGETS[target])
    assert all(str(home.folder / name) in said for name in TARGETS[target]), said
    between = files(home)
    assert "Already set up: nothing was changed." in settled(account, devtrust.program, target)
    assert account.run([devtrust.program, "setup", target, "--dry-run"]).stdout == ""
    assert files(home) == between
    settled(account, devtrust.program, target, "unsetup")
    assert files(home) == before
    assert "Nothing of devtrust's was there" in settled(account, devtrust.program, target, "unsetup")


@pytest.mark.parametrize("text", ["", "# mine\nexport A=1\n", "# mine\nexport A=1", "\n\n"], ids=["empty", "lines", "no-newline", "blank"])
@pytest.mark.parametrize("target, name", [("openssl", ".profile"), ("openssl", ".config/environment.d/devtrust.conf")])
def test_a_file_of_the_users_comes_back_to_the_byte(account, devtrust, home, target, name, text):
    home.write(name, text).chmod(0o640)
    before = files(home)
    settled(account, devtrust.program, target)
    assert (home.folder / name).read_text().startswith(text) and (home.folder / name).stat().st_mode & 0o777 == 0o640
    settled(account, devtrust.program, target, "unsetup")
    assert files(home) == before


@targets
def test_dry_run_is_a_diff_of_just_that(account, devtrust, home, folder, target):
    before = files(home)
    diff = account.run([devtrust.program, "setup", target, "--dry-run"]).stdout
    assert files(home) == before
    copy = folder / "copy"
    subprocess.run(["cp", "-a", home.folder, copy], check=True)
    lines = [line.replace(str(home.folder), str(copy), 1) if line.startswith("+++ ") else line for line in diff.split("\n")]
    subprocess.run(["patch", "-s", "-p0", "-d/"], input="\n".join(lines), text=True, check=True)
    settled(account, devtrust.program, target)
    for name in TARGETS[target]:
        assert (copy / name).read_bytes() == (home.folder / name).read_bytes()


def test_all_that_are_installed(account, devtrust, home, folder):
    tools = folder / "tools"
    tools.mkdir()
    for name in ("ssh", "p11-kit", "env"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    said = account.run(["env", f"PATH={tools}", devtrust.program, "setup", "all"]).stdout
    made = {name for name in files(home) if not name.endswith("devtrust")}
    assert made == {*TARGETS["p11-kit"], *TARGETS["ssh"]}, said
    assert "p11-kit:\n" in said and "ssh:\n" in said and "git" not in said.split("ssh:\n")[0].split("p11-kit:\n")[0]
    nothing = "Nothing of devtrust's was there: nothing was changed."
    assert nothing not in account.run([devtrust.program, "unsetup", "all"]).stdout
    assert files(home) == {}
    assert account.run([devtrust.program, "unsetup", "all"]).stdout == nothing + "\n"


def test_nothing_set_up_by_hand_is_touched(account, devtrust, home):
    home.write(".config/pkcs11/modules/devtrust.module", "module: /opt/mine.so\n")
    home.write(".ssh/config", "Host *\n  PKCS11Provider /opt/mine.so\n").chmod(0o600)
    before = files(home)
    for target, reason in (("p11-kit", "is there, and not by `devtrust setup p11-kit`"), ("ssh", 'to "/opt/mine.so" before our lines')):
        ended = account.run([devtrust.program, "setup", target], check=False)
        assert ended.returncode == 1 and reason in ended.stdout and "nothing was changed" in ended.stdout
        account.run([devtrust.program, "unsetup", target])
        assert files(home) == before


@pytest.mark.parametrize("target, name, text, reason", [
    ("ssh", ".ssh/config", "Hots *\n", "ssh cannot read"),
    ("ssh", ".ssh/config", "# <<< devtrust setup ssh\n", "one of the two comments"),
    ("openssl", ".profile", "# <<< devtrust setup openssl\n", "one of the two comments"),
    ("p11-kit", ".config/pkcs11/modules/devtrust.module", "# <<< devtrust setup p11-kit\n", "one of the two comments"),
])
def test_a_file_that_cannot_be_parsed_is_refused(account, devtrust, home, target, name, text, reason):
    home.write(name, text).chmod(0o600)
    before = files(home)
    ended = account.run([devtrust.program, "setup", target], check=False)
    assert ended.returncode == 1 and reason in ended.stdout and name in ended.stdout, ended.stdout
    assert files(home) == before


# --- the programs ---


def test_p11_kit_then_uses_the_key(devtrust, home):
    devtrust.run("setup", "p11-kit")
    assert "JumpCloud Device Trust" in home.run(["p11-kit", "list-modules"]).stdout
    assert home.run(["p11tool", "--test-sign", uri("private")]).returncode == 0
    assert "device-trust.intermediate" in home.run(
        ["p11tool", "--list-all-trusted", "pkcs11:token=JumpCloud%20Device%20Trust"]).stdout, "GnuTLS sends no issuer otherwise"


def test_p11_kit_of_root(programs, make_home, folder):
    """Only the machine's own configuration counts for root."""
    home = make_home("ec:P-256", fresh=True)
    etc = folder / "etc"
    subprocess.run(["cp", "-a", "/etc", etc], check=os.geteuid() == 0)  # others may not read all of it
    modules = etc / "pkcs11/modules"
    modules.mkdir(parents=True, exist_ok=True)
    as_root = lambda *argv: run(with_mounts({"/etc": etc}, argv), home=home.folder, check=False)
    refused = as_root(programs / "devtrust", "setup", "p11-kit")
    assert refused.returncode == 1 and "--system" in refused.stdout and not list(modules.iterdir())
    assert as_root(programs / "devtrust", "setup", "p11-kit", "--system").returncode == 0
    assert [path.name for path in modules.iterdir()] == ["devtrust.module"]
    assert "library-manufacturer: devtrust" in as_root("p11-kit", "list-modules").stdout
    assert as_root(programs / "devtrust", "unsetup", "p11-kit", "--system").returncode == 0
    assert not list(modules.iterdir())


def test_openssl_then_uses_the_key_after_a_login(devtrust, home):
    devtrust.run("setup", "openssl", variables={"SHELL": "/bin/bash"})
    key = ["openssl", "pkey", "-in", "devtrust:", "-pubout"]
    assert home.run(["sh", "-c", '. ./.profile; exec "$@"', "sh", *key]).stdout == home.leaf.public_key().read_text()
    session = dict(line.split("=", 1) for line in (home.folder / TARGETS["openssl"][1]).read_text().splitlines() if line[0] != "#")
    assert home.run(key, variables=session).stdout == home.leaf.public_key().read_text()
    # with our provider gone, all else goes on
    text = (home.folder / TARGETS["openssl"][0]).read_text()
    home.write("gone.cnf", text.replace("/devtrust.so", "/gone.so"))
    assert "default" in home.run(["openssl", "list", "-providers"], variables={"OPENSSL_CONF": home.folder / "gone.cnf"}).stdout


@pytest.mark.parametrize("shell, files_there, expected", [
    ("/bin/bash", [], ".profile"), ("/bin/bash", [".bash_login", ".profile"], ".bash_login"),
    ("/bin/bash", [".bash_profile", ".bash_login"], ".bash_profile"), ("/usr/bin/zsh", [".profile"], ".zprofile"),
    ("/bin/sh", [".bash_profile"], ".profile")])
def test_the_file_that_the_login_shell_reads(devtrust, home, shell, files_there, expected):
    for name in files_there:
        home.write(name, "# mine\n")
    before = files(home)
    devtrust.run("setup", "openssl", variables={"SHELL": shell})
    told = [name for name in files(home) if name.startswith(".") and "/" not in name and
            "OPENSSL_CONF" in (home.folder / name).read_text()]
    assert told == [expected]
    said = devtrust.run("unsetup", "openssl", variables={"SHELL": "/bin/other"}).stdout
    assert files(home) == before
    assert [name for name in files_there if f"{home.folder}/{name}:" in said] == [name for name in told if name in files_there]


CONFIGURATIONS = {
    "the system's": pathlib.Path("/etc/ssl/openssl.cnf").read_text(),
    "other names": "openssl_conf = mine\n[mine]\nproviders = all of them\n[all of them]\nlegacy = legacy_sect\n[legacy_sect]\nactivate = 1\n",
    "no providers": "openssl_conf = mine\n[mine]\nssl_conf = ssl\n[ssl]\nsystem_default = d\n[d]\nMinProtocol = TLSv1.2\n",
    "nothing": "",
    "no newline": "openssl_conf = mine\n[mine]\nproviders = p\n[p]\ndefault = d\n[d]\nactivate = 1",
}


@pytest.mark.parametrize("text", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_configuration_that_openssl_conf_names(devtrust, home, text):
    variables = {"OPENSSL_CONF": home.write("mine.cnf", text)}
    before = files(home)
    ended = devtrust.run("setup", "openssl", variables=variables)
    assert ended.returncode == 0, ended.stdout
    assert set(files(home)) == set(before)
    providers = home.run(["openssl", "list", "-providers"], variables=variables).stdout
    assert PROVIDER in providers and "  default\n" in providers and ("legacy" in text) == ("  legacy\n" in providers)
    between = files(home)
    assert "Already set up" in devtrust.run("setup", "openssl", variables=variables).stdout and files(home) == between
    devtrust.run("unsetup", "openssl", variables=variables)
    assert files(home) == before


def test_a_configuration_that_openssl_cannot_read(devtrust, home):
    variables = {"OPENSSL_CONF": home.write("mine.cnf", "[never closed\n")}
    before = files(home)
    ended = devtrust.run("setup", "openssl", variables=variables)
    assert ended.returncode == 1 and "cannot be read by OpenSSL (line 1)" in ended.stdout and files(home) == before


def test_openssl_of_the_whole_machine(programs, make_home, folder):
    etc = folder / "ssl"
    subprocess.run(["cp", "-a", "/etc/ssl", etc], check=True)
    before = (etc / "openssl.cnf").read_bytes()
    home = make_home("ec:P-256", fresh=True)
    as_root = lambda *argv: run(with_mounts({"/etc/ssl": etc}, argv), home=home.folder)
    as_root(programs / "devtrust", "setup", "openssl", "--system")
    assert PROVIDER in as_root("openssl", "list", "-providers").stdout
    assert (etc / "openssl.cnf").read_bytes().startswith(before)
    as_root(programs / "devtrust", "unsetup", "all", "--system")
    assert (etc / "openssl.cnf").read_bytes() == before


def test_ssh_then_logs_in(programs, home, folder):
    """Into a real sshd, over a pipe: as the user that runs the tests, since sshd lets nobody else in."""
    account = Account(home, folder, uid=0)
    sftp = ["sftp", "-o", f"ProxyCommand={prepare_sshd(home)}", "-o",
            f"UserKnownHostsFile={home.folder}/known_hosts", "-o", "BatchMode=yes", "-b", "/dev/null", "device"]
    subprocess.run(["chown", "-R", f"{os.geteuid()}:{os.getegid()}", home.folder], check=True)
    account.run([programs / "devtrust", "setup", "ssh"])
    account.run(sftp)
    account.run([programs / "devtrust", "unsetup", "ssh"])
    assert account.run(sftp, check=False).returncode != 0


def test_sshs_folder_is_the_users_alone(account, devtrust, home):
    account.run(["sh", "-c", 'umask 002; exec "$@"', "sh", devtrust.program, "setup", "ssh"])
    assert (home.folder / ".ssh").stat().st_mode & 0o777 == 0o700
    assert (home.folder / ".ssh/config").stat().st_mode & 0o777 == 0o600


def test_ssh_of_the_whole_machine(programs, folder, make_home):
    etc = folder / "ssh"
    subprocess.run(["cp", "-a", "/etc/ssh", etc], check=True)
    (etc / "ssh_config.d").mkdir(exist_ok=True)
    before = sorted(str(path) for path in etc.rglob("*"))
    home = make_home("ec:P-256", fresh=True)
    as_root = lambda *argv: run(with_mounts({"/etc/ssh": etc}, argv), home=home.folder)
    as_root(programs / "devtrust", "setup", "ssh", "--system")
    assert (etc / "ssh_config.d/devtrust.conf").stat().st_mode & 0o777 == 0o644
    assert "/devtrust-pkcs11.so" in as_root("ssh", "-G", "-F", "/etc/ssh/ssh_config", "host").stdout
    as_root(programs / "devtrust", "unsetup", "ssh", "--system")
    assert sorted(str(path) for path in etc.rglob("*")) == before
