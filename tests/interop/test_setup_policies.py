"""devtrust setup firefox and chromium --system: browser policies, once and back to the byte. tests/browsers has the browsers
that obey them."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from conftest import Home
from programs import run, with_mounts
from test_doctor import find

URLS = ["https://sso.example.com", "https://[*.]example.org:8443"]
ISSUER = "device-trust.intermediate"
FIREFOX = "firefox/policies/policies.json"
CHROMIUM = "chromium/policies/managed"
NOTHING = "Nothing of devtrust's was there"
AUTO_SELECT = {"Value": "Select Automatically", "Status": "default"}


class Administrator:
    """Root, where /etc is a copy of the machine's, and whoever looks at it."""

    def __init__(self, program, folder, home):
        self.program, self.home = program, home
        self.etc = folder / "etc"
        subprocess.run(["cp", "-a", "/etc", self.etc], check=os.geteuid() == 0)  # others may not read all of it
        self.configure(URLS)
        self.mounts = {"/etc": self.etc}
        self.programs = folder / "programs"
        self.programs.mkdir()
        for name in ("google-chrome-stable", "microsoft-edge-stable", "brave-browser-stable"):  # known by their names
            self.install(name)

    def install(self, name):
        path = self.programs / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)

    def configure(self, urls):
        path = self.etc / "devtrust/config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"[browser]\nurls = {json.dumps(urls)}\n")

    def run(self, *arguments, path=None):
        return run(with_mounts(self.mounts, [self.program, *arguments]), home=self.home.folder, check=False,
                   variables={"PATH": path or f"{self.programs}:{os.environ['PATH']}"})

    def does(self, *arguments, **options):
        ended = self.run(*arguments, **options)
        assert ended.returncode == 0, ended.stdout
        return " ".join(ended.stdout.split())

    def refused(self, reason, *arguments, **options):
        before = self.files()
        ended = self.run(*arguments, **options)
        said = " ".join(ended.stdout.split())
        assert ended.returncode == 1 and reason in said and self.files() == before, said

    def files(self):
        names = [FIREFOX, *(path.relative_to(self.etc) for path in self.etc.glob("**/managed/*"))]
        return {str(name): (self.etc / name).read_bytes() for name in names if (self.etc / name).exists()}

    def write(self, name, text):
        path = self.etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def lines(self, **options):
        return [(line["finding"], line["subject"], line["message"], line["cure"] or "")
                for line in json.loads(self.run("doctor", "--json", **options).stdout)["lines"]]

    def follow(self, cure):
        """By root, whose home has no certificate."""
        assert cure.startswith("sudo devtrust "), cure
        user, self.home = self.home, type("Nobody", (), {"folder": self.etc.parent / "root"})
        self.home.folder.mkdir(exist_ok=True)
        try:
            return self.does(*cure.split()[2:])
        finally:
            self.home = user


@pytest.fixture
def root(programs, folder):
    """With nothing of a device's."""
    home = folder / "root"
    home.mkdir()
    return Administrator(programs / "devtrust", folder, type("Nobody", (), {"folder": home}))


@pytest.fixture
def device(programs, folder, pki):
    """The same, who has the device's certificate. A profile of Firefox is there."""
    home = Home(folder / "home", "ec:P-256", pki.issue("ec:P-256"), "")
    home.write(".mozilla/firefox/profiles.ini", "[Profile0]\nName=a\nIsRelative=1\nPath=a\n")
    home.write(".mozilla/firefox/a/times.json", "{}")
    return Administrator(programs / "devtrust", folder, home)


# --- Firefox ---


@pytest.mark.parametrize("text", [
    None,
    "{}",
    '{"policies": {"DisableTelemetry": true}}',
    '{\n\t"policies":\n\t{\n\t\t"SecurityDevices":\n\t\t{\n\t\t\t"Delete": ["old"]\n\t\t}\n\t}\n}',
    '{"policies": {"SecurityDevices": {"Add": {"Card": "/opt/card.so"}}, "Preferences": {"a.b": {"Value": 1}}}}\r\n',
], ids=["none", "empty", "other", "devices", "both"])
@pytest.mark.parametrize("auto_select", [[], ["--auto-select"]], ids=["asks", "auto-select"])
def test_firefox_once_and_back_to_the_byte(root, programs, text, auto_select):
    path = root.etc / FIREFOX
    if text is not None:
        root.write(FIREFOX, text)
    before = root.files()
    shown = root.run("setup", "firefox", "--system", "--dry-run", *auto_select).stdout
    assert root.files() == before and "+" in shown and "devtrust-pkcs11.so" in shown
    said = root.does("setup", "firefox", "--system", *auto_select)
    assert "/etc/firefox/policies/policies.json: SecurityDevices" in said
    assert ("EVERY site" in said) == bool(auto_select)
    policies = json.loads(path.read_text())["policies"]
    assert policies["SecurityDevices"]["Add"]["devtrust"] == str(programs.parent / "lib/pkcs11/devtrust-pkcs11.so")
    assert (policies.get("Preferences", {}).get("security.default_personal_cert") == AUTO_SELECT) == bool(auto_select)
    assert path.stat().st_mode & 0o777 == 0o644 and path.parent.stat().st_mode & 0o777 == 0o755
    between = root.files()
    assert "Already set up" in root.does("setup", "firefox", "--system", *auto_select) and root.files() == between
    said = root.does("unsetup", "firefox", "--system")
    assert root.files() == before and "`devtrust unsetup firefox`, as each of these users" in said
    assert NOTHING in root.does("unsetup", "firefox", "--system")


def test_firefox_devices_as_older_versions_had_them(root, module):
    text = '{"policies": {"SecurityDevices": {"Card": "/opt/card.so"}}}'
    path = root.write(FIREFOX, text)
    root.does("setup", "firefox", "--system")
    assert set(json.loads(path.read_text())["policies"]["SecurityDevices"]) == {"Card", "devtrust"}
    root.does("unsetup", "firefox", "--system")
    assert path.read_text() == text


def test_firefox_what_the_administrator_wrote_stays(root, module):
    """Another name for our module, another module by our name, another choice; a file that is none."""
    path = root.write(FIREFOX, json.dumps({"policies": {"SecurityDevices": {"Add": {"Device": str(module)}}}}))
    assert "Already set up" in root.does("setup", "firefox", "--system")
    path.write_text('{"policies": {"SecurityDevices": {"Add": {"devtrust": "/opt/other.so"}}}}')
    root.refused('"devtrust" is another module, /opt/other.so', "setup", "firefox", "--system")
    assert NOTHING in root.does("unsetup", "firefox", "--system")
    text = '{"policies": {"Preferences": {"security.default_personal_cert": {"Value": "Ask Every Time"}}}}'
    path.write_text(text)
    root.does("setup", "firefox", "--system", "--auto-select")
    assert "Ask Every Time" in path.read_text() and "Select Automatically" not in path.read_text()
    root.does("unsetup", "firefox", "--system")
    assert path.read_text() == text
    for text in ("", "{", "[]", '{"policies": []}', '{"policies": {"SecurityDevices": 1}}', '{"policies": {"SecurityDevices": {"Add": []}}}'):
        path.write_text(text)
        root.refused("/etc/firefox/policies/policies.json: ", "setup", "firefox", "--system")
        root.refused("/etc/firefox/policies/policies.json: ", "unsetup", "firefox", "--system")


def test_nothing_that_an_administrator_wrote_ends_the_program(root):
    """Nested deeply, or of another kind than expected."""
    deep = "[" * 500_000 + "]" * 500_000
    text = f'{{"policies": {{"Other": {deep}}}}}'
    path = root.write(FIREFOX, text)
    root.does("setup", "firefox", "--system")
    root.does("unsetup", "firefox", "--system")
    assert path.read_text() == text
    for rule in ({}, 1, "", "1", "{}", '{"pattern": 1}', '{"pattern": "a", "filter": []}', '{"pattern": "a", "filter": 1}',
                 '{"pattern": "a", "filter": {"ISSUER": [{"CN": "b"}]}}', f'{{"pattern": {deep}}}'):
        root.write(f"{CHROMIUM}/devtrust.json", json.dumps({"AutoSelectCertificateForUrls": [rule]}))
        root.refused("is not as `devtrust setup chromium` writes it", "setup", "chromium", "--system", "--profile", "jumpcloud")
        root.refused("is not as `devtrust setup chromium` writes it", "unsetup", "chromium", "--system")
        assert find(root.lines(), "chromium", "delete it first")[0] == "problem"


def test_firefox_reads_one_file_only(root, folder):
    """Where the policies are beside the program, a file in /etc would hide them."""
    distribution = folder / "distribution"
    distribution.mkdir()
    text = '{"policies": {"DisableTelemetry": true}}'
    (distribution / "policies.json").write_text(text)
    root.mounts[os.path.realpath("/usr/lib/firefox-esr/distribution")] = distribution
    root.does("setup", "firefox", "--system")
    assert "devtrust" in (distribution / "policies.json").read_text() and root.files() == {}
    root.does("unsetup", "firefox", "--system")
    assert (distribution / "policies.json").read_text() == text
    root.write(FIREFOX, "{}")
    root.does("setup", "firefox", "--system")
    assert (distribution / "policies.json").read_text() == text and b"devtrust" in root.files()[FIREFOX]


# --- Chromium and its kin ---


def rules(path):
    return [json.loads(rule) for rule in json.loads(path.read_text())["AutoSelectCertificateForUrls"]]


def test_chromium_once_and_back_to_nothing(root):
    before = root.files()
    said = root.does("setup", "chromium", "--system", "--profile", "jumpcloud")
    written = {name for name in root.files() if name not in before}
    assert written == {f"{folder}/policies/managed/devtrust.json" for folder in ("chromium", "opt/chrome", "opt/edge", "brave")}
    assert all("/etc/" + name in said for name in written)
    for name in written:
        assert rules(root.etc / name) == [{"pattern": url, "filter": {"ISSUER": {"CN": ISSUER}}} for url in URLS]
        assert (root.etc / name).stat().st_mode & 0o777 == 0o644
    assert "Already set up" in root.does("setup", "chromium", "--system", "--profile", "jumpcloud")
    root.configure(URLS[:1])
    root.does("setup", "chromium", "--system", "--profile", "jumpcloud")
    assert [rule["pattern"] for rule in rules(root.etc / CHROMIUM / "devtrust.json")] == URLS[:1]
    for name in ("google-chrome-stable", "brave-browser-stable"):
        (root.programs / name).unlink()  # a browser that is gone leaves nothing of ours
    root.does("unsetup", "chromium", "--system")
    assert root.files() == before and NOTHING in root.does("unsetup", "chromium", "--system")


def test_chromium_takes_the_issuer_from_the_certificate_that_is_here(device):
    device.does("setup", "chromium", "--system")
    assert {rule["filter"]["ISSUER"]["CN"] for rule in rules(device.etc / CHROMIUM / "devtrust.json")} == {ISSUER}


def test_chromium_a_site_that_is_named_twice(device):
    device.configure([*URLS, URLS[0]])
    device.does("setup", "chromium", "--system")
    assert [rule["pattern"] for rule in rules(device.etc / CHROMIUM / "devtrust.json")] == URLS
    assert not [line for line in device.lines() if line[0] == "problem" and line[1] == "chromium"]


def test_chromium_takes_every_issuer_that_a_profile_names(root):
    root.write("devtrust/config.toml", """[browser]
urls = ["https://a", "https://b"]
[[profile]]
name = "mine"
match = [{ issuer_cn = "One" }, { issuer_cn = "Our *" }, { issuer_cn = "Two", eku = "1.2.3" }, { issuer_cn = "One", eku = "1.2" }]
""")
    root.does("setup", "chromium", "--system", "--profile", "mine")
    chosen = [(rule["pattern"], rule["filter"]["ISSUER"]["CN"]) for rule in rules(root.etc / CHROMIUM / "devtrust.json")]
    assert chosen == [(url, issuer) for url in ("https://a", "https://b") for issuer in ("One", "Two")]
    assert not [line for line in root.lines() if line[0] == "problem" and line[1] == "chromium"]


def test_chromium_what_cannot_be_told_is_refused(root):
    root.refused("name the product, such as --profile jumpcloud", "setup", "chromium", "--system")
    root.refused("nosuch", "setup", "chromium", "--system", "--profile", "nosuch")
    root.write("devtrust/config.toml", '[browser]\nurls = ["https://a"]\n[[profile]]\nname = "mine"\nmatch = { issuer_cn = "Our *" }\n')
    root.refused("give it an issuer_cn without *", "setup", "chromium", "--system", "--profile", "mine")
    root.write("devtrust/config.toml", "")
    root.refused("[browser] urls in /etc/devtrust/config.toml names them", "setup", "chromium", "--system", "--profile", "jumpcloud")
    root.configure(["*"])
    assert "EVERY site" in root.does("setup", "chromium", "--system", "--profile", "jumpcloud")


def test_chromium_without_a_browser(root, folder):
    (folder / "empty").mkdir()
    path = f"{folder / 'empty'}"
    for name in ("mount", "unshare", "sh", "env"):
        (folder / "empty" / name).symlink_to(run(["sh", "-c", f"command -v {name}"]).stdout.strip())
    root.refused("install it first", "setup", "chromium", "--system", path=path)


def test_chromium_what_the_administrator_wrote_stays(root):
    path = root.write(f"{CHROMIUM}/devtrust.json", '{"HomepageLocation": "https://a"}')
    root.refused("is not as `devtrust setup chromium` writes it", "setup", "chromium", "--system", "--profile", "jumpcloud")
    root.refused("is not as `devtrust setup chromium` writes it", "unsetup", "chromium", "--system")
    path.unlink()
    other = root.write(f"{CHROMIUM}/other.json", '{"AutoSelectCertificateForUrls": []}')
    root.refused("other.json has AutoSelectCertificateForUrls, too", "setup", "chromium", "--system", "--profile", "jumpcloud")
    other.unlink()
    # Browsers read these, too: of any name, with comments, with a comma too many.
    for name, text in (("other", '{"AutoSelectCertificateForUrls": []}'), (".other.json~", '{"AutoSelectCertificateForUrls": []}'),
                       ("other.json", '/* ours */ {"AutoSelectCertificateForUrls": []} // it was'),
                       ("other.json", '{"AutoSelectCertificateForUrls": ["a",],}')):
        other = root.write(f"{CHROMIUM}/{name}", text)
        root.refused(f"{name} has AutoSelectCertificateForUrls, too", "setup", "chromium", "--system", "--profile", "jumpcloud")
        other.unlink()
    root.write(f"{CHROMIUM}/other.json", '{"HomepageLocation": "https://a", /* "AutoSelectCertificateForUrls": [] */ "a": 1}')
    root.does("setup", "chromium", "--system", "--profile", "jumpcloud")


# --- templates ---


def test_the_templates_are_what_setup_writes(root, programs):
    folder = pathlib.Path(os.environ["DEVTRUST_SOURCE"]) / "conf/policies"
    root.does("setup", "firefox", "--system", "--auto-select")
    written = (root.etc / FIREFOX).read_text().replace(str(programs.parent / "lib"), "/usr/lib/x86_64-linux-gnu")
    assert "Preferences" in written
    root.does("unsetup", "firefox", "--system")
    root.does("setup", "firefox", "--system")
    text = (root.etc / FIREFOX).read_text().replace(str(programs.parent / "lib"), "/usr/lib/x86_64-linux-gnu")
    assert json.loads((folder / "firefox.json").read_text()) == json.loads(text)
    preference = re.search("```json\n(.*)\n```", (folder / "README.md").read_text())[1]
    assert preference in written
    root.configure(["https://sso.example.com"])
    root.does("setup", "chromium", "--system", "--profile", "jumpcloud")
    for name, place in (("chrome", "opt/chrome"), ("edge", "opt/edge")):
        assert (folder / f"{name}.json").read_text() == (root.etc / place / "policies/managed/devtrust.json").read_text()


# --- doctor ---


def test_doctors_cures_cure(device):
    assert find(device.lines(), "firefox", "")[0] == "off"
    device.does("setup", "firefox", "--system")
    assert find(device.lines(), "firefox", "has the module, by its policies")[0] == "ok"
    path = device.etc / FIREFOX
    path.write_text(path.read_text().replace('"/', '"/gone/'))
    line = find(device.lines(), "firefox", "its policies load /gone/.*, which is not there")
    assert line[0] == "problem"
    device.follow(line[3])
    assert find(device.lines(), "firefox", "")[0] == "ok"
    path.write_text("{")
    assert find(device.lines(), "firefox", "policies.json: it is not JSON")[0] == "problem"
    path.write_text('{"policies": {"SecurityDevices": {"Add": {"Device": "/gone/devtrust-pkcs11.so"}}}}')  # a name of the administrator's
    device.follow(find(device.lines(), "firefox", "its policies load /gone/.*, which is not there")[3])
    assert find(device.lines(), "firefox", "")[0] == "ok" and list(json.loads(path.read_text())["policies"]["SecurityDevices"]["Add"]) == ["Device"]

    line = find(device.lines(), "chromium", "asks at the sites of .* no policy of ours")
    assert line[0] == "off"
    device.follow(line[3])
    device.configure(URLS[:1])
    lines = [line for line in device.lines() if "is for other sites than [browser] urls" in line[2]]
    assert len(lines) == 4 and {line[0] for line in lines} == {"problem"}  # one for each browser
    device.follow(lines[0][3])
    assert not [line for line in device.lines() if "polic" in line[2] and line[1] == "chromium"]
    path = device.etc / CHROMIUM / "devtrust.json"
    path.write_text(path.read_text().replace(ISSUER, "Another Authority"))
    line = find(device.lines(), "chromium", 'chooses certificates of "Another Authority", and the device\'s is of')
    device.follow(line[3])
    other = device.write(f"{CHROMIUM}/other.json", '{"AutoSelectCertificateForUrls": []}')
    assert find(device.lines(), "chromium", "takes only one of two")[0] == "problem"
    other.unlink()
    path.write_text("{}")
    assert find(device.lines(), "chromium", "delete it first")[0] == "problem"
    path.unlink()
    assert not [line for line in device.lines() if line[0] == "problem" and line[1] == "chromium"]
