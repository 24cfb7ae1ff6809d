"""git with devtrust-smimesign, and with gpgsm as the measure: commits, tags, pushes, merges, and what git says of them."""

import re
import subprocess

import pytest

from programs import as_user, environment, give_away, on_a_terminal
from signing import Gpgsm, TimeStampAuthority
from stores import LEAF_NAME, Pki

AUTHOR = {"GIT_AUTHOR_NAME": "A. Author", "GIT_AUTHOR_EMAIL": "author@example.com", "GIT_COMMITTER_NAME": "C. Committer",
          "GIT_COMMITTER_EMAIL": "committer@example.com"}


class Repository:
    """A repository of its own for each test, with what signs there."""

    def __init__(self, name, home, folder, leaf, settings):
        self.name, self.home, self.folder, self.leaf = name, home, folder, leaf
        folder.mkdir()
        give_away(folder)
        self.git("init", "-q", "-b", "main")
        for key, value in settings.items():
            self.git("config", key, value)

    def run(self, *arguments, fake_time=None, data=None, **variables):
        argv = as_user((["faketime", "-f", fake_time] if fake_time else []) + ["git", *map(str, arguments)])
        return subprocess.run(argv, env=environment(self.home, **AUTHOR, **variables), cwd=self.folder, check=False, text=True,
                              timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, input=data or "")

    def git(self, *arguments, **options):
        ended = self.run(*arguments, **options)
        assert ended.returncode == 0, f"git {arguments}\nended with {ended.returncode}:\n{ended.stdout}"
        return ended.stdout.strip()

    def commit(self, message="a commit", *options, **more):
        self.git("commit", "-q", "--allow-empty", "-S", "-m", message, *options, **more)
        return self.git("rev-parse", "HEAD")

    def shown(self, form, revision="HEAD"):
        return self.git("log", "-1", f"--format={form}", revision)

    def forge(self, revision, change):
        """A commit whose text is that of another, changed, under the other's signature."""
        text = subprocess.run(as_user(["git", "cat-file", "commit", revision]), env=environment(self.home), cwd=self.folder, check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        return self.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", data=change(text))


@pytest.fixture(scope="session")
def gpgsm(session_folder, pki):
    program = Gpgsm(session_folder / "git-gpgsm", pki.root.certificate)
    program.leaf = pki.issue()
    program.add_key(program.leaf)
    yield program
    program.close()


@pytest.fixture
def make_ours(programs, make_home, folder):
    """A repository of a user who has run `devtrust setup git` and nothing else."""
    count = []

    def make(key="rsa:2048", home=None, setup=("setup", "git")):
        home = home or make_home(key, fresh=True)
        if setup:
            home.run([programs / "devtrust", *setup])
        count.append(None)
        return Repository("devtrust-smimesign", home.folder, folder / f"repository{len(count)}", home.leaf, {})

    return make


@pytest.fixture
def ours(make_ours):
    return make_ours()


@pytest.fixture(params=["devtrust-smimesign", "gpgsm"])
def repository(request, folder):
    if request.param == "devtrust-smimesign":
        return request.getfixturevalue("make_ours")()
    gpgsm = request.getfixturevalue("gpgsm")
    return Repository("gpgsm", gpgsm.folder, folder / "repository", gpgsm.leaf, {
        "gpg.format": "x509", "gpg.x509.program": "gpgsm", "user.signingkey": f"0x{gpgsm.leaf.sha1()}"})


def fingerprint(leaf):
    return leaf.sha1().upper()


# commits


def test_a_commit_is_signed_and_good(repository):
    repository.commit()
    assert repository.shown("%G?") == "G"
    assert repository.git("cat-file", "commit", "HEAD").count("-----BEGIN SIGNED MESSAGE-----") == 1
    assert repository.run("verify-commit", "HEAD").returncode == 0


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256", "ec:P-384", "ec:P-521"])
def test_each_kind_of_key(make_ours, key):
    repository = make_ours(key)
    repository.commit()
    assert repository.shown("%G?") == "G"


def test_what_log_says_of_a_signature(repository):
    repository.commit()
    print_ = fingerprint(repository.leaf)
    assert repository.shown("%G?|%GF|%GT") == f"G|{print_}|fully"
    assert repository.shown("%GK") == print_
    assert repository.shown("%GS").endswith(f"CN={LEAF_NAME}".replace("–", "–" if repository.name == "devtrust-smimesign" else "%E2%80%93"))
    # gpgsm gives no primary key
    assert repository.shown("%GP") == (print_ if repository.name == "devtrust-smimesign" else "")
    said = repository.shown("%GG")
    assert f"{repository.name}: Signature made" in said and f"{repository.name}: Good signature from" in said


def test_log_shows_signatures(repository):
    repository.commit()
    shown = repository.git("log", "--graph", "--show-signature", "-1")
    assert f"\n  {repository.name}: Signature made" in shown and f"\n  {repository.name}: Good signature" in shown


def test_verify_commit_shows_status_lines(repository):
    repository.commit()
    said = repository.git("verify-commit", "--raw", "HEAD")
    lines = [line.split()[1] for line in said.splitlines() if line.startswith("[GNUPG:]")]
    assert [line for line in lines if line in ("NEWSIG", "GOODSIG", "VALIDSIG", "TRUST_FULLY")] == ["NEWSIG", "GOODSIG", "VALIDSIG", "TRUST_FULLY"]


def test_an_unsigned_commit(repository):
    repository.git("commit", "-q", "--allow-empty", "-m", "plain")
    assert repository.shown("%G?") == "N"
    assert repository.run("verify-commit", "HEAD").returncode == 1


def test_every_commit_where_git_is_told_so(repository):
    repository.git("config", "commit.gpgSign", "true")
    repository.git("commit", "-q", "--allow-empty", "-m", "one")
    repository.git("commit", "-q", "--amend", "--allow-empty", "-m", "two")
    assert repository.shown("%G? %s") == "G two"
    repository.git("commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "three")
    assert repository.shown("%G?") == "N"


def test_rebased_commits_are_signed(ours):
    ours.commit("base")
    ours.git("checkout", "-q", "-b", "topic")
    for name in ("one", "two", "three"):
        (ours.folder / name).write_text(name)
        give_away(ours.folder)
        ours.git("add", name)
        ours.git("commit", "-q", "-m", name)
    ours.git("rebase", "-q", "-S", "--force-rebase", "main")
    assert ours.git("log", "--format=%G?", "main..").split() == ["G", "G", "G"]


def test_a_message_in_any_letters(repository):
    repository.commit("Größe – 日本\n\n-----BEGIN SIGNED MESSAGE-----\nnone\n")
    assert repository.shown("%G?") == "G"


# forged and damaged


def test_a_forged_message(repository):
    forged = repository.forge(repository.commit("a true word"), lambda text: text.replace("a true word", "a false word"))
    assert repository.shown("%G? %s", forged) == "B a false word"
    assert repository.run("verify-commit", forged).returncode == 1
    assert repository.shown("%GK", forged) == fingerprint(repository.leaf)
    if repository.name == "devtrust-smimesign":
        # git 2.39 aborts here for gpgsm, which says nothing of trust
        assert repository.shown("%GT", forged) == "never"


def test_a_damaged_signature(ours):
    def damage(text):
        lines = text.split("\n")
        at = next(i for i, line in enumerate(lines) if "BEGIN SIGNED MESSAGE" in line) + 3
        lines[at] = " " + "A" * (len(lines[at]) - 1)
        return "\n".join(lines)

    damaged = ours.forge(ours.commit(), damage)
    assert ours.shown("%G?", damaged) in ("B", "E")
    assert ours.run("verify-commit", damaged).returncode == 1


def test_a_truncated_signature(ours):
    truncated = ours.forge(ours.commit(), lambda text: re.sub(r"(BEGIN SIGNED MESSAGE-----\n(?: .*\n){5})(?: [A-Za-z0-9+/=]+\n)+",
                                                            r"\1", text))
    assert ours.shown("%G?", truncated) == "E"
    assert ours.run("verify-commit", truncated).returncode == 1
    ours.git("log", "-1", "--format=%GT|%GS|%GF", truncated)


def test_another_commits_signature(repository):
    one, two = repository.commit("one"), repository.commit("two")
    signature = re.search(r"gpgsig .*?END SIGNED MESSAGE-----\n", repository.git("cat-file", "commit", one), re.DOTALL).group()
    mixed = repository.forge(two, lambda text: re.sub(r"gpgsig .*?END SIGNED MESSAGE-----\n", lambda _: signature, text, flags=re.DOTALL))
    assert repository.shown("%G?", mixed) == "B"


# whom to believe


def test_a_root_that_nobody_trusts(make_ours):
    repository = make_ours(setup=("setup", "git", "--no-trust"))
    repository.commit()
    assert repository.shown("%G? %GT") == "U undefined"
    assert repository.run("verify-commit", "HEAD").returncode == 1


@pytest.mark.parametrize("level, good", [("undefined", True), ("marginal", True), ("fully", True), ("ultimate", False)])
def test_the_least_trust(repository, level, good):
    repository.commit()
    ended = repository.run("-c", f"gpg.minTrustLevel={level}", "verify-commit", "HEAD")
    assert (ended.returncode == 0) == good


def test_merges(repository):
    repository.commit("base")
    for branch, signed in (("signed", True), ("unsigned", False)):
        repository.git("checkout", "-q", "-b", branch, "main")
        (repository.commit if signed else lambda m: repository.git("commit", "-q", "--allow-empty", "-m", m))(branch)
    repository.git("checkout", "-q", "-b", "forged", "main")
    repository.git("reset", "-q", "--hard", repository.forge(repository.git("rev-parse", "signed"),
                                                            lambda text: text.replace("\n\nsigned", "\n\nforged")))
    repository.git("checkout", "-q", "main")
    for branch, expected in (("unsigned", "does not have a GPG signature"), ("forged", "has a bad GPG signature")):
        ended = repository.run("merge", "--no-edit", "--verify-signatures", branch)
        assert ended.returncode != 0 and expected in ended.stdout
    repository.git("merge", "-q", "--no-ff", "--no-edit", "-S", "--verify-signatures", "signed")
    assert repository.shown("%G?") == "G"


def test_merges_of_the_untrusted(make_ours):
    repository = make_ours(setup=("setup", "git", "--no-trust"))
    repository.commit("base")
    repository.git("checkout", "-q", "-b", "topic")
    repository.commit("topic")
    repository.git("checkout", "-q", "main")
    assert repository.run("merge", "--verify-signatures", "topic").returncode != 0


# tags and pushes


def test_tags(repository):
    repository.commit()
    repository.git("tag", "-s", "-m", "a tag", "v1")
    assert repository.run("verify-tag", "v1").returncode == 0
    assert "Good signature from" in repository.git("tag", "-v", "v1")
    forged = repository.git("cat-file", "tag", "v1").replace("a tag", "another") + "\n"
    repository.git("update-ref", "refs/tags/v2", repository.git("mktag", "--no-strict", data=forged.replace("tag v1", "tag v2")))
    ended = repository.run("verify-tag", "v2")
    assert ended.returncode == 1


def test_signed_pushes(repository, folder):
    give_away(folder)
    server = folder / "server"
    hooks = server / "hooks"
    repository.git("init", "-q", "--bare", server)
    repository.git("--git-dir", server, "config", "receive.certNonceSeed", "seed")
    for key in ("gpg.format", "gpg.x509.program"):
        repository.git("--git-dir", server, "config", key, repository.git("config", key))
    hook = hooks / "post-receive"
    hook.write_text('#!/bin/sh\necho "$GIT_PUSH_CERT_STATUS|$GIT_PUSH_CERT_KEY|$GIT_PUSH_CERT_SIGNER|$GIT_PUSH_CERT_NONCE_STATUS" >result\n')
    hook.chmod(0o755)
    give_away(server)
    repository.commit()
    repository.git("push", "-q", "--signed", server, "main")
    status, key, signer, nonce = (server / "result").read_text().strip().split("|")
    assert (status, key, nonce) == ("G", fingerprint(repository.leaf), "OK")
    assert "JumpCloud Device Trust Certificate" in signer


# what no other signer does: the name of the profile, renewals, expiry


def test_after_a_renewal(make_home, make_ours, pki):
    home = make_home(fresh=True)
    repository = make_ours(home=home)
    old_leaf, old = home.leaf, repository.commit("old")
    home.renew(pki)
    new = repository.commit("new")
    assert [repository.shown("%G? %GF", commit) for commit in (old, new)] == [f"G {fingerprint(old_leaf)}", f"G {fingerprint(home.leaf)}"]


def make_expired(make_home, make_ours, pki, name):
    """A repository, and its user's home, whose certificate expired ten days ago."""
    home = make_home(fresh=True)
    home.database.remove(home.leaf.name)
    home.leaf = pki.issue(name=f"{LEAF_NAME[:-8]}{name}", valid_from=-40, valid_to=-10)
    home.database.add(home.leaf)
    give_away(home.folder)
    return home, make_ours(home=home)


def test_expired_since(make_home, make_ours, pki):
    home, repository = make_expired(make_home, make_ours, pki, "00000001")
    commit = repository.commit(fake_time="-20d")
    assert repository.shown("%G? %GT", commit) == "Y fully"
    assert "has expired since" in repository.shown("%GG", commit)
    home.renew(pki)
    assert repository.shown("%G?", commit) == "Y" and repository.shown("%G?", repository.commit("new")) == "G"


def test_expired_since_and_time_stamped(make_home, make_ours, session_folder, folder, pki):
    time_pki = Pki(folder / "time", root_name="Time Root", intermediate_name="Time Issuer")
    clock = time_pki.issue(name="Time Authority", valid_from=-100, valid_to=1000, extensions="time")
    time_pki.folder.chmod(0o755)
    home, repository = make_expired(make_home, make_ours, pki, "00000002")
    with TimeStampAuthority(folder / "tsa", clock, fake_time="-20d") as authority:
        home.write(".config/devtrust/config.toml", f'[sign]\ntimestamp = "{authority.url}"\n[verify]\n'
                   f'timestamp_roots = ["{time_pki.root.certificate}"]\n')
        commit = repository.commit(fake_time="-20d")
    assert repository.shown("%G? %GT", commit) == "G fully"
    assert repository.run("verify-commit", commit).returncode == 0


def test_an_expired_certificate_does_not_sign(make_home, make_ours, pki):
    _, repository = make_expired(make_home, make_ours, pki, "00000003")
    # git 2.39 keeps what the program says to itself, so it is said to the terminal
    said, code = on_a_terminal(["git", "commit", "--allow-empty", "-S", "-m", "late"], repository.home, repository.folder, **AUTHOR)
    assert code != 0
    assert "expired" in said and "see that the agent runs and renews it" in said
    assert repository.run("rev-parse", "HEAD").returncode != 0


def test_without_a_signing_key_the_device_signs_and_says_so(make_ours, programs):
    repository = make_ours()
    for key in ("gpg.format", "gpg.x509.program"):
        repository.git("config", key, repository.git("config", key))
    (repository.home / ".gitconfig").unlink()
    said, code = on_a_terminal(["git", "commit", "--allow-empty", "-S", "-m", "a commit"], repository.home, repository.folder, **AUTHOR)
    assert code == 0
    assert "no certificate has the address committer@example.com: signing with the device's" in said
    assert repository.shown("%G?") == "G"
    assert "no certificate" not in repository.shown("%GG")


# with each other


def test_gpgsm_verifies_ours(make_ours, gpgsm):
    for key in ("rsa:2048", "ec:P-256"):
        repository = make_ours(key)
        repository.commit()
        shown = repository.git("-c", "gpg.x509.program=gpgsm", "log", "-1", "--format=%G? %GF", GNUPGHOME=gpgsm.home)
        assert shown == f"G {fingerprint(repository.leaf)}"


def test_ours_verifies_gpgsms(ours, gpgsm):
    ours.git("-c", "gpg.x509.program=gpgsm", "-c", f"user.signingkey=0x{gpgsm.leaf.sha1()}", "commit", "-q", "--allow-empty", "-S", "-m",
             "by gpgsm", GNUPGHOME=gpgsm.home)
    assert ours.shown("%G? %GF") == f"G {fingerprint(gpgsm.leaf)}"
