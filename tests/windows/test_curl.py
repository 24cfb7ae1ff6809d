"""devtrust setup curl: Windows' own curl.exe, which wine has not. What stands for it says of itself what that says."""

import os
import pathlib
import re

import pytest

from conftest import unix_path
from programs import run
from test_programs import doctor_lines

CURL = """#!/bin/sh
# Tells of itself as Windows' own does.
[ "$1 $2" = "--ssl-auto-client-cert --version" ] || [ "$*" = --version ] || exit 2
echo "curl 8.13.0 (Windows) libcurl/8.13.0 Schannel zlib/1.3.1 WinIDN"
"""


def stand_in_curl(windows, text):
    windows.relay.programs.mkdir(exist_ok=True)
    program = windows.relay.programs / "curl"
    program.write_text(text)
    program.chmod(0o755)


@pytest.fixture
def curl(my):
    my.install(os.environ["DEVTRUST_RELAY"], "curl")
    stand_in_curl(my, CURL)
    yield my
    # The one folder that is every test's, as the prefix is: what a test leaves that failed.
    for left in pathlib.Path(os.environ["WINEPREFIX"]).glob("drive_c/users/*/AppData/Roaming/devtrust/curlrc"):
        left.unlink()


def curlrc(windows):
    said = windows.devtrust("setup", "curl", "--dry-run")
    path = pathlib.Path(unix_path(re.search(r"^\+\+\+ (.*)$", said, re.M)[1].strip()))
    assert not path.exists() and "+ssl-auto-client-cert\n" in said
    return path


def curl_line(windows):
    return [line for line in doctor_lines(windows) if line[1] == "curl"]


def test_setup_curl_is_undone_to_the_byte(curl):
    assert curl_line(curl) == [("off", "curl", "does not show the certificate")]
    path = curlrc(curl)
    said = re.sub(r"\s+", " ", curl.devtrust("setup", "curl"))
    assert "curl.exe --config " in said and "Windows chooses by what the server asks for" in said
    # What it has is an option that curl knows, in a file as curl reads it.
    assert run(["curl", "--config", path, "--version"]).stdout.startswith("curl ")
    before = path.read_bytes()
    assert curl.devtrust("setup", "curl").startswith("Already set up")
    assert curl.devtrust("setup", "curl", "--dry-run") == "" and path.read_bytes() == before
    assert [line[0] for line in curl_line(curl)] == ["ok"]
    stand_in_curl(curl, "#!/bin/sh\nexec /usr/bin/curl \"$@\"\n")
    assert [line[0] for line in curl_line(curl)] == ["problem"]
    curl.devtrust("unsetup", "curl")
    assert not path.exists()


@pytest.mark.parametrize("version, said", [
    ("libcurl/8.13.0 OpenSSL/3.5.0", "does not use Schannel"),
    ("libcurl/8.13.0 OpenSSL/3.5.0 (Schannel) zlib/1.3.1", "does not use Schannel"),
    ("libcurl/7.55.1 WinSSL", "does not use Schannel"),
    ("libcurl/7.76.0 (OpenSSL/1.1.1) Schannel", "is older than 7.77"),
])
def test_a_curl_that_cannot_is_left_alone(curl, version, said):
    path = curlrc(curl)
    stand_in_curl(curl, f"#!/bin/sh\n[ \"$1\" = --version ] || exit 2\necho 'curl {version}'\n")
    answer = re.sub(r"\s+", " ", curl.devtrust("setup", "curl", code=1))
    assert said in answer and "nothing was changed" in answer
    assert not path.exists()


def test_curl_has_no_key_of_a_file(windows):
    windows.install(os.environ["DEVTRUST_RELAY"], "curl")
    stand_in_curl(windows, CURL)
    assert "curl takes none but of Windows' own store" in re.sub(r"\s+", " ", windows.devtrust("setup", "curl", code=1))


def test_a_curlrc_made_by_hand_is_not_touched(curl):
    path = curlrc(curl)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"silent\r\n")
    assert "not by `devtrust setup curl`" in re.sub(r"\s+", " ", curl.devtrust("setup", "curl", code=1))
    curl.devtrust("unsetup", "curl")
    assert path.read_bytes() == b"silent\r\n"
    path.unlink()
