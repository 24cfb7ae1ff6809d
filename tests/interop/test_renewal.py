"""The agent replaces key and certificate while programs run: here with NSS's own tools under a module that stays loaded."""

import pytest

import pkcs11
from pkcs11 import CKM_ECDSA, CKM_SHA256_RSA_PKCS, CKO_CERTIFICATE, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY
from programs import run
from stores import LEAF_NAME, NssDatabase

MESSAGE = b"the quick brown fox"


@pytest.fixture
def database(folder):
    return NssDatabase(folder / "database")


@pytest.fixture
def loaded(module, folder, database):
    """The module on that database; its configuration is the specification's pReserved string."""
    configuration = folder / "config.toml"
    configuration.write_text(f'[[store]]\nkind = "nss"\npath = "{database.folder}"\n')
    with pkcs11.Module(module, f"config={configuration}") as loaded:
        yield loaded


def current(session):
    """The key's handle and the leaf's DER, which belong together."""
    (key,) = session.find(CLASS=CKO_PRIVATE_KEY)
    (certificate,) = session.find(CLASS=CKO_CERTIFICATE, ID=session.attribute(key, "ID"))
    return key, session.attribute(certificate, "VALUE")


def renew(pki, number, key="rsa:2048"):
    return pki.issue(key, f"{LEAF_NAME[:-8]}{number:08X}", valid_from=-10 + number / 10, valid_to=20)


def verify(leaf, folder, signature):
    (folder / "message").write_bytes(MESSAGE)
    (folder / "signature").write_bytes(signature)
    answer = run(["openssl", "dgst", "-sha256", "-verify", leaf.public_key(), "-signature", folder / "signature",
                  folder / "message"]).stdout
    assert "Verified OK" in answer


def test_each_renewal_is_seen_at_once(pki, folder, database, loaded):
    leaf = renew(pki, 0)
    database.add(leaf)
    session = loaded.open(loaded.slots()[0])
    for number in range(1, 11):
        key, certificate = current(session)
        assert certificate == leaf.der()
        verify(leaf, folder, session.sign(key, CKM_SHA256_RSA_PKCS, MESSAGE))
        old, leaf = leaf, renew(pki, number)
        database.add(leaf)
        assert current(session)[1] == leaf.der()
        database.remove(old.name)
        assert current(session)[1] == leaf.der()
        # A program that found the old key before finishes what it is doing.
        verify(old, folder, session.sign(key, CKM_SHA256_RSA_PKCS, MESSAGE))


def test_what_stays_keeps_its_handle(pki, database, loaded):
    database.add(renew(pki, 0))
    session = loaded.open(loaded.slots()[0])
    chain = {session.attribute(h, "VALUE"): h for h in session.find(CLASS=CKO_CERTIFICATE)}
    new = renew(pki, 1)
    database.add(new)
    again = {session.attribute(h, "VALUE"): h for h in session.find(CLASS=CKO_CERTIFICATE)}
    assert len(again) == 3 and new.der() in again
    assert len(chain.keys() & again.keys()) == 2
    assert all(again[value] == chain[value] for value in chain.keys() & again.keys())


def test_a_first_identity_appears(pki, database, loaded):
    """A program started before the agent had written anything; its session stays open."""
    session = loaded.open(loaded.slots()[0])
    assert session.find(CLASS=CKO_PRIVATE_KEY) == []
    leaf = renew(pki, 0)
    database.add(leaf)
    fresh = loaded.open(loaded.slots()[0])
    assert current(fresh)[1] == leaf.der()


def test_the_kind_of_key_may_change(pki, database, loaded):
    database.add(renew(pki, 0))
    session = loaded.open(loaded.slots()[0])
    current(session)
    leaf = renew(pki, 1, "ec:P-256")
    database.add(leaf)
    key, certificate = current(session)
    assert certificate == leaf.der()
    (public,) = session.find(CLASS=CKO_PUBLIC_KEY)
    session.verify(public, CKM_ECDSA, MESSAGE, session.sign(key, CKM_ECDSA, MESSAGE))


def test_while_only_one_file_is_new_the_old_identity_stays(pki, folder, database, loaded):
    """Key and certificate are committed one after the other, to two files."""
    old, new = renew(pki, 0), renew(pki, 1)
    database.add(old)
    before = {name: (database.folder / name).read_bytes() for name in ("cert9.db", "key4.db")}
    database.add(new)
    after = {name: (database.folder / name).read_bytes() for name in before}

    def replace(name, content):
        temporary = database.folder / "temporary"
        temporary.write_bytes(content)
        temporary.rename(database.folder / name)

    for name in before:
        replace(name, before[name])
    session = loaded.open(loaded.slots()[0])
    assert current(session)[1] == old.der()
    for first, second in (("cert9.db", "key4.db"), ("key4.db", "cert9.db")):
        replace(first, after[first])
        key, certificate = current(session)
        assert certificate == old.der()
        verify(old, folder, session.sign(key, CKM_SHA256_RSA_PKCS, MESSAGE))
        replace(second, after[second])
        assert current(session)[1] == new.der()
        for name in before:
            replace(name, before[name])
        assert current(session)[1] == old.der()
