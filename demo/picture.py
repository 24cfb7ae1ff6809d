"""Draws docs/terminal.svg: what a terminal of 80 columns shows when README.md's lines about git are run as they stand there.

    picture.py BUILD_DIR

They run in a mount namespace with a home that holds a device-trust identity, and with the build installed in /usr/local.
"""

import fcntl
import html
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

top = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(top / "tests/interop"))
from programs import environment, run  # noqa: E402
from stores import LEAF_NAME, NssDatabase, Pki  # noqa: E402

COLUMNS = 80
HOME = "/home/alice"
MOUNTS = ('mount --bind "$1/prefix" /usr/local && mount -t tmpfs none /home && mkdir "$2" && mount --bind "$1/home" "$2" && shift 2'
          ' && exec "$@"')
COLOURS = {"1": 'font-weight="bold"', "31": 'fill="#f47067"', "32": 'fill="#8ddb8c"', "33": 'fill="#f69d50"', "36": 'fill="#6cb6ff"'}
CELL_WIDTH, LINE_HEIGHT, MARGIN = 8.4, 18, 16


def commands():
    """The lines of README.md's block that sets git up, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (top / "README.md").read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "devtrust setup git\n" in re.sub(r" +#.*", "", block)]
    return [re.sub(r" +# .*", "", line) for line in block.splitlines() if line]


def on_a_terminal(command):
    """What a terminal shows of it."""
    process, ours = pty.fork()
    if process == 0:
        os.chdir(f"{HOME}/project")
        os.execvpe("bash", ["bash", "-c", command],
                   {**environment(HOME), "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "xterm", "GIT_PAGER": "cat"})
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    text = b""
    try:
        while chunk := os.read(ours, 4096):
            text += chunk
    except OSError:  # the last one has closed it
        pass
    if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != 0:
        sys.exit(f"picture: {command} failed:\n{text.decode()}")
    return text.decode().replace("\r\n", "\n").rstrip("\n")


def cells(line):
    """A line as runs of (style, text), broken after COLUMNS as a terminal does."""
    lines, style, column = [[]], "", 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b"):
            style = " ".join(COLOURS.get(code, "") for code in part[2:-1].split(";")).strip()
            continue
        while part:
            if column == COLUMNS:
                lines.append([])
                column = 0
            taken, part = part[:COLUMNS - column], part[COLUMNS - column:]
            lines[-1].append((style, column, taken))
            column += len(taken)
    return lines


def svg(text):
    lines = [cell for line in text.split("\n") for cell in cells(line)]
    width, height = COLUMNS * CELL_WIDTH + 2 * MARGIN, len(lines) * LINE_HEIGHT + 2 * MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">',
           f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#22272e"/>',
           '<g font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" fill="#cdd9e5" xml:space="preserve">']
    for number, runs in enumerate(lines):
        y = MARGIN + LINE_HEIGHT * number + 14
        for style, column, taken in runs:
            out.append(f'<text x="{MARGIN + column * CELL_WIDTH:g}" y="{y}" textLength="{len(taken) * CELL_WIDTH:g}"'
                       f'{" " + style if style else ""}>{html.escape(taken)}</text>')
    return "\n".join([*out, "</g>", "</svg>", ""])


def inside(out):
    shown = []
    for command in commands():
        shown.append(f"\x1b[1m$ {command}\x1b[0m")
        shown.append(on_a_terminal(command))
    pathlib.Path(out).write_text(svg("\n".join(shown)))


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        home = folder / "home"
        (home / ".pki").mkdir(parents=True)
        NssDatabase(home / ".pki/nssdb").add(Pki(folder / "pki").issue(name=LEAF_NAME, valid_from=-6, valid_to=24))
        run(["git", "init", "-q", "-b", "main", home / "project"], home=home)
        run(["git", "config", "--global", "user.name", "Alice"], home=home)
        run(["git", "config", "--global", "user.email", "alice@example.com"], home=home)
        run(["cmake", "--install", build, "--prefix", folder / "prefix"], home=home)
        subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-ec", MOUNTS, "sh", folder, HOME, "/usr/bin/python3", "-B",
                        pathlib.Path(__file__).resolve(), "--inside", folder / "picture.svg"], check=True)
        (top / "docs/terminal.svg").write_text((folder / "picture.svg").read_text())


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        inside(sys.argv[2])
    else:
        main()
