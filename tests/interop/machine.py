"""A machine of the test's own: an /etc with people of its own, whose homes hold what the test puts there.

Programs run on it as its root, in a private mount namespace, so that what they ask the system (getpwent, setuid, other
people's files) is answered by the system. Only root can do that: who is not asks sudo, as CI's account may without a
password.
"""

import os
import pathlib
import shutil

from programs import environment, run

NSSWITCH = "passwd: files\ngroup: files\nshadow: files\n"

# $1: the /etc, then the command. What is mounted goes with the namespace.
ON_IT = 'mount --bind "$1" /etc && shift && exec "$@"'

# $1: an empty folder; $2: the /etc; $3: a folder to see as it is; then the command. Everything that is written goes into
# memory, but below $3: programs can be installed and removed, as on a machine like this one.
ON_A_COPY = """
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for path in proc dev; do mount --rbind "/$path" "$1/root/$path"; done
mkdir -p "$1/root$3"
mount --bind "$3" "$1/root$3"
for path in "$2"/*; do
  name=${path##*/}
  case $name in
    passwd | group) awk -F : '$3 > 0 && $3 < 1000 || $3 == 65534' "/etc/$name" | cat "$path" - >"$1/root/etc/$name" ;;  # dpkg's
    *) rm -rf "$1/root/etc/$name" && cp -R "$path" "$1/root/etc/" ;;
  esac
done
root=$1/root
shift 3
exec chroot "$root" "$@"
"""


def as_root():
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


class Machine:
    """`users` maps names to uids, `homes` to home directories."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.etc = self.folder / "etc"
        self.etc.mkdir(parents=True)
        (self.folder / "home").mkdir()
        for path in (self.folder, self.etc, self.folder / "home"):
            path.chmod(0o755)
        self.write("nsswitch.conf", NSSWITCH)
        self.write("login.defs", "# comment\nUID_MAX\t\t60000\nUID_MIN\t\t\t 1000\n")
        self.lines = ["root:x:0:0:root:/root:/bin/bash"]
        self.users, self.homes = {}, {}

    def write(self, name, content):
        path = self.etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def account(self, name, uid, home=None, shell="/bin/sh"):
        """Any line of /etc/passwd; makes no home."""
        self.lines.append(f"{name}:x:{uid}:{uid}:{name}:{home or self.folder / 'home' / name}:{shell}")

    def add(self, name, uid, content=None):
        """A person and a home, with a copy of what is in the folder `content`."""
        home = self.folder / "home" / name
        if content:
            shutil.copytree(content, home, symlinks=True)
        else:
            home.mkdir()
        home.chmod(0o700)
        self.users[name], self.homes[name] = uid, home
        self.account(name, uid)
        return home

    def ready(self):
        """Gives everything to whom it belongs."""
        self.write("passwd", "".join(line + "\n" for line in self.lines))
        self.write("group", "root:x:0:\n" + "".join(f"{name}:x:{uid}:\n" for name, uid in self.users.items()))
        owners = "".join(f"{uid} {self.homes[name]}\n" for name, uid in self.users.items())
        run([*as_root(), "sh", "-ec", 'chown -R 0:0 "$0"; while read -r uid home; do chown -hR "$uid:$uid" "$home"; done',
             self.etc], input=owners)
        return self

    def command(self, argv, variables=None):
        """Runs a program as this machine's root."""
        settings = [f"{name}={value}" for name, value in environment("/root", **(variables or {})).items()]
        return [str(word) for word in
                [*as_root(), "env", "-i", *settings, "unshare", "--mount", "sh", "-c", ON_IT, "sh", self.etc, *argv]]

    def root(self, argv, variables=None, **options):
        """The same, and waits for its end."""
        return run(self.command(argv, variables), check=False, **options)

    def copy(self, argv, seen, variables=None, **options):
        """The same where programs may be installed, and all but what is below `seen` is forgotten afterwards."""
        settings = [f"{name}={value}" for name, value in environment("/root", **(variables or {})).items()]
        space = self.folder / "copy"
        space.mkdir(exist_ok=True)
        return run([*as_root(), "env", "-i", *settings, "unshare", "--mount", "sh", "-ec", ON_A_COPY, "sh", space, self.etc, seen, *argv],
                   check=False, **options)

    def close(self):
        run([*as_root(), "rm", "-rf", self.folder])
