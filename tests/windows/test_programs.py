"""devtrust.exe and devtrust-smimesign.exe, as Windows' users and Git for Windows run them."""

import json
import os
import re
import shlex
import subprocess

import pytest

from conftest import unix_path, windows_path
from programs import run

DATA = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\r\n\x1a\x00\n"  # a text mode would change or end it


def as_cms(signature):
    return signature.replace(b"SIGNED MESSAGE", b"CMS")


def test_lists_what_a_file_store_holds(windows):
    said = windows.devtrust("list")
    assert "* JumpCloud Device Trust Certificate – 0A1B2C3D\n" in said  # UTF-8, and the line's end as it is
    assert f"in {windows_path(windows.home / 'device.pem')} (file)" in re.sub(r"\s+", " ", said)


def test_status_says_it_by_the_exit_code(windows):
    assert windows.devtrust("status").startswith("usable: ")
    answer = json.loads(windows.devtrust("status", "--json"))
    assert answer["state"] == "usable" and answer["problems"] == []
    os.unlink(windows.home / "device.pem")
    assert windows.devtrust("status", code=2).startswith("not-found: ")


def test_another_users_status_is_refused_with_a_sentence(windows):
    assert "--all-users is not there on Windows" in windows.devtrust("status", "--all-users", code=1)


def test_names_the_identity(windows):
    said = windows.devtrust("uri")
    assert "devtrust:jumpcloud\n" in said
    assert "pkcs11:token=JumpCloud%20Device%20Trust;object=JumpCloud%20Device%20Trust;type=private\n" in said


def test_writes_the_chain_and_the_keys_reference(windows, leaf):
    folder = windows.home / "chåin"
    windows.devtrust("pem", "--output", windows_path(folder))
    assert (folder / "chain.pem").read_text().count("BEGIN CERTIFICATE") == 2
    assert "BEGIN DEVTRUST KEY" in (folder / "key.pem").read_text()
    windows.devtrust("pem", "--output", windows_path(folder))  # over what is there
    assert sorted(os.listdir(folder)) == ["chain.pem", "key.pem"]


def test_arguments_are_utf8_inside(windows):
    assert 'there is no command "lïst–": ' in windows.devtrust("lïst–", code=1)


@pytest.mark.parametrize("how", ["-bsau", "-sau", "-bsu"])
def test_signs_what_openssl_verifies(windows, pki, how):
    answer = windows.sign(DATA, how=how)
    assert answer.code == 0, answer.said
    assert answer.words() == ["BEGIN_SIGNING", "SIG_CREATED"]
    signature, data, root = windows.home / "signature", windows.home / "data", windows.home / "root.pem"
    signature.write_bytes(as_cms(answer.output))
    data.write_bytes(DATA)
    root.write_text(pki.root.certificate.read_text())
    content = ["-content", data] if "b" in how else []
    verified = run(["openssl", "cms", "-verify", "-inform", "PEM" if "a" in how else "DER", "-in", signature, *content,
                    "-CAfile", root, "-purpose", "any", "-binary"], text=False)
    assert verified.stdout == DATA


def assert_gpgsm_verifies(windows, pki, leaf, signature, data):
    home = windows.home / "gnupg"
    home.mkdir(mode=0o700)
    (home / "gpgsm.conf").write_text("disable-crl-checks\n")
    fingerprint = run(["openssl", "x509", "-in", pki.root.certificate, "-noout", "-fingerprint", "-sha1"]).stdout.strip()
    (home / "trustlist.txt").write_text(f"{fingerprint.split('=')[1]} S relax\n")
    gpgsm = ["gpgsm", "--homedir", home, "--batch"]
    try:
        for issuer in leaf.issuers:
            run([*gpgsm, "--import", issuer], home=windows.home)
        assert "Good signature" in run([*gpgsm, "--verify", signature, data], home=windows.home).stdout
    finally:
        run(["gpgconf", "--homedir", home, "--kill", "all"], home=windows.home)


def test_gpgsm_verifies_what_it_signs(windows, pki, leaf):
    signature, data = windows.home / "signature", windows.home / "data"
    signature.write_bytes(windows.sign(DATA).output)
    data.write_bytes(DATA)
    assert_gpgsm_verifies(windows, pki, leaf, signature, data)


def test_verifies_what_it_signs(windows, pki):
    signature = windows.sign(DATA).output
    assert windows.verify(signature, DATA).words()[:3] == ["NEWSIG", "GOODSIG", "VALIDSIG"]
    assert windows.verify(signature, DATA).code == 1  # its root is not trusted
    roots = windows.home / "roots.pem"
    roots.touch(mode=0o600)
    roots.write_text(pki.root.certificate.read_text())
    windows.configure((windows.home / "config.toml").read_text() + f"[verify]\nroots = ['{windows_path(roots)}']\n")
    good = windows.verify(signature, DATA)
    assert (good.code, good.line("TRUST_FULLY")) == (0, "TRUST_FULLY 0 shell")
    bad = windows.verify(signature, DATA + b"\r\n")
    assert (bad.code, bad.words()[:2]) == (1, ["NEWSIG", "BADSIG"])


@pytest.mark.parametrize("descriptor", [0, 9])
def test_status_lines_that_cannot_be_written_are_an_error(windows, descriptor):
    ended = windows.run("devtrust-smimesign", f"--status-fd={descriptor}", "-bsau", "devtrust:jumpcloud", data=DATA)
    assert ended.returncode == 1 and ended.stdout == b""
    assert "the status lines cannot be written to --status-fd: Bad file descriptor" in ended.stderr.decode()


@pytest.mark.parametrize("closed, said", [("<&-", "standard input cannot be read"), (">&-", "the signature cannot be written")])
def test_closed_streams_are_an_error(windows, closed, said):
    command = shlex.join(windows.argv("devtrust-smimesign", "-bsau", "devtrust:jumpcloud")) + ' "$@" ' + closed
    ended = subprocess.run(["sh", "-c", command], check=False, input=DATA, capture_output=True, timeout=60, cwd=windows.home,
                           env=windows.environment())
    assert ended.returncode == 1 and said in ended.stderr.decode()


def test_git_commits_through_it(my, pki, leaf):
    """This system's git, whose signing program is the one for Windows, with a key in Windows' store."""
    windows = my
    program = windows.home / "smimesign"
    program.write_text(f"#!/bin/sh\nexec {shlex.join(windows.argv('devtrust-smimesign'))} \"$@\"\n")
    program.chmod(0o755)
    repository = windows.home / "repository"
    variables = windows.environment(HOME=str(windows.home), GIT_CONFIG_NOSYSTEM="1")
    settings = {"gpg.format": "x509", "gpg.x509.program": program, "user.signingKey": "devtrust:jumpcloud",
                "user.name": "Jürgen", "user.email": "j@example.com"}

    def git(*arguments, check=True):
        ended = subprocess.run(["git", "-C", repository, *arguments], check=False, capture_output=True, timeout=120, env=variables)
        assert ended.returncode == 0 or not check, ended.stderr.decode()
        return ended

    subprocess.run(["git", "init", "-q", repository], check=True, env=variables)
    for name, value in settings.items():
        git("config", name, str(value))
    git("commit", "-q", "--allow-empty", "-S", "-m", "signed under wine – ok")
    commit = git("cat-file", "commit", "HEAD").stdout
    head, _, rest = commit.partition(b"gpgsig ")
    lines = rest.split(b"\n")
    end = next(i for i, line in enumerate(lines) if i > 0 and not line.startswith(b" "))
    signature = b"\n".join(line.removeprefix(b" ") for line in lines[:end])
    payload, message, cms = (windows.home / name for name in ("payload", "message", "message.cms"))
    payload.write_bytes(head + b"\n".join(lines[end:]))
    message.write_bytes(signature)
    cms.write_bytes(as_cms(signature))
    run(["openssl", "cms", "-verify", "-inform", "PEM", "-in", cms, "-content", payload, "-CAfile", pki.root.certificate,
         "-purpose", "any", "-binary", "-out", windows.home / "verified"])
    assert_gpgsm_verifies(windows, pki, leaf, message, payload)
    shown = git("verify-commit", "--raw", "HEAD", check=False).stderr.decode()
    assert "GOODSIG " + leaf.sha1().upper() in shown and "TRUST_UNDEFINED" in shown


def doctor_lines(windows, **variables):
    answer = json.loads(windows.run("devtrust", "doctor", "--json", **variables).stdout)
    return [(line["finding"], line["subject"], line["message"]) for line in answer["lines"]]


def test_doctor_finds_what_there_is(git):
    git.install(os.environ["DEVTRUST_OPENSSL"], "openssl")
    lines = doctor_lines(git)
    assert [line for line in lines if line[0] == "problem"] == []
    assert ("ok", "module", f"Z:{git.bin.parent}/lib/pkcs11/devtrust-pkcs11.dll loads") in lines
    assert any(line[:2] == ("off", "provider") and "loads; OpenSSL's programs are not told of it" in line[2] for line in lines)
    assert ("off", "git", "does not sign with the device certificate") in lines


def test_doctor_says_what_is_broken(windows):
    (windows.home / "device.pem").write_text("nonsense")
    ended = windows.run("devtrust", "doctor")
    assert ended.returncode == 1
    assert b"problem" in ended.stdout


def test_setup_git_is_undone_to_the_byte(git, leaf):
    config = git.home / ".gitconfig"
    before = b"[user]\r\n\tname = J\xc3\xbcrgen\r\n"
    config.write_bytes(before)
    diff = git.devtrust("setup", "git", "--no-trust", "--dry-run")
    assert config.read_bytes() == before and "+\tsigningKey = \"devtrust:jumpcloud\"\n" in diff
    git.devtrust("setup", "git", "--no-trust")
    program = run(["git", "config", "--file", config, "--get", "gpg.x509.program"]).stdout.strip()
    assert program == f"Z:{git.bin}/devtrust-smimesign.exe"  # with forward slashes: Git for Windows runs it by a shell
    assert ("ok", "git", 'signs, as "devtrust:jumpcloud"') in doctor_lines(git)
    assert git.devtrust("setup", "git", "--no-trust").startswith("Already set up")
    git.devtrust("unsetup", "git")
    assert config.read_bytes() == before
    assert sorted(path.name for path in git.home.iterdir() if path.name.startswith(".")) == [".gitconfig"]


def test_a_locked_configuration_stays_as_it_is(git):
    (git.home / ".gitconfig.lock").touch()
    assert ".gitconfig.lock is there" in git.devtrust("setup", "git", "--no-trust", code=1)
    assert not (git.home / ".gitconfig").exists()


def test_verifies_a_range_of_commits(git):
    repository = git.home
    variables = {"HOME": str(git.home), "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"], "GIT_AUTHOR_NAME": "a",
                 "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "1"], ["commit", "-q", "--allow-empty", "-m", "2"]):
        subprocess.run(["git", *arguments], check=True, cwd=repository, env=variables)
    assert "unsigned" in git.devtrust("verify", "--range", "HEAD~1..HEAD", code=1)


def test_setup_openssl_activates_the_provider(windows):
    windows.install(os.environ["DEVTRUST_OPENSSL"], "openssl")
    own = windows.home / "openssl.cnf"
    before = b"[openssl_init]\r\n"
    own.write_bytes(before)
    variables = {"OPENSSL_CONF": windows_path(own)}
    windows.devtrust("setup", "openssl", **variables)
    assert any(line[:2] == ("ok", "provider") and line[2].endswith("is active") for line in doctor_lines(windows, **variables))
    windows.devtrust("unsetup", "openssl", **variables)
    assert own.read_bytes() == before


def test_exec_gives_a_program_the_key(windows, leaf):
    windows.install(os.environ["DEVTRUST_OPENSSL"], "openssl")
    data, signature = windows.home / "data file", windows.home / "signature"
    data.write_bytes(DATA)
    said = windows.devtrust("exec", "--", "openssl", "dgst", "-sha256", "-sign", "devtrust:jumpcloud", "-out",
                            windows_path(signature), windows_path(data))
    assert signature.exists(), said
    run(["openssl", "dgst", "-sha256", "-verify", leaf.public_key(), "-signature", signature, data])
    assert windows.devtrust("exec", "--", "there-is-none", code=127)
    ended = windows.run("devtrust", "exec", "--", "openssl", "nonsense")
    assert ended.returncode == 1


def test_setup_firefox_adds_the_module(windows, firefox):
    profile = firefox / "Profiles" / "a.default"
    profile.mkdir(parents=True)
    (firefox / "profiles.ini").write_text("[Profile0]\r\nName=a\r\nIsRelative=1\r\nPath=Profiles/a.default\r\n")
    windows.devtrust("setup", "firefox", "--auto-select")
    module = f"library=Z:{windows.bin.parent}/lib/pkcs11/devtrust-pkcs11.dll"
    assert module in (profile / "pkcs11.txt").read_text()
    assert "Select Automatically" in (profile / "user.js").read_text()
    assert [line for line in doctor_lines(windows) if line[1] == "firefox"] == [
        ("ok", "firefox", "has the certificate in all 1 profiles")]
    windows.devtrust("unsetup", "firefox")
    assert os.listdir(profile) == []


def test_chromium_needs_no_setup(windows):
    assert "read Windows' own certificate store" in re.sub(r"\s+", " ", windows.devtrust("setup", "chromium", code=1))


@pytest.mark.parametrize("target", ["p11-kit", "ssh", "gpgsm"])
def test_targets_of_other_systems_are_unknown(windows, target):
    assert target in windows.devtrust("setup", target, code=1)


@pytest.fixture
def firefox(windows):
    """The folder of Firefox's profiles.ini, which is below %APPDATA%, wherever the user's profile is."""
    where = subprocess.run([os.environ["DEVTRUST_WINE"], "cmd", "/c", "echo %APPDATA%"], check=True, capture_output=True, timeout=60,
                           env=windows.environment()).stdout.decode().strip()
    folder = windows.home / "firefox"
    folder.mkdir()
    place = os.path.join(unix_path(where), "Mozilla")
    os.makedirs(place)
    os.symlink(folder, os.path.join(place, "Firefox"))
    yield folder
    os.unlink(os.path.join(place, "Firefox"))
    os.rmdir(place)
