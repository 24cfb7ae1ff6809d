"""The interop tests' helpers serve these tests, too."""

import importlib.util
import pathlib
import sys

import pytest

INTEROP = pathlib.Path(__file__).parents[1] / "interop"
sys.path.insert(0, str(INTEROP))

spec = importlib.util.spec_from_file_location("interop_conftest", INTEROP / "conftest.py")
interop = importlib.util.module_from_spec(spec)
spec.loader.exec_module(interop)
session_folder, folder, module, programs = interop.session_folder, interop.folder, interop.module, interop.programs
pki, web_pki, web_server = interop.pki, interop.web_pki, interop.web_server

from browsers import BROWSERS, Portal  # noqa: E402


@pytest.fixture(scope="session")
def portal(session_folder, pki, web_server):
    server = Portal(session_folder / "portal", web_server, pki.root.certificate)
    yield server
    server.close()


@pytest.fixture(params=list(BROWSERS))
def new_browser(request, folder, web_pki):
    """Makes a browser whose identity is `leaf`."""
    browsers = []

    def make(leaf):
        browsers.append(BROWSERS[request.param](folder / f"home{len(browsers)}", web_pki.root.certificate, leaf))
        return browsers[-1]

    yield make
    for browser in browsers:
        browser.kill()
