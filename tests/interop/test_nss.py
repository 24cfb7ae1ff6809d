"""NSS's own tools with our module beside NSS's: modutil, certutil, tstclnt, signing and verifying."""

import pytest

from programs import Nginx
from stores import TOKEN_LABEL, NssDatabase

NICKNAME = f"{TOKEN_LABEL}:{TOKEN_LABEL}"


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def home(request, make_home):
    return make_home(request.param)


@pytest.fixture
def client(home, module, web_pki):
    """The database of a program that knows our module: not the one that holds the identity."""
    folder = home.folder / "client"
    if not folder.exists():
        database = NssDatabase(folder)
        database.add_certificate(web_pki.root.certificate, "web", "C,,")
        home.write(".keep", "")
        add_module(home, folder, module)
    return folder


def add_module(home, folder, module):
    home.run(["modutil", "-force", "-dbdir", f"sql:{folder}", "-add", "devtrust", "-libfile", module])


def test_modutil_lists_the_module(home, client, module):
    text = home.run(["modutil", "-list", "-dbdir", f"sql:{client}"]).stdout
    ours = text[text.index("devtrust"):]
    assert f"library name: {module}" in ours and f"token: {TOKEN_LABEL}\n" in ours and "status: loaded" in ours, text


def test_certutil_lists_the_key(home, client):
    text = home.run(["certutil", "-K", "-h", "all", "-d", f"sql:{client}", "-f", home.database.password_file]).stdout
    ours = text[text.index(f'token "{TOKEN_LABEL}"'):]
    key = next(line for line in ours.splitlines() if line.startswith("< 0>"))
    assert key.split()[2] in home.key and key.endswith(f" {TOKEN_LABEL}"), text


def test_certutil_lists_the_certificates(home, client):
    text = home.run(["certutil", "-L", "-h", TOKEN_LABEL, "-d", f"sql:{client}"]).stdout
    leaf = next(line for line in text.splitlines() if line.startswith(NICKNAME))
    assert leaf.split()[-1] == "u,u,u", text
    assert f"{TOKEN_LABEL}:device-trust.intermediate" in text, text


def test_certutil_does_not_trust_the_device_root(home, client):
    """No trust bits but the user's own, which come from the key."""
    text = home.run(["certutil", "-L", "-h", TOKEN_LABEL, "-d", f"sql:{client}"]).stdout
    flags = [line.split()[-1] for line in text.splitlines() if line.startswith(TOKEN_LABEL)]
    assert sorted(flags) == [",,", ",,", "u,u,u"], text


def test_tstclnt_logs_in_to_a_server(home, client, chain_server):
    text = tstclnt(home, client, chain_server).stdout
    assert f"client SUCCESS {home.leaf.sha1()}" in text, text


def test_tstclnt_sends_the_chain(home, client, root_server):
    text = tstclnt(home, client, root_server).stdout
    assert f"client SUCCESS {home.leaf.sha1()}" in text, text


def tstclnt(home, database, server):
    request = home.write("request", "GET / HTTP/1.0\r\n\r\n")
    return home.run(["tstclnt", "-h", "localhost", "-4", "-p", server.port, "-d", f"sql:{database}", "-n", NICKNAME, "-A",
                     request, "-w", ""], check=False)


def test_works_beside_the_same_database(make_home, module):
    """Chromium's case: the module is added to the very database that it reads."""
    home = make_home("rsa:2048", fresh=True)
    add_module(home, home.database.folder, module)
    text = home.run(["certutil", "-K", "-h", "all", "-d", f"sql:{home.database.folder}", "-f",
                     home.database.password_file]).stdout
    assert text.count("< 0> rsa") == 2 and f" {TOKEN_LABEL}\n" in text, text
    assert "u,u,u" in home.database.certutil("-L")


def test_certutil_asks_for_the_password(make_home, module):
    home = make_home("ec:P-256", "sesame")
    folder = home.folder / "client"
    NssDatabase(folder, "sesame")
    home.write(".keep", "")
    add_module(home, folder, module)
    text = home.run(["certutil", "-K", "-h", TOKEN_LABEL, "-d", f"sql:{folder}", "-f", home.database.password_file]).stdout
    assert "< 0> ec" in text and f" {TOKEN_LABEL}\n" in text, text
    wrong = home.write("wrong", "wrong\n")
    refused = home.run(["certutil", "-K", "-h", TOKEN_LABEL, "-d", f"sql:{folder}", "-f", wrong], check=False)
    assert refused.returncode != 0 and "< 0>" not in refused.stdout, refused.stdout


def test_nss_does_not_trust_web_servers_for_the_device_root(home, client, pki, folder):
    server = Nginx(folder / "server", pki.issue("ec:P-256", "localhost", extensions="server"))
    try:
        text = tstclnt(home, client, server).stdout
        assert "client NONE" not in text, text
        assert "SEC_ERROR_UNKNOWN_ISSUER" in text or "SEC_ERROR_UNTRUSTED_ISSUER" in text, text
        home.run(["certutil", "-A", "-d", f"sql:{client}", "-n", "trusted", "-t", "C,,", "-i", pki.root.certificate,
                  "-f", home.database.password_file])
        try:
            assert "client NONE" in tstclnt(home, client, server).stdout, "the server works for those who trust the root"
        finally:
            home.run(["certutil", "-D", "-d", f"sql:{client}", "-n", "trusted"])
    finally:
        server.close()
