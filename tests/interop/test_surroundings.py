"""Processes whose surroundings are not what a program would like: no home, read-only files, raised privileges."""

import os
import shutil

import pytest

from programs import UNPRIVILEGED, run

CALLER = UNPRIVILEGED - 1


def test_without_a_home(module):
    for variables in ({"HOME": "/nonexistent"}, {"HOME": ""}):
        text = run(["pkcs11-tool", "--module", module, "-L"], variables=variables).stdout
        assert "token label" in text


def test_in_a_sandbox_that_may_write_nothing(make_home, module, helpers):
    """As a container with a read-only root: neither database nor folder may be written, and no journal be made."""
    home = make_home("rsa:2048", fresh=True)
    for path in [home.folder, *home.folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
        if os.geteuid() == 0:
            os.chown(path, 0, 0)
    text = run([helpers / "sign_host", module], home=home.folder, unprivileged=True, cwd="/").stdout
    assert "signed and verified" in text


@pytest.fixture
def as_root():
    """Only root can make a program that runs as another user."""
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def test_raised_privileges_believe_no_environment(make_home, pki, folder, module, helpers, as_root):
    """A set-uid program started by somebody else, who names a database, a configuration and a trace of his own."""
    home = make_home("rsa:2048", fresh=True)
    configuration = home.write("config.toml", f'[[store]]\nkind = "nss"\npath = "{home.database.folder}"\n')
    run([*as_root, "chown", "-R", str(CALLER), home.folder])
    for path in [home.folder, *home.folder.rglob("*")]:
        run([*as_root, "chmod", "a+rX", path])
    trace = folder / "traces" / "trace"
    trace.parent.mkdir()
    trace.parent.chmod(0o777)
    program = folder / "sign_host"
    shutil.copy(helpers / "sign_host", program)
    run([*as_root, "chown", str(UNPRIVILEGED), program])

    def start():
        variables = {"DEVTRUST_CONFIG": configuration, "DEVTRUST_TRACE": trace}
        return run([*as_root, "setpriv", f"--reuid={CALLER}", f"--regid={CALLER}", "--clear-groups", program, module],
                   home=home.folder, check=False, variables=variables).stdout

    run([*as_root, "chmod", "4755", program])
    text = start()
    assert "raised privileges: 1" in text and "there is no private key" in text, text
    assert not trace.exists()
    run([*as_root, "chmod", "0755", program])
    text = start()
    assert "raised privileges: 0" in text and "signed and verified" in text and trace.exists(), text


def test_the_host_may_leave_while_its_threads_sign(make_home, module, helpers):
    home = make_home("rsa:2048")
    for _ in range(20):
        result = home.run([helpers / "exit_host", module], check=False)
        assert result.returncode == 0, result.stdout
