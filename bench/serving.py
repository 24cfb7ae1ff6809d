"""Processes that use the key for others, who reach them by p11-kit's client."""

import subprocess

from homes import run
from programs import DEADLINE, accepts, environment, wait_until

CLIENT = run(["pkg-config", "--variable=p11_module_path", "p11-kit-1"]).stdout.strip() + "/p11-kit-client.so"
TOKEN = "pkcs11:token=JumpCloud%20Device%20Trust"


class Serving:
    def __init__(self, argv, socket, home):
        self.variables = {"P11_KIT_SERVER_ADDRESS": f"unix:path={socket}"}
        self.process = subprocess.Popen([str(a) for a in argv], env=environment(home), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_until(lambda: accepts(socket), argv[0], self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(DEADLINE)


def keyholder(build, home):
    socket = home / "keyholder/socket"
    return Serving([build / "bin/devtrust-keyholder", "--socket", socket], socket, home)


def p11_kit_server(module, home):
    socket = home / "p11-kit-server"
    return Serving(["p11-kit", "server", "-f", "-n", socket, "--provider", module, TOKEN], socket, home)
