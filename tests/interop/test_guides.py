"""README.md and docs/*.md as the programs take them: each command line by the command's own parser, each configuration by
the one that reads it, each block of nginx by nginx; and where each link leads."""

import os
import pathlib
import re
import shlex

import pytest

from programs import as_user, free_port, give_away, run

SOURCE = pathlib.Path(os.environ["DEVTRUST_SOURCE"])
PAGES = [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]
GUIDES = [SOURCE / "docs" / f"{name}.md" for name in ("browsers", "jumpcloud", "okta", "servers")]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
# The command in a shell's line or a unit's, up to where the next begins; not the folder, the package or the PKI of that name.
COMMAND = re.compile(r"(?:^|[\s=;|&(-])(?:/usr/(?:local/)?bin/)?devtrust ((?:\"[^\"]*\"|'[^']*'|[^;|&#\n()])+)", re.M)
UNKNOWN = "--no-such-option"


def each(found):
    """As pytest's parameters."""
    found = list(found)
    assert found
    return pytest.mark.parametrize("page, text", [(page.name, text) for page, text in found], ids=lambda value: value[:40])


def blocks(*languages):
    for page in PAGES:
        for language, text in FENCE.findall(page.read_text()):
            if language in languages:
                yield page, text


def commands():
    for page, text in blocks("sh", "ini"):
        for command in COMMAND.findall(re.sub(r"\\\n|(^|\s)# .*", " ", text)):
            yield page, command.strip()
    for page in [PAGES[0], *GUIDES]:  # others name commands without what belongs to them
        for text in CODE.findall(FENCE.sub("", page.read_text())):
            words = " ".join(text.split()).removeprefix("sudo ")
            if words.startswith("devtrust ") and "…" not in words:
                yield page, words.removeprefix("devtrust ")


def targets():
    """Those that `devtrust setup` knows, by what it says."""
    said = run([os.environ["DEVTRUST_PROGRAMS"].split(":")[0], "setup", "--help"]).stdout
    return set(re.search(r"TARGET\|all REQUIRED\s+(.*?), or all", said)[1].split(", ")) | {"all", "TARGET"}


@each(dict.fromkeys(commands()))
def test_the_command_is_one(programs, page, text):
    """The parser is given an option that there is not: it must find no other fault. So nothing is run."""
    command, *arguments = shlex.split(text, comments=True)
    if command.startswith("-"):
        run([programs / "devtrust", command, *arguments])
        return
    if "--" in arguments:
        arguments[arguments.index("--"):] = ["PROGRAM"]
    said = run([programs / "devtrust", command, UNKNOWN, *arguments], check=False).stdout
    assert said == f"devtrust: The following argument was not expected: {UNKNOWN}: `devtrust --help` shows what there is\n"
    if command in ("setup", "unsetup"):
        named = [word for number, word in enumerate(arguments) if word[0] != "-" and arguments[number - 1] not in ("-p", "--profile")]
        assert len(named) == 1 and named[0] in targets()


@each(blocks("sh"))
def test_the_shell_can_parse_it(page, text):
    run(["bash", "-n"], input=text)


def refused(programs, home, text):
    """What the parser says of a configuration."""
    give_away(home)
    path = home / "config.toml"
    path.write_text(text.replace('"…"', f'"{64 * "a"}"'))
    said = run([programs / "devtrust", "list"], home=home, check=False, unprivileged=True, variables={"DEVTRUST_CONFIG": path}).stdout
    return f"{path}:" in said.replace("\n", " ")


@each(blocks("toml"))
def test_the_configuration_is_read(programs, folder, page, text):
    assert refused(programs, folder, text + "\n[nonsense]\n"), "a mistake would be seen"
    assert not refused(programs, folder, text)


@each(blocks("nginx"))
def test_nginx_takes_the_block(folder, provider_conf, web_pki, web_server, make_home, programs, page, text):
    home = make_home("ec:P-256")
    run([programs / "devtrust", "pem", "-o", folder / "device"], home=home.folder)
    (folder / "web").mkdir()
    (folder / "web/chain.pem").write_text(web_server.chain_text())
    (folder / "web/key.pem").write_bytes(web_server.key.read_bytes())
    (folder / "device-root.pem").write_bytes(web_pki.root.certificate.read_bytes())
    for ours, there in ((r"/etc/nginx/", f"{folder}/"), (r"https://portal\.example", "https://127.0.0.1"),
                        (r"(listen +)(?:127\.0\.0\.1:)?\d+", rf"\g<1>127.0.0.1:{free_port()}")):
        text = re.sub(ours, there, text)
    if "server {" not in text:  # lines of one
        text = f"server {{\n{text}\n}}"
    config = folder / "nginx.conf"
    config.write_text(f"pid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n" + "".join(
        f"{kind}_temp_path {folder};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + text + "\n}\n")
    give_away(folder)
    run(as_user(["nginx", "-t", "-c", str(config), "-e", f"{folder}/error.log", "-p", str(folder)]), home=home.folder,
        variables={"OPENSSL_CONF": provider_conf / "devtrust.cnf"})


def anchors(page):
    """Of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text())):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(SOURCE) and target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_a_guide_is_linked_and_says_what_was_tried(page):
    assert f"](docs/{page.name})" in PAGES[0].read_text()
    assert page.read_text().split("\n## ")[-1].startswith("What was tried, and what could not be\n")
