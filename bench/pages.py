"""Two Chromiums as a person has them, with the same identity: in one by our module, in the other in Chromium's own database;
and a local nginx that demands its certificate, and on which each page is a connection of its own."""

import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/browsers"))
from browsers import STORE, Chromium, Portal  # noqa: E402
from programs import give_away  # noqa: E402
from stores import Pki  # noqa: E402


class Pages:
    def __init__(self, folder, module, driver, key):
        os.environ["DEVTRUST_BROWSER_DRIVER"] = str(driver)
        folder.mkdir()
        device, web = Pki(folder / "device"), Pki(folder / "web", "ec:P-256", "Web Root", "Web Issuer")
        leaf = device.issue(key)
        self.portal = Portal(folder / "portal", web.issue("ec:P-256", "localhost", extensions="server"), device.root.certificate)
        self.ours = Chromium(folder / "ours", web.root.certificate, leaf)
        self.ours.add_module(shutil.copy(module, folder))
        # Without the tests' audit, as it is where nothing is configured
        (self.ours.home / ".config/devtrust/config.toml").write_text(STORE.format(path=self.ours.identity.folder))
        self.theirs = Chromium(folder / "theirs", web.root.certificate)
        self.theirs.database.add(leaf)
        for browser in (self.ours, self.theirs):
            give_away(browser.home)

    def __enter__(self):
        try:
            for browser in (self.ours, self.theirs):
                browser.start()
                for url in self.portal.pages.values():
                    load(browser, url)  # the first one also loads what the browser needs
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.ours.kill()
        self.theirs.kill()
        self.portal.close()


def load(browser, url):
    """From the start of the navigation to the end of the load event, in ms, in a private window that knows no earlier one."""
    page = browser.open(url, fresh=True)
    if page["status"] != 200 or " SUCCESS " not in page["text"]:
        sys.exit(f"bench: the page is not the one that the certificate opens: {page}")
    return {"load": page["load"]}
