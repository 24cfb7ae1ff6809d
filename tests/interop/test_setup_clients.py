"""`devtrust setup all`, and then each client as its own documentation has it, with nothing but what was set up, or for Java
what is installed: in a login shell, with the names that `devtrust uri` and setup print."""

import os

import pytest

from conftest import Home
from programs import Account, give_away, run, uri
from stores import TOKEN_LABEL, NssDatabase
from test_java import VERSIONS, accepted, classes, server  # noqa: F401 - two are fixtures
from test_provider_clients import NODE_CLIENT, PYTHON_CLIENT, openssl_libcurl  # noqa: F401 - one is a fixture
from test_provider_newer import backports, library  # noqa: F401 - one is a fixture
from test_readme import block

PEM = "$HOME/.local/share/devtrust"


@pytest.fixture(scope="session")
def accounts():
    return {}


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def account(request, accounts, session_folder, programs, pki):
    if request.param not in accounts:
        accounts[request.param] = set_up(session_folder / f"clients-{len(accounts)}", request.param, programs, pki)
    return accounts[request.param]


def set_up(folder, key, programs, pki):
    """The certificate is in a database that no program reads by itself."""
    folder.mkdir()
    home = Home(folder / "home", key, pki.issue(key), "")
    (home.folder / ".pki").rename(home.folder / "device")
    home.write(".config/devtrust/config.toml", f'[[store]]\nkind = "nss"\npath = "{home.folder}/device/nssdb"\n')
    home.write(".mozilla/firefox/profiles.ini", "[Profile0]\nName=a\nIsRelative=1\nPath=a\n")
    NssDatabase(home.folder / ".mozilla/firefox/a")
    give_away(home.folder)
    account = Account(home, folder)
    said = account.run([programs / "devtrust", "setup", "all"]).stdout
    assert ("gnupg-pkcs11-scd offers RSA keys only" in said) == (key != "rsa:2048"), said
    return account


@pytest.fixture
def client(account, web_pki):
    """A line of a login shell."""

    def run_line(line, **variables):
        return account.run(["sh", "-lc", line], check=False, **{"CA": str(web_pki.root.certificate), **variables}).stdout

    return run_line


def shown(account):
    return f"client SUCCESS {account.home.leaf.sha1()}"


# --- by p11-kit ---


def test_pkcs11_tool(account, client):
    mechanism = "SHA256-RSA-PKCS" if account.home.key == "rsa:2048" else "ECDSA-SHA256"
    said = client(f"echo text >m && pkcs11-tool --module p11-kit-proxy.so --token-label '{TOKEN_LABEL}' --sign -m {mechanism} "
                  "-i m -o s && wc -c <s")
    assert int(said.split()[-1]) >= 64, said


def test_p11tool(client):
    assert "Verifying against public key in the token... ok" in client(f"p11tool --test-sign '{uri('private')}'")


def test_gnutls_cli(account, client, chain_server):
    said = client(f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | gnutls-cli --x509cafile $CA --x509certfile '{uri('cert')}' "
                  f"--x509keyfile '{uri('private')}' -p {chain_server.port} localhost")
    assert shown(account) in said, said


def test_wget(account, client, root_server):
    said = client(f"wget -qO- --ca-certificate $CA --certificate '{uri('cert')}' --private-key '{uri('private')}' "
                  f"https://localhost:{root_server.port}/")
    assert shown(account) in said, said


def test_git_with_gnutls(client, git_server):
    said = client(f"git -c http.sslCAInfo=$CA -c 'http.sslCert={uri('cert')}' -c 'http.sslKey={uri('private')}' ls-remote "
                  f"https://localhost:{git_server.port}/it.git")
    assert "refs/heads/" in said, said


# --- by OpenSSL, and by the files of setup curl ---


def test_openssl(account, client, root_server):
    said = client(f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -CAfile $CA -cert {PEM}/chain.pem "
                  f"-cert_chain {PEM}/chain.pem -key devtrust: -connect localhost:{root_server.port}")
    assert shown(account) in said, said


def test_curl(account, client, root_server):
    said = client(f"curl -sS --cacert $CA --config ~/.config/devtrust/curlrc https://localhost:{root_server.port}/")
    assert said == shown(account) + "\n"


def test_curl_from_8_12_on(account, client, backports, root_server):
    """It looks for providers by itself, and reads what `setup curl` wrote for every curl."""
    newer = {"CURL": str(backports / "usr/bin/curl"), "LD_LIBRARY_PATH": str(library(backports, "libcurl.so.4").parent)}
    version = client("$CURL --version", **newer).split()[1]
    assert [int(part) for part in version.split(".")[:2]] >= [8, 12], version
    said = client(f"$CURL -sS --cacert $CA --config ~/.config/devtrust/curlrc https://localhost:{root_server.port}/", **newer)
    assert said == shown(account) + "\n"


def test_git_with_openssl(client, git_server, openssl_libcurl):
    said = client(f"git -c http.sslCAInfo=$CA -c http.sslCert={PEM}/chain.pem -c http.sslKey={PEM}/key.pem ls-remote "
                  f"https://localhost:{git_server.port}/it.git", LD_LIBRARY_PATH=str(openssl_libcurl))
    assert "refs/heads/" in said, said


def test_python(account, client, root_server):
    said = client(f'python3 -c "$SCRIPT" {root_server.port} $CA {PEM}/chain.pem {PEM}/key.pem', SCRIPT=PYTHON_CLIENT)
    assert said == shown(account) + "\n"


def test_node(account, client, root_server):
    said = client(f'node --openssl-shared-config -e "$SCRIPT" {root_server.port} $CA {PEM}/chain.pem {PEM}/key.pem',
                  SCRIPT=NODE_CLIENT)
    assert shown(account) in said, said


# --- by the module itself ---


@pytest.fixture(scope="session")
def java(session_folder):
    """The folder of Java's configuration, as an installation has it."""
    prefix = session_folder / "prefix"
    run(["cmake", "--install", os.environ["DEVTRUST_BUILD_TREE"], "--prefix", prefix], home=session_folder)
    return prefix / "share/devtrust/java"


@pytest.fixture
def java_lines(java):
    """README.md's, with this folder."""
    folder, *lines = block("J=")
    assert folder == "J=/usr/local/share/devtrust/java"
    return [f"J={java}; {line}" for line in lines]


def test_keytool(client, java_lines):
    said = client(java_lines[0])
    assert "contains 1 entry" in said and f"\n{TOKEN_LABEL}, PrivateKeyEntry" in said, said


@pytest.mark.parametrize("version", VERSIONS)
def test_a_java_program_that_names_the_configuration(account, client, java, classes, server, version):
    said = client(f"printf 'load\\nconnect\\n' | java -cp $CLASSES TlsClient {java}/devtrust.cfg none $CA {server.port} {version}",
                  CLASSES=str(classes))
    assert accepted(version, account.home.leaf) in said, said


def test_a_java_program_that_knows_nothing(account, client, java_lines, classes, root_server):
    """By options of the JVM alone; those after ours make it believe the web server."""
    java = java_lines[1].removesuffix(" ...")
    said = client("keytool -importcert -noprompt -file $CA -keystore web.p12 -storepass public; "
                  f"{java} -Djavax.net.ssl.trustStore=web.p12 -Djavax.net.ssl.trustStorePassword=public -cp $CLASSES HttpsClient "
                  f"https://localhost:{root_server.port}/", CLASSES=str(classes))
    assert shown(account) in said, said


def test_nss(account, client, chain_server):
    """By the database that Chromium reads; where Chromium never ran, certutil makes it."""
    said = client("test -e .pki/nssdb/cert9.db || certutil -N -d sql:$HOME/.pki/nssdb --empty-password; "
                  f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' >request; certutil -A -d sql:$HOME/.pki/nssdb -n web -t C,, -i $CA && "
                  f"tstclnt -h localhost -4 -p {chain_server.port} -d sql:$HOME/.pki/nssdb -n '{TOKEN_LABEL}:{TOKEN_LABEL}' "
                  "-A request -w ''")
    assert shown(account) in said, said


def test_ssh(account, client):
    assert "/devtrust-pkcs11.so" in client("ssh -G any.example | grep -i pkcs11provider")


def test_a_signed_commit(client):
    said = client("git config --global user.name A; git config --global user.email a@b.example; git init -q w && cd w && "
                  "git commit -q --allow-empty -S -m one && git log --format=%G?")
    assert said.strip() == "G", said


def test_a_signed_commit_with_gpgsm(account, client):
    if account.home.key != "rsa:2048":
        return  # test_setup_gpgsm.py has what it says of these
    said = client("gpgconf --kill gpg-agent; gpgsm --learn-card; git init -q g && cd g && git -c gpg.x509.program=gpgsm -c "
                  "user.signingKey=$(gpgsm -K --with-colons | grep ^fpr | head -1 | cut -d: -f10) "
                  "commit -q --allow-empty -S -m one && git -c gpg.x509.program=gpgsm log --format=%G?; gpgconf --kill all")
    assert said.strip().splitlines()[-1] == "G", said
