"""nginx with the device's key: as a server whose workers are forked, as a proxy that is asked for a certificate, and what
it does when the certificate is renewed."""

import hashlib
import http.client
import os
import shutil
import signal
import ssl
import subprocess

import pytest

from programs import DEADLINE, as_user, environment, free_port, listens, wait_until

CONFIG = """
daemon off;
worker_processes 3;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_session_cache off;
  ssl_session_tickets off;
  ssl_password_file {folder}/password;
  server {{
    listen 127.0.0.1:{ports[0]} ssl;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    location / {{ return 200 "$pid\\n"; }}
  }}
  server {{
    listen 127.0.0.1:{ports[1]};
    location / {{
      proxy_pass https://127.0.0.1:{upstream}/;
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
      proxy_ssl_session_reuse off;
      proxy_ssl_password_file {folder}/password;
      proxy_ssl_certificate {chain};
      proxy_ssl_certificate_key {key};
    }}
  }}
}}
"""


class Server:
    """nginx with a master process and workers."""

    def __init__(self, device, upstream):
        self.device, self.folder = device, device.home.folder / "nginx"
        self.folder.mkdir()
        self.key = device.write("nginx/key.pem", "")
        device.openssl("pkey", "-in", "devtrust:", "-passin", f"pass:{device.home.password}", "-out", self.key)
        device.write("nginx/password", device.home.password + "\n")
        self.write_chain()
        for _ in range(10):  # the ports may be taken between asking for them and listening
            self.ports = [free_port(), free_port()]
            config = device.write("nginx/nginx.conf", CONFIG.format(folder=self.folder, ports=self.ports, upstream=upstream,
                                                                    chain=self.chain, key=self.key))
            argv = [shutil.which("nginx", path=environment()["PATH"]), "-c", str(config), "-e",
                    str(self.folder / "error.log"), "-p", str(self.folder)]
            variables = environment(device.home.folder, OPENSSL_CONF=device.configuration, **device.home.variables)
            self.process = subprocess.Popen(as_user(argv), env=variables, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            try:
                for port in self.ports:
                    wait_until(lambda: listens(port), "nginx", self.process)
                return
            except AssertionError:
                self.close()
        raise AssertionError(self.errors())

    @property
    def chain(self):
        return self.folder / "chain.pem"

    def write_chain(self):
        self.device.write("nginx/chain.pem", "")
        self.device.openssl("storeutl", "-certs", "-out", self.chain, "devtrust:")

    def errors(self):
        return (self.folder / "error.log").read_text()

    def handshake(self):
        """SHA-1 of the certificate that it shows, and the process that answers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # a device's certificate is no web server's; the handshake proves the key
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports[0], context=context, timeout=DEADLINE)
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True)
        connection.request("GET", "/")
        process = int(connection.getresponse().read())
        connection.close()
        return hashlib.sha1(shown).hexdigest(), process

    def through_the_proxy(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[1], timeout=DEADLINE)
        connection.request("GET", "/")
        answer = connection.getresponse().read().decode()
        connection.close()
        return answer

    def reload(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def close(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


@pytest.fixture
def serve(root_server):
    servers = []

    def start(device):
        servers.append(Server(device, root_server.port))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("password", ["", "secret"])
@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_workers_sign_with_the_key_that_the_master_loaded(make_device, serve, key, password):
    device = make_device(key, password, fresh=True)
    server = serve(device)
    answers = [server.handshake() for _ in range(20)]
    assert {certificate for certificate, _ in answers} == {device.leaf.sha1()}
    assert server.process.pid not in {process for _, process in answers}
    assert "[crit]" not in server.errors() and "[alert]" not in server.errors() and "[error]" not in server.errors()


@pytest.mark.parametrize("password", ["", "secret"])
@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_proxy_shows_the_certificate_and_its_chain(make_device, serve, key, password):
    device = make_device(key, password, fresh=True)
    assert serve(device).through_the_proxy() == f"client SUCCESS {device.leaf.sha1()}\n"


def test_workers_write_the_audit(make_device, serve):
    device = make_device("ec:P-256", fresh=True)
    audit = device.home.folder / "audit.log"
    device.home.variables = {"DEVTRUST_CONFIG": device.write("config.toml", f'audit = "{audit}"\naudit_required = true\n')}
    server = serve(device)
    answers = [server.handshake()[1] for _ in range(5)]
    lines = audit.read_text().splitlines()
    assert [f'pid="{process}"' in line for line, process in zip(lines, answers)] == [True] * 5
    assert all('program="nginx"' in line and 'operation="sign"' in line for line in lines)


def test_a_renewal_waits_for_the_chain_and_a_reload(make_device, serve, pki):
    device = make_device("ec:P-256", fresh=True)
    server = serve(device)
    old = device.leaf
    new = device.home.renew(pki, "ec:P-256")
    device.home.database.remove(old.name)
    assert {server.handshake()[0] for _ in range(6)} == {old.sha1()}, "key and chain of a running server belong together"

    # A reload with the old chain: the key would be the new one. nginx says so and goes on as before.
    server.reload()
    wait_until(lambda: "key values mismatch" in server.errors(), "the reload", server.process)
    assert {server.handshake()[0] for _ in range(6)} == {old.sha1()}

    server.write_chain()
    server.reload()
    wait_until(lambda: server.handshake()[0] == new.sha1(), "the renewed certificate", server.process)
    assert server.through_the_proxy() == f"client SUCCESS {new.sha1()}\n"
    assert "[crit]" not in server.errors() and "[alert]" not in server.errors()
