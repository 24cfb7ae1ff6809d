"""Programs that take a certificate and a key as files, with our PEM form as the key: curl, git, Python's ssl, Node."""

import base64
import hashlib
import pathlib
import subprocess

import pytest

from programs import DEADLINE, as_user, environment, run

PYTHON_CLIENT = """
import http.client, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
context.load_cert_chain(sys.argv[3], sys.argv[4], sys.argv[5] if len(sys.argv) > 5 else None)
connection = http.client.HTTPSConnection("localhost", int(sys.argv[1]), context=context)
connection.request("GET", "/")
print(connection.getresponse().read().decode(), end="")
"""

# Says its port, serves one connection and says what the client's certificate was.
PYTHON_SERVER = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    with context.wrap_socket(connection, server_side=True) as tls:
        tls.sendall(b"served by " + tls.version().encode())
"""

NODE_CLIENT = """
const fs = require('fs'), https = require('https');
const [port, ca, cert, key] = process.argv.slice(1);
https.get({ port, host: 'localhost', ca: fs.readFileSync(ca), cert: fs.readFileSync(cert), key: fs.readFileSync(key) },
          (answer) => answer.pipe(process.stdout));
"""


@pytest.fixture(params=["rsa:2048", "ec:P-256"])
def device(request, make_device):
    return make_device(request.param)


def chain(device):
    """As the README makes it: certificate, intermediate and root, with openssl's headings between."""
    path = device.path("chain.pem")
    device.openssl("storeutl", "-certs", "-out", path, "devtrust:")
    return path


def client(device, argv, **options):
    return device.home.run(argv, variables={"OPENSSL_CONF": device.configuration}, **options)


def curl(device, server, web_pki, *options, **more):
    return client(device, ["curl", "--silent", "--show-error", "--cacert", web_pki.root.certificate, "--cert", chain(device),
                           "--key", device.key("pem"), *options, f"https://localhost:{server.port}/"], **more)


def test_curl(device, root_server, web_pki):
    """The server knows the root only, so curl sends the intermediate."""
    assert curl(device, root_server, web_pki).stdout == f"client SUCCESS {device.leaf.sha1()}\n"


def test_curl_with_the_files_in_one(device, root_server, web_pki):
    both = device.write("both.pem", chain(device).read_text() + device.key("pem").read_text())
    answer = client(device, ["curl", "--silent", "--show-error", "--cacert", web_pki.root.certificate, "--cert", both,
                             f"https://localhost:{root_server.port}/"])
    assert answer.stdout == f"client SUCCESS {device.leaf.sha1()}\n"


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_curl_gives_the_databases_password(make_device, key, root_server, web_pki):
    device = make_device(key, "secret", fresh=True)
    reference = device.path("reference.pem")
    device.openssl("pkey", "-in", "devtrust:", "-passin", "pass:secret", "-out", reference)
    answer = curl(device, root_server, web_pki, "--pass", "secret")
    assert answer.stdout == f"client SUCCESS {device.leaf.sha1()}\n"
    refused = curl(device, root_server, web_pki, "--pass", "wrong", check=False)
    assert refused.returncode == 58 and "unable to set private key file" in refused.stdout


def test_curl_without_the_provider_is_refused(device, root_server, web_pki):
    answer = device.home.run(["curl", "--silent", "--show-error", "--cacert", web_pki.root.certificate, "--cert",
                              chain(device), "--key", device.key("pem"), f"https://localhost:{root_server.port}/"], check=False)
    assert answer.returncode == 58


def test_curl_uses_the_renewed_certificate_once_the_chain_is_written_anew(make_device, pki, root_server, web_pki):
    device = make_device("ec:P-256", fresh=True)
    old = device.leaf.sha1()
    assert old in curl(device, root_server, web_pki).stdout
    stale = chain(device).read_text()
    new = device.home.renew(pki, "ec:P-256").sha1()
    assert new in curl(device, root_server, web_pki).stdout
    path = device.write("stale.pem", stale)
    refused = client(device, ["curl", "--silent", "--show-error", "--cacert", web_pki.root.certificate, "--cert", path, "--key",
                              device.key("pem"), f"https://localhost:{root_server.port}/"], check=False)
    assert refused.returncode == 58, "a chain and a key that do not match are no way to get in"


# Debian's git uses the libcurl that is built with GnuTLS. This takes that one's place and hands every call on to the
# libcurl that is built with OpenSSL: git's own programs, as they are where git is built with that.
FORWARD = """
#include <dlfcn.h>
__attribute__((visibility("hidden"))) void* theirs[{count}];
static const char* const names[] = {{{names}}};
__attribute__((constructor)) static void find(void) {{
  void* library = dlopen("libcurl.so.4", RTLD_NOW);
  for (int i = 0; library && i < {count}; ++i) theirs[i] = dlsym(library, names[i]);
}}
{jumps}
"""
JUMP = '__asm__(".text\\n.globl {0}\\n.type {0}, @function\\n{0}: jmp *theirs+{1}(%rip)\\n");\n'


@pytest.fixture(scope="session")
def openssl_libcurl(session_folder):
    """The folder that has it under the other one's name."""
    folder = session_folder / "libcurl"
    folder.mkdir()
    program = pathlib.Path(run(["git", "--exec-path"]).stdout.strip()) / "git-remote-https"
    used = [line.split()[-1].split("@")[0] for line in run(["nm", "--dynamic", "--undefined-only", program]).stdout.splitlines()]
    names = [name for name in used if name.startswith("curl_")]
    assert "curl_easy_init" in names
    jumps = "".join(JUMP.format(name, 8 * place) for place, name in enumerate(names))
    listed = ", ".join(f'"{name}"' for name in names)
    (folder / "forward.c").write_text(FORWARD.format(count=len(names), names=listed, jumps=jumps))
    (folder / "forward.map").write_text("CURL_GNUTLS_3 { global: curl_*; local: *; };\n")
    run(["gcc", "-shared", "-fPIC", "-Wl,-soname,libcurl-gnutls.so.4", f"-Wl,--version-script={folder}/forward.map", "-o",
         folder / "libcurl-gnutls.so.4", folder / "forward.c"])
    return folder


def test_git_over_https(device, git_server, web_pki, openssl_libcurl):
    url = f"https://localhost:{git_server.port}/it.git"
    clone = device.path("clone")
    options = ["-c", f"http.sslCAInfo={web_pki.root.certificate}", "-c", f"http.sslCert={chain(device)}", "-c",
               f"http.sslKey={device.key('pem')}"]
    variables = {"OPENSSL_CONF": device.configuration, "LD_LIBRARY_PATH": openssl_libcurl}
    assert "what was fetched" not in device.home.run(["git", *options[:4], "clone", "--quiet", url, clone], variables=variables,
                                                     check=False).stdout
    assert not clone.exists(), "without the key"
    device.home.run(["git", *options, "clone", "--quiet", url, clone], variables=variables)
    assert run(["git", "-c", "safe.directory=*", "-C", clone, "log", "--format=%s"]).stdout == "what was fetched\n"
    run(["rm", "-r", clone])


def test_python_client(device, root_server, web_pki):
    answer = client(device, ["/usr/bin/python3", "-c", PYTHON_CLIENT, root_server.port, web_pki.root.certificate, chain(device),
                             device.key("pem")])
    assert answer.stdout == f"client SUCCESS {device.leaf.sha1()}\n"


def test_python_client_gives_the_databases_password(make_device, root_server, web_pki):
    device = make_device("ec:P-256", "secret", fresh=True)
    device.openssl("pkey", "-in", "devtrust:", "-passin", "pass:secret", "-out", device.path("reference.pem"))
    answer = client(device, ["/usr/bin/python3", "-c", PYTHON_CLIENT, root_server.port, web_pki.root.certificate, chain(device),
                             device.key("pem"), "secret"])
    assert answer.stdout == f"client SUCCESS {device.leaf.sha1()}\n"


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_python_server(device, version):
    argv = ["/usr/bin/python3", "-c", PYTHON_SERVER, str(chain(device)), str(device.key("pem"))]
    variables = environment(device.home.folder, OPENSSL_CONF=device.configuration, **device.home.variables)
    with subprocess.Popen(as_user(argv), env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        port = server.stdout.readline().strip()
        shown = run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", f"-{version}", "-ign_eof"], check=False)
        assert server.wait(DEADLINE) == 0
    assert "served by TLSv1." in shown.stdout
    pem = shown.stdout[shown.stdout.index("-----BEGIN CERTIFICATE"):shown.stdout.index("-----END CERTIFICATE")]
    body = "".join(pem.splitlines()[1:])
    der = base64.b64decode(body)
    assert hashlib.sha1(der).hexdigest() == device.leaf.sha1()


def test_node_client(device, root_server, web_pki):
    """Node reads openssl.cnf as others do only when it is told to."""
    arguments = [root_server.port, web_pki.root.certificate, chain(device), device.key("pem")]
    answer = client(device, ["node", "--openssl-shared-config", "-e", NODE_CLIENT, *arguments])
    assert answer.stdout == f"client SUCCESS {device.leaf.sha1()}\n"
    refused = client(device, ["node", "-e", NODE_CLIENT, *arguments], check=False)
    assert refused.returncode != 0 and "DECODER routines::unsupported" in refused.stdout
