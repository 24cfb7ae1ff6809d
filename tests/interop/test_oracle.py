"""NSS is the judge: the same database through libsoftokn3 and through our module shows the same objects."""

import shutil

import pytest

import pkcs11
from pkcs11 import CKO_CERTIFICATE, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY
from programs import run
from stores import LEAF_NAME, TOKEN_LABEL, NssDatabase, Pki

KEYS = ["rsa:2048", "rsa:3072", "ec:P-256", "ec:P-384", "ec:P-521"]
PASSWORDS = ["", "sesame"]
MESSAGE = b"the quick brown fox"

# Where our objects differ from softokn's, and why. Whatever is not here must be equal, and what is here must differ.
CERTIFICATE_DIFFERENCES = {
    "CERTIFICATE_CATEGORY": "NSS has none; we say user or authority",
    "CHECK_VALUE": "NSS has none; the specification asks for it",
    "PUBLIC_KEY_INFO": "NSS 3.87 has none; OpenSSL clients look for it",
    "TRUSTED": "NSS keeps trust in objects of its own; ours says false",
    "SENSITIVE": "an answer that NSS gives for every object; it is not an attribute of certificates",
    "MODIFIABLE": "our token is write-protected",
    "COPYABLE": "NSS has none; our token is write-protected",
    "DESTROYABLE": "NSS has none; our token is write-protected",
}
LEAF_DIFFERENCES = {**CERTIFICATE_DIFFERENCES, "LABEL": "the profile's, for ever; NSS has the nickname, which changes"}
PUBLIC_KEY_DIFFERENCES = {}
PRIVATE_KEY_DIFFERENCES = {}


def profile(name, label, issuer, show="current"):
    return f'[[profile]]\nname = "{name}"\nlabel = "{label}"\nshow = "{show}"\nmatch = {{ issuer_cn = "{issuer}" }}\n'


DEVICE_PROFILE = profile("jumpcloud", TOKEN_LABEL, "device-trust.intermediate")


class Both:
    """One database, opened by both modules at once, in this process."""

    def __init__(self, database, module, folder, profiles=DEVICE_PROFILE):
        configuration = folder / "config.toml"
        configuration.write_text(f'[[store]]\nkind = "nss"\npath = "{database.folder}"\n\n{profiles}')
        self.database, self.digest = database, database.digest()
        self.nss_module = pkcs11.Module("libsoftokn3.so", f"configdir='sql:{database.folder}' certPrefix='' keyPrefix='' "
                                        "secmod='' flags=readOnly")
        self.our_module = pkcs11.Module(module, f"config={configuration}")
        self.nss_slot = next(s for s in self.nss_module.slots() if self.label(self.nss_module, s) == "NSS Certificate DB")

    @staticmethod
    def label(module, slot):
        return module.token_info(slot).label.decode().rstrip()

    def open(self, label=TOKEN_LABEL, password=None):
        slot = next(s for s in self.our_module.slots() if self.label(self.our_module, s) == label)
        return self.nss_module.open(self.nss_slot, password), self.our_module.open(slot, password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.our_module.close()
        self.nss_module.close()
        assert self.database.digest() == self.digest, "the database's files must stay as they were"


def make_database(folder, pki, key, password):
    database = NssDatabase(folder / "database", password)
    leaf = pki.issue(key)
    database.add(leaf)
    return database, leaf


def differences(nss, ours, template, **expected):
    """Names of the attributes by which the one object that has `template` differs between the two sessions."""
    (nss_object,), (our_object,) = nss.find(**template), ours.find(**template)
    nss_values, our_values = nss.attributes(nss_object), ours.attributes(our_object)
    return {name for name in pkcs11.CKA if nss_values.get(name) != our_values.get(name)}


@pytest.mark.parametrize("password", PASSWORDS, ids=["open", "password"])
@pytest.mark.parametrize("key", KEYS)
def test_certificates_are_equal(folder, pki, module, key, password):
    database, leaf = make_database(folder, pki, key, password)
    with Both(database, module, folder) as both:
        nss, ours = both.open()
        values = {ours.attribute(handle, "VALUE") for handle in ours.find(CLASS=CKO_CERTIFICATE)}
        assert values == {nss.attribute(handle, "VALUE") for handle in nss.find(CLASS=CKO_CERTIFICATE)}
        for value in values:
            expected = LEAF_DIFFERENCES if value == leaf.der() else CERTIFICATE_DIFFERENCES
            assert differences(nss, ours, {"CLASS": CKO_CERTIFICATE, "VALUE": value}) == expected.keys()
