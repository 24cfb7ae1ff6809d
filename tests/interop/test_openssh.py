"""OpenSSH: the key as an SSH identity, in the client and in the agent. Runs as whoever runs the tests: sshd lets a user in
as himself only, and the unprivileged user's account is locked."""

import os
import pathlib
import pwd

import pytest

import programs

SSHD_CONFIG = """
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PermitRootLogin yes
UsePAM no
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
ForceCommand {command}
"""


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def home(request, make_home):
    return make_home(request.param)


def run(home, argv, **options):
    return programs.run(argv, home=home.folder, cwd=home.folder, **options)


def public_key(home):
    """The leaf's key as OpenSSH writes it."""
    path = home.write("leaf.pub.pem", home.leaf.public_key().read_text())
    return run(home, ["ssh-keygen", "-i", "-m", "PKCS8", "-f", path]).stdout.strip()


def test_ssh_keygen_lists_the_key(home, module):
    keys = run(home, ["ssh-keygen", "-D", module]).stdout.splitlines()
    assert public_key(home) in [" ".join(line.split()[:2]) for line in keys], keys


def prepare_sshd(home, command="internal-sftp"):
    """What an sshd of the home's own needs, which knows the device's key; its command for a client's ProxyCommand: over a
    pipe, without a port. Whoever logs in gets what `command` does. The host is called "device"."""
    if os.geteuid() == 0:
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)  # as the service would: sshd wants an empty folder
    host_key = home.folder / "host_key"
    if not host_key.exists():
        run(home, ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key])
    home.write("authorized_keys", public_key(home) + "\n")
    home.write("known_hosts", "device " + (home.folder / "host_key.pub").read_text())
    config = home.write("sshd_config", SSHD_CONFIG.format(folder=home.folder, command=command))
    return f"/usr/sbin/sshd -i -f {config}"


@pytest.fixture
def ssh(home, module):
    """Options for a client of such an sshd."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    return ["-F", "/dev/null", "-o", f"ProxyCommand={prepare_sshd(home)}", "-o", f"User={user}", "-o",
            f"UserKnownHostsFile={home.folder}/known_hosts", "-o", "BatchMode=yes", "-o", "IdentityFile=none"]


def test_ssh_logs_in(home, module, ssh):
    text = run(home, ["sftp", "-b", "-", *ssh, "-o", f"PKCS11Provider={module}", "device"], input="pwd\n").stdout
    assert "Remote working directory" in text, text


def test_the_server_asks_for_the_key(home, ssh):
    result = run(home, ["sftp", "-b", "-", *ssh, "device"], input="pwd\n", check=False)
    assert result.returncode != 0 and "Permission denied" in result.stdout, result.stdout


def test_the_agent_logs_in(home, module, ssh):
    """ssh-add asks for a PIN even where none is needed: an empty answer must do."""
    askpass = home.write("askpass", "#!/bin/sh\necho\n")
    askpass.chmod(0o755)
    script = """
        eval "$(ssh-agent -P "$1" -a "$HOME/agent")" >/dev/null
        shift
        ssh-add -q -s "$1" && shift && echo pwd | sftp -b - "$@" device
        status=$?
        ssh-agent -k >/dev/null
        exit "$status"
    """
    text = run(home, ["sh", "-c", script, "sh", module, module, *ssh],
                    variables={"SSH_ASKPASS": askpass, "SSH_ASKPASS_REQUIRE": "force"}).stdout
    assert "Remote working directory" in text, text
