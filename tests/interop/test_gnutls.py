"""GnuTLS and what is built on it: p11tool, gnutls-cli, wget, Debian's git. All reach the module through p11-kit."""

import hashlib
import pathlib

import pytest

from programs import Nginx, run, uri, wait_until

KEYS = ["rsa:2048", "ec:P-256", "ec:P-384", "ec:P-521"]
REQUEST = "GET / HTTP/1.0\r\n\r\n"


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def home(request, make_home, p11_kit_module):
    home = make_home(request.param)
    home.add_to_p11_kit(p11_kit_module)
    return home


def gnutls_cli(home, port, authorities, *arguments, check=True):
    return home.run(["gnutls-cli", "--x509cafile", authorities, *arguments, "-p", port, "localhost"], input=REQUEST,
                    check=check)


def client_certificate(certificate=None):
    return ["--x509certfile", certificate or uri("cert"), "--x509keyfile", uri("private")]


def test_p11tool_lists_everything(home):
    token = uri("").split(";")[0]
    urls = home.run(["p11tool", "--list-all", "--only-urls", token]).stdout.splitlines()
    kinds = sorted(url.rsplit("type=", 1)[1] for url in urls if "type=" in url)
    assert kinds == ["cert", "cert", "cert", "private", "public"], urls
    assert all("token=JumpCloud%20Device%20Trust" in url for url in urls)


def test_p11tool_takes_the_module_by_path(module, rsa_home):
    text = rsa_home.run(["p11tool", "--provider", module, "--list-certs"]).stdout
    assert "Label: JumpCloud Device Trust" in text


@pytest.mark.parametrize("key", KEYS)
def test_p11tool_signs(p11_kit_module, make_home, key):
    home = make_home(key)
    home.add_to_p11_kit(p11_kit_module)
    text = home.run(["p11tool", "--test-sign", uri("private")]).stdout
    assert "Verifying against private key parameters... ok" in text and \
        "Verifying against public key in the token... ok" in text, text


@pytest.mark.parametrize("algorithm", ["RSA-SHA256", "RSA-SHA384", "RSA-SHA512", "RSA-PSS-SHA256", "RSA-PSS-SHA384",
                                       "RSA-PSS-SHA512"])
def test_p11tool_signs_with_each_algorithm(p11_kit_module, rsa_home, algorithm):
    rsa_home.add_to_p11_kit(p11_kit_module)
    parameters = ["--sign-params", "rsa-pss"] if "PSS" in algorithm else []
    text = rsa_home.run(["p11tool", "--test-sign", *parameters, "--hash", algorithm.rsplit("-", 1)[1], uri("private")]).stdout
    assert f"using {algorithm}... ok" in text, text


@pytest.mark.parametrize("key", KEYS)
def test_p11tool_exports_the_public_key(p11_kit_module, make_home, key):
    home = make_home(key)
    home.add_to_p11_kit(p11_kit_module)
    text = home.run(["p11tool", "--export-pubkey", uri("private")]).stdout
    assert text[text.index("-----BEGIN"):] == home.leaf.public_key().read_text()


def test_p11tool_exports_the_chain(home):
    text = home.run(["p11tool", "--export-chain", uri("cert")]).stdout
    chain = [home.leaf.certificate, *home.leaf.issuers]
    assert text.split() == "\n".join(path.read_text() for path in chain).split()


def test_p11tool_logs_in(p11_kit_module, make_home):
    home = make_home("ec:P-256", "sesame")
    home.add_to_p11_kit(p11_kit_module)
    text = home.run(["p11tool", "--login", "--test-sign", uri("private")], variables={"GNUTLS_PIN": "sesame"}).stdout
    assert "Verifying against public key in the token... ok" in text, text


def test_gnutls_cli_logs_in_to_a_server(home, web_pki, chain_server):
    text = gnutls_cli(home, chain_server.port, web_pki.root.certificate, *client_certificate()).stdout
    assert f"client SUCCESS {home.leaf.sha1()}" in text, text


@pytest.mark.parametrize("key", KEYS)
def test_wget_sends_the_chain(p11_kit_module, make_home, web_pki, root_server, key):
    home = make_home(key)
    home.add_to_p11_kit(p11_kit_module)
    text = home.run(wget(web_pki, root_server)).stdout
    assert f"client SUCCESS {home.leaf.sha1()}" in text, text


def test_the_chain_is_sent_only_where_it_was_asked_for(module, make_home, web_pki, root_server):
    """Under its own name the module calls nothing trusted, and GnuTLS does not find the issuers."""
    home = make_home("rsa:2048", fresh=True)
    home.add_to_p11_kit(module)
    result = home.run(wget(web_pki, root_server), check=False)
    assert result.returncode != 0 and "ERROR 400" in result.stdout, result.stdout


def wget(web_pki, server):
    return ["wget", "-O", "-", "--no-verbose", "--tries=1", "--ca-certificate", web_pki.root.certificate, "--certificate", uri("cert"),
            "--private-key", uri("private"), f"https://localhost:{server.port}/"]


def test_git_sends_the_chain(home, web_pki, root_server):
    """The answer is no repository, but the server's log says who asked."""
    log = root_server.folder / "access.log"
    seen = log.stat().st_size
    text = home.run(["git", "-c", f"http.sslCAInfo={web_pki.root.certificate}", "-c", f"http.sslCert={uri('cert')}", "-c",
                     f"http.sslKey={uri('private')}", "ls-remote", f"https://localhost:{root_server.port}/project.git"],
                    check=False).stdout
    wait_until(lambda: log.stat().st_size > seen, f"nginx's log, after git said: {text}")
    request = log.read_text()[seen:]
    assert "GET /project.git/info/refs?service=git-upload-pack" in request and " 200 " in request, request


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_git_clones_and_fetches_after_a_renewal(p11_kit_module, make_home, pki, web_pki, git_server, key):
    """Debian's git, whose git-remote-https uses the libcurl that is built with GnuTLS; the user's configuration stays as it is."""
    program = pathlib.Path(run(["git", "--exec-path"]).stdout.strip()) / "git-remote-https"
    assert "libcurl-gnutls" in run(["ldd", program]).stdout
    home = make_home(key, fresh=True)
    home.add_to_p11_kit(p11_kit_module)
    audit = home.folder / "audit.log"
    home.variables = {"DEVTRUST_CONFIG": home.write("config.toml", f'audit = "{audit}"\naudit_required = true\n')}
    trust = f"[http]\nsslCAInfo = {web_pki.root.certificate}\n"
    home.write(".gitconfig", trust + f"sslCert = \"{uri('cert')}\"\nsslKey = \"{uri('private')}\"\n")
    clone = home.folder / "clone"

    def only(leaf):
        """Whether the module signed, with the key of this certificate alone, since the last time."""
        lines = audit.read_text().splitlines()
        audit.write_text("")
        return lines and all(f'sha256="{hashlib.sha256(leaf.der()).hexdigest()}"' in line for line in lines)

    home.run(["git", "clone", "--quiet", f"https://localhost:{git_server.port}/it.git", clone])
    assert home.run(["git", "-C", clone, "log", "--format=%s"]).stdout == "what was fetched\n"
    assert only(home.leaf)
    old, new = home.leaf, home.renew(pki, key)
    home.database.remove(old.name)
    home.run(["git", "-C", clone, "fetch", "--quiet"])
    assert only(new)
    home.write(".gitconfig", trust)
    refused = home.run(["git", "-C", clone, "fetch", "--quiet"], check=False)
    assert refused.returncode != 0 and "returned error: 400" in refused.stdout, refused.stdout


def test_a_renewal_is_seen_by_the_next_connection(p11_kit_module, make_home, pki, web_pki, root_server):
    home = make_home("rsa:2048", fresh=True)
    home.add_to_p11_kit(p11_kit_module)
    assert home.leaf.sha1() in home.run(wget(web_pki, root_server)).stdout
    renewed = home.renew(pki)
    assert f"client SUCCESS {renewed.sha1()}" in home.run(wget(web_pki, root_server)).stdout


def test_gnutls_does_not_trust_web_servers_for_the_device_root(home, pki, folder):
    """A server whose certificate the device root issued: refused, though the token is on p11-kit's list and says that its
    chain is trusted."""
    server = Nginx(folder / "server", pki.issue("ec:P-256", "localhost", extensions="server"))
    try:
        trusted = gnutls_cli(home, server.port, pki.root.certificate)
        assert "client NONE" in trusted.stdout, "the server works for those who name the root"
        for arguments in ([], client_certificate()):
            refused = home.run(["gnutls-cli", *arguments, "-p", server.port, "localhost"], input=REQUEST, check=False)
            assert refused.returncode != 0 and "certificate issuer is unknown" in refused.stdout, refused.stdout
        refused = home.run(["wget", "-O", "-", f"https://localhost:{server.port}/"], check=False)
        assert refused.returncode != 0 and "not trusted" in refused.stdout, refused.stdout
    finally:
        server.close()


def test_p11_kit_does_not_list_the_device_root_as_an_anchor(home, folder):
    """`trust` lists what is trusted on this machine; only modules with trust-policy count."""
    anchors = home.run(["trust", "list", "--filter=ca-anchors"]).stdout
    assert "JumpCloud" not in anchors
    home.run(["trust", "extract", "--format=pem-bundle", "--filter=ca-anchors", "--overwrite", home.folder / "anchors.pem"])
    root = "".join(home.leaf.issuers[-1].read_text().splitlines()[1:-1])
    assert root not in (home.folder / "anchors.pem").read_text().replace("\n", "")
