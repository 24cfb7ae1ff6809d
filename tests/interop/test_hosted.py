"""The hosted workflow, which cannot be run here: what it names is there, what it uses is pinned, and nothing has no end."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import tarfile

import pytest
import yaml

from keyholder import CLIENT
from programs import run

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
        for program, preset in re.findall(r"(cmake|cmake --build|ctest) --preset ([\w-]+)", text):
            kind = {"cmake": "configurePresets", "cmake --build": "buildPresets", "ctest": "testPresets"}[program]
            assert preset in {known["name"] for known in presets[kind] if not known.get("hidden")}
        for path in re.findall(r"(?:^|[ =])(\.ci/\S+|\w+\.md)", text):
            assert (SOURCE / path).exists(), path
            assert path.endswith((".md", ".ps1")) or os.access(SOURCE / path, os.X_OK), path
    # A release waits for every other job.
    assert set(JOBS["release"]["needs"]) == set(JOBS) - {"release"}


def test_vcpkg_makes_what_the_presets_look_for():
    configured = {preset["name"]: preset.get("cacheVariables", {})
                  for preset in json.loads((SOURCE / "CMakePresets.json").read_text())["configurePresets"]}
    wanted = re.search(r"for triplet in (.*); do", "\n".join(RUN))[1].split()
    assert wanted == [configured[f"macos-{name}"]["VCPKG_TARGET_TRIPLET"] for name in ("arm64", "x86_64")]
    oldest = None
    for triplet, name in zip(wanted, ("arm64", "x86_64")):
        text = (SOURCE / f".ci/triplets/{triplet}.cmake").read_text()
        assert f"set(VCPKG_OSX_ARCHITECTURES {name})" in text and configured[f"macos-{name}"]["CMAKE_OSX_ARCHITECTURES"] == name
        target = re.search(r"VCPKG_OSX_DEPLOYMENT_TARGET ([\d.]+)", text)[1]
        assert oldest in (None, target)
        oldest = target
    refs = {step["with"]["ref"] for job in JOBS.values() for step in job["steps"] if step.get("with", {}).get("repository")}
    assert len(refs) == 1, "one vcpkg for all systems"


def homebrew_packages(purpose):
    """What ./dev asks for on macOS."""
    text = (SOURCE / "dev").read_text().split("homebrew_packages_of() {", 1)[1].split("\n}", 1)[0]
    return set(re.search(rf"^ +{purpose}\) echo (.*) ;;$", text, re.M)[1].split())


def test_homebrew_has_the_same_names_everywhere():
    (run_there,) = [step["run"] for step in JOBS["macos"]["steps"] if "brew install" in step.get("run", "")]
    tools = set(re.search(r"for tool in (.*?); do", run_there)[1].split())
    libraries = set(re.search(r"^brew install (.*)$", run_there, re.M)[1].split())
    assert not tools & libraries and tools | libraries == homebrew_packages("build") | homebrew_packages("test") | {"curl"}
    needed = re.findall(r'^  depends_on "([^"]+)"', FORMULA.read_text(), re.M)
    assert set(needed) == homebrew_packages("build") and len(needed) == len(set(needed))


def test_every_script_is_used():
    scripts = {path.name: path.read_text() for path in (SOURCE / ".ci").glob("*.sh")}
    for name in scripts:
        assert any(name in text for other, text in {"": TEXT, **scripts}.items() if other != name), name


def test_dev_says_what_macos_needs():
    """Functions, since it looks for programs in the system's own folders first."""
    there = ("uname() { echo Darwin; }; brew() { case $* in *--installed\\ fmt) ;; *--installed*) return 1 ;; *) echo /homebrew ;; esac; }; "
             "export -f uname brew; ")

    def dev(command):
        return run(["bash", "-c", f"{there}{SOURCE}/dev {command}"], check=False).stdout

    for command, purposes in (("build", ["build"]), ("test", ["build", "test"]), ("install --prefix /nowhere", ["build"])):
        said = re.fullmatch(r"dev: needed from Homebrew: brew install (.*)\n", dev(command))
        here = {"fmt", *(tool for tool in ("cmake", "ninja") if shutil.which(tool))}
        assert set(said[1].split()) == {package for purpose in purposes for package in homebrew_packages(purpose)} - here
    assert dev("lint") == "dev: on macOS there are only build, test and install\n"
    assert "Homebrew" in dev("help")


def on_macos():
    """Scripts that macOS' own bash runs, which is 3.2."""
    return [SOURCE / "dev", *sorted((SOURCE / ".ci").glob("macos-*.sh"))]


def test_what_runs_on_macos_is_no_newer_than_its_bash():
    newer = re.compile(r"\b(mapfile|readarray|coproc)\b|declare -[Ag]|local -n|\$\{\w+(@[A-Za-z]|\^|,)[^}]*\}|\|&|&>>|wait -n")
    for path in on_macos():
        assert not newer.search(path.read_text()), path.name
        run(["bash", "-n", path])


# What stands for programs that only macOS has. The keychain is a PEM file, and the configuration is changed to lead to it.
BREW = """#!/bin/sh
[ "$1" = --prefix ] && echo "{folder}/$2"
"""
CODESIGN = """#!/bin/sh
case "$1" in -d) echo "CDHash=$(sha256sum <"$3" | cut -c 1-40)" >&2 ;; *) echo "codesign $*" >>"{folder}/said" ;; esac
"""
SECURITY = """#!/bin/sh
echo "$*" >>"{folder}/said"
[ "$1" = import ] || exit 0
openssl pkcs12 -in "$2" -passin "pass:$8" -nodes -out "$4" || exit 1
sed -i 's/"keychain"/"file"/' "$(dirname "$4")/config.toml"
"""


@pytest.fixture
def stand_ins(folder):
    """A folder with them, for PATH; they write what they are told into `said`."""
    place = folder / "stand-ins"
    place.mkdir()
    for name, text in (("brew", BREW), ("codesign", CODESIGN), ("security", SECURITY)):
        (place / name).write_text(text.replace("{folder}", str(place)))
        (place / name).chmod(0o755)
    for formula, program in (("openssl@3", "openssl"), ("curl", "curl")):
        (place / formula / "bin").mkdir(parents=True)
        (place / formula / "bin" / program).symlink_to(shutil.which(program))
    (place / "p11-kit/lib/pkcs11").mkdir(parents=True)
    (place / "p11-kit/lib/pkcs11" / CLIENT.name).symlink_to(CLIENT)
    return place


@pytest.fixture
def installed(folder, programs, provider_conf):
    """What the scripts take for an installation."""
    prefix = folder / "installed"
    (prefix / "share/devtrust").mkdir(parents=True)
    (prefix / "bin").symlink_to(programs)
    (prefix / "share/devtrust/openssl").symlink_to(provider_conf)
    return prefix


@pytest.mark.parametrize("script, users", [
    ("macos-commit.sh", [["devtrust", "devtrust-smimesign"], ["devtrust-keyholder"]]), ("macos-curl.sh", [["devtrust", "curl"]])])
def test_the_scripts_for_macos_do_what_they_say_with_stand_ins(folder, stand_ins, installed, script, users):
    (folder / "tmp").mkdir(mode=0o700)
    variables = {"PATH": f"{stand_ins}:{os.environ['PATH']}", "TMPDIR": folder / "tmp"}
    said = run([SOURCE / ".ci" / script, installed], variables=variables).stdout
    for key in ("rsa", "ec"):
        assert len(re.findall(rf"the keychain's {key} key.*: (?:let in|good by git and by OpenSSL)$", said, re.M)) == len(users), said
    calls = (stand_ins / "said").read_text().splitlines()
    assert [call.split()[0] for call in calls] == 2 * len(users) * [
        "create-keychain", "set-keychain-settings", "unlock-keychain", "import", "set-key-partition-list", "delete-keychain"]
    imported = [call for call in calls if call.startswith("import ")]
    assert all(" -x " in call and " -A" not in call for call in imported)
    assert [[pathlib.Path(path).name for path in re.findall(r" -T (\S+)", call)] for call in imported] == 2 * users
    partitions = [call for call in calls if call.startswith("set-key-partition-list ")]
    assert [len(re.findall(r",cdhash:[0-9a-f]{40}", call)) for call in partitions] == 2 * [len(names) for names in users]
    assert not list((folder / "tmp").iterdir()), "nothing is left behind"


def test_the_scripts_for_macos_see_what_is_wrong(folder, stand_ins, installed):
    """A keychain whose key does not work, and a curl without the provider."""
    variables = {"PATH": f"{stand_ins}:{os.environ['PATH']}", "TMPDIR": folder}
    (stand_ins / "security").write_text("#!/bin/sh\n")
    for script in ("macos-commit.sh", "macos-curl.sh"):
        assert run([SOURCE / ".ci" / script, installed], check=False, variables=variables).returncode != 0
    assert not [path for path in folder.iterdir() if path.name.startswith("tmp.")]


CMAKE = """#!/bin/sh
[ "$1" = --install ] && mkdir -p "$DESTDIR/usr" && cp -R "$2" "$DESTDIR/usr/local"
"""
LIPO = """#!/bin/sh
case $1 in
  -archs) sed -n 's/^binary for //p' "$2" | grep . ;;
  -create) echo "binary for $(sed 's/^binary for //' "$2") $(sed 's/^binary for //' "$3")" >"$5" ;;
esac
"""
OTOOL = """#!/bin/sh
echo "$2:"
printf '\t/usr/lib/libSystem.B.dylib\n'
"""


def test_two_builds_become_one(folder, stand_ins):
    for name, text in (("cmake", CMAKE), ("lipo", LIPO), ("otool", OTOOL)):
        (stand_ins / name).write_text(text)
        (stand_ins / name).chmod(0o755)
    binaries = ["bin/devtrust", "bin/devtrust-smimesign", "lib/ossl-modules/devtrust.dylib", "lib/pkcs11/devtrust-pkcs11.dylib"]
    for name in ("arm64", "x86_64"):
        for path in [*binaries, "share/doc/devtrust/README.md"]:
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_text(f"binary for {name}\n" if path in binaries else "text\n")
        (folder / name / "lib/pkcs11/devtrust-p11-kit.dylib").symlink_to("devtrust-pkcs11.dylib")

    def join(check=True):
        return run([SOURCE / ".ci/macos-universal.sh", folder / "arm64", folder / "x86_64", folder / "out"], check=check,
                   variables={"PATH": f"{stand_ins}:{os.environ['PATH']}"})

    join()
    (packed,) = (folder / "out").iterdir()
    assert re.fullmatch(r"devtrust-[\d.]+-Darwin-universal\.tar\.gz", packed.name)
    with tarfile.open(packed) as archive:
        top = packed.name.removesuffix(".tar.gz") + "/usr/local/"
        for path in binaries:
            assert archive.extractfile(top + path).read() == b"binary for arm64 x86_64\n"
        assert archive.getmember(top + "lib/pkcs11/devtrust-p11-kit.dylib").issym()
    signed = [line for line in (stand_ins / "said").read_text().splitlines() if "--force" in line]
    assert sorted(re.search(r"--identifier (\S+)", line)[1] for line in signed) == [
        f"org.devtrust.{name}" for name in ("devtrust", "devtrust", "devtrust-pkcs11", "devtrust-smimesign")]
    # What is not the same in both, or needs Homebrew, is no archive for every Mac.
    (stand_ins / "otool").write_text(OTOOL + "printf '\\t/opt/homebrew/opt/openssl@3/lib/libcrypto.3.dylib\\n'\n")
    assert join(check=False).returncode != 0
    (stand_ins / "otool").write_text(OTOOL)
    join()
    (folder / "x86_64/share/doc/devtrust/README.md").write_text("another text\n")
    assert join(check=False).returncode != 0


FORMULA = SOURCE / "packaging/homebrew/devtrust.rb"


def test_the_formula_is_filled_in_for_a_release(folder):
    version = re.search(r"^project\(devtrust VERSION ([\d.]+) ", (SOURCE / "CMakeLists.txt").read_text(), re.M)[1]
    tarball = folder / f"devtrust-{version}.tar.gz"
    tarball.write_bytes(b"a release's source")
    url = "https://forge.example/devtrust/releases/download/v1"

    def formula(*arguments, check=True, base=url):
        return run([SOURCE / ".ci/homebrew-formula.sh", *arguments], check=check, variables={"DEVTRUST_RELEASE_URL": base})

    text = formula(version, tarball).stdout
    own = FORMULA.read_text()
    assert f'  url "{url}/{tarball.name}"\n' in text and f'  sha256 "{hashlib.sha256(tarball.read_bytes()).hexdigest()}"\n' in text
    changed = [line for line in text.splitlines() if line not in own.splitlines()]
    assert len(changed) == 2 and text.startswith("class Devtrust < Formula\n")
    assert f'  url "https://devtrust.invalid/devtrust-{version}.tar.gz"\n' in own, "the repository's own is nobody's"
    (folder / "other.tar.gz").write_bytes(b"")
    for arguments in (("9.9.9", tarball), ("v" + version, tarball), (version, folder / "other.tar.gz"), (version, folder / "none" / tarball.name)):
        assert formula(*arguments, check=False).returncode != 0, arguments
    for base in ("https://forge.example/a|b", "http://forge.example/a"):
        assert formula(version, tarball, check=False, base=base).returncode != 0, base


def test_homebrew_gets_the_formula_in_a_tap(folder, stand_ins):
    """In a small repository of its own, since the script makes files below build/."""
    copy = folder / "devtrust"
    for path in (".ci/macos-formula.sh", ".ci/homebrew-formula.sh", "packaging/homebrew/devtrust.rb", "CMakeLists.txt"):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / path, copy / path)
    for command in (["init", "--quiet"], ["add", "."], ["-c", "user.name=Alice", "-c", "user.email=alice@example.com", "commit", "--quiet", "-m", "All"]):
        run(["git", "-C", copy, *command], home=folder)
    (stand_ins / "brew").write_text(f'#!/bin/sh\necho "$*" >>{stand_ins}/said\n[ "$1" = --repository ] && echo {folder}/tap || true\n')
    run([copy / ".ci/macos-formula.sh"], home=folder, variables={"PATH": f"{stand_ins}:{os.environ['PATH']}"})
    assert (stand_ins / "said").read_text().splitlines() == [
        "tap-new --no-git local/devtrust", "--repository local/devtrust", "install local/devtrust/devtrust", "test local/devtrust/devtrust"]
    url = re.search(r'^  url "file://(.*)"$', (folder / "tap/Formula/devtrust.rb").read_text(), re.M)[1]
    with tarfile.open(url) as source:
        assert f"{source.getnames()[0]}/CMakeLists.txt" in source.getnames()


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
