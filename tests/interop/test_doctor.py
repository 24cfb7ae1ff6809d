"""devtrust doctor: each broken state has its line and its cure, and following the cure mends it."""

import json
import os
import re
import shutil

import pytest

from conftest import FileHome
from programs import Account, give_away, on_a_terminal, run
from stores import LEAF_NAME, NssDatabase, Pki
from test_command import Command, check


@pytest.fixture
def home(make_home):
    """With a profile of Firefox; Chromium was used, whose database is the store."""
    home = make_home("ec:P-256", fresh=True)
    home.write(".mozilla/firefox/profiles.ini", "[Profile0]\nName=a\nIsRelative=1\nPath=a\n")
    home.write(".mozilla/firefox/a/times.json", "{}")
    home.write(".config/chromium/First Run", "")
    return home


@pytest.fixture
def doctor(programs, home):
    return Doctor(programs / "devtrust", home)


class Doctor(Command):
    def lines(self, **options):
        """(finding, subject, message, cure) of each line."""
        ended = self.run("doctor", "--json", **options)
        answer = json.loads(ended.stdout)
        with open(os.path.join(os.environ["DEVTRUST_SOURCE"], "docs/doctor.schema.json"), encoding="utf-8") as schema:
            check(answer, json.load(schema))
        lines = [(line["finding"], line["subject"], line["message"], line["cure"] or "") for line in answer["lines"]]
        problems = [line for line in lines if line[0] == "problem"]
        assert answer["well"] == (not problems) and ended.returncode == (1 if problems else 0)
        return lines

    def problems(self, **options):
        return [line for line in self.lines(**options) if line[0] == "problem"]


def find(lines, subject, message):
    (line,) = [line for line in lines if line[1] == subject and re.search(message, line[2])]
    return line


def but_the_agent(lines):
    """This machine has none; and gpgsm knows no EC key."""
    return [line for line in lines if "agent is not on this machine" not in line[2] and line[1] != "gpgsm"]


def test_all_is_well(doctor, home, folder):
    """What is wrong is cured by what doctor says, and then all is well."""
    account = Account(home, folder)
    cures = [line[3] for line in doctor.lines() if line[0] == "off" and line[3].startswith("devtrust setup ")]
    for cure in cures:
        account.run([doctor.program, *cure.split(",")[0].split()[1:]])
    cure = find(doctor.lines(), "provider", "which this session does not read")[3]
    variables = dict([cure.rsplit(" ", 1)[1].split("=", 1)])
    ended = account.run([doctor.program, "doctor", "--json"], check=False, **variables)
    lines = but_the_agent([(line["finding"], line["subject"], line["message"], line["cure"]) for line in json.loads(ended.stdout)["lines"]])
    assert [line[0] for line in lines] == ["ok"] * len(lines), lines
    assert [line[1] for line in lines] == ["configuration", "store", "jumpcloud", "jumpcloud", "jumpcloud", "module", "p11-kit",
                                           "provider", "curl", "ssh", "firefox", "chromium", "git", "git"]
    assert find(lines, "jumpcloud", r"is valid (19|20) more days, renewal due in about (9|10)$")
    assert find(lines, "jumpcloud", "the chain is complete, up to \"JumpCloud Production")
    assert find(lines, "jumpcloud", r"the key \(P-256\) is the certificate's, and signs")


def test_what_is_not_set_up_is_no_problem(doctor):
    lines = but_the_agent(doctor.lines())
    assert {line[1]: line[3] for line in lines if line[0] == "off"} == {
        "p11-kit": "devtrust setup p11-kit",
        "provider": "devtrust setup openssl, or run a program with `devtrust exec`",
        "curl": "devtrust setup curl",
        "ssh": "devtrust setup ssh",
        "firefox": "devtrust setup firefox",
        "git": "devtrust setup git"}


def test_the_text_fits(doctor, home):
    text = doctor.run("doctor").stdout
    assert max(map(len, text.splitlines())) <= 80 + len(str(home.folder))  # a path is not broken
    assert re.findall(r"^(\w+) ", text, re.MULTILINE) == [line[0] for line in doctor.lines()]
    assert "\x1b" not in text


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-384", "ed25519", "ed448", "rsa-pss:2048"])
def test_every_kind_of_key_signs(programs, session_folder, pki, key):
    home = FileHome(session_folder / f"doctor-{key.replace(':', '-')}", key, pki.issue(key))
    assert find(Doctor(programs / "devtrust", home).lines(), "jumpcloud", "is the certificate's, and signs")[0] == "ok"


# broken states


def test_a_configuration_that_does_not_parse(doctor, home):
    path = home.write(".config/devtrust/config.toml", "audit = 1\n")
    assert find(doctor.problems(), "configuration", f"{path}:1:9: audit must be a string")
    path.unlink()
    assert not doctor.problems()


def test_roots_that_are_not_believed(doctor, home):
    doctor.run("setup", "git")
    path = home.folder / ".config/devtrust/roots.pem"
    path.chmod(0o666)
    problems = doctor.problems()
    assert find(problems, "configuration", "may be written by others than its owner, so it is not believed: run chmod go-w on it")
    assert find(problems, "git", "shows its own signatures as not trusted")
    run(["chmod", "go-w", path])
    assert not doctor.problems()


def test_no_store(doctor, home):
    shutil.rmtree(home.database.folder)
    problems = doctor.problems()
    assert "see that the agent runs and has enrolled this user" in find(problems, "store", "none of the usual places")[3]
    assert find(problems, "certificate", "no device-trust certificate")


def test_a_store_that_cannot_be_read(doctor, home):
    (home.database.folder / "key4.db").write_bytes(b"no database at all" * 100)
    assert find(doctor.problems(), "store", "key4.db")


def test_no_certificate(doctor, home):
    home.database.remove(home.leaf.name)
    give_away(home.folder)
    assert find(doctor.problems(), "certificate", "no device-trust certificate with its private key is in any store")


def replace(home, leaf):
    home.database.remove(home.leaf.name)
    home.database.add(leaf)
    home.leaf = leaf
    give_away(home.folder)


@pytest.mark.parametrize("validity, expected", [((-40, -10), r"expired (9|10) days ago .*: see that the agent runs and renews it"),
                                                ((5, 35), "is not valid before .*: check this computer's clock")])
def test_out_of_its_validity(doctor, home, pki, validity, expected):
    replace(home, pki.issue("ec:P-256", name=f"{LEAF_NAME[:-8]}44444444", valid_from=validity[0], valid_to=validity[1]))
    assert find(doctor.problems(), "jumpcloud", expected)
    home.renew(pki, "ec:P-256")
    assert not doctor.problems()


def test_renewal_is_overdue_and_the_agent_gone(doctor, home, pki):
    assert not os.path.exists("/opt/jc"), "JumpCloud's agent is on this machine"
    replace(home, pki.issue("ec:P-256", name=f"{LEAF_NAME[:-8]}55555555", valid_from=-25, valid_to=5))
    problems = doctor.problems()
    assert find(problems, "jumpcloud", "renewal overdue for [45] days")[3] == "see that the agent runs"
    assert "install the agent again" in find(problems, "jumpcloud", r"JumpCloud's agent is not on this machine \(/opt/jc is missing\)")[3]
    home.renew(pki, "ec:P-256")
    assert not doctor.problems()


def test_expired_long_ago(programs, session_folder):
    own = Pki(session_folder / "google")
    leaf = own._certify("Google Endpoint Verification", "ec:P-256", "device", None, -90, -60)
    home = FileHome(session_folder / "google-home", "ec:P-256", leaf)
    assert find(Doctor(programs / "devtrust", home).problems(), "google", "so long ago that its agent seems to be gone")


def test_no_chain(doctor, home, pki):
    home.database.certutil("-D", "-n", "JumpCloud Production Device Identification Root CA")
    assert find(doctor.problems(), "jumpcloud", "the chain ends before its root")
    home.database.certutil("-D", "-n", "device-trust.intermediate")
    assert "certutil -A" in find(doctor.problems(), "jumpcloud", "the store has no issuer of this certificate")[3]
    for name, certificate in (("intermediate", pki.intermediate), ("root", pki.root)):
        home.database.add_certificate(certificate.certificate, name)
    give_away(home.folder)
    assert not doctor.problems()


def test_a_password(programs, make_home):
    home = make_home("ec:P-256", password="secret", fresh=True)
    doctor = Doctor(programs / "devtrust", home)
    assert "name a pin_source for this store" in find(doctor.problems(), "jumpcloud", "needs its password before the key can be used")[3]
    home.write("pin", "secret\n").chmod(0o600)
    home.write(".config/devtrust/config.toml", '[[store]]\nkind = "nss"\npath = "~/.pki/nssdb"\npin_source = "file:~/pin"\n')
    assert not doctor.problems()


def test_two_databases(doctor, home, pki):
    other = NssDatabase(home.folder / ".local/share/pki/nssdb")
    other.add(pki.issue("ec:P-256", f"{LEAF_NAME[:-8]}66666666", valid_from=-12, valid_to=18))
    give_away(home.folder)
    problem = find(doctor.problems(), "jumpcloud", r"\.local/share/pki/nssdb has another valid certificate; the newest counts")
    assert "name the right store alone as [[store]]" in problem[3]
    home.write(".config/devtrust/config.toml", '[[store]]\nkind = "nss"\npath = "~/.pki/nssdb"\n')
    assert not doctor.problems()


def test_the_same_in_two_databases_is_no_problem(doctor, home):
    other = NssDatabase(home.folder / ".local/share/pki/nssdb")
    other.add(home.leaf)
    give_away(home.folder)
    assert not doctor.problems()


def copy_of_the_installation(programs, folder):
    """Ours to break."""
    shutil.copytree(programs, folder / "bin")
    shutil.copytree(programs.parent / "lib", folder / "lib")
    return folder / "bin/devtrust"


def test_a_module_that_is_gone_or_broken(programs, home, folder):
    doctor = Doctor(copy_of_the_installation(programs, folder), home)
    assert not doctor.problems()
    module = folder / "lib/pkcs11/devtrust-pkcs11.so"
    module.write_bytes(b"\x7fELF but not really")
    assert find(doctor.problems(), "module", "cannot be loaded")[3] == "install devtrust again"
    module.unlink()
    assert find(doctor.problems(), "module", "is not where it should be .*: install devtrust again")


def test_a_provider_that_is_gone_or_broken(programs, home, folder):
    doctor = Doctor(copy_of_the_installation(programs, folder), home)
    provider = folder / "lib/ossl-modules/devtrust.so"
    provider.write_bytes(b"\x7fELF but not really")
    assert find(doctor.problems(), "provider", "cannot be loaded")[3] == "install devtrust again"
    provider.unlink()
    assert find(doctor.problems(), "provider", "is not where it should be .*: install devtrust again")


def test_a_broken_openssl_cnf(doctor, home):
    broken = home.write("broken.cnf", "config_diagnostics = 1\nopenssl_conf = init\n[init]\nproviders = missing\n")
    assert find(doctor.problems(variables={"OPENSSL_CONF": broken}), "provider", "openssl does not start with its configuration")


def test_p11_kit_with_a_wrong_path(doctor, home):
    home.add_to_p11_kit("/nonexistent/devtrust-p11-kit.so")
    message = r"/\.config/pkcs11/modules/devtrust\.module, and does not load the module"
    assert find(doctor.problems(), "p11-kit", message)[3].startswith("delete that file, then: devtrust setup p11-kit;")
    (home.folder / ".config/pkcs11/modules/devtrust.module").unlink()
    doctor.run("setup", "p11-kit")
    assert find(doctor.lines(), "p11-kit", "knows the module")


def test_openssl_with_a_provider_that_is_gone(doctor, home):
    doctor.run("setup", "openssl")
    path = home.folder / ".config/devtrust/openssl.cnf"
    home.write(".config/devtrust/openssl.cnf", path.read_text().replace("/devtrust.so", "/gone.so"))
    for variables in ({}, {"OPENSSL_CONF": path}):
        assert find(doctor.problems(variables=variables), "provider", "names .*/gone.so, which is not there")[3] == \
            "devtrust setup openssl"
    doctor.run("setup", "openssl")
    assert find(doctor.lines(variables={"OPENSSL_CONF": path}), "provider", "is active")[0] == "ok"


def test_ssh_with_a_module_that_is_not_ours_or_gone(doctor, home, folder):
    account = Account(home, folder)

    def found(text):
        home.write(".ssh/config", text).chmod(0o600)
        lines = json.loads(account.run([doctor.program, "doctor", "--json"], check=False).stdout)["lines"]
        (line,) = [line for line in lines if line["subject"] == "ssh"]
        return line["finding"], line["message"], line["cure"]

    assert found("PKCS11Provider /opt/mine.so\n") == \
        ("off", "uses another module, /opt/mine.so", "take its PKCS11Provider out, then: devtrust setup ssh")
    finding, message, cure = found("Hots *\n")
    assert finding == "problem" and message.startswith("does not start with its configuration: ") and cure == "mend that file first"
    (home.folder / ".ssh/config").unlink()
    account.run([doctor.program, "setup", "ssh"])
    gone = (home.folder / ".ssh/config").read_text().replace("devtrust-pkcs11.so", "devtrust-gone.so")
    finding, message, cure = found(gone)
    assert (finding, cure) == ("problem", "devtrust setup ssh") and message.endswith("devtrust-gone.so, which is not there")
    account.run([doctor.program, "setup", "ssh"])
    assert found((home.folder / ".ssh/config").read_text())[0] == "ok"


def test_git_with_a_key_that_is_gone(doctor, home, pki):
    doctor.run("setup", "git")
    home.run(["git", "config", "--global", "user.signingKey", "0123456789abcdef"])
    assert find(doctor.problems(), "git", "cannot sign: no certificate's SHA-1 fingerprint ends in 0123456789abcdef")


def test_git_without_the_root(doctor):
    doctor.run("setup", "git", "--no-trust")
    problem = find(doctor.problems(), "git", "shows its own signatures as not trusted")
    assert problem[3].startswith("devtrust setup git")
    doctor.run("setup", "git")
    assert not doctor.problems()


def test_a_locked_store_asks_nobody(doctor, home, make_home, programs):
    """Not even where git is set up, and would sign."""
    home = make_home(password="secret", fresh=True)
    doctor = Doctor(programs / "devtrust", home)
    doctor.run("setup", "git")
    assert "would ask for the password" in find(doctor.lines(), "git", "is set up")[2]
    said, code = on_a_terminal([str(doctor.program), "doctor"], home.folder, home.folder)
    assert code == 1 and "Password" not in said


def test_a_git_configuration_that_does_not_parse(doctor, home):
    home.write(".gitconfig", "[user\n")
    find(doctor.problems(), "git", "does not start with its configuration: fatal: bad config line 1")


def test_an_audit_that_cannot_be_written(doctor, home):
    home.write(".config/devtrust/config.toml", 'audit = "/dev/null/none"\n')
    find(doctor.problems(), "audit", "the audit line cannot be written to /dev/null/none")
    home.write(".config/devtrust/config.toml", f'audit = "syslog:{home.folder}/none"\n')
    find(doctor.problems(), "audit", "the audit line cannot be written to .*/none: No such file")


def test_a_removed_agent_is_told_before_it_matters(doctor):
    assert not os.path.exists("/opt/jc"), "JumpCloud's agent is on this machine"
    assert find(doctor.lines(), "jumpcloud", "so nobody will renew the certificate")[0] == "off"


def test_git_with_a_program_that_is_gone(doctor, home):
    doctor.run("setup", "git")
    home.run(["git", "config", "--global", "gpg.x509.program", "/nonexistent/devtrust-smimesign"])
    assert find(doctor.problems(), "git", "cannot sign: /nonexistent/devtrust-smimesign cannot be started")[3] == "devtrust setup git"
    doctor.run("setup", "git")
    assert not doctor.problems()
