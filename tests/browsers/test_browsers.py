"""Debian's Firefox and Chromium reach pages that demand the device's certificate, which they have by our module only."""

import contextlib
import hashlib
import json
import sqlite3

import pytest

from browsers import P11KitServer, Portal
from keyholder import CLIENT, Keyholder
from programs import run
from stores import LEAF_NAME, Pki

OKTA = "/DC=okta/DC=com"


def reaches(browser, portal, leaf, versions=("TLSv1.2", "TLSv1.3"), fresh=False):
    """Each page names the certificate, and the audit says that our module signed with its key."""
    for version in versions:
        before = len(browser.uses())
        page = browser.open(portal.pages[version], fresh=fresh)
        assert page["status"] == 200 and f"{version} SUCCESS {leaf.sha1()}" in page["text"], (page, browser.logs())
        assert "CN=JumpCloud Device Trust Certificate" in page["text"], page
        uses = browser.uses()[before:]
        # A browser on a busy machine may open a second connection, which signs too, and keep it for the next page: a page
        # that comes again is opened `fresh` where a signature must be seen.
        digest = hashlib.sha256(leaf.der()).hexdigest()
        assert any('operation="sign"' in line and digest in line for line in uses), f"our module did not sign: {uses}"


def is_refused(browser, portal):
    """It is started, and shows no certificate of ours at either page."""
    before = browser.uses()
    browser.start()
    for url in portal.pages.values():
        page = browser.open(url)
        assert page["status"] == 400 and "No required SSL certificate was sent" in page["text"], page
    assert browser.uses() == before


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_reaches_the_page(new_browser, portal, module, pki, key):
    leaf = pki.issue(key)
    browser = new_browser(leaf)
    browser.add_module(module)
    browser.start()
    reaches(browser, portal, leaf)
    browser.close()


def test_is_refused_without_the_module(new_browser, portal, pki):
    """What the other tests see comes from the module."""
    browser = new_browser(pki.issue())
    is_refused(browser, portal)
    browser.close()


def test_reaches_the_page_from_setup_alone(new_browser, portal, programs, pki):
    leaf = pki.issue("ec:P-256")
    browser = new_browser(leaf)
    browser.set_up(programs)
    browser.start()
    reaches(browser, portal, leaf)
    if browser.name == "firefox":  # Chromium's lock is in the folder that it was given here, not in the usual one
        refused = browser.devtrust(programs, "unsetup", browser.name, check=False)
        assert refused.returncode == 1 and "is running" in refused.stdout, refused.stdout
    browser.close()
    browser.devtrust(programs, "unsetup", browser.name)
    is_refused(browser, portal)
    browser.close()


def test_reaches_the_page_from_an_administrators_setup(new_browser, portal, programs, pki):
    """By policies, which are taken away again."""
    leaf = pki.issue("ec:P-256")
    browser = new_browser(leaf)
    browser.set_up_by_administrator(programs)
    browser.start()
    reaches(browser, portal, leaf)
    browser.close()
    browser.administrator(programs, "unsetup", browser.name, "--system")
    assert 'name="devtrust"' in modules(browser), "it is each user's, as unsetup says"
    browser.devtrust(programs, "unsetup", browser.name)
    assert 'name="devtrust"' not in modules(browser)
    is_refused(browser, portal)
    browser.close()


def test_uses_a_renewed_certificate_on_the_next_connection(new_browser, portal, module, pki):
    first = old = pki.issue()
    browser = new_browser(old)
    browser.add_module(module)
    browser.start()
    reaches(browser, portal, old, ["TLSv1.2"])
    for key in ("rsa:2048", "ec:P-256"):
        new = pki.issue(key, f"{LEAF_NAME[:-8]}{key[:3].encode().hex()}", valid_from=-1, valid_to=29)
        browser.renew(new, old)
        if browser.remembers_its_choice:
            # Where it has been, the key that it holds must go on working.
            text = browser.open(portal.pages["TLSv1.2"])["text"]
            assert f"SUCCESS {first.sha1()}" in text or f"SUCCESS {new.sha1()}" in text, text
            if key == "rsa:2048":
                reaches(browser, portal, new, ["TLSv1.3"])  # where it has not been
        reaches(browser, portal, new, fresh=browser.remembers_its_choice)
        old = new
    browser.close()


def test_is_refused_with_an_expired_certificate_and_doctor_says_why(new_browser, portal, module, programs, pki):
    expired = pki.issue(valid_from=-30, valid_to=-1)
    browser = new_browser(expired)
    browser.add_module(module)
    is_refused(browser, portal)
    doctor = run([programs / "devtrust", "doctor", "--json"], home=browser.home, unprivileged=True, check=False)
    assert doctor.returncode == 1, doctor.stdout
    problems = [line["message"] for line in json.loads(doctor.stdout)["lines"] if line["finding"] == "problem"]
    assert any("expired 1 day ago" in problem and "see that the agent runs" in problem for problem in problems), problems

    # As soon as the agent runs, all is well, in the same running browser.
    new = pki.issue("rsa:2048", f"{LEAF_NAME[:-8]}11223344", valid_from=-1, valid_to=29)
    browser.renew(new, expired)
    reaches(browser, portal, new, fresh=browser.remembers_its_choice)
    browser.close()


def test_a_portal_that_asks_by_the_way_and_redirects(new_browser, portal, module, pki):
    leaf = pki.issue()
    browser = new_browser(leaf)
    browser.add_module(module)
    browser.start()
    page = browser.open(portal.sign_in)
    assert page["url"].startswith(portal.sign_in + "signed-in?"), page
    assert page["status"] == 200 and f"signed in: SUCCESS {leaf.sha1()}" in page["text"], page
    assert browser.uses()
    browser.close()


def test_the_same_with_a_certificate_of_oktas(new_browser, folder, web_server, module):
    """By the names that Okta gives them; its host that asks for certificates is imitated as JumpCloud's is."""
    pki = Pki(folder / "okta", "rsa:2048", f"Organization Root Authority{OKTA}", f"Organization Intermediate Authority{OKTA}")
    leaf = pki.issue("rsa:2048", "laptop managementAttestation 0123")
    portal = Portal(folder / "portal", web_server, pki.root.certificate)
    try:
        browser = new_browser(leaf)
        browser.issuer = "Organization Intermediate Authority"
        browser.add_module(module)
        browser.start()
        page = browser.open(portal.sign_in)
        assert page["status"] == 200 and f"signed in: SUCCESS {leaf.sha1()}" in page["text"], page
        assert 'profile="okta"' in browser.uses()[-1]
        browser.close()
    finally:
        portal.close()


def test_a_portal_lets_those_in_without_a_certificate(new_browser, portal, pki):
    """The other side of the above."""
    browser = new_browser(pki.issue())
    browser.start()
    assert "signed in: NONE" in browser.open(portal.sign_in)["text"]
    browser.close()


def test_leaves_the_browsers_own_databases_alone(new_browser, portal, module, pki, web_pki):
    """Also where our module reads the very files that the browser has open."""
    leaf = pki.issue()
    browser = new_browser(leaf)
    browser.configure(browser.database.folder)
    browser.add_module(module)
    listed = [browser.database.certutil("-L"), modules(browser)]
    browser.start()
    reaches(browser, portal, leaf)

    # Another program's write lock stays what it is, and does not stop the browser.
    locks = [sqlite3.connect(browser.database.folder / name, isolation_level=None) for name in ("cert9.db", "key4.db")]
    for lock in locks:
        lock.execute("BEGIN IMMEDIATE")
    reaches(browser, portal, leaf, fresh=True)
    for lock in locks:
        lock.execute("ROLLBACK")
        lock.close()

    # A program that writes there is not kept from it by a lock of ours.
    browser.database.add_certificate(web_pki.intermediate.certificate, "Web Issuer")
    reaches(browser, portal, leaf, fresh=True)
    browser.database.certutil("-D", "-n", "Web Issuer")
    browser.close()

    for name in ("cert9.db", "key4.db"):
        with contextlib.closing(sqlite3.connect(browser.database.folder / name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [browser.database.certutil("-L"), modules(browser)] == listed
    assert {path.name for path in browser.identity.folder.iterdir()} == {"cert9.db", "key4.db", "pkcs11.txt"}


def modules(browser):
    return run(["modutil", "-dbdir", f"sql:{browser.database.folder}", "-rawlist"], home=browser.home, unprivileged=True).stdout


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_reaches_the_page_through_p11_kit_server(new_browser, portal, module, pki, key):
    """As a browser in a sandbox does: the browser loads p11-kit's client, and the module is in the server outside."""
    leaf = pki.issue(key)
    browser = new_browser(leaf)
    client = run(["pkg-config", "--variable=p11_module_path", "p11-kit-1"]).stdout.strip() + "/p11-kit-client.so"
    with P11KitServer(browser.home, module) as server:
        browser.variables = server.variables
        browser.add_module(client)
        browser.start()
        reaches(browser, portal, leaf)
        assert 'program="p11-kit' in browser.uses()[0], browser.uses()
        browser.close()


def test_reaches_the_page_through_the_keyholder(new_browser, portal, programs, pki, folder):
    leaf = pki.issue("ec:P-256")
    browser = new_browser(leaf)
    with Keyholder(programs / "devtrust-keyholder", browser.home, folder / "runtime") as keyholder:
        browser.variables = keyholder.variables
        browser.add_module(CLIENT)
        browser.start()
        reaches(browser, portal, leaf)
        assert f'program="{browser.name}' in browser.uses()[0], browser.uses()
        browser.close()
