"""`devtrust status --all-users` on a machine of 200 people, whose certificates are in every state there is."""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest

from machine import Machine, as_root
from programs import run, wait_until
from stores import LEAF_NAME, NssDatabase
from test_command import METRICS, check

STATES = {"usable": 0, "not-found": 2, "expired": 3, "renewal-overdue": 4, "locked": 5, "misconfigured": 6, "no-answer": 7}
PEOPLE = 200

# What a home holds: the certificate's first and last day from now, what happens to the home then, and what status says.
# Certificates live for 30 days here, so renewal is due after 20.
RENEWED = {f"renewed-{-start}-days-ago": (start, 30 + start) for start in (0, -2, -5, -9, -13, -16, -19)}
OVERDUE = {f"renewed-{-start}-days-ago": (start, 30 + start) for start in (-22, -28)}
SAYS = {
    **{kind: ("usable", rf'"NAME" is valid {end - 1} more days?, renewal due (in about {19 + start}|today)')
       for kind, (start, end) in RENEWED.items()},
    **{kind: ("renewal-overdue", rf'"NAME" is valid {end - 1} more days?, renewal overdue for {-20 - start} days: see that the agent runs')
       for kind, (start, end) in OVERDUE.items()},
    "expired": ("expired", r'no valid certificate for profile jumpcloud: "NAME" in HOME/.pki/nssdb expired 10 days ago \(.*\): see that the agent runs and renews it'),
    "not-yet-valid": ("expired", r'no valid certificate for profile jumpcloud: "NAME" in HOME/.pki/nssdb is not valid before 20[-0-9]+: check this computer\'s clock'),
    "password": ("locked", r'HOME/.pki/nssdb needs its password before "NAME" can be used: name a pin_source .*'),
    "unreadable": ("locked", r"no device-trust certificate was found .*: HOME/.pki/nssdb/key4.db cannot be read: see who owns it and who may read it"),
    "damaged": ("misconfigured", r"no device-trust certificate was found .*: HOME/.pki/nssdb/key4.db is not an SQLite database: .*"),
    "emptied": ("not-found", "no device-trust certificate was found in any of the places that were looked at: `devtrust doctor` .*"),
    "never-enrolled": ("not-found", "no device-trust certificate was found in any of the places that were looked at: `devtrust doctor` .*"),
    "configuration": ("misconfigured", r"HOME/.config/devtrust/config.toml:1:9: audit must be a string, .*"),
}


class Kind:
    """A home to copy."""

    def __init__(self, folder, name=None, database=None):
        self.folder, self.name = folder, name
        folder.mkdir()
        if database:
            (folder / ".pki").mkdir()
            database.copy(folder / ".pki/nssdb")


@pytest.fixture(scope="module")
def kinds(session_folder, pki):
    """One home of each kind, made by NSS's own tools."""
    folder = session_folder / "kinds"
    folder.mkdir()
    spans = {**RENEWED, **OVERDUE, "expired": (-40, -10), "not-yet-valid": (3, 33), "password": (-4, 26), "emptied": (-4, 26)}
    made, good = {}, None
    for number, (kind, (start, end)) in enumerate(spans.items()):
        leaf = pki.issue("ec:P-256", f"{LEAF_NAME[:-8]}{number:08X}", valid_from=start, valid_to=end)
        database = NssDatabase(folder / f"{kind}.db", "secret" if kind == "password" else "")
        database.add(leaf)
        if kind == "emptied":
            database.remove(leaf.name)
        made[kind] = Kind(folder / kind, leaf.name, database)
        good = good or database
    made["never-enrolled"] = Kind(folder / "never-enrolled")
    for kind in ("unreadable", "damaged", "configuration"):
        made[kind] = Kind(folder / kind, made[next(iter(RENEWED))].name, good)
    (folder / "damaged/.pki/nssdb/key4.db").write_bytes(b"overwritten " * 4096)
    configuration = folder / "configuration/.config/devtrust/config.toml"
    configuration.parent.mkdir(parents=True)
    configuration.write_text("audit = 1\n")
    return made


@pytest.fixture(scope="module")
def make_machine(session_folder):
    machines = []

    def make():
        machines.append(Machine(session_folder / f"machine{len(machines)}"))
        return machines[-1]

    yield make
    for machine in machines:
        machine.close()


def add(machine, kinds, name, uid, kind):
    """Somebody whose home is of this kind."""
    machine.kinds[name] = kind
    home = machine.add(name, uid, kinds[kind].folder)
    if kind == "unreadable":
        for path in (home / ".pki/nssdb").iterdir():
            path.chmod(0)
    return home


@pytest.fixture(scope="module")
def fleet(make_machine, kinds):
    """200 people, and accounts that are none."""
    machine = make_machine()
    machine.kinds = {}
    machine.account("service", 999)
    machine.account("nobody", 65534)
    names = list(SAYS)
    for number in range(PEOPLE):
        kind = names[number % len(names)]
        name = f"p{number:03}"
        add(machine, kinds, name, 1000 + number if number % 2 else 70000 + number, kind)
    machine.account("robot", 3000, shell="/usr/sbin/nologin")
    machine.account("retired", 3001, shell="/bin/false")
    machine.account("p001", 3002)  # the first entry of a name counts
    machine.account("alias", machine.users["p003"], home=machine.homes["p003"])
    return machine.ready()


@pytest.fixture(scope="module")
def devtrust(programs):
    return programs / "devtrust"


def expected(machine, kinds, name):
    """The state, and a pattern for the message."""
    state, message = SAYS[machine.kinds[name]]
    return state, message.replace("NAME", re.escape(kinds[machine.kinds[name]].name or "")).replace("HOME", re.escape(str(machine.homes[name])))


def test_each_line_says_what_the_home_holds(fleet, kinds, devtrust):
    ended = fleet.root([devtrust, "status", "--all-users"])
    assert ended.returncode == STATES["expired"], ended.stdout
    lines = ended.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == sorted(fleet.users)
    for line in lines:
        name, state, message = line.split(": ", 2)
        wanted, pattern = expected(fleet, kinds, name)
        assert state == wanted and re.fullmatch(pattern, message), f"{fleet.kinds[name]}: {line}"
    assert {line.split(": ")[1] for line in lines} == set(STATES) - {"no-answer"}


@pytest.fixture(scope="module")
def schema():
    """Of the answer for all users, which has that for one user in it."""
    with open(os.path.join(os.environ["DEVTRUST_SOURCE"], "docs/status.schema.json"), encoding="utf-8") as file:
        whole = json.load(file)
    return resolved(whole["$defs"]["all_users"], whole)


def resolved(schema, whole):
    """With what each "$ref" points to in its place."""
    if isinstance(schema, list):
        return [resolved(item, whole) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = whole
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return resolved(target, whole)
    return {name: resolved(member, whole) for name, member in schema.items()}


def test_json_has_of_each_user_what_status_says_to_him(fleet, kinds, devtrust, schema):
    ended = fleet.root([devtrust, "status", "--all-users", "--json"])
    answer = json.loads(ended.stdout)
    check(answer, schema)
    assert ended.returncode == answer["exit_code"] == STATES["expired"]
    assert [user["user"] for user in answer["users"]] == sorted(fleet.users)
    for user in answer["users"]:
        wanted, pattern = expected(fleet, kinds, user["user"])
        assert (user["uid"], user["home"]) == (fleet.users[user["user"]], str(fleet.homes[user["user"]]))
        assert (user["state"], user["exit_code"]) == (wanted, STATES[wanted]) and re.fullmatch(pattern, user["message"])
    for name in ("p000", "p007", "p009"):
        (user,) = [user for user in answer["users"] if user["user"] == name]
        own = json.loads(as_person(fleet, name, [devtrust, "status", "--json"]).stdout)
        own.update(user=name, uid=user["uid"], home=user["home"])
        for member in ("json_version", "devtrust", "time"):
            del own[member]
        assert own == user


def as_person(machine, name, argv):
    uid = machine.users[name]
    person = ["env", f"HOME={machine.homes[name]}", "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return machine.root([*person, *argv])


SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\d+)')


def samples(text):
    """Of each metric: labels and value."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            found.setdefault(name, []).append((dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")), int(value)))
    return found


def test_metrics_have_each_user(fleet, kinds, devtrust):
    begin = int(time.time())
    ended = fleet.root([devtrust, "status", "--all-users", "--prometheus"])
    assert ended.returncode == STATES["expired"]
    found = samples(ended.stdout)
    assert list(found) == METRICS
    assert re.findall(r"^# TYPE (\w+) gauge$", ended.stdout, re.M) == METRICS, "each once"
    ((_, made),) = found["devtrust_report_timestamp_seconds"]
    assert begin <= made <= time.time()
    assert {labels["user"]: value for labels, value in found["devtrust_status"]} == \
        {name: STATES[expected(fleet, kinds, name)[0]] for name in fleet.users}
    with_certificate = [name for name in sorted(fleet.users)
                        if fleet.kinds[name] not in ("unreadable", "damaged", "emptied", "never-enrolled", "configuration")]
    for metric in METRICS[3:]:
        assert [labels["user"] for labels, _ in found[metric]] == with_certificate
    for labels, value in found["devtrust_certificate_renewal_due_timestamp_seconds"]:
        state = expected(fleet, kinds, labels["user"])[0]
        assert (value < time.time()) == (state in ("renewal-overdue", "expired") and fleet.kinds[labels["user"]] != "not-yet-valid")


@pytest.fixture
def few(make_machine, kinds):
    """A machine of a few people, for what takes its own."""
    machine = make_machine()
    machine.kinds = {}

    def person(name, kind="renewed-2-days-ago", uid=None):
        return add(machine, kinds, name, uid or 1000 + len(machine.users), kind)

    machine.person = person
    return machine


def states(ended):
    return {line.split(": ")[0]: line.split(": ")[1] for line in ended.stdout.splitlines()}


@pytest.mark.parametrize("people, code", [
    (["renewed-2-days-ago", "never-enrolled"], 0),
    (["never-enrolled", "emptied"], 2),
    (["renewed-2-days-ago", "renewed-22-days-ago", "never-enrolled"], 4),
    (["renewed-22-days-ago", "password"], 5),
    (["password", "configuration"], 6),
    (["configuration", "expired", "password"], 3),
], ids=lambda value: "+".join(value) if isinstance(value, list) else str(value))
def test_the_exit_code_is_the_worst(few, devtrust, people, code):
    for number, kind in enumerate(people):
        few.person(f"user{number}", kind)
    ended = few.ready().root([devtrust, "status", "--all-users"])
    assert ended.returncode == code, ended.stdout


def test_where_nobody_may_log_in(few, devtrust):
    few.account("robot", 1000, shell="/usr/sbin/nologin")
    ended = few.ready().root([devtrust, "status", "--all-users"])
    assert (ended.returncode, ended.stdout) == (2, "devtrust: there is no user on this machine who may log in: see what getent passwd lists\n")


def test_uid_min_is_the_systems(few, devtrust):
    few.person("early", uid=500)
    few.person("late", uid=1000)
    few.write("login.defs", "UID_MIN 500\n")
    assert list(states(few.ready().root([devtrust, "status", "--all-users"]))) == ["early", "late"]


def test_a_home_that_is_not_there_or_not_ones_own(few, devtrust):
    few.person("present")
    few.account("unmounted", 2000)
    few.person("shut")
    few.ready()
    run([*as_root(), "chown", "0:0", few.homes["shut"]])
    ended = few.root([devtrust, "status", "--all-users"])
    assert states(ended) == {"present": "usable", "shut": "misconfigured", "unmounted": "not-found"}, ended.stdout
    assert f"{few.homes['shut']}/.config/devtrust/config.toml cannot be opened: Permission denied\n" in ended.stdout
    assert f"the home directory {few.folder}/home/unmounted is not there: see whether it should be mounted\n" in ended.stdout
    assert ended.returncode == STATES["misconfigured"]


def test_nothing_of_roots_reaches_the_users(few, devtrust):
    """Neither root's environment nor root's rights: a configuration of root's is not read, nor a file of another user."""
    few.person("alice")
    bob = few.person("bob", "never-enrolled")
    (bob / ".config/devtrust").mkdir(parents=True)
    (bob / ".config/devtrust/config.toml").write_text(f'[[store]]\nkind = "nss"\npath = "{few.homes["alice"]}/.pki/nssdb"\n')
    configuration = few.write("broken.toml", "nonsense = 1\n")
    trace = few.etc / "trace"
    ended = few.ready().root([devtrust, "status", "--all-users"],
                             variables={"DEVTRUST_CONFIG": configuration, "DEVTRUST_TRACE": trace, "XDG_CONFIG_HOME": "/nonexistent"})
    assert states(ended) == {"alice": "usable", "bob": "locked"}, ended.stdout
    assert f"{few.homes['alice']}/.pki/nssdb/key4.db cannot be reached" in ended.stdout
    assert not trace.exists()


def test_groups_of_the_user_count(few, devtrust):
    """A store that only a group may read."""
    few.person("member", "never-enrolled")
    few.person("stranger", "never-enrolled")
    few.person("owner")
    shared = few.homes["owner"]
    configuration = few.write("devtrust/config.toml", f'[[store]]\nkind = "nss"\npath = "{shared}/.pki/nssdb"\n')
    few.ready()
    group = "root:x:0:\nshared:x:5000:member\n"
    run([*as_root(), "sh", "-ec", f'printf "%s" "$1" >"{few.etc}/group"; chgrp -R 5000 "$0"; chmod -R g+rX "$0"; chmod 644 {configuration}', shared, group])
    ended = few.root([devtrust, "status", "--all-users"])
    assert states(ended) == {"member": "usable", "owner": "usable", "stranger": "locked"}, ended.stdout


def test_a_home_that_hangs_holds_nobody_up(few, devtrust, helpers):
    nobody_elses = 1_000_000 + os.getpid()
    for name, uid in (("alice", None), ("hangs", nobody_elses), ("zoe", None)):
        few.person(name, uid=uid)
    few.write("ld.so.preload", f"{helpers}/odd_home.so\n")
    begin = time.monotonic()
    ended = few.ready().root([devtrust, "status", "--all-users", "--timeout", "8"])
    assert states(ended) == {"alice": "usable", "hangs": "no-answer", "zoe": "usable"}, ended.stdout
    assert f"no answer within 8 s, so it was given up: see whether {few.homes['hangs']} is on a file server" in ended.stdout
    assert ended.returncode == STATES["no-answer"] and 8 <= time.monotonic() - begin < 40
    wait_until(lambda: not processes_of(nobody_elses), "the end of what hangs")


CERTIFICATE = {"profile": "jumpcloud", "sha256": "ab" * 32, "store": {"kind": "nss", "path": '/a"b\\c\nd'}, "current": True,
               "not_before": "2026-01-01T00:00:00Z", "not_after": "2026-02-01T00:00:00Z", "renewal_due": "2026-01-21T00:00:00Z"}
NO_STATUS = "the status of this user cannot be read: run `devtrust status` as that user"
LIES = {
    "deep": ("[" * 3_000_000, "no-answer", NO_STATUS),
    "deep2": ('{"state": "usable", "problems": [' + '{"a":' * 1_000_000 + "1" + "}" * 1_000_000 + "]}", "no-answer", NO_STATUS),
    "empty": ("", "no-answer", NO_STATUS),
    "list": ("[]", "no-answer", NO_STATUS),
    "long": ('{"state": "usable", "message": "' + "x" * (17 << 20) + '"}', "no-answer", NO_STATUS),
    "moves": (json.dumps({"state": "usable", "message": "\x1b[2Jroot: usable: \nroot: usable: "}), "usable",
              r"\u{001b}[2Jroot: usable: \u{000a}root: usable: "),
    "refuses": ("!", "no-answer", NO_STATUS),
    "refuses2": ("!h99999999999", "no-answer", None),
    "state": (json.dumps({"state": "no-answer", "message": "x"}), "no-answer", NO_STATUS),
    "state2": (json.dumps({"state": 0}), "no-answer", NO_STATUS),
    "twice": (json.dumps({"state": "usable", "profile": "a\nb", "message": "twice",
                          "identities": [CERTIFICATE, CERTIFICATE, 1, {}, {**CERTIFICATE, "not_after": "2026-02-31T00:00:00Z"}]}), "usable", "twice"),
    "types": (json.dumps({"state": "expired", "message": 7, "profile": [], "identities": "none", "stores": {}, "problems": None}), "expired", ""),
}


def test_a_user_who_answers_himself_harms_nobody_else(few, devtrust, helpers):
    few.person("alice")
    for name, (answer, *_) in LIES.items():
        (few.person(f"{name}.lies") / "answer").write_text(answer)
    few.write("ld.so.preload", f"{helpers}/odd_home.so\n")
    ended = few.ready().root([devtrust, "status", "--all-users"])
    lines = {line.split(": ")[0]: line.split(": ", 2)[1:] for line in ended.stdout.splitlines()}
    assert list(lines) == ["alice", *(f"{name}.lies" for name in LIES)]
    assert lines["alice"][0] == "usable"
    for name, (_, state, message) in LIES.items():
        assert lines[f"{name}.lies"][0] == state and message in (None, lines[f"{name}.lies"][1]), lines[f"{name}.lies"]
    found = samples(few.root([devtrust, "status", "--all-users", "--prometheus"]).stdout)
    assert [labels["user"] for labels, _ in found["devtrust_certificate_current"]] == ["alice", "twice.lies"], "none twice"
    answer = json.loads(few.root([devtrust, "status", "--all-users", "--json"]).stdout)
    assert len(answer["users"]) == len(lines)


def processes_of(uid):
    """By their numbers. One that has ended and waits for its parent's parent is none."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            text = path.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if re.search(rf"^Uid:\t{uid}\t", text, re.M) and not re.search(r"^State:\tZ", text, re.M):
            found.append(path.parent.name)
    return found


def test_users_processes_end_with_roots(few, devtrust, helpers):
    """However that ends."""
    nobody_elses = 2_000_000 + os.getpid()
    few.person("hangs", uid=nobody_elses)
    few.write("ld.so.preload", f"{helpers}/odd_home.so\n")
    process = subprocess.Popen(few.ready().command([devtrust, "status", "--all-users", "--timeout", "3600"]), stdout=subprocess.DEVNULL)
    wait_until(lambda: processes_of(nobody_elses), "the user's process", process)
    parent = re.search(r"^PPid:\t(\d+)", pathlib.Path(f"/proc/{processes_of(nobody_elses)[0]}/status").read_text(), re.M)[1]
    run([*as_root(), "kill", "-KILL", parent])
    wait_until(lambda: not processes_of(nobody_elses), "the end of the user's process")
    process.wait(60)


def test_it_is_for_root(fleet, devtrust):
    ended = as_person(fleet, "p000", [devtrust, "status", "--all-users"])
    assert (ended.returncode, ended.stdout) == \
        (1, "devtrust: --all-users looks at each user's certificate as that user, which only root can: run it with sudo\n")


def test_a_profile_of_all_users(few, devtrust):
    few.person("alice")
    ended = few.ready().root([devtrust, "status", "--all-users", "-p", "okta"])
    assert states(ended) == {"alice": "not-found"} and "for profile okta" in ended.stdout and ended.returncode == 2
