"""Runs real programs in surroundings that hold nothing of the person who runs the tests."""

import os
import pathlib
import pty
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

DEADLINE = 60  # seconds; no program here takes more than a few

# For uid 0 p11-kit ignores the user's configuration, so programs that go through it run as this user instead.
UNPRIVILEGED = 65534


def environment(home=None, **more):
    """Nothing is inherited but PATH: a shell may preset SSL_CERT_FILE, CURL_CA_BUNDLE, DEVTRUST_CONFIG, …"""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": str(home or "/nonexistent"), **{k: str(v) for k, v in more.items()}}


def run(argv, home=None, check=True, text=True, unprivileged=False, **options):
    """Standard output and standard error in one, but for binary output. Extra environment through `variables`."""
    variables = environment(home, **options.pop("variables", {}))
    argv = [str(a) for a in argv]
    if unprivileged:
        argv = as_user(argv)
    result = subprocess.run(argv, env=variables, check=False, timeout=options.pop("timeout", DEADLINE), text=text, stdout=subprocess.PIPE,
                            stdin=options.pop("stdin", subprocess.DEVNULL) if "input" not in options else None,
                            stderr=subprocess.STDOUT if text else subprocess.PIPE, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}\nended with {result.returncode}:\n{result.stdout}")
    return result


def as_user(argv):
    if os.geteuid() != 0:
        return argv
    return ["setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups", *argv]


def with_mounts(mounts, argv):
    """The command in a mount namespace of its own, where each source lies over its target: the machine stays as it is."""
    script = "".join(f"mount --bind '{source}' '{target}' || exit 125; " for target, source in mounts.items())
    namespace = ["-m"] if os.geteuid() == 0 else ["-rm"]
    return ["unshare", *namespace, "sh", "-c", script + 'exec "$@"', "sh", *[str(a) for a in argv]]


class Account:
    """The user to whose home, by the password database, `home` belongs: ssh looks nowhere else."""

    def __init__(self, home, folder, uid=UNPRIVILEGED):
        self.home = home
        self.uid = uid if os.geteuid() == 0 else 0  # with_mounts makes whoever runs the tests root in there
        self.passwd = folder / "passwd"
        lines = [line for line in pathlib.Path("/etc/passwd").read_text().splitlines() if line.split(":")[2] != str(self.uid)]
        name = pwd.getpwuid(self.uid).pw_name
        self.passwd.write_text("\n".join([f"{name}:x:{self.uid}:{self.uid}::{home.folder}:/bin/sh", *lines]) + "\n")

    def run(self, argv, check=True, **variables):
        argv = [str(a) for a in argv]
        if self.uid:
            argv = as_user(argv)
        return run(with_mounts({"/etc/passwd": self.passwd}, argv), home=self.home.folder, cwd=self.home.folder, check=check,
                   variables=variables)


def on_a_terminal(argv, home=None, cwd=None, answer=None, **variables):
    """What a program and its children say to their terminal, and the exit code. `answer`: a pattern, and what is typed
    when it has been said."""
    process, ours = pty.fork()
    if process == 0:
        try:
            os.chdir(cwd or "/")
            if os.geteuid() == 0:
                os.fchown(0, UNPRIVILEGED, UNPRIVILEGED)  # as login gives a terminal to its user
            argv = as_user([str(a) for a in argv])
            os.execvpe(argv[0], argv, environment(home, **{"TERM": "xterm", **variables}))
        finally:
            os._exit(127)
    text, end = b"", time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the last one has closed it
            break
        text += chunk
        if answer and re.search(answer[0], text.decode(errors="replace")):
            os.write(ours, answer[1])
            answer = answer[2:] or None
    else:
        os.kill(process, signal.SIGKILL)
    os.close(ours)
    return text.decode(), os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def give_away(folder):
    """Lets the user of `as_user` own all that is in `folder`."""
    if os.geteuid() == 0:
        for path in [pathlib.Path(folder), *pathlib.Path(folder).rglob("*")]:
            os.chown(path, UNPRIVILEGED, UNPRIVILEGED, follow_symlinks=False)


def wait_until(done, what, process=None):
    """Polls; no longer than DEADLINE, and not beyond the end of `process`."""
    end = time.monotonic() + DEADLINE
    while not done():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what}: the program ended with {process.returncode}")
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {DEADLINE} seconds")
        time.sleep(0.01)


def accepts(path):
    """Whether somebody listens there. That a socket is there does not say so: it gets its name first."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


NGINX_CONFIG = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_certificate {certificate};
  ssl_certificate_key {key};
{servers}
}}
"""


class WebServers:
    """An nginx on `count` ports of loopback. `servers` gives its server blocks for these ports."""

    def __init__(self, folder, server, count, servers):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        chain = self.folder / "server.pem"
        chain.write_text(server.chain_text())
        for _ in range(10):  # the ports may be taken between asking for them and listening
            self.ports = [free_port() for _ in range(count)]
            config = self.folder / "nginx.conf"
            config.write_text(NGINX_CONFIG.format(folder=self.folder, certificate=chain, key=server.key, servers=servers(self.ports)))
            self.process = subprocess.Popen([shutil.which("nginx", path=environment()["PATH"]), "-c", config, "-e",
                                             self.folder / "error.log", "-p", self.folder],
                                            env=environment(self.folder), stdin=subprocess.DEVNULL)
            try:
                for port in self.ports:
                    wait_until(lambda: listens(port), "nginx", self.process)
                return
            except AssertionError:
                self.close()
        raise AssertionError((self.folder / "error.log").read_text())

    def close(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


ANSWER = 'return 200 "client $ssl_client_verify $ssl_client_fingerprint\\n";'


class Nginx(WebServers):
    """A web server on loopback. With `client_ca` it asks for a client certificate under that root; it answers with the
    certificate's SHA-1 fingerprint, or does what `location` says."""

    def __init__(self, folder, server, client_ca=None, protocols="TLSv1.2 TLSv1.3", location=ANSWER):
        client = f"ssl_verify_client on; ssl_verify_depth 4; ssl_client_certificate {client_ca};" if client_ca else ""
        super().__init__(folder, server, 1, lambda ports: f"""
  server {{
    listen 127.0.0.1:{ports[0]} ssl;
    ssl_protocols {protocols};
    {client}
    location / {{ {location} }}
  }}""")

    @property
    def port(self):
        return self.ports[0]


class OpensslServer:
    """`openssl s_server` for one connection on loopback: it sends each line back in reverse and ends it at "CLOSE"."""

    def __init__(self, *arguments, home=None, unprivileged=False, variables=None):
        argv = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev", *map(str, arguments)]
        self.process = subprocess.Popen(as_user(argv) if unprivileged else argv, env=environment(home, **(variables or {})),
                                        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._end = threading.Timer(DEADLINE, self.process.kill)
        self._end.start()
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.startswith("ACCEPT "):
                self.address = line.split()[1]
                return
        self.close()
        raise AssertionError(f"s_server does not listen:\n{self.said}")

    def finish(self):
        """All that it said, when the connection is over."""
        self.said += self.process.stdout.read()
        self.process.wait()
        return self.said

    def close(self):
        self._end.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Conversation:
    """A program, as the unprivileged user, that is told lines and answers with lines; it is ended after the deadline."""

    def __init__(self, argv, home, **variables):
        self.process = subprocess.Popen(as_user([str(a) for a in argv]), env=environment(home.folder, **variables), cwd=home.folder,
                                        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._end = threading.Timer(DEADLINE, self.process.kill)
        self._end.start()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self._end.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def uri(kind, token="JumpCloud Device Trust", **attributes):
    """The RFC 7512 name of the identity's key ("private") or certificate ("cert")."""
    fields = {"token": token, "object": "JumpCloud Device Trust", "type": kind, **attributes}
    return "pkcs11:" + ";".join(f"{k}={v.replace(' ', '%20')}" for k, v in fields.items())
