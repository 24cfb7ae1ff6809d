"""The devtrust command: what it shows, in words, in numbers and in exit codes, and what it hands out."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import FileHome
from programs import as_user, environment, give_away, on_a_terminal, run
from stores import LEAF_NAME

STATES = {"usable": 0, "not-found": 2, "expired": 3, "renewal-overdue": 4, "locked": 5, "misconfigured": 6}


class Command:
    """devtrust in a home."""

    def __init__(self, program, home):
        self.program, self.home = program, home

    def run(self, *arguments, **options):
        return self.home.run([self.program, *arguments], check=False, **options)

    def json(self, *arguments):
        return json.loads(self.run(*arguments).stdout)


@pytest.fixture
def devtrust(programs):
    return programs / "devtrust"


@pytest.fixture
def usable(devtrust, make_home):
    return Command(devtrust, make_home())


def file_home(session_folder, leaf, name):
    return FileHome(session_folder / name, "rsa:2048", leaf)


@pytest.fixture(scope="session")
def make_state(session_folder, programs, make_home, pki):
    """A home in which `devtrust status` says the given."""

    def make(state):
        if state in made:
            return made[state]
        validity = {"expired": (-40, -10), "renewal-overdue": (-25, 5)}
        if state == "locked":
            home = make_home(password="secret")
        elif state == "usable":
            home = make_home()
        elif state == "not-found":
            home = make_home(fresh=True)
            home.database.remove(home.leaf.name)
            give_away(home.folder)
        elif state == "misconfigured":
            home = make_home(fresh=True)
            home.write(".config/devtrust/config.toml", "audit = 1\n")
        else:
            start, end = validity[state]
            home = file_home(session_folder, pki.issue(valid_from=start, valid_to=end), f"state-{state}")
        made[state] = Command(programs / "devtrust", home)
        return made[state]

    made = {}
    return make


@pytest.mark.parametrize("state", STATES)
def test_status_in_a_line_and_a_code(make_state, state):
    ended = make_state(state).run("status")
    assert ended.returncode == STATES[state], ended.stdout
    (line,) = ended.stdout.splitlines()
    assert line.startswith(f"{state}: ")


def test_status_says_what_to_do(make_state):
    expected = {"usable": r'"JumpCloud.*" is valid (19|20) more days, renewal due in about (9|10)$',
                "not-found": "no .* was found in any of the places that were looked at",
                "expired": r"expired (9|10) days ago .*: see that the agent runs and renews it",
                "renewal-overdue": r"valid [45] more days, renewal overdue for [45] days: see that the agent runs",
                "locked": "needs its password .* name a pin_source for this store",
                "misconfigured": r"config\.toml:1:9: audit must be a string"}
    for state, text in expected.items():
        assert re.search(text, make_state(state).run("status").stdout), state


# schema and metrics

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


def check(value, schema, where="answer"):
    """As much of JSON Schema as docs/status.schema.json uses; nothing that the schema does not name is allowed."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(value is None if name == "null" else type(value) is TYPES[name] for name in types), f"{where}: {value!r}"
    if "const" in schema:
        assert value == schema["const"], where
    if "enum" in schema:
        assert value in schema["enum"], where
    if "pattern" in schema and value is not None:
        assert re.search(schema["pattern"], value), f"{where}: {value!r}"
    if isinstance(value, dict):
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), f"{where}: {set(value)}"
        for name, member in value.items():
            check(member, schema["properties"][name], f"{where}.{name}")
    if isinstance(value, list):
        for member in value:
            check(member, schema["items"], f"{where}[]")


@pytest.fixture(scope="session")
def schema():
    with open(os.path.join(os.environ["DEVTRUST_SOURCE"], "docs/status.schema.json"), encoding="utf-8") as file:
        return json.load(file)


@pytest.mark.parametrize("state", STATES)
def test_json_is_as_its_schema_says(make_state, state, schema):
    ended = make_state(state).run("status", "--json")
    assert ended.returncode == STATES[state]
    answer = json.loads(ended.stdout)
    check(answer, schema)
    assert (answer["state"], answer["exit_code"]) == (state, STATES[state])


def test_json_says_what_the_certificate_says(usable, schema):
    answer = usable.json("status", "--json")
    leaf = usable.home.leaf
    (identity,) = answer["identities"]
    text = run(["openssl", "x509", "-in", leaf.certificate, "-noout", "-serial", "-fingerprint", "-sha256", "-enddate", "-dateopt",
                "iso_8601"]).stdout
    values = dict(line.split("=", 1) for line in text.splitlines())
    assert identity["sha1"] == leaf.sha1()
    assert identity["sha256"] == values["sha256 Fingerprint"].replace(":", "").lower()
    assert int(identity["serial"], 16) == int(values["serial"], 16)
    assert identity["not_after"] == values["notAfter"].replace(" ", "T")
    assert identity["subject"] == f"CN={LEAF_NAME}" and identity["current"] is True and identity["problem"] is None
    assert identity["store"] == {"kind": "nss", "path": str(usable.home.folder / ".pki/nssdb")}
    assert [issuer["subject"] for issuer in identity["chain"]] == ["CN=device-trust.intermediate",
                                                                  "CN=JumpCloud Production Device Identification Root CA"]
    listed = usable.json("list", "--json")
    assert listed["identities"] == answer["identities"]


METRICS = ["devtrust_info", "devtrust_report_timestamp_seconds", "devtrust_status", "devtrust_certificate_current", "devtrust_certificate_not_before_timestamp_seconds",
           "devtrust_certificate_not_after_timestamp_seconds", "devtrust_certificate_renewal_due_timestamp_seconds"]


@pytest.mark.parametrize("state", STATES)
def test_metrics(make_state, state):
    ended = make_state(state).run("status", "--prometheus")
    assert ended.returncode == STATES[state]
    samples = {}
    for line in ended.stdout.splitlines():
        if line.startswith("# TYPE "):
            assert line.endswith(" gauge")
        elif not line.startswith("# HELP "):
            name, labels, value = re.fullmatch(r'(\w+)(?:\{((?:\w+="[^"\\\n]*",?)*)\})? (\d+)', line).groups()
            samples[name] = (labels, int(value))
    assert samples["devtrust_status"][1] == STATES[state]
    with_certificate = state not in ("not-found", "misconfigured")
    assert list(samples) == (METRICS if with_certificate else METRICS[:3])
    if with_certificate:
        assert samples["devtrust_certificate_current"][1] == (state != "expired")
        spans = [samples[name][1] for name in METRICS[4:]]
        assert spans[0] < spans[2] < spans[1]


# list


def test_list(usable):
    ended = usable.run("list")
    assert ended.returncode == 0
    assert ended.stdout == (
        "JumpCloud Device Trust (devtrust:jumpcloud)\n"
        f"* {LEAF_NAME}\n"
        f"    {re.search('valid .*', ended.stdout).group()}\n"
        "    RSA-2048; signs, decrypts\n"
        "    issued by device-trust.intermediate, then JumpCloud Production Device\n"
        "    Identification Root CA\n"
        "    in ~/.pki/nssdb (nss)\n")


def test_list_says_why_others_are_not_used(devtrust, make_home, pki):
    home = make_home(fresh=True)
    command = Command(devtrust, home)
    home.renew(pki)
    home.database.add(pki.issue(name=f"{LEAF_NAME[:-8]}EEEEEEEE", valid_from=-60, valid_to=-30))
    give_away(home.folder)
    text = command.run("list").stdout
    blocks = re.findall(r"^([* ]) (JumpCloud Device Trust Certificate – \w+)\n((?:    .*\n)+)", text, re.MULTILINE)
    assert [(mark, name[-8:]) for mark, name, _ in blocks] == [("*", "11223344"), (" ", "0A1B2C3D"), (" ", "EEEEEEEE")]
    assert "not used" not in blocks[0][2]
    assert "not used: a newer one is there" in blocks[1][2]
    assert re.search(r"not used: .*\sexpired\s", blocks[2][2], re.DOTALL)
    assert max(map(len, text.splitlines())) <= 80


def test_list_answers_programs_as_status_does(make_state, schema):
    for state in STATES:
        if state != "misconfigured":
            answer = make_state(state).json("list", "--json")
            check(answer, schema)
            assert answer["state"] == state


def test_list_says_that_the_same_is_used_from_elsewhere(devtrust, make_home):
    home = make_home(fresh=True)
    home.database.copy(home.folder / ".local/share/pki/nssdb")
    give_away(home.folder)
    assert "not used: the same one is used from another store" in Command(devtrust, home).run("list").stdout


def test_an_audit_that_has_to_be_and_cannot(devtrust, make_home):
    """No signature could be made: that is not usable."""
    home = make_home(fresh=True)
    home.write(".config/devtrust/config.toml", 'audit = "/dev/null/none"\naudit_required = true\n')
    ended = Command(devtrust, home).run("status")
    assert ended.returncode == 6 and "since audit_required is true: the audit line cannot be written to /dev/null/none" in ended.stdout
    home.write(".config/devtrust/config.toml", 'audit = "~/audit"\naudit_required = true\n')
    assert Command(devtrust, home).run("status").returncode == 0
    assert (home.folder / "audit").read_text() == ""


def test_list_where_nothing_is(make_state):
    ended = make_state("not-found").run("list")
    assert ended.returncode == 2
    assert "no device-trust certificate was found" in ended.stdout


def test_list_of_a_certificate_that_would_move_the_cursor(session_folder, devtrust, pki):
    leaf = pki.issue(name="JumpCloud Device Trust Certificate\n\x1b[2J\u202e x")
    text = Command(devtrust, file_home(session_folder, leaf, "cursor")).run("list").stdout
    assert "Certificate\\u{000a}\\u{001b}[2J\\u{202e} x" in text and "\x1b" not in text


def test_colours_only_on_a_terminal(usable):
    assert "\x1b[" not in usable.run("list", variables={"TERM": "xterm"}).stdout
    for variables, coloured in (({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        text, code = on_a_terminal([usable.program, "list"], usable.home.folder, **variables)
        assert code == 0 and ("\x1b[32m*\x1b[0m" in text) == ("\x1b[" in text) == coloured, variables


# the command line


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["status", "--nonsense"], ["status", "--json", "--prometheus"], ["setup"],
                                       ["status", "-p"], ["exec"]])
def test_wrong_command_lines(usable, arguments):
    ended = usable.run(*arguments)
    assert ended.returncode == 1
    assert re.fullmatch(r"devtrust: .*`devtrust --help` shows what there is\n", ended.stdout)


def test_an_unknown_command_is_named(usable):
    ended = usable.run("nonsense", "--json")
    assert ended.stdout == 'devtrust: there is no command "nonsense": `devtrust --help` shows what there is\n'


def test_pem_into_a_folder_without_a_name(usable):
    ended = usable.run("pem", "-o", "")
    assert ended.returncode == 1 and "the folder has no name" in ended.stdout


def test_help_and_version(usable):
    for arguments in (["--help"], ["--help-all"], ["status", "--help"], ["exec", "--help"]):
        ended = usable.run(*arguments)
        assert ended.returncode == 0 and "Usage: devtrust" in ended.stdout
    assert re.fullmatch(r"devtrust \d+\.\d+\.\d+\n", usable.run("--version").stdout)


def test_a_full_disk(usable):
    for command in ("list", "status", "uri", "pem"):
        ended = usable.home.run(["sh", "-c", f'exec "$0" {command} >/dev/full', usable.program], check=False)
        assert ended.returncode == 1 and "cannot be written to standard output" in ended.stdout, command


@pytest.mark.parametrize("command", ["status", "pem", "uri", "exec"])
def test_an_unknown_profile(usable, command):
    ended = usable.run(command, "-p", "nobody", *(["--", "true"] if command == "exec" else []))
    assert ended.returncode != 0
    assert "there is no profile nobody: known are jumpcloud, okta" in ended.stdout


def test_sign_and_verify(usable, pki):
    path = usable.home.write("message", "a message\n")
    usable.home.write(".config/devtrust/roots.pem", pki.root.certificate.read_text())
    usable.home.run(["sh", "-c", '"$0" sign -b -a message > message.sig', usable.program])
    ended = usable.run("verify", "message.sig", "message")
    assert ended.returncode == 0 and f'devtrust: Good signature from "CN={LEAF_NAME}"' in ended.stdout
    path.write_text("another message\n")
    assert usable.run("verify", "message.sig", "message").returncode == 1


# URIs and files


def test_uri(usable):
    lines = usable.run("uri").stdout.splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "devtrust:jumpcloud",
        "pkcs11:token=JumpCloud%20Device%20Trust;object=JumpCloud%20Device%20Trust;type=private",
        "pkcs11:token=JumpCloud%20Device%20Trust;object=JumpCloud%20Device%20Trust;type=cert"]


def test_uri_of_a_profile_that_has_no_certificate_yet(usable):
    assert "devtrust:okta\n" in usable.run("uri", "-p", "okta").stdout


def test_pem(usable, provider_conf):
    folder = usable.home.folder / "a folder"
    for _ in range(2):
        assert usable.run("pem", "-o", folder).returncode == 0
    chain, key = folder / "chain.pem", folder / "key.pem"
    assert (chain.stat().st_mode & 0o777, key.stat().st_mode & 0o777) == (0o644, 0o600)
    leaf = usable.home.leaf
    assert chain.read_text() == "".join(path.read_text() for path in [leaf.certificate, leaf.issuers[0]])
    assert usable.run("pem").stdout == chain.read_text() + key.read_text()
    made = usable.home.run(["openssl", "pkey", "-in", key, "-pubout"], variables={"OPENSSL_CONF": provider_conf / "devtrust.cnf"}).stdout
    assert made == leaf.public_key().read_text()


def test_pem_is_replaced_after_a_renewal(devtrust, make_home, pki):
    home = make_home(fresh=True)
    command = Command(devtrust, home)
    command.run("pem", "-o", home.folder / "device")
    home.renew(pki)
    command.run("pem", "-o", home.folder / "device")
    assert (home.folder / "device/chain.pem").read_text().startswith(home.leaf.certificate.read_text())
    assert sorted(path.name for path in (home.folder / "device").iterdir()) == ["chain.pem", "key.pem"]


def test_pem_where_it_may_not_write(usable):
    ended = usable.run("pem", "-o", "/proc/nowhere")
    assert ended.returncode == 1 and "/proc/nowhere cannot be made" in ended.stdout


def test_pem_takes_the_place_of_whatever_is_there(devtrust, make_home):
    """A link is not followed, a pipe not waited for, and an older file's mode does not stay."""
    home = make_home(fresh=True)
    command = Command(devtrust, home)
    precious = home.write("precious", "precious\n")
    device = home.folder / "device"
    device.mkdir()
    (device / "chain.pem").symlink_to(precious)
    os.mkfifo(device / "key.pem")
    give_away(home.folder)
    assert command.run("pem", "-o", device).returncode == 0
    assert precious.read_text() == "precious\n"
    (device / "key.pem").chmod(0o666)
    assert command.run("pem", "-o", device).returncode == 0
    assert {path.name: oct(path.lstat().st_mode) for path in device.iterdir()} == {"chain.pem": "0o100644", "key.pem": "0o100600"}


def test_exec_leaves_nothing_however_early_it_is_ended(devtrust, make_home):
    home = make_home(fresh=True)
    runtime = home.folder / "runtime"
    runtime.mkdir()
    give_away(home.folder)
    for delay in range(40):  # in half milliseconds, from before it has begun to when its program runs
        process = subprocess.Popen(as_user([str(devtrust), "exec", "--", "sleep", "60"]),
                                   env=environment(home.folder, XDG_RUNTIME_DIR=runtime))
        end = time.monotonic() + delay / 2000
        while time.monotonic() < end:
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert list(runtime.iterdir()) == []


def test_exec(usable, root_server, web_pki):
    script = (f'curl -sS --noproxy "*" --cacert {web_pki.root.certificate} --cert "$DEVTRUST_CERT" --key "$DEVTRUST_KEY" '
              f'https://localhost:{root_server.port}/')
    ended = usable.run("exec", "--", "sh", "-c", script)
    assert ended.returncode == 0
    assert f"client SUCCESS {usable.home.leaf.sha1()}" in ended.stdout


def test_exec_activates_provider_and_module(usable):
    script = 'openssl list -providers | grep -A1 devtrust; echo "$DEVTRUST_MODULE"; echo "$PKCS11_MODULE_PATH"; echo "$PKCS11_PROVIDER_MODULE"'
    lines = usable.run("exec", "--", "sh", "-c", script).stdout.splitlines()
    module = str(usable.program.parent.parent / "lib/pkcs11/devtrust-pkcs11.so")
    assert lines[0].strip() == "devtrust" and lines[-3:] == [module] * 3
    shown = usable.run("exec", "--", "sh", "-c", 'pkcs11-tool --module "$DEVTRUST_MODULE" -O').stdout
    assert "JumpCloud Device Trust" in shown


def test_exec_adds_to_the_openssl_conf_that_is_set(usable):
    base = usable.home.write("own.cnf", "openssl_conf = openssl_init\n[openssl_init]\nproviders = provider_sect\n[provider_sect]\n"
                             "legacy = legacy_sect\n[legacy_sect]\nactivate = 1\n")
    text = usable.run("exec", "--", "openssl", "list", "-providers", variables={"OPENSSL_CONF": base}).stdout
    assert re.findall(r"^  (\w+)$", text, re.MULTILINE) == ["default", "devtrust", "legacy"]


def test_exec_adds_to_one_whose_sections_have_other_names(usable):
    base = usable.home.write("other.cnf", "openssl_conf = my_init\n[my_init]\nproviders = mine\n[mine]\n"
                             "legacy = legacy_sect\n[legacy_sect]\nactivate = 1\n")
    text = usable.run("exec", "--", "openssl", "list", "-providers", variables={"OPENSSL_CONF": base}).stdout
    assert re.findall(r"^  (\w+)$", text, re.MULTILINE) == ["default", "devtrust", "legacy"], text


def test_exec_refuses_an_openssl_conf_that_does_not_parse(usable):
    base = usable.home.write("broken.cnf", "[section\n")
    ended = usable.run("exec", "--", "true", variables={"OPENSSL_CONF": base})
    assert ended.returncode == 1 and f"{base} cannot be read by OpenSSL (line 1)" in ended.stdout


def test_exec_leaves_nothing_and_passes_the_exit_code(usable):
    ended = usable.run("exec", "--", "sh", "-c", 'dirname "$DEVTRUST_CERT"; exit 7')
    assert ended.returncode == 7
    assert not os.path.exists(ended.stdout.strip())
    assert usable.run("exec", "--", "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL
    for command, code in (("/nonexistent/program", 127), ("/etc/passwd", 126)):
        ended = usable.run("exec", "--", command)
        assert ended.returncode == code and f"{command} cannot be started" in ended.stdout


def test_exec_passes_signals_on(usable):
    process = subprocess.Popen(as_user([str(usable.program), "exec", "--", "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"]),
                               env=environment(usable.home.folder), stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 3
    process.stdout.close()


def test_openssl_cnf_is_not_read(usable):
    """A broken one is what somebody may ask us about."""
    broken = usable.home.write("broken.cnf", "openssl_conf = [\n")
    assert usable.run("status", variables={"OPENSSL_CONF": broken}).returncode == 0
    path = usable.home.write("message", "a message\n")
    assert usable.run("sign", "-b", path, variables={"OPENSSL_CONF": broken}, text=False).returncode == 0


ENCRYPTED = {
    "pkcs12": ["pkcs12", "-export"],
    "pkcs12-3des": ["pkcs12", "-export", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"],
    "pkcs8": ["pkcs8", "-topk8"],
    "traditional": ["rsa", "-aes128", "-traditional"],
}


@pytest.mark.parametrize("form", ENCRYPTED)
def test_encrypted_files(devtrust, pki, folder, form):
    """The command keeps libcrypto from filling its old tables of names: each way to encrypt a key is found without."""
    leaf = pki.issue("rsa:2048")
    home = FileHome(folder / "home", "rsa:2048", leaf)
    store, chain = home.folder / "store", home.folder / "chain.pem"
    inputs = ["-in", leaf.certificate, "-inkey", leaf.key, "-certfile", chain] if form.startswith("pkcs12") else ["-in", leaf.key]
    run(["openssl", *ENCRYPTED[form], *inputs, "-passout", "pass:secret", "-out", store])
    home.write("store", (b"" if form.startswith("pkcs12") else chain.read_bytes()) + store.read_bytes()).chmod(0o600)
    home.write("pin", "secret\n").chmod(0o600)
    home.write("config.toml", f'[[store]]\nkind = "file"\npath = "{store}"\npin_source = "file:{home.folder}/pin"\n')
    assert Command(devtrust, home).run("status").returncode == 0
    signed = home.run([devtrust.with_name("devtrust-smimesign"), "-bsau", "devtrust:"], input="data")
    assert "BEGIN SIGNED MESSAGE" in signed.stdout
