"""docs/messages.md has every message of the product's sources, and none that is not there any more."""

import os
import pathlib
import re

SOURCE = pathlib.Path(os.environ["DEVTRUST_SOURCE"])
LIST = (SOURCE / "docs/messages.md").read_text()
FOLDERS = ["identity", "backends", "cli", "provider", "pkcs11", "keyholder"]

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|^ *#[^\n]*|R"(\w*)\((?P<raw>.*?)\)\1"|"(?P<text>(?:[^"\\\n]|\\.)*)"|\'(?:[^\'\\]|\\.)\'', re.S | re.M)

# Words that no user meets as a message: what they are, and how they are known.
OTHER_TEXTS = re.compile("|".join([
    r"SELECT |PRAGMA | FROM nss|=\?|item1",  # SQL
    r"\[GNUPG:\]|^(TRUST|ERRSIG|VALIDSIG|SIG_CREATED)|^ 0 shell$",  # status lines: devtrust-smimesign(1)
    r"^(OPTION|SETTITLE|SETPROMPT) ",  # what pinentry reads
    r"(X509|RSA|EC|ENCRYPTED)? ?(CERTIFICATE|PRIVATE KEY)$|^SIGNED MESSAGE$|^BEGIN SIGNED|^DEVTRUST KEY$",  # PEM labels
    r"^(JumpCloud|Okta|Google|Microsoft|Cisco|Duo|Firezone|Organization) |^DC=okta",  # profiles: docs/configuration.md
    r"provider_sect|^\\nactivate|Public certificates token|^Device-trust identities$",  # openssl.cnf, PKCS#11's own fields
    r"devtrust_info|# HELP|^When th(e|is) |^1 for the cert|^0 usable, 2|Version of devtrust",  # Prometheus
    r"^\\t(format|program|signingKey)|^\[\{\}|\\t\{\} = |^# (>>>|<<<)|this file is new|line before had no end|No newline at|^@@|^---",
    r"^\[Unit\]|^library-manufacturer|^devtrust doctor\\n|^       ID: |^  devtrust\\n|^# OpenSSL's programs",
    r"^provider: |^devtrust: %s|^, …\}$|^(RSA|ECDH|signatures) with the key of|^the key of a device-trust|^a reference to a device-trust|"
    r"^user_pref\(|^firefox firefox-esr|^chromium chromium-browser|^error 0x%08lX$|^C:/Program Files$|^Mozilla Firefox$|"
    r"^Windows' certificate store$|^/Firefox [A-Z].*\.app$|^/Library/Application Support/Firefox$",  # a line of Firefox's, names of programs and places, a number
    r"^PSS Salt Size$|"  # a property of CNG's
    r"^Usage: devtrust-keyholder|"  # --help, without a parser that knows it
    r"^devtrust: the device-trust|^the device-trust certificate, its",  # names of the provider's algorithms
]))
HELP = re.compile(r'add(?:_option|_flag|_subcommand)?\(\s*"|->footer\(|CLI::App app\(|app_\("|set_help_all_flag|set_version_flag')


def literals(path):
    """The texts of a source file, with those that stand beside each other as one, and whether they belong to --help."""
    code = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", path.read_text())
    found, end, start = [], None, 0
    for match in TOKEN.finditer(code):
        text = match["text"] if match["text"] is not None else match["raw"]
        if text is None:
            continue
        if end is not None and not code[end:match.start()].strip():
            found[-1][0] += text
        else:
            start = max(code.rfind(before, 0, match.start()) for before in (";", "{\n", "}\n"))
            found.append([text, bool(HELP.search(code[start:match.start() + 1]))])
        end = match.end()
    return found


def unescaped(text):
    return text.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def fragments(text):
    """What stands fixed in a message."""
    text = re.sub(r"^\[?note: ", "note: ", unescaped(text))
    return [part for part in re.split(r"\{[^{}]*\}|\n", text) if part.strip()]


def sources():
    for folder in FOLDERS:
        for path in sorted((SOURCE / folder).rglob("*")):
            if path.suffix in (".cc", ".h"):
                yield path


def messages():
    """The first cells of the tables."""
    for line in LIST.splitlines():
        if line.startswith("| ") and not line.startswith(("| message |", "| --- |")):
            yield line[2:].split(" | ")[0].removesuffix(" |")


def test_every_message_is_listed():
    reasons = re.search(r"(?s)OpenSSL shows a short reason.*?\.", LIST)[0].replace("\n", " ")
    cures = "\n".join(section("`devtrust doctor`"))  # they are part of what doctor says
    known = "\n".join([*messages(), reasons, cures])
    missing = []
    for path in sources():
        for text, is_help in literals(path):
            if is_help or OTHER_TEXTS.search(text):
                continue
            for part in fragments(text):
                part = part.strip()
                if re.search(r"[A-Za-z]\S* +\S*[A-Za-z]{2}", part) and part not in known:
                    missing.append(f"{path.relative_to(SOURCE)}: {part}")
    assert not missing, "\n".join(missing)


def test_no_message_is_listed_that_is_gone():
    parts = {part for path in sources() for text, _ in literals(path) for part in fragments(text)}
    parts |= {part.strip() for part in parts}
    ordered = sorted((part for part in parts if len(part) > 2), key=len, reverse=True)
    gone = []
    for message in messages():
        rest = message
        for part in ordered:
            if part in rest:
                rest = rest.replace(part, "\0")
        if re.search(r"[A-Za-z]{3}", rest):
            gone.append((message, rest.replace("\0", "~")))
    assert not gone, "\n".join(map(repr, gone))


def section(title):
    return LIST.split(f"\n## {title}\n")[1].split("\n## ")[0].splitlines()


# Where one cause and one cure, in the lines above the table, are those of all its messages.
IN_COMMON = {"| message | cause |": "Report it to\nthat program with the trace.", "| message |": "Try again; if it stays, report it."}


def test_each_has_a_cause_and_a_cure():
    columns = None
    for line in LIST.splitlines():
        if line.startswith("| message"):
            assert line == "| message | cause | cure |" or IN_COMMON[line] in LIST
            columns = line.count("|")
        elif line.startswith("| "):
            cells = line.strip("|").split(" | ")
            assert len(cells) == columns - 1 and all(cell.strip() for cell in cells), line
