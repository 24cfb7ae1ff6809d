"""The archive for Windows, unpacked where a user might."""

import hashlib
import json
import os
import re
import subprocess
import zipfile

import pytest

from conftest import windows_path
from programs import run

PARTS = ["bin/devtrust.exe", "bin/devtrust-smimesign.exe", "lib/pkcs11/devtrust-pkcs11.dll", "lib/ossl-modules/devtrust.dll"]


@pytest.fixture(scope="session")
def archive(session_folder):
    folder = session_folder / "packages"
    subprocess.run([os.environ["DEVTRUST_CPACK"], "-G", "ZIP", "--config", f"{os.environ['DEVTRUST_BUILD']}/CPackConfig.cmake",
                    "-B", folder], check=True, capture_output=True, timeout=300)
    (made,) = folder.glob("*.zip")
    return made


@pytest.fixture(scope="session")
def unpacked(archive, session_folder):
    """The one folder that is in it."""
    place = session_folder / "My Programs"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(place)
    (folder,) = place.iterdir()
    assert folder.name == archive.stem
    return folder


def test_has_its_checksum_beside_it(archive):
    (line,) = archive.with_name(archive.name + ".sha256").read_text().splitlines()
    assert line.split() == [hashlib.sha256(archive.read_bytes()).hexdigest(), archive.name]


def test_has_what_is_for_windows_and_no_place_of_the_builders(unpacked, session_folder):
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert {*PARTS, "share/doc/devtrust/README.md", "share/doc/devtrust/LICENSE", "share/devtrust/jumpcloud/windows/install.ps1"} <= files
    assert [name for name in files if re.search(r"\.so$|\.sh$|systemd|/man/|p11-kit|completion|\.a$|test", name)] == []
    for name in files:
        text = (unpacked / name).read_bytes()
        assert os.environ["DEVTRUST_BUILD"].encode() not in text and str(session_folder).encode() not in text, name


@pytest.mark.parametrize("name", PARTS)
def test_needs_no_library_but_windows_own(unpacked, name):
    said = run(["x86_64-w64-mingw32-objdump", "-p", unpacked / name]).stdout
    needed = {library.lower() for library in re.findall(r"DLL Name: (.*)", said)}
    assert needed <= {"advapi32.dll", "bcrypt.dll", "crypt32.dll", "kernel32.dll", "msvcrt.dll", "ncrypt.dll", "ole32.dll",
                      "shell32.dll", "user32.dll", "ws2_32.dll"}, needed


def test_works_from_where_it_was_unpacked(windows, unpacked, pki):
    windows.bin = unpacked / "bin"
    assert windows.devtrust("--version").strip().endswith(unpacked.name.split("-")[1])
    windows.install(os.environ["DEVTRUST_OPENSSL"], "openssl")
    lines = json.loads(windows.run("devtrust", "doctor", "--json").stdout)["lines"]
    assert [line for line in lines if line["finding"] == "problem"] == []
    assert [line["message"] for line in lines if line["subject"] == "module"] == [
        f"Z:{unpacked}/lib/pkcs11/devtrust-pkcs11.dll loads"]
    data, signature = windows.home / "data", windows.home / "signature"
    data.write_bytes(b"data")
    signature.write_bytes(windows.sign(b"data").output.replace(b"SIGNED MESSAGE", b"CMS"))
    run(["openssl", "cms", "-verify", "-binary", "-inform", "PEM", "-in", signature, "-content", data, "-CAfile",
         pki.root.certificate, "-purpose", "any", "-out", windows.home / "verified"])
    windows.devtrust("exec", "--", "openssl", "dgst", "-sha256", "-sign", "devtrust:jumpcloud", "-out",
                     windows_path(windows.home / "by-provider"), windows_path(data))
