"""Browsers as a person has them: with a home, a profile and databases of their own, and our module added to these."""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import time

import programs
from programs import WebServers, accepts, as_user, environment, give_away, run, wait_until, with_mounts
from stores import NssDatabase

programs.DEADLINE = 300  # a browser on a busy machine takes its time: only one that hangs may meet this

SOURCES = pathlib.Path(__file__).parent
ORIGINS = "https://localhost"  # on each port

# The module by its configuration, as a person has it: nothing in the browser's environment.
DEVTRUST_CONFIG = """
audit = "{home}/audit.log"
audit_required = true
"""
STORE = """
[[store]]
kind = "nss"
path = "{path}"
"""

# What keeps Firefox from the network beyond loopback and from its first run's pages; and the one setting that a person
# needs: certificates are chosen without asking.
FIREFOX_PREFERENCES = {
    "security.default_personal_cert": "Select Automatically",
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "browser.topsites.contile.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    # One connection for each page
    "network.http.connection-retry-timeout": 0,
    "network.http.speculative-parallel-limit": 0,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "startup.homepage_welcome_url": "about:blank",
    "toolkit.startup.max_resumed_crashes": -1,
    "toolkit.telemetry.server": "data:,",
}

CHROMIUM_OPTIONS = [
    "--headless", "--remote-debugging-port=0", "--no-first-run", "--password-store=basic", "--disable-gpu",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost",
    # A machine that runs tests may forbid the namespaces that the sandbox is made of. The module is loaded by the
    # browser's main process, which has no sandbox in any case.
    "--no-sandbox",
    # /dev/shm is small in containers.
    "--disable-dev-shm-usage",
]

# Policies are read in one place only: the browser sees ours there, and nothing else sees a change. `$1` is mounted over
# `$2`. A user who is not root is root of a namespace for that, and then again the user.
MOUNT = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


def with_policies(folder, target, argv):
    if os.geteuid() == 0:
        return ["unshare", "--mount", "sh", "-c", MOUNT, "sh", folder, target, *as_user(argv)]
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh", folder, target,
            "unshare", "--user", f"--map-user={os.getuid()}", f"--map-group={os.getgid()}", *argv]


def members(group):
    """The processes of a group that have not ended."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                found.append(path.parent.name)
    return found


class Browser:
    """One that runs as an unprivileged user in a home of its own. The identity is in a database that no browser reads
    by itself."""

    issuer = "device-trust.intermediate"  # of the certificates that a policy chooses

    def __init__(self, home, web_root, leaf=None):
        self.home = home
        home.mkdir()
        self.process = self.driver = self.etc = None
        self.identity = NssDatabase(home / "device")
        if leaf:
            self.identity.add(leaf)
        self.audit = home / "audit.log"
        self.database = NssDatabase(self.database_folder)  # the browser's own
        self.database.add_certificate(web_root, "Web Root", "C,,")
        self.variables = {}
        self.configure()

    def configure(self, *more_stores):
        folder = self.home / ".config/devtrust"
        folder.mkdir(parents=True, exist_ok=True)
        stores = "".join(STORE.format(path=path) for path in (self.identity.folder, *more_stores))
        (folder / "config.toml").write_text(DEVTRUST_CONFIG.format(home=self.home) + stores)
        give_away(self.home)

    def add_module(self, module):
        run(["modutil", "-dbdir", f"sql:{self.database.folder}", "-add", "devtrust", "-libfile", module, "-force"],
            home=self.home, unprivileged=True, variables=self.variables)

    def devtrust(self, programs, *arguments, **options):
        return run([programs / "devtrust", *arguments], home=self.home, unprivileged=True, **options)

    def administrator(self, programs, *arguments):
        """devtrust, run by root of a machine whose /etc is `self.etc`."""
        nobody = self.home.parent / "root"
        nobody.mkdir(exist_ok=True)
        if not self.etc:
            self.etc = self.home.parent / "etc"
            subprocess.run(["cp", "-a", "/etc", self.etc], check=os.geteuid() == 0)  # others may not read all of it
            (self.etc / "devtrust").mkdir()
            (self.etc / "devtrust/config.toml").write_text(f'[browser]\nurls = ["{ORIGINS}"]\n')
        return run(with_mounts({"/etc": self.etc}, [programs / "devtrust", *arguments]), home=nobody)

    def renew(self, leaf, old):
        """A new key and certificate, and the old ones gone."""
        self.identity.add(leaf)
        self.identity.remove(old.name)
        give_away(self.identity.folder)  # not all of the home, where a running browser makes and removes files

    def start(self):
        log = self.home / "browser.log"
        with open(log, "wb") as output:
            self.process = subprocess.Popen([str(a) for a in self.command()], env=environment(self.home, **self.variables),
                                            cwd=self.home, start_new_session=True, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=subprocess.STDOUT)
        said = []

        def listening():
            said[:] = re.findall(self.listening, log.read_text(errors="replace"))
            return said

        wait_until(listening, f"{self.name}:\n{log.read_text(errors='replace')}", self.process)
        with open(self.home / "driver.log", "wb") as output:
            self.driver = subprocess.Popen(["node", SOURCES / "drive.mjs", os.environ["DEVTRUST_BROWSER_DRIVER"],
                                            self.protocol, said[0] + self.endpoint, str(programs.DEADLINE)],
                                           env=environment(self.home), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=output)
        return self

    def command_driver(self, command, **options):
        self.driver.stdin.write(json.dumps({"command": command, **options}).encode() + b"\n")
        self.driver.stdin.flush()
        # The driver's own deadlines come first: its answer says what took too long.
        end, answer = time.monotonic() + 2 * programs.DEADLINE, b""
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([self.driver.stdout], [], [], max(0, end - time.monotonic()))
            assert ready, f"{self.name} does not answer {command} {options}\n{self.logs()}"
            chunk = os.read(self.driver.stdout.fileno(), 65536)
            assert chunk, f"{self.name}: the driver ended\n{self.logs()}"
            answer += chunk
        return json.loads(answer)

    def open(self, url, **options):
        """Where it led, the HTTP status, the page's text, and how long it took to load."""
        answer = self.command_driver("open", url=url, **options)
        assert "error" not in answer, f"{answer['error']}\n{self.logs()}"
        return answer

    def logs(self):
        return "".join(f"{name}:\n{(self.home / name).read_text(errors='replace')}\n" for name in ("browser.log", "driver.log"))

    def close(self):
        """As a person closes it: it has to end well, by itself, and no process of it may have crashed."""
        answer = self.command_driver("close")
        status = self.process.wait(programs.DEADLINE)
        assert "error" not in answer and status == 0, f"{answer}, exit status {status}\n{self.logs()}"
        assert self.crash_dumps() == []

    def crash_dumps(self):
        """The browsers' own, and the kernel's."""
        files = [pathlib.Path(folder, name) for folder, _, names in os.walk(self.home) for name in names]
        return [path for path in files if path.suffix == ".dmp" or path.parent == self.home and path.name.startswith("core")]

    def kill(self):
        """What a test that failed left, and the browser's children, which may end after it."""
        if self.driver:
            self.driver.kill()
            self.driver.wait()
            self.driver.stdin.close()
            self.driver.stdout.close()
        if self.process:
            group = self.process.pid
            if members(group) or self.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
            self.process.wait()
            wait_until(lambda: not members(group), f"the end of {self.name}'s children")

    def uses(self):
        """The audit's lines."""
        return self.audit.read_text().splitlines() if self.audit.exists() else []


class Firefox(Browser):
    remembers_its_choice = False
    chooses_by_setup = False  # whether `devtrust setup` made the setting for it
    name, listening, protocol, endpoint = "firefox", r"WebDriver BiDi listening on (ws://\S+)", "webDriverBiDi", "/session"

    @property
    def database_folder(self):
        return self.home / "profile"

    def name_profile(self):
        root = self.home / ".mozilla/firefox"
        root.mkdir(parents=True)
        (root / "profiles.ini").write_text(f"[Profile0]\nName=test\nIsRelative=0\nPath={self.database.folder}\n")
        give_away(self.home)
        self.chooses_by_setup = True

    def set_up(self, programs):
        self.name_profile()
        self.devtrust(programs, "setup", "firefox", "--auto-select")

    def set_up_by_administrator(self, programs):
        self.name_profile()
        self.administrator(programs, "setup", "firefox", "--system", "--auto-select")

    def command(self):
        preferences = "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                              for name, value in FIREFOX_PREFERENCES.items()
                              if name != "security.default_personal_cert" or not self.chooses_by_setup)
        path = self.database.folder / "user.js"
        text = path.read_text() if path.exists() else ""
        path.write_text(text if preferences in text else preferences + text)
        give_away(self.home)
        argv = ["firefox-esr", "--headless", "--no-remote", "--profile", self.database.folder, "--remote-debugging-port=0"]
        return with_policies(self.etc, "/etc", argv) if self.etc else as_user(argv)


class Chromium(Browser):
    # Which certificate (or none) a server was shown is remembered while the browser runs, for each host and port; private
    # windows begin anew.
    remembers_its_choice = True
    name, listening, protocol, endpoint = "chromium", r"DevTools listening on (ws://\S+)", "cdp", ""

    @property
    def database_folder(self):
        (self.home / ".pki").mkdir(exist_ok=True)
        return self.home / ".pki/nssdb"

    def set_up(self, programs):
        self.devtrust(programs, "setup", "chromium")

    def set_up_by_administrator(self, programs):
        """The choice is the administrator's, the module each user's."""
        self.administrator(programs, "setup", "chromium", "--system", "--profile", "jumpcloud")
        self.set_up(programs)

    def command(self):
        argv = ["chromium", *CHROMIUM_OPTIONS, f"--user-data-dir={self.home / 'data'}"]
        if self.etc:
            return with_policies(self.etc, "/etc", argv)
        managed = self.home / "etc/policies/managed"
        managed.mkdir(parents=True, exist_ok=True)
        rule = json.dumps({"pattern": ORIGINS, "filter": {"ISSUER": {"CN": self.issuer}}})
        (managed / "devtrust.json").write_text(json.dumps({"AutoSelectCertificateForUrls": [rule]}))
        give_away(self.home)
        return with_policies(self.home / "etc", "/etc/chromium", argv)


class P11KitServer:
    """`p11-kit server` with our module, in the foreground: it ends when we say so."""

    def __init__(self, home, module):
        address = home / "p11-kit.socket"
        self.variables = {"P11_KIT_SERVER_ADDRESS": f"unix:path={address}"}
        argv = as_user(["p11-kit", "server", "-f", "-n", str(address), "--provider", str(module),
                        "pkcs11:token=JumpCloud%20Device%20Trust"])
        self.process = subprocess.Popen(argv, env=environment(home), cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_until(lambda: accepts(address), "p11-kit server", self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(programs.DEADLINE)


BROWSERS = {browser.name: browser for browser in (Firefox, Chromium)}

PORTAL_SERVERS = """
  default_type "text/html; charset=utf-8";
  # Each page is a connection and a handshake of its own.
  keepalive_timeout 0;
  ssl_session_cache off;
  ssl_session_tickets off;
  ssl_client_certificate {client_ca};
  ssl_verify_depth 4;
  server {{
    listen 127.0.0.1:{ports[0]} ssl;
    ssl_protocols TLSv1.2;
    ssl_verify_client on;
    location / {{ {page} }}
  }}
  server {{
    listen 127.0.0.1:{ports[1]} ssl;
    ssl_protocols TLSv1.3;
    ssl_verify_client on;
    location / {{ {page} }}
  }}
  # As products for single sign-on do it: the portal asks for no certificate, and sends the browser to where one is
  # asked for, but not demanded, which sends it back.
  server {{
    listen 127.0.0.1:{ports[2]} ssl;
    location = / {{ return 302 https://localhost:{ports[3]}/device; }}
    location = /signed-in {{ return 200 "{head}<p>signed in: $arg_verified $arg_device"; }}
  }}
  server {{
    listen 127.0.0.1:{ports[3]} ssl;
    ssl_verify_client optional;
    location = /device {{
      return 302 https://localhost:{ports[2]}/signed-in?verified=$ssl_client_verify&device=$ssl_client_fingerprint;
    }}
  }}
"""

HEAD = "<!doctype html><title>Portal</title><link rel=icon href=data:,>"
PAGE = (f'return 200 "{HEAD}<h1>This device is trusted</h1><p>$ssl_client_s_dn<p>$ssl_protocol $ssl_client_verify '
        '$ssl_client_fingerprint";')


class Portal(WebServers):
    """They trust the root of the devices only, so that browsers must send the intermediate."""

    def __init__(self, folder, server, client_ca):
        super().__init__(folder, server, 4,
                         lambda ports: PORTAL_SERVERS.format(ports=ports, client_ca=client_ca, page=PAGE, head=HEAD))

    @property
    def pages(self):
        """Those that demand the certificate, by the version of TLS."""
        return {version: f"https://localhost:{port}/" for version, port in zip(("TLSv1.2", "TLSv1.3"), self.ports)}

    @property
    def sign_in(self):
        return f"https://localhost:{self.ports[2]}/"
