"""devtrust setup curl: the certificate as files for curl alone, which the user's service manager keeps fresh."""

import json
import os
import shlex
import subprocess

import pytest

from programs import Nginx, environment, run, wait_until
from test_command import Command
from test_setup_git import devtrust, files, home  # noqa: F401 - two are fixtures

UNITS = ".config/systemd/user/"
PEM = [".local/share/devtrust/chain.pem", ".local/share/devtrust/key.pem"]
MADE = [".config/devtrust/curlrc", UNITS + "default.target.d/devtrust-refresh.conf", UNITS + "devtrust-refresh.path",
        UNITS + "devtrust-refresh.service", UNITS + "devtrust-refresh.timer", *PEM]


def curl(home, web_pki, server, *options, **more):
    """In a session as `setup openssl` makes it."""
    variables = {"OPENSSL_CONF": home.folder / ".config/devtrust/openssl.cnf", **more.pop("variables", {})}
    return home.run(["curl", "--silent", "--show-error", "--cacert", web_pki.root.certificate, *options,
                     f"https://localhost:{server.port}/"], variables=variables, **more)


def configured(home):
    return "--config", home.folder / MADE[0]


def set_up(devtrust):
    devtrust.run("setup", "openssl", variables={"SHELL": "/bin/sh"})
    ended = devtrust.run("setup", "curl")
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def lines_of(home, unit):
    text = (home.folder / UNITS / f"devtrust-refresh.{unit}").read_text()
    return [tuple(line.split("=", 1)) for line in text.splitlines() if "=" in line and line[0] != "#"]


def refresh(home):
    """What the service runs."""
    (command,) = [value for name, value in lines_of(home, "service") if name == "ExecStart"]
    home.run(shlex.split(command))


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_curl_then_shows_the_certificate_also_after_a_renewal(make_home, programs, pki, web_pki, root_server, key):
    home = make_home(key, fresh=True)
    set_up(Command(programs / "devtrust", home))
    assert curl(home, web_pki, root_server, *configured(home)).stdout == f"client SUCCESS {home.leaf.sha1()}\n"
    home.renew(pki, key)
    refresh(home)
    assert curl(home, web_pki, root_server, *configured(home)).stdout == f"client SUCCESS {home.leaf.sha1()}\n"


def test_all_other_calls_of_curl_stay_as_they_are(devtrust, home, web_pki, root_server):
    set_up(devtrust)
    assert "400 No required SSL certificate" in curl(home, web_pki, root_server).stdout
    assert not (home.folder / ".curlrc").exists()


@pytest.mark.parametrize("options, variables", [([], {"OPENSSL_CONF": "/nonexistent"}), (["--cert", "/nonexistent"], {})],
                         ids=["no-provider", "no-files"])
def test_what_a_curlrc_would_break(devtrust, home, session_folder, web_pki, web_server, options, variables):
    """Why ~/.curlrc is left alone: curl then reaches not even a server that asks for no certificate."""
    set_up(devtrust)
    server = Nginx(session_folder / f"asks-nothing-{len(options)}", web_server)
    try:
        assert curl(home, web_pki, server, *configured(home)).stdout.startswith("client NONE")
        broken = curl(home, web_pki, server, *configured(home), *options, variables=variables, check=False)
        assert broken.returncode == 58, broken.stdout
    finally:
        server.close()


def test_once_and_back_to_nothing(devtrust, home):
    devtrust.run("setup", "openssl", variables={"SHELL": "/bin/sh"})
    before = files(home)
    said = devtrust.run("setup", "curl").stdout.replace("\n", " ")
    assert sorted(set(files(home)) - set(before)) == sorted([*MADE, ".local/share/devtrust"])
    assert f"curl --config {home.folder}/{MADE[0]} https://" in said and "from the next login on" in said
    assert (home.folder / PEM[1]).stat().st_mode & 0o777 == 0o600
    between = files(home)
    assert "Already set up: nothing was changed." in devtrust.run("setup", "curl").stdout
    assert devtrust.run("setup", "curl", "--dry-run").stdout == ""
    assert files(home) == between
    devtrust.run("unsetup", "curl")
    assert files(home) == before
    assert "Nothing of devtrust's was there" in devtrust.run("unsetup", "curl").stdout


def test_dry_run_is_a_diff_of_just_that(devtrust, home, folder):
    devtrust.run("setup", "openssl", variables={"SHELL": "/bin/sh"})
    before = files(home)
    diff = devtrust.run("setup", "curl", "--dry-run").stdout
    assert files(home) == before
    assert [line for line in diff.splitlines() if line.startswith("+++ ")] and all(
        f"+++ {home.folder}/{name}" in diff.splitlines() for name in MADE)


def test_what_has_no_effect_is_refused(devtrust, home, folder):
    before = files(home)
    ended = devtrust.run("setup", "curl")
    assert ended.returncode == 1 and "run `devtrust setup openssl` first; nothing was changed" in ended.stdout
    system = devtrust.run("setup", "curl", "--system")
    assert system.returncode == 1 and "each user's own" in system.stdout
    assert files(home) == before


@pytest.mark.parametrize("name", [PEM[0], MADE[0], MADE[3]])
def test_what_was_made_by_hand_is_not_touched(devtrust, home, name):
    home.write(name, "# mine\n")
    devtrust.run("setup", "openssl", variables={"SHELL": "/bin/sh"})
    before = files(home)
    ended = devtrust.run("setup", "curl")
    assert ended.returncode == 1 and "is there, and not by `devtrust setup curl`" in ended.stdout
    devtrust.run("unsetup", "curl")
    assert files(home) == before


def test_the_units_are_well_formed(devtrust, home):
    set_up(devtrust)
    units = [home.folder / UNITS / f"devtrust-refresh.{kind}" for kind in ("service", "path", "timer")]
    said = home.run(["systemd-analyze", "--user", "--man=no", "verify", *units],
                    variables={"XDG_RUNTIME_DIR": home.folder}).stdout
    assert "devtrust-refresh" not in said, said
    watched = [value for name, value in lines_of(home, "path") if name == "PathModified"]
    assert watched == [f"{home.folder}/.pki/nssdb/{name}" for name in ("cert9.db", "key4.db")]


def test_doctor(devtrust, home, pki):
    session = {"OPENSSL_CONF": home.folder / ".config/devtrust/openssl.cnf"}

    def line(**variables):
        return [(each["finding"], each["message"], each["cure"]) for each in
                json.loads(devtrust.run("doctor", "--json", variables=variables or session).stdout)["lines"]
                if each["subject"] == "curl"][0]

    assert line(SHELL="/bin/sh") == ("off", "has no files of the certificate", "devtrust setup curl")
    set_up(devtrust)
    assert line()[0] == "ok"
    found, message, cure = line(SHELL="/bin/sh")
    assert found == "problem" and "OpenSSL does not load the provider" in message, message
    name, value = cure.rpartition("export ")[2].split("=")
    assert line(**{name: value})[0] == "ok"
    devtrust.run("unsetup", "openssl")
    assert line(SHELL="/bin/sh")[2].startswith("devtrust setup openssl")
    devtrust.run("setup", "openssl", variables={"SHELL": "/bin/sh"})
    home.renew(pki, "ec:P-256")
    found, message, cure = line()
    assert found == "problem" and "is not of the current certificate" in message and cure.startswith("devtrust setup curl")
    devtrust.run("setup", "curl")
    assert line()[0] == "ok"
    (home.folder / PEM[0]).unlink()
    assert line()[0] == "problem" and line()[2] == "devtrust setup curl"
    devtrust.run("setup", "curl")
    assert line()[0] == "ok"


# --- with a service manager ---

# systemd believes that it is the machine's own where this folder is there.
MANAGER = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec systemd --user"


class Session:
    """The home of whoever runs the tests, with a service manager of the user's."""

    def __init__(self, home, program, runtime, **variables):
        self.home, self.program = home, program
        subprocess.run(["chown", "-R", f"{os.geteuid()}:{os.getegid()}", home.folder], check=True)
        runtime.mkdir(mode=0o700)
        self.variables = {"XDG_RUNTIME_DIR": runtime, "SHELL": "/bin/sh", **variables}
        namespace = ["-m"] if os.geteuid() == 0 else ["-rm"]
        self.manager = subprocess.Popen(["unshare", *namespace, "sh", "-c", MANAGER], env=environment(home.folder, **self.variables),
                                        stdin=subprocess.DEVNULL)
        wait_until(lambda: self.systemctl("is-active", "default.target") == "active\n", "systemd", self.manager)

    def run(self, *argv, check=True):
        return run(argv, home=self.home.folder, variables=self.variables, check=check).stdout

    def systemctl(self, *arguments):
        return self.run("systemctl", "--user", *arguments, check=False)

    def devtrust(self, *arguments, check=True):
        return self.run(self.program, *arguments, check=check)

    def doctor(self):
        lines = json.loads(self.devtrust("doctor", "--json", check=False))["lines"]
        return [line for line in lines if line["subject"] == "curl"][0]

    def close(self):
        self.manager.terminate()
        self.manager.wait(60)


@pytest.fixture
def session(home, programs, folder):
    made = Session(home, programs / "devtrust", folder / "runtime")
    yield made
    made.close()


def test_the_files_follow_a_renewal_though_nobody_ran_devtrust(session, home, pki):
    session.devtrust("setup", "openssl")
    session.variables["OPENSSL_CONF"] = home.folder / ".config/devtrust/openssl.cnf"  # as after the next login
    assert "from the next login on. Until" not in session.devtrust("setup", "curl").replace("\n", " ")
    assert session.systemctl("is-active", "devtrust-refresh.path") == "active\n"
    wait_until(lambda: session.systemctl("show", "-P", "SubState", "devtrust-refresh.timer") == "waiting\n" and
               session.systemctl("is-active", "devtrust-refresh.service") == "inactive\n", "the run at login", session.manager)
    assert session.doctor()["finding"] == "ok"
    leaf = pki.issue("ec:P-256", "JumpCloud Device Trust Certificate \u2013 11223344", valid_from=-1, valid_to=29)
    home.database.add(leaf)
    wait_until(lambda: (home.folder / PEM[0]).read_text().startswith(leaf.certificate.read_text()), "the renewal", session.manager)
    session.systemctl("stop", "devtrust-refresh.path")
    assert "devtrust-refresh.path does not run" in session.doctor()["message"]
    session.run("sh", "-c", session.doctor()["cure"])
    assert session.doctor()["finding"] == "ok"
    session.devtrust("unsetup", "curl")
    assert session.systemctl("list-units", "--all", "--no-legend", "devtrust-refresh*") == ""
