"""Homes of users whose NSS database holds a device identity, made by NSS's own tools, and many certificates beside it."""

import hashlib
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/interop"))
from programs import run  # noqa: E402
from stores import NssDatabase, Pki  # noqa: E402

DIGITS = "0000000"  # in a name: the place of a counter


class Home:
    def __init__(self, folder, leaf, password=""):
        self.folder, self.leaf, self.password = folder, leaf, password
        self.database = folder / ".pki/nssdb"
        self.database.parent.mkdir(parents=True)
        self.nss = NssDatabase(self.database, password)
        self.nss.add(leaf)

    @property
    def softokn_parameters(self):
        return f"configdir='sql:{self.database}' certPrefix='' keyPrefix='' secmod='secmod.db' flags=readOnly"

    def grow(self, templates, total):
        """Adds copies of `templates` (without their keys) until there are `total` certificates. NSS would take hours over
        10,000: it writes one row for each template, and each copy is that row with a name, serial number, key and id of
        its own. NSS must find the last ones by their names."""
        for template in templates:
            self.nss.add_certificate(template.certificate, template.name)
        connection = sqlite3.connect(self.database / "cert9.db")
        with connection:
            columns = [row[1] for row in connection.execute("PRAGMA table_info(nssPublic)")]
            rows = [dict(zip(columns, connection.execute("SELECT * FROM nssPublic WHERE a3 = ?", [t.name.encode()]).fetchone()))
                    for t in templates]
            secrets = [[printed(t, "serial"), printed(t, "modulus")[:32]] for t in templates]
            identity, count = connection.execute("SELECT max(id), count(a11) FROM nssPublic").fetchone()
            for number in range(1, total - count + 1):
                row, unique = rows[number % len(rows)], secrets[number % len(rows)]
                connection.execute(f"INSERT INTO nssPublic VALUES ({','.join('?' * len(columns))})",
                                   list(copy_of(row, unique, number, identity + number).values()))
        connection.close()
        # NSS takes minutes to list them all.
        for copy in range(total - count, total - count - len(rows), -1):
            self.nss.certutil("-L", "-n", rows[copy % len(rows)]["a3"].decode().replace(DIGITS, f"{copy:0{len(DIGITS)}}"))



def printed(leaf, field):
    """A number that `openssl x509` prints."""
    return bytes.fromhex(run(["openssl", "x509", "-in", leaf.certificate, "-noout", f"-{field}"]).stdout.split("=")[1])


def copy_of(row, unique, number, identity):
    name = f"{number:0{len(DIGITS)}}".encode()
    changed = dict(row, id=identity, a102=hashlib.sha1(name).digest())
    for column, value in changed.items():
        if column == "a102" or not isinstance(value, bytes):
            continue
        value = value.replace(DIGITS.encode(), name)
        for octets in unique:
            value = value.replace(octets, octets[:1] + hashlib.sha512(octets + name).digest()[:len(octets) - 1])
        changed[column] = value
    return changed


def make_homes(folder, many):
    """By name: an RSA and an EC identity, one behind a password, and one among 10 and among `many` certificates."""
    device = Pki(folder / "device")
    other = Pki(folder / "other", root_name="Example Root", intermediate_name="Example CA")
    rsa, ec = device.issue("rsa:2048"), device.issue("ec:P-256")
    # Predecessors of the device's certificate, and what other people put into such a database.
    crowd = [device.issue("rsa:2048", name=f"JumpCloud Device Trust Certificate {DIGITS}", valid_from=-60, valid_to=-30),
             other.issue("rsa:2048", name=f"Example {DIGITS}")]
    homes = {"rsa": Home(folder / "rsa", rsa), "ec": Home(folder / "ec", ec),
             "password": Home(folder / "password", rsa, "correct horse"),
             "few": Home(folder / "few", rsa), "many": Home(folder / "many", rsa)}
    homes["few"].grow(crowd, 10)
    homes["many"].grow(crowd, many)
    return homes


def softhsm_token(folder, leaf):
    """A SoftHSM2 token with the leaf's key and certificate: its configuration, and its PIN."""
    (folder / "tokens").mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    pin, variables = "1234", {"SOFTHSM2_CONF": configuration}
    run(["softhsm2-util", "--init-token", "--free", "--label", "bench", "--pin", pin, "--so-pin", pin], variables=variables)
    run(["softhsm2-util", "--import", leaf.key, "--token", "bench", "--label", "bench", "--id", "01", "--pin", pin], variables=variables)
    return configuration, pin
