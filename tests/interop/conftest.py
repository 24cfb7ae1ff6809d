"""What every test here needs: the module, a chain, and homes that hold an identity in ~/.pki/nssdb."""

import os
import pathlib
import shutil
import tempfile

import pytest

from programs import Nginx, give_away, run
from signing import programs_folder
from stores import LEAF_NAME, NssDatabase, Pki


@pytest.fixture(scope="session")
def session_folder():
    """Where other users may look, unlike pytest's own temporary folders."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="devtrust-interop-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder(session_folder):
    """A folder of the test's own."""
    path = pathlib.Path(tempfile.mkdtemp(dir=session_folder))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def module(session_folder):
    """The module under test, where every user can load it."""
    return pathlib.Path(shutil.copy(os.environ["DEVTRUST_MODULE"], session_folder / "devtrust-pkcs11.so"))


@pytest.fixture(scope="session")
def programs(session_folder):
    """The folder of our own programs, with the module and the provider where an installation has them."""
    folder = programs_folder(session_folder)
    for name, variable in (("pkcs11", "DEVTRUST_MODULE"), ("ossl-modules", "DEVTRUST_PROVIDER")):
        place = session_folder / "lib" / name
        place.mkdir(parents=True)
        shutil.copy(os.environ[variable], place)
    (session_folder / "lib/pkcs11/devtrust-p11-kit.so").symlink_to("devtrust-pkcs11.so")
    return folder


@pytest.fixture(scope="session")
def p11_kit_module(module):
    """The same by the name under which p11-kit's users open it."""
    link = module.with_name("devtrust-p11-kit.so")
    link.symlink_to(module.name)
    return link


@pytest.fixture(scope="session")
def archive(session_folder):
    """The archive that `./dev package` made, unpacked as README.md has it, into what stands for /usr/local."""
    (packed,) = pathlib.Path(os.environ["DEVTRUST_PACKAGES"]).glob("devtrust-*.tar.gz")
    folder = session_folder / "archive"
    folder.mkdir()
    run(["tar", "-xzf", packed, "-C", folder, "--strip-components=3", "--no-same-owner", "--no-overwrite-dir"])
    return folder


@pytest.fixture(scope="session")
def bundled_module(archive):
    """The archive's module, with libcrypto inside and hidden."""
    return archive / "lib/pkcs11/devtrust-pkcs11.so"


@pytest.fixture(scope="session")
def helpers(session_folder):
    """The C++ programs and libraries that belong to these tests, where every user can run them."""
    return shutil.copytree(os.environ["DEVTRUST_HELPERS"], session_folder / "helpers")


@pytest.fixture(scope="session")
def pki(session_folder):
    return Pki(session_folder / "pki")


@pytest.fixture(scope="session")
def web_pki(session_folder):
    """The web server's own, which has nothing to do with devices."""
    return Pki(session_folder / "web", "ec:P-256", "Web Root", "Web Issuer")


@pytest.fixture(scope="session")
def web_server(web_pki):
    """The certificate of localhost."""
    return web_pki.issue("ec:P-256", "localhost", extensions="server")


@pytest.fixture(scope="session", params=["TLSv1.2", "TLSv1.3"])
def root_server(request, session_folder, pki, web_server):
    """Asks for a client certificate and trusts the root only, so that the client must send the intermediate."""
    server = Nginx(session_folder / f"root-server-{request.param}", web_server, pki.root.certificate, request.param)
    yield server
    server.close()


@pytest.fixture(scope="session", params=["TLSv1.2", "TLSv1.3"])
def chain_server(request, session_folder, pki, web_server):
    """Asks for a client certificate and has the intermediate itself, for clients that send the leaf alone."""
    bundle = session_folder / f"bundle-{request.param}.pem"
    bundle.write_text(pki.root.certificate.read_text() + pki.intermediate.certificate.read_text())
    server = Nginx(session_folder / f"chain-server-{request.param}", web_server, bundle, request.param)
    yield server
    server.close()


@pytest.fixture(scope="session")
def git_server(session_folder, pki, web_server):
    """A repository behind a server that asks for a client certificate and trusts the root only."""
    folder = session_folder / "repositories"
    work = folder / "work"
    author = ["-c", "user.name=A", "-c", "user.email=a@b.example"]
    run(["git", "init", "--quiet", work])
    run(["git", *author, "-C", work, "commit", "--quiet", "--allow-empty", "-m", "what was fetched"])
    run(["git", "clone", "--quiet", "--bare", work, folder / "it.git"])
    run(["git", "-C", folder / "it.git", "update-server-info"])
    server = Nginx(session_folder / "git-server", web_server, pki.root.certificate, location=f"root {folder};")
    yield server
    server.close()


class Home:
    """A home folder with one identity in its NSS database, and programs that run in it as its owner."""

    variables = {}  # for each of its programs

    def __init__(self, folder, key, leaf, password):
        self.folder, self.key, self.leaf, self.password = folder, key, leaf, password
        self.folder.mkdir()
        (self.folder / ".pki").mkdir()
        self.database = NssDatabase(self.folder / ".pki/nssdb", password)
        self.database.add(leaf)
        give_away(self.folder)

    def run(self, argv, **options):
        options["variables"] = {**self.variables, **options.get("variables", {})}
        return run(argv, home=self.folder, unprivileged=True, cwd=self.folder, **options)

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        give_away(self.folder)
        return path

    def renew(self, pki, key="rsa:2048"):
        """A new key and a newer certificate beside the old, as an agent leaves them."""
        self.leaf = pki.issue(key, f"{LEAF_NAME[:-8]}11223344", valid_from=-1, valid_to=29)
        self.database.add(self.leaf)
        give_away(self.folder)
        return self.leaf

    def add_to_p11_kit(self, module):
        """A .module file of the user."""
        self.write(".config/pkcs11/modules/devtrust.module", f"module: {module}\n")


FILE_CONFIG = """
[[store]]
kind = "file"
path = "{folder}/chain.pem"
key_path = "{folder}/key.pem"
"""


class FileHome(Home):
    """The same with the identity in PEM files, which DEVTRUST_CONFIG leads to: for keys that NSS has not."""

    def __init__(self, folder, key, leaf):
        self.folder, self.key, self.leaf, self.password = folder, key, leaf, ""
        self.folder.mkdir()
        self.write("chain.pem", leaf.chain_text())
        self.write("key.pem", leaf.key.read_text()).chmod(0o600)
        self.variables = {"DEVTRUST_CONFIG": self.write("config.toml", FILE_CONFIG.format(folder=folder))}


class Device:
    """A home whose identity OpenSSL reaches by the provider."""

    def __init__(self, home, configuration):
        self.home, self.configuration, self.leaf, self.kind = home, configuration, home.leaf, home.key.split(":")[0]

    def openssl(self, *arguments, configuration=None, **options):
        options["variables"] = {"OPENSSL_CONF": configuration or self.configuration, **options.get("variables", {})}
        return self.home.run(["openssl", *arguments], **options)

    def refused(self, *arguments, **options):
        """What openssl says when it fails, as it has to."""
        result = self.openssl(*arguments, check=False, **options)
        assert result.returncode > 0, f"{arguments}\nended with {result.returncode}:\n{result.stdout}"
        return result.stdout

    def key(self, form="uri"):
        """The key as programs name it: by the URI, by the profile's, or by a file in our PEM form."""
        if form != "pem":
            return {"uri": "devtrust:", "profile": "devtrust:jumpcloud"}[form]
        path = self.home.folder / "reference.pem"
        if not path.exists():
            self.openssl("pkey", "-in", "devtrust:", "-out", path)
        return path

    def write(self, name, content):
        return self.home.write(name, content)

    def path(self, name):
        """Of a file that a program is to write."""
        path = self.home.folder / name
        path.unlink(missing_ok=True)
        return path


@pytest.fixture(scope="session")
def provider(session_folder):
    """The provider under test, where every user can load it: alone in its folder, as for OPENSSL_MODULES."""
    folder = session_folder / "ossl-modules"
    folder.mkdir()
    return pathlib.Path(shutil.copy(os.environ["DEVTRUST_PROVIDER"], folder / "devtrust.so"))


@pytest.fixture(scope="session")
def provider_conf(session_folder, provider):
    """The folder of our two files for openssl.cnf, as they are shipped but for where things are."""
    folder = session_folder / "openssl"
    folder.mkdir()
    built = os.environ["DEVTRUST_OPENSSL_CONF_DIR"]
    for name in ("devtrust.cnf", "devtrust.include.cnf"):
        text = (pathlib.Path(built) / name).read_text()
        assert built in text
        text = text.replace(os.environ["DEVTRUST_PROVIDER"], str(provider)).replace(built, str(folder))
        (folder / name).write_text(text)
    assert f"module = {provider}\n" in (folder / "devtrust.include.cnf").read_text()
    return folder


@pytest.fixture(scope="session")
def make_device(make_home, session_folder, pki, provider_conf):
    """Makes homes for the provider, of any kind of key; one of each kind for all tests that only read it."""
    devices = {}

    def make(key="rsa:2048", password="", fresh=False, leaf=None):
        """`leaf`: what a file store of its own is to hold, instead of one that is made for it."""
        kind = (key, password, len(devices)) if fresh or leaf else (key, password)
        if kind not in devices:
            in_file = leaf or key.startswith(("ed", "rsa-pss"))
            home = FileHome(session_folder / f"device{len(devices)}", key, leaf or pki.issue(key)) if in_file else \
                make_home(key, password, fresh)
            devices[kind] = Device(home, provider_conf / "devtrust.cnf")
        return devices[kind]

    return make


@pytest.fixture(scope="session")
def make_home(session_folder, pki):
    """Makes homes; one of each kind for all tests that only read it."""
    homes = {}

    def make(key="rsa:2048", password="", fresh=False):
        kind = (key, password, len(homes)) if fresh else (key, password)
        if kind not in homes:
            homes[kind] = Home(session_folder / f"home{len(homes)}", key, pki.issue(key), password)
        return homes[kind]

    return make


@pytest.fixture
def rsa_home(make_home):
    return make_home("rsa:2048")


@pytest.fixture
def ec_home(make_home):
    return make_home("ec:P-256")


