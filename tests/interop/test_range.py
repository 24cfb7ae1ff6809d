"""devtrust verify --range: every commit's verdict, for CI and pre-receive hooks."""

import base64
import json
import os
import re

import pytest

from programs import give_away
from signing import change_signers, chain_file, openssl_cms_sign, tlv
from stores import LEAF_NAME, Pki
from test_command import check
from test_git import AUTHOR, fingerprint, make_expired, make_ours  # noqa: F401: a fixture

SUBJECT = f"CN={LEAF_NAME}"


@pytest.fixture
def judge(programs):
    """Runs it in a repository; options as for Home.run."""

    def run_range(repository, span, *arguments, **variables):
        return repository.home_of.run(["sh", "-c", 'cd "$0" && exec "$@"', repository.folder, programs / "devtrust", "verify", "--range", span,
                                       *arguments], check=False, variables={**AUTHOR, **variables})

    return run_range


@pytest.fixture
def make_repository(make_home, make_ours):  # noqa: F811
    """A repository that remembers its home."""

    def make(*setup, home=None):
        home = home or make_home(fresh=True)
        repository = make_ours(home=home, setup=("setup", "git", *setup))
        repository.home_of = home
        return repository

    return make


@pytest.fixture
def repository(make_repository):
    repository = make_repository()
    repository.first = repository.commit("first")
    return repository


def lines(ended):
    return ended.stdout.splitlines()


def test_good_ones(repository, judge):
    commits = [repository.commit(name) for name in ("one", "two", "three")]
    ended = judge(repository, f"{repository.first}..HEAD")
    assert ended.returncode == 0, ended.stdout
    assert lines(ended) == [f"{commit[:12]} good: {SUBJECT}" for commit in commits] + ["3 commits, 3 good, 0 not"]


def test_an_empty_range(repository, judge):
    ended = judge(repository, "HEAD..HEAD")
    assert ended.returncode == 0 and lines(ended) == ["0 commits, 0 good, 0 not"]


def mixed(repository):
    """One of each that git can make here; by verdict."""
    made = {"good": repository.commit("a good one")}
    repository.git("commit", "-q", "--allow-empty", "-m", "plain")
    made["unsigned"] = repository.git("rev-parse", "HEAD")
    made["bad"] = repository.forge(made["good"], lambda text: text.replace("a good one", "another"))
    made["damaged"] = repository.forge(made["good"], lambda text: re.sub(r"(BEGIN SIGNED MESSAGE-----\n(?: .*\n){5})(?: [A-Za-z0-9+/=]+\n)+",
                                                                      r"\1", text))
    made["not-x509"] = repository.forge(made["good"], lambda text: text.replace("SIGNED MESSAGE", "PGP SIGNATURE"))
    return made


def verdicts(repository, judge, made, *arguments):
    """What --json says of each, one commit at a time, since they are not in one line."""
    said = {}
    for name, commit in made.items():
        ended = judge(repository, f"{commit}^!", "--json", *arguments)
        answer = json.loads(ended.stdout)
        with open(os.path.join(os.environ["DEVTRUST_SOURCE"], "docs/range.schema.json"), encoding="utf-8") as schema:
            check(answer, json.load(schema))
        (said[name],) = answer["commits"]
        assert said[name]["commit"] == commit
        assert answer["good"] == said[name]["good"] == (ended.returncode == 0)
    return said


def test_verdicts(repository, judge):
    said = verdicts(repository, judge, mixed(repository))
    assert {name: commit["verdict"] for name, commit in said.items()} == {name: name for name in said}
    assert [name for name, commit in said.items() if commit["good"]] == ["good"]
    good = said["good"]
    assert (good["signer"], good["fingerprint"], good["reason"], good["time_stamped"]) == (SUBJECT, fingerprint(repository.leaf), None, False)
    assert good["author"] == "A. Author <author@example.com>" and good["committer"] == "C. Committer <committer@example.com>"
    assert said["unsigned"]["signer"] is None and said["unsigned"]["reason"] == "it has no signature"
    assert "PGP SIGNATURE" in said["not-x509"]["reason"]


def test_one_bad_commit_is_enough(repository, judge):
    repository.commit("one")
    repository.git("commit", "-q", "--allow-empty", "-m", "plain")
    repository.commit("two")
    ended = judge(repository, f"{repository.first}..HEAD")
    assert ended.returncode == 1
    assert [line.split()[1] for line in lines(ended)[:-1]] == ["good:", "unsigned:", "good:"]
    assert lines(ended)[-1] == "3 commits, 2 good, 1 not"


def test_of_several_signers_each_has_to_be_good(repository, judge, folder):
    """The commit's own signer, and one that nobody here knows, in either order."""
    stranger = Pki(folder / "other").issue()
    signed = repository.git("cat-file", "commit", repository.first) + "\n"
    payload = re.sub(r"gpgsig [^\n]*\n(?: [^\n]*\n)*", "", signed)
    alone = openssl_cms_sign(repository.leaf, payload.encode(), folder, certfile=chain_file(repository.leaf, folder))
    both = openssl_cms_sign(repository.leaf, payload.encode(), folder, "-signer", stranger.certificate, "-inkey", stranger.key,
                            certfile=chain_file(repository.leaf, folder))
    backwards = change_signers(both, lambda signers: [tlv(*signer) for signer in reversed(signers)])
    for signature, expected in ((alone, "good"), (both, "untrusted"), (backwards, "untrusted")):
        text = base64.encodebytes(signature).decode().strip().replace("\n", "\n ")
        header = f"gpgsig -----BEGIN SIGNED MESSAGE-----\n {text}\n -----END SIGNED MESSAGE-----"
        commit = repository.forge(repository.first, lambda _: payload.replace("\n\n", f"\n{header}\n\n", 1))
        said = verdicts(repository, judge, {"commit": commit})["commit"]
        assert said["verdict"] == expected, said


def test_merges_count_too(repository, judge):
    repository.git("checkout", "-q", "-b", "topic")
    repository.commit("topic")
    repository.git("checkout", "-q", "main")
    repository.commit("main")
    repository.git("merge", "-q", "--no-edit", "topic")
    ended = judge(repository, f"{repository.first}..HEAD")
    assert ended.returncode == 1 and [line.split()[1] for line in lines(ended)[:-1]].count("unsigned:") == 1


def test_sarif(repository, judge):
    made = mixed(repository)
    ended = judge(repository, f"{made['bad']}^!", "--sarif")
    assert ended.returncode == 1
    log = json.loads(ended.stdout)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "devtrust"
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    (result,) = run["results"]
    assert result["ruleId"] == "bad" and result["ruleId"] in rules and result["level"] == "error"
    assert f"commit {made['bad']} by A. Author <author@example.com> (signed by {SUBJECT}): " in result["message"]["text"]
    assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == made["bad"]
    with open(os.path.join(os.environ["DEVTRUST_SOURCE"], "docs/range.schema.json"), encoding="utf-8") as schema:
        known = set(json.load(schema)["properties"]["commits"]["items"]["properties"]["verdict"]["enum"])
    assert rules == known - {"good"}
    assert json.loads(judge(repository, "HEAD..HEAD", "--sarif").stdout)["runs"][0]["results"] == []


# whom the policy allows


def policy(repository, pki, text):
    pki.folder.chmod(0o755)
    return repository.home_of.write("policy.toml", f'[verify]\nroots = ["{pki.root.certificate}"]\n{text}')


@pytest.mark.parametrize("allow, good", [
    ('{ subject_cn = "JumpCloud*" }', True), ('{ subject_cn = "Other*" }', False), ('{ root_cn = "JumpCloud Production*" }', True),
    ('[{ email = "nobody@example.com" }, { issuer_cn = "device-trust.intermediate" }]', True),
    ('{ subject_cn = "JumpCloud*", email = "nobody@example.com" }', False),
    ('{ root_sha256 = "' + "00" * 32 + '" }', False)])
def test_an_allow_list(repository, judge, pki, allow, good):
    path = policy(repository, pki, f"allow = {allow}\n")
    ended = judge(repository, "HEAD^!", "--policy", path)
    assert ended.returncode == (0 if good else 1)
    if not good:
        assert f'rejected: {SUBJECT}; "{SUBJECT}" is none of those that verify.allow names' in ended.stdout


def test_the_allow_list_counts_for_git_as_well(repository):
    repository.home_of.write(".config/devtrust/config.toml", '[verify]\nallow = { subject_cn = "Other*" }\n')
    assert repository.shown("%G? %GT") == "U never"
    assert repository.run("verify-commit", "HEAD").returncode == 1


def test_a_policy_has_its_own_roots(repository, judge, pki, folder):
    other = Pki(folder / "other")
    folder.chmod(0o755)
    ended = judge(repository, "HEAD^!", "--policy", policy(repository, other, ""))
    assert ended.returncode == 1 and "untrusted: " in ended.stdout
    assert judge(repository, "HEAD^!", "--policy", policy(repository, pki, "")).returncode == 0


def test_a_time_stamp_may_be_required(repository, judge, pki):
    ended = judge(repository, "HEAD^!", "--policy", policy(repository, pki, "timestamp_required = true\n"))
    assert ended.returncode == 1 and "verify.timestamp_required asks for one" in ended.stdout


@pytest.mark.parametrize("text, expected", [('allow = { colour = "red" }\n', "unknown key \"colour\" in allow"), ("allow = {}\n", "an empty table"),
                                            ("allow = 1\n", "allow must be a table")])
def test_a_policy_that_does_not_parse(repository, judge, pki, text, expected):
    ended = judge(repository, "HEAD^!", "--policy", policy(repository, pki, text))
    assert ended.returncode == 1 and expected in ended.stdout and "policy.toml" in ended.stdout


def test_a_policy_that_is_not_there(repository, judge):
    ended = judge(repository, "HEAD^!", "--policy", "/nonexistent/policy.toml")
    assert ended.returncode == 1 and "/nonexistent/policy.toml cannot be opened" in ended.stdout


def test_expired_since_is_good(make_home, make_repository, judge, pki):
    home, _ = make_expired(make_home, lambda home: None, pki, "00000009")
    repository = make_repository(home=home)
    commit = repository.commit(fake_time="-20d")
    ended = judge(repository, "HEAD^!")
    assert ended.returncode == 0
    assert lines(ended)[0].startswith(f"{commit[:12]} expired-since: ") and "has expired since" in lines(ended)[0]


# hooks


def test_in_a_pre_receive_hook(repository, programs, folder):
    give_away(folder)
    server = folder / "server"
    repository.git("init", "-q", "--bare", server)
    hook = server / "hooks/pre-receive"
    hook.write_text(f'#!/bin/sh\nwhile read old new ref; do {programs / "devtrust"} verify --range "$old..$new" || exit 1; done\n')
    hook.chmod(0o755)
    give_away(server)
    ended = repository.run("push", server, "main")  # new
    assert ended.returncode == 0 and "1 commit, 1 good, 0 not" in ended.stdout, ended.stdout
    repository.commit("second")
    ended = repository.run("push", server, "main", "main:other")
    assert ended.returncode == 0 and ended.stdout.count("1 commit, 1 good, 0 not") == 2, ended.stdout
    ended = repository.run("push", server, "--delete", "other")
    assert ended.returncode == 0 and "0 commits, 0 good, 0 not" in ended.stdout
    repository.git("commit", "-q", "--allow-empty", "-m", "plain")
    ended = repository.run("push", server, "main")
    assert ended.returncode == 1 and "unsigned: it has no signature" in ended.stdout and "pre-receive hook declined" in ended.stdout
    ended = repository.run("push", server, "HEAD:refs/heads/new")
    assert ended.returncode == 1 and "1 commit, 0 good, 1 not" in ended.stdout


def test_a_new_branch_where_git_has_received_it(repository, judge):
    """CI sees it when it is a branch already: that takes none of its commits away."""
    nothing = "0" * 40
    repository.git("commit", "-q", "--allow-empty", "-m", "plain")
    ended = judge(repository, f"{nothing}..HEAD")
    assert ended.returncode == 1 and "unsigned: it has no signature" in ended.stdout, ended.stdout
    assert "0 commits" in judge(repository, f"HEAD..{nothing}").stdout


def test_a_graft_counts_for_nothing(repository, judge):
    repository.git("commit", "-q", "--allow-empty", "-m", "plain")
    good = repository.commit("good")
    (repository.folder / ".git/info").mkdir(exist_ok=True)
    (repository.folder / ".git/info/grafts").write_text(f"{good} {repository.first}\n")
    assert repository.git("rev-list", "--count", f"{repository.first}..HEAD").endswith("\n1"), "git leaves the plain one out"
    ended = judge(repository, f"{repository.first}..HEAD")
    assert ended.returncode == 1 and lines(ended)[-1] == "2 commits, 1 good, 1 not"


def test_a_range_of_what_is_no_commit(repository, judge):
    """git lists no commits for it, and a tag may lead there."""
    nothing, tree = "0" * 40, repository.git("rev-parse", "HEAD^{tree}")
    repository.git("tag", "-a", "-m", "a tree", "treetag", tree)
    for span in (f"{nothing}..{tree}", f"HEAD..{tree}", "HEAD^{tree}", "treetag", f"{nothing}..treetag"):
        ended = judge(repository, span)
        assert ended.returncode == 1 and "one end of it is something else" in ended.stdout, ended.stdout
    ended = judge(repository, "^HEAD")
    assert ended.returncode == 1 and "is no range of commits: expected A..B" in ended.stdout
    repository.git("tag", "-a", "-m", "a commit", "good", "HEAD")
    assert judge(repository, f"{nothing}..good").returncode == 0


def test_a_file_of_the_same_name(repository, judge):
    (repository.folder / "main").write_text("")
    assert judge(repository, "main").returncode == 0


def test_a_commit_that_is_too_long(repository, judge):
    """It is not taken into memory, and those around it are judged."""
    text = repository.git("cat-file", "commit", "HEAD") + "\n"
    huge = repository.git("hash-object", "-t", "commit", "-w", "--stdin", data=text + "x" * (17 << 20))
    tree = repository.git("rev-parse", "HEAD^{tree}")
    repository.git("reset", "-q", "--hard", repository.git("commit-tree", "-S", "-p", huge, "-m", "after", tree))
    ended = judge(repository, "HEAD")
    assert ended.returncode == 1
    assert sorted(line.split()[1] for line in lines(ended)[:-1]) == ["damaged:", "good:"]
    assert f"{huge[:12]} damaged: the commit is longer than 16 MiB" in ended.stdout


def test_a_replacement_counts_for_nothing(repository, judge):
    """Neither for what a commit says, nor for which ones are before it."""
    repository.git("commit", "-q", "--allow-empty", "-m", "plain")
    plain = repository.git("rev-parse", "HEAD")
    repository.commit("good")
    repository.git("replace", plain, repository.first)
    assert repository.git("log", "-1", "--format=%G?", plain) == "G", "git shows the other one's"
    ended = judge(repository, f"{repository.first}..HEAD")
    assert ended.returncode == 1 and [line.split()[1] for line in lines(ended)[:-1]] == ["unsigned:", "good:"], ended.stdout


# the command line, and what is no repository


@pytest.mark.parametrize("span, expected", [("--all", "is no range of commits"), ("", "is no range of commits"), ("nothing..HEAD", "git rev-parse failed"),
                                            ("HEAD..nothing", "git rev-parse failed")])
def test_ranges_that_are_none(repository, judge, span, expected):
    ended = judge(repository, span)
    assert ended.returncode == 1 and expected in ended.stdout


@pytest.mark.parametrize("arguments", [["--range", "A..B", "file"], ["--range", "A..B", "--status-fd=1"], ["--json"], ["--sarif"],
                                       ["--policy", "x"], ["--range", "A..B", "--json", "--sarif"]])
def test_wrong_command_lines(make_home, programs, arguments):
    ended = make_home().run([programs / "devtrust", "verify", *arguments], check=False)
    assert ended.returncode == 1 and ended.stdout.count("\n") == 1 and ended.stdout.startswith("devtrust: ")


def test_outside_of_a_repository(make_home, programs):
    ended = make_home().run([programs / "devtrust", "verify", "--range", "A..B"], check=False)
    assert ended.returncode == 1 and "git rev-parse failed: fatal: not a git repository" in ended.stdout


def test_many_commits(repository, judge):
    """More than a pipe takes at once, in both directions."""
    stream = "".join(f"commit refs/heads/many\ncommitter A <a@example.com> {1700000000 + i} +0000\ndata 2000\n{'x' * 2000}\n" for i in range(1700))
    repository.git("fast-import", "--quiet", data=stream)
    ended = judge(repository, "many")
    assert ended.returncode == 1 and lines(ended)[-1] == "1700 commits, 0 good, 1700 not"


def test_a_repository_of_sha256(make_home, make_repository, judge):
    repository = make_repository()
    repository.git("init", "-q", "--object-format=sha256", repository.folder / "other")
    home, repository.folder = repository.home_of, repository.folder / "other"
    commit = repository.commit("in a repository of SHA-256")
    assert len(commit) == 64 and "gpgsig-sha256" in repository.git("cat-file", "commit", "HEAD")
    assert judge(repository, "HEAD").returncode == 0 and home
    forged = repository.forge(commit, lambda text: text.replace("in a", "in the"))
    assert judge(repository, f"{forged}^!").returncode == 1
