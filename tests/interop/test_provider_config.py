"""How the provider comes into a program, what it is told there, and what it says when something is wrong."""

import pathlib
import re
import shutil

import pytest

from programs import run
from stores import LEAF_NAME

SYSTEM = "/etc/ssl/openssl.cnf"
FORMS = ["uri", "pem"]
PLACES = "no device-trust certificate was found in any of the places that were looked at"
LEGACY = """
openssl_conf = openssl_init
[openssl_init]
providers = provider_sect
[provider_sect]
default = default_sect
legacy = legacy_sect
[default_sect]
activate = 1
[legacy_sect]
activate = 1
"""
NAMED = """
openssl_conf = openssl_init
[openssl_init]
providers = provider_sect
[provider_sect]
{order}
[default_sect]
activate = 1
[devtrust_sect]
module = {module}
activate = 1
{more}
"""


@pytest.fixture
def device(make_device):
    return make_device("ec:P-256")


@pytest.fixture
def rsa(make_device):
    return make_device("rsa:2048")


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def write_conf(device, provider):
    """Writes an openssl.cnf that names the provider."""
    def write(order="default = default_sect\ndevtrust = devtrust_sect", module=provider, more=""):
        return device.write("named.cnf", NAMED.format(order=order, module=module, more=more))
    return write


def signs(device, key, *options, **more):
    message, signature = device.write("message", "the quick brown fox\n"), device.path("signature")
    device.openssl("dgst", *options, "-sha256", "-sign", key, "-out", signature, message, **more)
    text = run(["openssl", "dgst", "-sha256", "-verify", device.leaf.public_key(), "-signature", signature, message]).stdout
    return text.strip() == "Verified OK"


def providers(device, *options, **more):
    """Those that are active, by name: openssl sorts them."""
    text = device.openssl("list", "-providers", *options, **more).stdout
    return re.findall(r"^  (\S+)\n    name: (.*)$", text, re.MULTILINE)


def assert_openssl_is_whole(device, **more):
    """Keys of its own come from the default provider, which is the first one still."""
    for algorithm, option in (("EC", "ec_paramgen_curve:P-256"), ("RSA", "rsa_keygen_bits:2048")):
        key, public, data, signature = (device.path(name) for name in ("own.key", "own.pub", "data", "signature"))
        device.openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", key, **more)
        assert key.read_text().startswith("-----BEGIN PRIVATE KEY-----")
        device.openssl("pkey", "-in", key, "-pubout", "-out", public, **more)
        device.write("data", "x")
        device.openssl("dgst", "-sha256", "-sign", key, "-out", signature, data, **more)
        text = device.openssl("dgst", "-sha256", "-verify", public, "-signature", signature, data, **more).stdout
        assert "Verified OK" in text, text
    for algorithm in ("ED25519", "X25519"):
        assert "BEGIN PRIVATE KEY" in device.openssl("genpkey", "-algorithm", algorithm, **more).stdout


def with_include(device, provider_conf, text):
    return device.write("openssl.cnf", f"{text}\n.include {provider_conf}/devtrust.include.cnf\n")


# The ways in

def test_our_configuration_adds_the_provider(device, rsa, provider_conf):
    assert device.configuration == provider_conf / "devtrust.cnf"
    names = providers(device)
    assert [name for name, _ in names] == ["default", "devtrust"]
    assert dict(names)["devtrust"] == "devtrust: the device-trust certificate of this system"
    assert signs(device, "devtrust:") and signs(rsa, "devtrust:")
    assert_openssl_is_whole(device)


def test_the_include_adds_it_to_the_systems(device, provider_conf):
    configuration = with_include(device, provider_conf, pathlib.Path(SYSTEM).read_text())
    assert [name for name, _ in providers(device, configuration=configuration)] == ["default", "devtrust"]
    assert signs(device, "devtrust:", configuration=configuration)
    assert_openssl_is_whole(device, configuration=configuration)
    request = device.openssl("req", "-new", "-key", "devtrust:", "-subj", "/CN=x", configuration=configuration).stdout
    assert "BEGIN CERTIFICATE REQUEST" in request, "the sections of the system's file are still there"


def test_the_include_adds_it_to_default_and_legacy(device, provider_conf):
    configuration = with_include(device, provider_conf, LEGACY)
    assert [name for name, _ in providers(device, configuration=configuration)] == ["default", "devtrust", "legacy"]
    empty = device.write("empty", "")
    assert "31d6cfe0d16ae931b73c59d7e0c089c0" in device.openssl("dgst", "-md4", empty, configuration=configuration).stdout
    assert signs(device, "devtrust:", configuration=configuration)
    assert_openssl_is_whole(device, configuration=configuration)


def test_the_include_may_come_twice(device, provider_conf):
    """The system's file has it already, and OPENSSL_CONF names ours as well."""
    include = f".include {provider_conf}/devtrust.include.cnf\n"
    configuration = with_include(device, provider_conf, pathlib.Path(SYSTEM).read_text() + "\n" + include)
    assert [name for name, _ in providers(device, configuration=configuration)] == ["default", "devtrust"]
    assert signs(device, "devtrust:", configuration=configuration)


@pytest.mark.parametrize("order", [["default", "devtrust"], ["devtrust", "default"]], ids=["default-first", "devtrust-first"])
def test_options_add_it(device, rsa, provider, order):
    options = [part for name in order for part in ("-provider", name)]
    more = {"configuration": "/dev/null", "variables": {"OPENSSL_MODULES": provider.parent}}
    assert [name for name, _ in providers(device, *options, **more)] == ["default", "devtrust"]
    for one in (device, rsa):
        assert signs(one, "devtrust:", *options, **more) and signs(one, one.key("pem"), *options, **more)


def test_the_path_is_a_providers_name_too(device, provider):
    assert signs(device, "devtrust:", "-provider", "default", "-provider", provider, configuration="/dev/null")


def test_the_devices_key_works_in_both_orders(device, rsa, write_conf):
    for order in ("default = default_sect\ndevtrust = devtrust_sect", "devtrust = devtrust_sect\ndefault = default_sect"):
        configuration = write_conf(order)
        for one in (device, rsa):
            for key in ("devtrust:", one.key("pem")):
                assert signs(one, key, configuration=configuration)
            plain = one.write("plain.key", one.leaf.key.read_text())
            text = one.openssl("pkey", "-in", plain, "-text", "-noout", configuration=configuration).stdout
            assert "Private-Key" in text, "other keys are read as ever"


def test_a_process_without_it_has_nothing_of_it(device):
    """Not even where the environment says something about us."""
    broken = device.write("broken.toml", "this is no TOML")
    text = device.home.run(["openssl", "list", "-providers"], variables={"DEVTRUST_CONFIG": broken}).stdout
    assert "devtrust" not in text and "default" in text
    result = device.home.run(["openssl", "storeutl", "-noout", "devtrust:"], check=False)
    assert result.returncode != 0 and "unregistered scheme" in result.stdout, result.stdout
    assert "devtrust: " not in result.stdout, result.stdout
    result = device.home.run(["openssl", "pkey", "-in", device.key("pem"), "-noout"], check=False)
    assert result.returncode != 0 and "Could not read key" in result.stdout, result.stdout


def test_a_provider_that_is_not_used_reads_nothing(device):
    """A broken configuration of ours is no trouble to programs that do not ask for the device's key."""
    broken = device.write("broken.toml", "this is no TOML")
    assert_openssl_is_whole(device, variables={"DEVTRUST_CONFIG": broken})


def test_a_module_that_is_not_there(device, write_conf):
    """OpenSSL goes on without one of its configuration, and not without one of its options."""
    configuration = write_conf(module="/no/such/devtrust.so")
    text = device.refused("storeutl", "-noout", "devtrust:", configuration=configuration)
    assert "No store loader found" in text and "Scheme (devtrust" in text, text
    assert_openssl_is_whole(device, configuration=configuration)
    text = device.refused("list", "-providers", "-provider", "/no/such/devtrust.so")
    assert "unable to load provider /no/such/devtrust.so" in text and "cannot open shared object file" in text, text


# Our own configuration

def store(path):
    return f'[[store]]\nkind = "nss"\npath = "{path}"\n'


def test_devtrust_config_names_a_configuration(device, rsa):
    config = device.write("other.toml", store(rsa.home.database.folder))
    shown = device.openssl("pkey", "-in", "devtrust:", "-pubout", variables={"DEVTRUST_CONFIG": config}).stdout
    assert shown == rsa.leaf.public_key().read_text()
    assert device.openssl("pkey", "-in", "devtrust:", "-pubout").stdout == device.leaf.public_key().read_text()


def test_the_section_names_a_configuration(device, rsa, write_conf):
    """Before the environment's."""
    config = device.write("other.toml", store(rsa.home.database.folder))
    configuration = write_conf(more=f"config = {config}")
    for variables in ({}, {"DEVTRUST_CONFIG": "/no/such/config.toml"}):
        shown = device.openssl("pkey", "-in", "devtrust:", "-pubout", configuration=configuration, variables=variables).stdout
        assert shown == rsa.leaf.public_key().read_text()


def test_the_shipped_file_shows_the_settings(device, rsa, provider_conf):
    """With its comments taken away."""
    config = device.write("other.toml", store(rsa.home.database.folder))
    text = (provider_conf / "devtrust.include.cnf").read_text()
    text, changed = re.subn(r"^# config = \S+ .*$", f"config = {config}", text, flags=re.MULTILINE)
    text, also = re.subn(r"^# pkcs11-uris = yes .*$", "pkcs11-uris = yes", text, flags=re.MULTILINE)
    assert changed == 1 and also == 1
    configuration = device.write("openssl.cnf", LEGACY + text)
    for name in ("devtrust:", "pkcs11:type=private"):
        shown = device.openssl("pkey", "-in", name, "-pubout", configuration=configuration).stdout
        assert shown == rsa.leaf.public_key().read_text()


def test_profiles_of_the_configuration(device):
    config = device.write("profile.toml", store(device.home.database.folder) + '[[profile]]\nname = "work"\n'
                          'match = { issuer_cn = "device-trust.intermediate" }\n')
    variables = {"DEVTRUST_CONFIG": config}
    assert signs(device, "devtrust:work", variables=variables) and signs(device, "devtrust:", variables=variables)
    reference = device.path("work.pem")
    device.openssl("pkey", "-in", "devtrust:", "-out", reference, variables=variables)
    assert signs(device, reference, variables=variables)


def fails(device, form, **more):
    """What is said instead of a signature, by the URI or by the PEM form, which was made when all was well."""
    return device.refused("pkeyutl", "-sign", "-inkey", device.key(form), "-in", device.write("digest", bytes(32)), **more)


@pytest.mark.parametrize("content, reason", [
    ("colour = 1\n", ':1:1: unknown key "colour": expected one of trace, audit'),
    ('trace = "1"\n[[store]]\nkind = "nss"\npath = "relative"\n', ":4:"),
    ("[[store]\n", ":1:"),
    ("trace = 5\n", ":1:"),
], ids=["key", "path", "syntax", "type"])
def test_a_configuration_that_does_not_parse(device, form, content, reason):
    config = device.write("broken.toml", content)
    text = fails(device, form, variables={"DEVTRUST_CONFIG": config})
    assert f"devtrust: {config}{reason}" in text and ":invalid configuration:" in text, text


def test_a_configuration_that_is_not_there(device, form):
    text = fails(device, form, variables={"DEVTRUST_CONFIG": "/no/such/config.toml"})
    assert "devtrust: the configuration /no/such/config.toml cannot be opened: No such file or directory" in text, text


def test_a_configuration_of_somebody_else(device, form):
    config = device.write("open.toml", "")
    config.chmod(0o666)
    text = fails(device, form, variables={"DEVTRUST_CONFIG": config})
    assert f"devtrust: the configuration {config} may be written by others than its owner, so it is not believed: " \
        "run chmod go-w on it" in text, text


def test_no_database_at_all(device, form, folder):
    folder.chmod(0o777)
    text = fails(device, form, variables={"HOME": folder})
    assert "devtrust: no" in text and ":not found:" in text, text
    assert "`devtrust doctor` lists them" in text, text
    if form == "uri":
        assert f"devtrust: {PLACES}" in text, text


def test_a_store_that_is_not_there(device, form, folder):
    config = device.write("missing.toml", store(folder / "nowhere"))
    text = fails(device, form, variables={"DEVTRUST_CONFIG": config})
    assert "devtrust: no" in text and str(folder / "nowhere") in text, text


def test_a_damaged_database(device, form, folder):
    database = shutil.copytree(device.home.database.folder, folder / "nssdb")
    (database / "cert9.db").write_bytes(b"SQLite format 3\0" + bytes(200))
    database.chmod(0o755)
    for path in database.iterdir():
        path.chmod(0o644)
    text = fails(device, form, variables={"DEVTRUST_CONFIG": device.write("damaged.toml", store(database))})
    assert "devtrust: no" in text and str(database) in text, text


@pytest.mark.parametrize("start, end, reason", [
    (-30, -2, r'" in \S+ expired 2 days ago \(\d+-\d\d-\d\d\): see that the agent runs and renews it'),
    (2, 30, r'" in \S+ is not valid before \d+-\d\d-\d\d: check this computer\'s clock'),
], ids=["expired", "not-yet"])
def test_a_certificate_out_of_its_validity(device, make_device, form, pki, start, end, reason):
    device.key("pem")
    late = make_device("ec:P-256", leaf=pki.issue("ec:P-256", valid_from=start, valid_to=end))
    text = fails(device, form, variables=late.home.variables)
    assert re.search(f'devtrust: no valid certificate for profile jumpcloud: "{LEAF_NAME}{reason}', text), text
    assert ":no valid certificate:" in text, text


def test_a_profile_that_is_not_there(device):
    """The name may be mistyped: the ones that there are help."""
    text = device.refused("pkey", "-in", "devtrust:jumpclod", "-noout")
    assert re.search("devtrust: .*jumpclod.*jumpcloud", text), text


def test_a_profile_without_a_certificate(device):
    text = device.refused("pkey", "-in", "devtrust:okta", "-noout")
    assert "devtrust: no certificate with a private key for profile okta was found in any of the places that were looked at" in text, text
    assert "`devtrust doctor` lists them" in text, text


@pytest.mark.parametrize("uri, reason", [
    ("devtrust:JumpCloud", "the URI does not name a profile at character 10: a profile's name has the letters a-z, digits"),
    ("devtrust:jump%2", "the URI has a % without two hexadecimal digits at character 14: % itself is written %25"),
    ("devtrust:jump cloud", "the URI has a space or a control character at character 14: a space is written %20"),
    ("devtrust:?pin=1", "the URI has an unknown attribute at character 11: known are pin-source and pin-value"),
    ("devtrust:?pin-value", "the URI has no NAME=VALUE at character 11"),
    ("devtrust:?pin-value=SECRET&pin-value=SECRET", "the URI has pin-value a second time at character 28"),
    ("devtrust:?pin-value=SECRET&pin-source=x", "the URI has both pin-value and pin-source: one of them is enough"),
    ("DEVTRUST:?pin-value=SECRET%zz", "the URI has a % without two hexadecimal digits at character 27"),
])
def test_a_malformed_uri(device, uri, reason):
    """The place is named. What openssl repeats is the URI that it was given; we repeat nothing of it."""
    text = device.refused("pkey", "-in", uri, "-noout")
    ours = [line for line in text.splitlines() if "devtrust: " in line]
    assert len(ours) == 1 and f"devtrust: {reason}" in ours[0] and "SECRET" not in ours[0], text


# pkcs11: URIs

@pytest.fixture
def pkcs11_conf(write_conf):
    return write_conf(more="pkcs11-uris = yes")


def p11tool_urls(device, module):
    """Those of keys and certificates."""
    urls = device.home.run(["p11tool", "--provider", module, "--list-all", "--only-urls"]).stdout.splitlines()
    return [url for url in urls if ";type=" in url]


def listed(device, uri, configuration, *options):
    """Kinds of what storeutl finds, and the certificates."""
    text = device.openssl("storeutl", *options, uri, configuration=configuration).stdout
    kinds = re.findall(r"^\d+: (.*)$", text, re.MULTILINE)
    assert f"Total found: {len(kinds)}" in text
    return kinds, re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.DOTALL)


def test_pkcs11_uris_are_another_providers_without_the_setting(device, module, write_conf):
    for more in ("", "pkcs11-uris = no"):
        for uri in ["pkcs11:", *p11tool_urls(device, module)]:
            text = device.refused("storeutl", "-noout", uri, configuration=write_conf(more=more))
            assert "Scheme (pkcs11" in text and "devtrust: " not in text, text


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256", "ed25519"])
def test_the_urls_that_p11tool_prints_are_answered(make_device, module, pkcs11_conf, key):
    device = make_device(key)
    chain = [path.read_text() for path in [device.leaf.certificate, *device.leaf.issuers]]
    seen = []
    urls = p11tool_urls(device, module)
    assert sorted(url.rsplit("=", 1)[1] for url in urls) == ["cert", "cert", "cert", "private", "public"], urls
    for url in urls:
        kinds, certificates = listed(device, url, pkcs11_conf)
        if url.endswith(";type=cert"):
            assert kinds == ["Certificate"], (url, kinds)
            seen += certificates
        else:
            assert kinds == ["Pkey" if ";type=private" in url else "Public key"], (url, kinds)
            public = [] if ";type=private" in url else ["-pubin"]
            shown = device.openssl("pkey", *public, "-in", url, "-pubout", configuration=pkcs11_conf).stdout
            assert shown == device.leaf.public_key().read_text()
        if ";type=private" in url:
            assert signs_with(device, url, pkcs11_conf)
    assert seen == chain


def signs_with(device, url, configuration):
    data, signature = device.write("data", "x"), device.path("signature")
    raw = ["pkeyutl", "-rawin", "-in", data]
    device.openssl(*raw, "-sign", "-inkey", url, "-out", signature, configuration=configuration)
    text = run(["openssl", *raw, "-verify", "-pubin", "-inkey", device.leaf.public_key(), "-sigfile", signature]).stdout
    return "Signature Verified Successfully" in text


def test_what_pkcs11_tool_prints_is_answered(device, module, pkcs11_conf):
    """Token, slot and identifiers in its words."""
    slots = device.home.run(["pkcs11-tool", "--module", module, "-L"]).stdout
    objects = device.home.run(["pkcs11-tool", "--module", module, "-O", "--type", "privkey"]).stdout
    def field(name, text):
        return re.search(rf"^ *{name} *: *(.*)$", text, re.MULTILINE).group(1).strip()
    slot = int(re.search(r"^Slot 0 \((0x[0-9a-f]+)\)", slots, re.MULTILINE).group(1), 16)
    identifier = "".join(f"%{octet:02x}" for octet in bytes.fromhex(field("ID", objects)))
    for uri in (f"pkcs11:slot-id={slot}", f"pkcs11:serial={field('serial num', slots)}",
                f"pkcs11:token={field('token label', slots).replace(' ', '%20')}", f"pkcs11:id={identifier}",
                f"pkcs11:manufacturer={field('token manufacturer', slots)}", f"pkcs11:model={field('token model', slots)}",
                f"pkcs11:object={field('label', objects).replace(' ', '%20')}", "pkcs11:", "pkcs11:type=private"):
        kinds, _ = listed(device, uri, pkcs11_conf, "-keys")
        assert kinds == ["Pkey"], (uri, kinds)
        assert signs(device, uri, configuration=pkcs11_conf)


@pytest.mark.parametrize("uri", [
    "pkcs11:token=Other", "pkcs11:slot-id=7", "pkcs11:serial=0000000000000000", "pkcs11:manufacturer=Other",
    "pkcs11:model=Other", "pkcs11:object=Other", "pkcs11:id=%00%01", "pkcs11:type=secret-key", "pkcs11:type=data",
    "pkcs11:token=JumpCloud%20Device%20Trust;object=Other;type=private"])
def test_what_is_not_there_is_not_found(device, pkcs11_conf, uri):
    text = device.refused("pkey", "-in", uri, "-noout", configuration=pkcs11_conf)
    assert "devtrust: no token or object has all that the pkcs11: URI asks for: `pkcs11-tool -O` and " \
        "`p11tool --list-all` show what there is" in text, text


def test_a_type_alone(device, pkcs11_conf):
    kinds, certificates = listed(device, "pkcs11:type=cert", pkcs11_conf)
    assert kinds == ["Certificate"] * 3 and certificates[0] == device.leaf.certificate.read_text()
    kinds, _ = listed(device, "pkcs11:", pkcs11_conf, "-noout")
    assert kinds == ["Pkey", "Certificate", "Certificate", "Certificate"]


@pytest.mark.parametrize("uri, reason", [
    ("pkcs11:token", "the URI has no NAME=VALUE at character 8"),
    ("pkcs11:token=a;tokn=b", "the URI has an unknown attribute at character 16: known are token, manufacturer"),
    ("pkcs11:token=a;token=a", "the URI has token a second time at character 16"),
    ("pkcs11:type=key", "the URI's type at character 13 is not one of cert, private, public, data and secret-key"),
    ("pkcs11:slot-id=x", "the URI's slot-id at character 16 is not a decimal number"),
    ("pkcs11:?pin=1", "the URI has an unknown attribute at character 9: known are pin-source, pin-value"),
])
def test_a_malformed_pkcs11_uri(device, pkcs11_conf, uri, reason):
    text = device.refused("pkey", "-in", uri, "-noout", configuration=pkcs11_conf)
    assert f"devtrust: {reason}" in text, text


def test_a_pkcs11_uri_gives_the_password(make_device, pkcs11_conf):
    device = make_device("ec:P-256", "sesame")
    pin = device.write("pin", "sesame\n")
    pin.chmod(0o600)
    for query in ("pin-value=sesame", f"pin-source=file:{pin}", f"pin-source={pin}"):
        assert signs(device, f"pkcs11:type=private?{query}", configuration=pkcs11_conf, start_new_session=True)
    assert signs(device, "pkcs11:type=private", "-passin", "pass:sesame", configuration=pkcs11_conf)
    text = device.refused("pkey", "-in", "pkcs11:type=private?pin-value=other", "-noout", configuration=pkcs11_conf)
    assert f"devtrust: the password is not that of {device.home.database.folder}" in text, text
    public = device.openssl("pkey", "-pubin", "-in", "pkcs11:type=public", "-pubout", configuration=pkcs11_conf,
                            start_new_session=True).stdout
    assert public == device.leaf.public_key().read_text(), "the public key needs no password"
