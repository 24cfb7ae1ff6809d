"""devtrust-keyholder as a process of the unprivileged user's."""

import pathlib
import socket
import subprocess

from programs import DEADLINE, as_user, environment, give_away, run, wait_until

CLIENT = pathlib.Path(run(["pkg-config", "--variable=p11_module_path", "p11-kit-1"]).stdout.strip()) / "p11-kit-client.so"


class Keyholder:
    """It runs between `start` and `close`, in the home of somebody who has `runtime` as $XDG_RUNTIME_DIR."""

    def __init__(self, program, home, runtime, **variables):
        self.program, self.home, self.runtime = program, home, runtime
        runtime.mkdir()
        runtime.chmod(0o700)
        give_away(runtime)
        self.variables = {"XDG_RUNTIME_DIR": runtime, **variables}
        self.socket = runtime / "p11-kit/pkcs11"
        self.log = runtime.with_name(runtime.name + ".log")
        self.process = None

    def command(self, *options):
        return as_user([str(self.program), *map(str, options)])

    def start(self, *options):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command(*options), env=environment(self.home, **self.variables), cwd=self.home,
                                            stdin=subprocess.DEVNULL, stderr=log)
        wait_until(self.answers, "the keyholder", self.process)
        return self

    def answers(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def said(self):
        return self.log.read_text()

    def close(self):
        """Its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(DEADLINE)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
