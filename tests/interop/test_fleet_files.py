"""conf/fleet on a simulated machine: what the collector writes, what the alerts and osquery's table make of it."""

import json
import os
import pathlib
import re
import sqlite3
import time

import pytest
import yaml

from machine import as_root
from programs import run
from test_fleet import LIES, STATES, few, fleet, kinds, make_machine, samples  # noqa: F401 (fixtures)
from test_fleet import expected

FLEET = pathlib.Path(os.environ["DEVTRUST_SOURCE"]) / "conf/fleet"


@pytest.fixture
def output(folder):
    """Root's, as everything that the collector writes to."""
    path = folder / "output"
    path.mkdir()
    run([*as_root(), "chown", "0:0", path])
    yield path
    run([*as_root(), "rm", "-rf", path])


@pytest.fixture
def collect(programs, output):
    def run_on(machine, *arguments, path=None):
        arguments = arguments or ("--textfile", output / "devtrust.prom", "--database", output / "status.db")
        return machine.root([FLEET / "devtrust-collect", *arguments], variables={"PATH": path or f"{programs}:{os.environ['PATH']}"})

    return run_on


def as_readable(path):
    run([*as_root(), "chmod", "a+r", path])
    return path


def rules():
    with open(FLEET / "devtrust.rules.yml", encoding="utf-8") as file:
        (group,) = yaml.safe_load(file)["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def raised(rule, found):
    """The users of whom an expression of the form `metric == value or ...` is true."""
    users = set()
    for part in rule["expr"].split(" or "):
        metric, value = re.fullmatch(r"(\w+) == (\d+)", part).groups()
        users |= {labels["user"] for labels, sample in found[metric] if sample == int(value)}
    return users


def test_the_collector_writes_what_the_alerts_are_about(fleet, kinds, collect, output):
    ended = collect(fleet)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert sorted(path.name for path in output.iterdir()) == ["devtrust.prom", "status.db"], "nothing else is left"
    assert (output / "devtrust.prom").stat().st_mode & 0o777 == 0o644, "node_exporter is not root"
    found = samples((output / "devtrust.prom").read_text())
    of_state = {state: {name for name in fleet.users if expected(fleet, kinds, name)[0] == state} for state in STATES}
    alerts = rules()
    assert raised(alerts["DevtrustExpired"], found) == of_state["expired"]
    assert raised(alerts["DevtrustRenewalOverdue"], found) == of_state["renewal-overdue"]
    assert raised(alerts["DevtrustNotReadable"], found) == of_state["locked"] | of_state["no-answer"]
    assert raised(alerts["DevtrustMisconfigured"], found) == of_state["misconfigured"]
    for name, rule in alerts.items():
        named = set(re.findall(r"\bdevtrust_\w+", rule["expr"]))
        assert named and named <= set(found), f"{name}: {named - set(found)}"
        assert rule["annotations"].keys() == {"summary", "description"} and rule["labels"]["severity"] in ("critical", "warning")
    metric, limit = re.fullmatch(r"time\(\) - (\w+) > (\d+)", alerts["DevtrustStale"]["expr"]).groups()
    assert 0 <= time.time() - found[metric][0][1] < int(limit)


def table(database):
    """osquery's table, as it makes it of what the file defines: all of its columns are text."""
    with open(FLEET / "osquery.conf", encoding="utf-8") as file:
        configuration = json.load(file)
    ((name, definition),) = configuration["auto_table_construction"].items()
    assert definition["path"] == "/var/lib/devtrust/status.db", "where the collector writes it"
    with sqlite3.connect(f"file:{as_readable(database)}?mode=ro", uri=True) as connection:
        rows = connection.execute(definition["query"])
        assert [column[0] for column in rows.description] == definition["columns"]
        content = rows.fetchall()
    osquery = sqlite3.connect(":memory:")
    osquery.execute(f"CREATE TABLE {name} ({', '.join(f'{column} TEXT' for column in definition['columns'])})")
    osquery.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(definition['columns']))})",
                        [[None if value is None else str(value) for value in row] for row in content])
    return osquery, configuration["schedule"]


def test_the_table_of_osquery_has_each_user(fleet, kinds, collect, output, programs):
    assert collect(fleet, "--database", output / "status.db").returncode == 0
    osquery, schedule = table(output / "status.db")
    answer = json.loads(fleet.root([programs / "devtrust", "status", "--all-users", "--json"]).stdout)
    rows = osquery.execute("SELECT user, uid, home, state, exit_code, profile, message, not_after, renewal_due FROM devtrust_status").fetchall()
    wanted = []
    for user in answer["users"]:
        first = user["identities"][0] if user["identities"] else {}
        wanted.append((user["user"], str(user["uid"]), user["home"], user["state"], str(user["exit_code"]), user["profile"],
                       user["message"], first.get("not_after"), first.get("renewal_due")))
    assert rows == wanted
    problems = {row[0]: row[1] for row in osquery.execute(schedule["devtrust_problems"]["query"])}
    assert problems == {name: expected(fleet, kinds, name)[0] for name in fleet.users
                        if expected(fleet, kinds, name)[0] not in ("usable", "not-found")}
    stale = schedule["devtrust_stale"]["query"]
    assert osquery.execute(stale).fetchall() == []
    osquery.execute("UPDATE devtrust_status SET time = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-61 minutes')")
    assert len(osquery.execute(stale).fetchall()) == 1
    osquery.execute("DELETE FROM devtrust_status")
    assert osquery.execute(stale).fetchall() == [(None,)]


def test_a_user_who_answers_himself_spoils_no_file(few, kinds, collect, output, helpers):
    few.person("alice")
    strange = {**LIES, "inside": (json.dumps({"state": "usable", "message": "x", "identities": ["{", {"current": {}, "not_after": ["'"]}]}),)}
    for name, (answer, *_) in strange.items():
        (few.person(f"{name}.lies") / "answer").write_text(answer)
    few.write("ld.so.preload", f"{helpers}/odd_home.so\n")
    ended = collect(few.ready())
    assert ended.returncode == 0, ended.stdout
    osquery, _ = table(output / "status.db")
    assert osquery.execute("SELECT COUNT(*) FROM devtrust_status").fetchone() == (1 + len(strange),)
    assert osquery.execute("SELECT state FROM devtrust_status WHERE user = 'alice'").fetchone() == ("usable",)
    assert len(samples((output / "devtrust.prom").read_text())["devtrust_status"]) == 1 + len(strange)


def test_without_a_report_the_last_one_stays(few, kinds, collect, output, folder):
    few.person("alice")
    assert collect(few.ready()).returncode == 0
    before = [(output / name).read_bytes() for name in ("devtrust.prom",)] + [as_readable(output / "status.db").read_bytes()]
    broken = folder / "broken"
    broken.mkdir()
    (broken / "devtrust").write_text("#!/bin/sh\necho half a report\nexit 1\n")
    (broken / "devtrust").chmod(0o755)
    for what in (("--textfile", output / "devtrust.prom"), ("--database", output / "status.db")):
        ended = collect(few, *what, path=f"{broken}:{os.environ['PATH']}")
        assert (ended.returncode, ended.stdout) == (1, "devtrust-collect: devtrust status --all-users ended with 1, so the last report stays\n")
    assert sorted(path.name for path in output.iterdir()) == ["devtrust.prom", "status.db"]
    assert before == [(output / "devtrust.prom").read_bytes(), (output / "status.db").read_bytes()]


@pytest.mark.parametrize("arguments, said", [
    (["--nonsense"], "unknown argument --nonsense: expected --textfile FILE or --database FILE"),
    (["--textfile", "/nonexistent/devtrust.prom"], "there is no folder /nonexistent: make it, or name another with"),
], ids=["argument", "folder"])
def test_what_cannot_be_written(few, kinds, collect, arguments, said):
    ended = collect(few.ready(), *arguments)
    assert ended.returncode == 1 and ended.stdout.startswith(f"devtrust-collect: {said}")
