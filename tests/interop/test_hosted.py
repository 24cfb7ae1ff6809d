"""The hosted workflow, which cannot be run here: what it names is there, what it uses is pinned, and nothing has no end."""

import json
import os
import pathlib
import re

import yaml

SOURCE = pathlib.Path(os.environ["DEVTRUST_SOURCE"])
TEXT = (SOURCE / ".github/workflows/ci.yml").read_text()
WORKFLOW = yaml.safe_load(TEXT)
JOBS = WORKFLOW["jobs"]
RUN = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]


def test_every_job_ends_and_may_do_no_more_than_it_says():
    assert WORKFLOW["permissions"] == {"contents": "read"} and "group" in WORKFLOW["concurrency"]
    for name, job in JOBS.items():
        assert 0 < job["timeout-minutes"] <= 180, name
        may_write = {key for key, value in job["permissions"].items() if value != "read"}
        assert may_write == ({"contents", "id-token", "attestations"} if name == "release" else set()), name
        assert set(job.get("needs", [])) <= set(JOBS), name


def test_actions_are_pinned_and_checkouts_keep_no_credentials():
    uses = re.findall(r"uses: *(.*)", TEXT)
    assert len(uses) == sum("uses" in step for job in JOBS.values() for step in job["steps"]) > 0
    versions = {}
    for use in uses:
        found = re.fullmatch(r"([\w-]+/[\w-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", use)
        assert found, use
        assert versions.setdefault(found[1], found.groups()) == found.groups(), "two versions of one action"
    for job in JOBS.values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
                if "repository" in step["with"]:
                    assert re.fullmatch("[0-9a-f]{40}", step["with"]["ref"])


def test_no_text_of_a_stranger_gets_into_a_shell():
    assert RUN and not [line for line in RUN if "${{" in line]


def test_what_it_calls_is_there():
    commands = set(re.search(r"^  (build \|.*)\) \"cmd_", (SOURCE / "dev").read_text(), re.M)[1].split(" | "))
    called = {name for text in RUN for name in re.findall(r"\./dev (\w+)", text)}
    steps = set(re.findall(r"^step (\w+)", (SOURCE / ".ci/run").read_text(), re.M)) - {"windows"}  # it is MSVC's job here
    assert steps | {"package"} <= called <= commands
    presets = json.loads((SOURCE / "CMakePresets.json").read_text())
    for text in RUN:
        for program, preset in re.findall(r"(cmake|cmake --build|ctest) --preset (\w+)", text):
            kind = {"cmake": "configurePresets", "cmake --build": "buildPresets", "ctest": "testPresets"}[program]
            assert preset in {known["name"] for known in presets[kind]}
        for path in re.findall(r"(?:^| )(\.ci/\S+|\w+\.md)", text):
            assert (SOURCE / path).is_file(), path


def test_the_scripts_for_windows_say_one_line_and_end_as_they_say():
    """No PowerShell is here: what can be seen in their texts."""
    scripts = {path.stem: path.read_text() for path in (SOURCE / "conf/jumpcloud/windows").glob("*.ps1")}
    assert set(scripts) == {path.stem for path in (SOURCE / "conf/jumpcloud").glob("*.sh")}
    for name, text in scripts.items():
        comment = " ".join(re.findall(r"^# ?(.*)", text.split("$ErrorActionPreference", 1)[0], re.M))
        told = set(re.findall(r"\b\d\b", comment.split("Exit codes:")[1])) - {"0"}
        ended = set(re.findall(r"^\s*exit (\d)$", text, re.M)) | set(re.findall(r"(\d) = '", text)) | set(re.findall(r"\$code = (7)", text))
        assert told == ended - {"0"}, name
        code = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|#[^\n]*", "", text)
        for opening, closing in ("{}", "()", "[]"):
            assert code.count(opening) == code.count(closing), (name, opening)
        assert text.isascii(), "Windows PowerShell reads a script without a byte order mark in the ANSI code page"
    # A Command holds one script: what they share is in each.
    shared = [re.search(r"^# The exit code of devtrust.*?^}$", scripts[name], re.M | re.S)[0] for name in ("setup", "check", "remove")]
    assert len(set(shared)) == 1
