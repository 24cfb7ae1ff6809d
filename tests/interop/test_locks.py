"""POSIX locks belong to the process: whoever closes a descriptor of a file drops all of the process's locks on it. A host
with a SQLite of its own must keep its locks on a database that our module reads beside it."""

import sqlite3
import subprocess

import pytest

from programs import DEADLINE, as_user, environment

REFRESHES = 1000
FILES = ["cert9.db", "key4.db"]


class LockHost:
    """hosts/lock_host.cc, a command at a time."""

    def __init__(self, home, module, helpers):
        argv = as_user([str(helpers / "lock_host"), str(module), str(home.database.folder)])
        self.process = subprocess.Popen(argv, env=environment(home.folder), text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        assert self.answer() == "ready"

    def answer(self):
        return self.process.stdout.readline().strip()

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)


@pytest.fixture
def home(make_home):
    return make_home("rsa:2048", fresh=True)


@pytest.fixture
def host(home, module, helpers):
    host = LockHost(home, module, helpers)
    yield host
    host.close()
    assert host.process.returncode == 0


def second_writer(home):
    """The databases of which another process can get the lock for writing."""
    got = []
    for name in FILES:
        with sqlite3.connect(home.database.folder / name, timeout=0, isolation_level=None) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
                got.append(name)
            except sqlite3.OperationalError as error:
                assert "locked" in str(error)
        connection.close()
    return got


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_the_host_keeps_its_locks(home, host, mode):
    """EXCLUSIVE keeps our module from reading as well: it has to live on its last snapshot, or wait."""
    assert second_writer(home) == FILES
    assert host.ask(f"lock {mode}") == "done"
    before = int(host.ask("reads"))
    for _ in range(REFRESHES if mode == "IMMEDIATE" else 10):
        assert host.ask("refresh") == "done"
        assert second_writer(home) == []
    if mode == "IMMEDIATE":
        assert int(host.ask("reads")) - before > REFRESHES * 4096, "the module did read the files each time"
    assert host.ask("commit") == "done"
    assert second_writer(home) == FILES


def test_the_counter_test_loses_them(home, host):
    """What the test above would say of a module that opens and closes the files."""
    assert host.ask("lock IMMEDIATE") == "done"
    assert second_writer(home) == []
    assert host.ask("blunder") == "done"
    assert second_writer(home) == FILES


def test_another_writer_gets_its_turn(home, host):
    """Our shared lock is given back after each read: a writer outside is not kept waiting."""
    for _ in range(20):
        assert host.ask("refresh") == "done"
        connection = sqlite3.connect(home.database.folder / "cert9.db", timeout=0, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
        connection.close()
