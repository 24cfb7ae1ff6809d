"""NSS is the judge: the same database through libsoftokn3 and through our module shows the same objects."""

import pytest

import pkcs11
from pkcs11 import CKM_ECDSA, CKM_SHA256_RSA_PKCS, CKO_CERTIFICATE, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY
from stores import LEAF_NAME, TOKEN_LABEL, NssDatabase, certificate_der

KEYS = ["rsa:2048", "rsa:3072", "ec:P-256", "ec:P-384", "ec:P-521"]
MESSAGE = b"the quick brown fox"

# Where our objects differ from softokn's, and why. Whatever is not here must be equal, and what is here must differ.
WRITE_PROTECTED = "our token is write-protected, and says so of each object"
ABSENT_IN_NSS = "the specification has it, NSS 3.87 not"
PROFILES_LABEL = "the profile's, for ever; NSS has the nickname, which a renewal changes"
COMMON = {"UNIQUE_ID": ABSENT_IN_NSS, "MODIFIABLE": WRITE_PROTECTED, "COPYABLE": WRITE_PROTECTED,
          "DESTROYABLE": WRITE_PROTECTED, "PUBLIC_KEY_INFO": ABSENT_IN_NSS}
CERTIFICATE = {
    **COMMON,
    "CERTIFICATE_CATEGORY": ABSENT_IN_NSS, "JAVA_MIDP_SECURITY_DOMAIN": ABSENT_IN_NSS, "NAME_HASH_ALGORITHM": ABSENT_IN_NSS,
    "HASH_OF_SUBJECT_PUBLIC_KEY": ABSENT_IN_NSS, "HASH_OF_ISSUER_PUBLIC_KEY": ABSENT_IN_NSS, "CHECK_VALUE": ABSENT_IN_NSS,
    "START_DATE": ABSENT_IN_NSS, "END_DATE": ABSENT_IN_NSS,
    "TRUSTED": "NSS keeps trust in objects of its own; ours is false unless the init string asks for it",
    "SENSITIVE": "NSS answers it for every object; certificates have no such attribute",
}
LEAF = {**CERTIFICATE, "LABEL": PROFILES_LABEL}
ISSUER = {**CERTIFICATE, "ID": "GnuTLS looks issuers up by their key identifier; NSS has its own hash"}
KEY = {**COMMON, "LABEL": PROFILES_LABEL, "KEY_GEN_MECHANISM": ABSENT_IN_NSS}
PUBLIC_KEY = {
    **KEY,
    "SUBJECT": "NSS does not tell, of a public key",
    "TRUSTED": ABSENT_IN_NSS,
    "SENSITIVE": "NSS answers it for every object; public keys have no such attribute",
}
PRIVATE_KEY = {
    **KEY,
    "EXTRACTABLE": "we never let a key go, whatever the store would allow",
    "ALWAYS_AUTHENTICATE": ABSENT_IN_NSS,
    "WRAP_WITH_TRUSTED": ABSENT_IN_NSS,
}
RSA_PUBLIC_KEY = {**PUBLIC_KEY, "WRAP": "no mechanism of ours wraps keys", "MODULUS_BITS": "NSS does not tell"}
RSA_PRIVATE_KEY = {
    **PRIVATE_KEY,
    "UNWRAP": "no mechanism of ours unwraps keys",
    "VALUE": "NSS says that an RSA key's CKA_VALUE is sensitive; it has none",
}
EC_PUBLIC_KEY = {**PUBLIC_KEY, "DERIVE": "it takes a private key to derive"}
EC_PRIVATE_KEY = {
    **PRIVATE_KEY,
    "SIGN_RECOVER": "ECDSA gives nothing back",
    "EC_POINT": "OpenSSL's clients look for it on the private key; NSS does not tell",
    **{name: "NSS says that an EC key's RSA numbers are sensitive; it has none"
       for name in ("PRIVATE_EXPONENT", "PRIME_1", "PRIME_2", "EXPONENT_1", "EXPONENT_2", "COEFFICIENT")},
}
OPEN_DATABASE = {"PRIVATE": "true only where a login really stands before the key"}


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
        """A session with NSS and one with us."""
        return self.nss_module.open(self.nss_slot, password), self.open_ours(label, password)

    def open_ours(self, label, password=None):
        slot = next(s for s in self.our_module.slots() if self.label(self.our_module, s) == label)
        return self.our_module.open(slot, password)

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


def assert_differences(nss, ours, expected, **template):
    """The one object that has this template differs between the two sessions as `expected`, and in nothing else."""
    (nss_object,), (our_object,) = nss.find(**template), ours.find(**template)
    nss_values, our_values = nss.attributes(nss_object), ours.attributes(our_object)
    different = {name: (nss_values.get(name), our_values.get(name)) for name in pkcs11.CKA
                 if nss_values.get(name) != our_values.get(name)}
    assert {name: values for name, values in different.items() if name not in expected} == {}, "NSS's value and ours"
    assert expected.keys() - different.keys() == set(), "NSS and we agree after all"


def values(session, name, **template):
    return sorted(session.attribute(handle, name) for handle in session.find(**template))


def assert_keys_equal(nss, ours, key, password, identifier):
    public, private = (RSA_PUBLIC_KEY, RSA_PRIVATE_KEY) if key.startswith("rsa") else (EC_PUBLIC_KEY, EC_PRIVATE_KEY)
    if not password:
        private = {**private, **OPEN_DATABASE}
    assert_differences(nss, ours, public, CLASS=CKO_PUBLIC_KEY, ID=identifier)
    assert_differences(nss, ours, private, CLASS=CKO_PRIVATE_KEY, ID=identifier)


def assert_signatures_equal(nss, ours, key, identifier):
    """What one signs, the other verifies."""
    mechanism, data = (CKM_SHA256_RSA_PKCS, MESSAGE) if key.startswith("rsa") else (CKM_ECDSA, MESSAGE[:16])
    for signer, judge in ((ours, nss), (nss, ours)):
        (private,) = signer.find(CLASS=CKO_PRIVATE_KEY, ID=identifier)
        (public,) = judge.find(CLASS=CKO_PUBLIC_KEY, ID=identifier)
        signature = signer.sign(private, mechanism, data)
        judge.verify(public, mechanism, data, signature)
        with pytest.raises(pkcs11.Error, match="0xc0"):
            judge.verify(public, mechanism, data[:-1], signature)


@pytest.mark.parametrize("password", ["", "sesame"], ids=["open", "password"])
@pytest.mark.parametrize("key", KEYS)
def test_objects_are_equal(folder, pki, module, key, password):
    database, leaf = make_database(folder, pki, key, password)
    with Both(database, module, folder) as both:
        nss, ours = both.open(password=password or None)
        certificates = values(ours, "VALUE", CLASS=CKO_CERTIFICATE)
        assert certificates == values(nss, "VALUE", CLASS=CKO_CERTIFICATE)
        for value in certificates:
            assert_differences(nss, ours, LEAF if value == leaf.der() else ISSUER, CLASS=CKO_CERTIFICATE, VALUE=value)
        for kind in (CKO_PUBLIC_KEY, CKO_PRIVATE_KEY):
            assert values(ours, "ID", CLASS=kind) == values(nss, "ID", CLASS=kind)
        (identifier,) = values(ours, "ID", CLASS=CKO_PRIVATE_KEY)
        assert_keys_equal(nss, ours, key, password, identifier)
        assert_signatures_equal(nss, ours, key, identifier)


def test_passwords_gate_alike(folder, pki, module):
    """What is seen before, between and after logins, and what a wrong password is told."""
    database, _ = make_database(folder, pki, "ec:P-256", "sesame")
    with Both(database, module, folder) as both:
        for session in both.open():
            seen = lambda: [len(session.find(CLASS=kind)) for kind in (CKO_CERTIFICATE, CKO_PUBLIC_KEY, CKO_PRIVATE_KEY)]
            assert seen() == [3, 1, 0]
            for wrong in (b"wrong", b"", b"sesam"):
                with pytest.raises(pkcs11.Error, match="0xa0"):
                    session.call("Login", pkcs11.CKU_USER, wrong, len(wrong))
            session.call("Login", pkcs11.CKU_USER, b"sesame", 6)
            assert seen() == [3, 1, 1]
            with pytest.raises(pkcs11.Error, match="0x100"):
                session.call("Login", pkcs11.CKU_USER, b"sesame", 6)
            session.call("Logout")
            assert seen() == [3, 1, 0]


@pytest.mark.parametrize("password", ["", "sesame"], ids=["open", "password"])
@pytest.mark.parametrize("old, new", [("rsa:2048", "rsa:2048"), ("rsa:2048", "ec:P-256"), ("ec:P-384", "rsa:2048")])
def test_a_renewed_database(folder, pki, module, old, new, password):
    """The old identity lies beside the new: all are shown where the profile asks for it, the new one by itself otherwise."""
    database, old_leaf = make_database(folder, pki, old, password)
    new_leaf = pki.issue(new, f"{LEAF_NAME[:-8]}11223344", valid_from=-1, valid_to=29)
    database.add(new_leaf)
    show_all = profile("jumpcloud", TOKEN_LABEL, "device-trust.intermediate", "all")
    with Both(database, module, folder, show_all) as both:
        nss, ours = both.open(password=password or None)
        assert values(ours, "VALUE", CLASS=CKO_CERTIFICATE) == values(nss, "VALUE", CLASS=CKO_CERTIFICATE)
        for key, leaf in ((old, old_leaf), (new, new_leaf)):
            (certificate,) = ours.find(CLASS=CKO_CERTIFICATE, VALUE=leaf.der())
            identifier = ours.attribute(certificate, "ID")
            assert_keys_equal(nss, ours, key, password, identifier)
            assert_signatures_equal(nss, ours, key, identifier)
    with Both(database, module, folder) as both:
        nss, ours = both.open(password=password or None)
        shown = values(ours, "VALUE", CLASS=CKO_CERTIFICATE)
        assert new_leaf.der() in shown and old_leaf.der() not in shown and len(shown) == 3
        (identifier,) = values(ours, "ID", CLASS=CKO_PRIVATE_KEY)
        assert_signatures_equal(nss, ours, new, identifier)


def test_a_renewed_certificate_of_the_same_key(folder, pki, module):
    """NSS keeps one key and two certificates with one CKA_ID."""
    database, leaf = make_database(folder, pki, "rsa:2048", "")
    renewed = pki.certify_again(leaf, valid_from=-1, valid_to=29)
    database.add_certificate(renewed.certificate, "renewed")
    with Both(database, module, folder) as both:
        nss, ours = both.open()
        assert len(nss.find(CLASS=CKO_CERTIFICATE)) == 4
        shown = values(ours, "VALUE", CLASS=CKO_CERTIFICATE)
        assert renewed.der() in shown and leaf.der() not in shown
        (identifier,) = values(ours, "ID", CLASS=CKO_PRIVATE_KEY)
        assert_signatures_equal(nss, ours, "rsa:2048", identifier)


@pytest.mark.parametrize("password", ["", "sesame"], ids=["open", "password"])
def test_foreign_keys_and_certificates(folder, pki, web_pki, module, password):
    """Somebody else's identity, lone certificates and a lone key lie in the same database: none of ours, but each is shown
    where a profile asks for it."""
    database, leaf = make_database(folder, pki, "ec:P-256", password)
    foreign = web_pki.issue("rsa:2048", "somebody@example.org")
    database.add(foreign)
    database.add_certificate(web_pki.issue("ec:P-256", "no key here").certificate, "lonely")
    (folder / "noise").write_bytes(bytes(range(256)))
    database.certutil("-G", "-k", "rsa", "-g", "2048", "-z", folder / "noise")
    database.certutil("-G", "-k", "ec", "-q", "secp384r1", "-z", folder / "noise")
    profiles = DEVICE_PROFILE + profile("acme", "Acme", "Web Issuer")
    with Both(database, module, folder, profiles) as both:
        nss = both.nss_module.open(both.nss_slot, password or None)
        assert len(nss.find(CLASS=CKO_PRIVATE_KEY)) == 4
        for label, key, expected in ((TOKEN_LABEL, "ec:P-256", leaf), ("Acme", "rsa:2048", foreign)):
            ours = both.open_ours(label, password or None)
            chain = sorted([expected.der(), *(certificate_der(path) for path in expected.issuers)])
            assert values(ours, "VALUE", CLASS=CKO_CERTIFICATE) == chain
            (identifier,) = values(ours, "ID", CLASS=CKO_PRIVATE_KEY)
            assert_keys_equal(nss, ours, key, password, identifier)
            assert_signatures_equal(nss, ours, key, identifier)


def test_keys_made_by_nss(folder, pki, module):
    """certutil -R makes the key in the database: local, always sensitive, never seen outside."""
    database = NssDatabase(folder / "database")
    (folder / "noise").write_bytes(bytes(range(256)))
    request = folder / "request.pem"
    database.certutil("-R", "-a", "-s", f"CN={LEAF_NAME}", "-k", "ec", "-q", "nistp256", "-z", folder / "noise", "-o", request)
    leaf = pki.sign(request)
    for path, nickname in ((leaf.certificate, "leaf"), *((issuer, issuer.stem) for issuer in leaf.issuers)):
        database.add_certificate(path, nickname)
    with Both(database, module, folder) as both:
        nss, ours = both.open()
        (identifier,) = values(ours, "ID", CLASS=CKO_PRIVATE_KEY)
        public = {**EC_PUBLIC_KEY, "NEVER_EXTRACTABLE": "NSS wrote it for the public key too, which has no such attribute"}
        assert_differences(nss, ours, public, CLASS=CKO_PUBLIC_KEY, ID=identifier)
        private = {**EC_PRIVATE_KEY, **OPEN_DATABASE, "SUBJECT": "the certificate's: NSS has none for a key made by certutil"}
        del private["SIGN_RECOVER"]  # certutil makes keys that do not claim it
        assert_differences(nss, ours, private, CLASS=CKO_PRIVATE_KEY, ID=identifier)
        assert_signatures_equal(nss, ours, "ec:P-256", identifier)
