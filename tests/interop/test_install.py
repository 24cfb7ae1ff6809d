"""What `cmake --install` and the packages put where, what installing changes (nothing), and life after it is all gone."""

import fnmatch
import functools
import os
import pathlib
import re
import shutil

import pytest

from programs import run

BUILD = pathlib.Path(os.environ["DEVTRUST_BUILD_TREE"])


@pytest.fixture(scope="module")
def packages(session_folder):
    """The .deb and the .rpm that `./dev package` made."""
    folder = shutil.copytree(os.environ["DEVTRUST_PACKAGES"], session_folder / "packages", ignore=shutil.ignore_patterns("_*"))
    (deb,), (rpm,) = folder.glob("*.deb"), folder.glob("*.rpm")
    return {"deb": deb, "rpm": rpm}


def rpm(package, *query):
    """It makes a database in the home directory, whatever it is asked."""
    return run(["rpm", "-qp", *query, package], home=package.parent).stdout


def names(package):
    if package.suffix == ".deb":
        lines = run(["dpkg-deb", "--fsys-tarfile", package], text=False).stdout
        listed = run(["tar", "-t"], text=False, input=lines).stdout.decode().splitlines()
        return {name[1:] for name in listed if not name.endswith("/")}
    lines = rpm(package, "--qf", "[%{FILEMODES:perms} %{FILENAMES}\\n]").splitlines()
    return {line.split(" ", 1)[1] for line in lines if line[0] != "d" and "/.build-id/" not in line}


def moved(text, places):
    """With each of the places replaced, in their order."""
    return functools.reduce(lambda sofar, place: sofar.replace(*place), places.items(), text)


@pytest.fixture
def installed(folder):
    """A tree of its own, as `./dev install --prefix` makes it."""
    prefix = folder / "prefix"
    run(["cmake", "--install", BUILD, "--prefix", prefix], home=folder)
    return prefix


def test_the_packages_have_all_there_is(packages):
    deb = names(packages["deb"])
    for name in ("/bin/devtrust", "/bin/devtrust-smimesign", "/bin/devtrust-keyholder", "/pkcs11/devtrust-pkcs11.so", "/pkcs11/devtrust-p11-kit.so",
                 "/ossl-modules/devtrust.so", "/devtrust/openssl/devtrust.cnf", "/devtrust/openssl/devtrust.include.cnf",
                 "/devtrust/p11-kit/devtrust.module", "/devtrust/java/devtrust.cfg", "/devtrust/java/devtrust.security",
                 "/lib/systemd/user/devtrust-p11-kit.socket", "/lib/systemd/user/devtrust-p11-kit.service",
                 "/lib/systemd/user/devtrust-keyholder.socket", "/lib/systemd/user/devtrust-keyholder.service",
                 "/devtrust/launchd/org.devtrust.keyholder.plist",
                 "/man/man1/devtrust.1", "/man/man1/devtrust-smimesign.1", "/man/man1/devtrust-keyholder.1",
                 "/bash-completion/completions/devtrust", "/_devtrust", "/doc/devtrust/docs/messages.md"):
        assert any(path.endswith(name) for path in deb), f"{name} is not in {sorted(deb)}"
    multiarch = run(["dpkg-architecture", "-qDEB_HOST_MULTIARCH"]).stdout.strip()
    places = {"/lib64/": f"/lib/{multiarch}/", "/zsh/site-functions/": "/zsh/vendor-completions/"}
    assert deb == {moved(path, places) for path in names(packages["rpm"])}


def test_the_packages_need_the_distributions_libcrypto(packages):
    """So that its security updates are ours."""
    assert "libssl3" in run(["dpkg-deb", "-f", packages["deb"], "Depends"]).stdout
    assert "libcrypto.so.3" in rpm(packages["rpm"], "--requires")


@pytest.mark.parametrize("name", ["bin/devtrust", "bin/devtrust-smimesign", "lib/pkcs11/devtrust-pkcs11.so",
                                  "lib/ossl-modules/devtrust.so"])
def test_the_archive_needs_no_library_but_cs(archive, name):
    """OpenSSL's is inside: what a machine has of it may be too old, or of another kind."""
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run(["readelf", "--wide", "--dynamic", archive / name]).stdout)
    assert "libc.so.6" in needed
    assert set(needed) <= {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


@pytest.mark.parametrize("key", ["rsa:2048", "ec:P-256"])
def test_the_archives_command_and_provider_work(archive, make_home, root_server, web_pki, key):
    """Beside the libcrypto of the program that loads the provider, which is another one."""
    home = make_home(key, fresh=True)
    home.run([archive / "bin/devtrust", "setup", "git"])
    home.run(["git", "init", "-q", "."])
    home.run(["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-S", "-m", "one"])
    assert home.run(["git", "log", "--format=%G?"]).stdout == "G\n"

    places = {"/usr/local/share/devtrust/openssl": str(home.folder), "/usr/local": str(archive)}
    for path in (archive / "share/devtrust/openssl").iterdir():
        home.write(path.name, moved(path.read_text(), places))
    home.run([archive / "bin/devtrust", "pem", "-o", home.folder / "device"])
    said = home.run(["curl", "-sS", "--cacert", web_pki.root.certificate, "--cert", "device/chain.pem", "--key", "device/key.pem",
                     f"https://localhost:{root_server.port}/"], variables={"OPENSSL_CONF": home.folder / "devtrust.cnf"}).stdout
    assert said == f"client SUCCESS {home.leaf.sha1()}\n"


def test_ssh_agent_accepts_the_module(packages):
    """Its allow-list (ssh-agent(1), -P), for a package below /usr or /usr/local."""
    module = next(path for path in names(packages["deb"]) if path.endswith("devtrust-pkcs11.so"))
    assert fnmatch.fnmatch(module, "/usr/lib*/*") or fnmatch.fnmatch(module, "/usr/local/lib*/*"), module


def test_installing_sets_nothing_up(packages):
    """No file lies where a program would find it by itself: only what somebody has to name, or, a unit, to enable."""
    ours = re.compile(r"/usr(/local)?/(bin/devtrust(-smimesign|-keyholder)?|lib\S*/(pkcs11/devtrust-\S+|ossl-modules/devtrust\.so"
                      r"|cmake/devtrust/\S+)|share/(devtrust|doc/devtrust)/\S+|share/man/man1/devtrust\S*"
                      r"|lib/systemd/user/devtrust-(p11-kit|keyholder)\.(socket|service)"
                      r"|share/bash-completion/completions/devtrust\S*|share/zsh/(site-functions|vendor-completions)/_devtrust\S*)")
    for package in packages.values():
        assert [name for name in names(package) if not ours.fullmatch(name)] == []
    scripts = run(["dpkg-deb", "-I", packages["deb"]]).stdout
    assert "prerm" in scripts and "postinst" not in scripts and "preinst" not in scripts
    assert re.findall(r"^(\w+) scriptlet", rpm(packages["rpm"], "--scripts"), re.M) == ["preuninstall"]


@pytest.mark.parametrize("kind, removal, upgrade", [("deb", ["remove"], ["upgrade", "99"]), ("rpm", ["0"], ["1"])])
def test_removal_undoes_the_system_setup(packages, programs, make_home, folder, kind, removal, upgrade):
    """The package's own script, as dpkg and rpm run it; git's system file is one of the test's."""
    if kind == "deb":
        run(["dpkg-deb", "-e", packages["deb"], folder / "control"])
        script = (folder / "control/prerm").read_text()
    else:
        script = rpm(packages["rpm"], "--scripts").split("\n", 1)[1]
    home = make_home("ec:P-256", fresh=True)
    config = home.write("gitconfig", "[core]\n\tpager = cat\n")
    variables = {"GIT_CONFIG_SYSTEM": config, "PATH": f"{programs}:{os.environ['PATH']}"}
    home.run([programs / "devtrust", "setup", "git", "--system", "--no-trust"], variables=variables)
    set_up = config.read_text()
    assert "devtrust:jumpcloud" in set_up
    home.run(["sh", "-s", *upgrade], input=script, variables=variables)
    assert config.read_text() == set_up, "an upgrade is no removal"
    said = home.run(["sh", "-s", *removal], input=script, variables=variables).stdout
    assert config.read_text() == "[core]\n\tpager = cat\n", said
    assert home.run(["sh", "-s", *removal], input=script, variables=variables).returncode == 0


def test_a_removal_that_cannot_undo_goes_on_and_says_so(packages, programs, make_home, folder):
    run(["dpkg-deb", "-e", packages["deb"], folder / "control"])
    home = make_home("ec:P-256", fresh=True)
    config = home.write("gitconfig", "# <<< devtrust setup git\n")
    ended = home.run(["sh", "-s", "remove"], input=(folder / "control/prerm").read_text(),
                     variables={"GIT_CONFIG_SYSTEM": config, "PATH": f"{programs}:{os.environ['PATH']}"})
    assert "one of the two comments" in ended.stdout.replace("\n", " ") and "stays, for the reason above" in ended.stdout


def test_programs_start_when_our_files_are_gone(installed, make_home, root_server, web_pki):
    """Each is set up by hand as README.md has it, uses the certificate, and still starts after everything was deleted."""
    home = make_home("ec:P-256", fresh=True)
    shared = installed / "share/devtrust"
    home.write(".config/pkcs11/modules/devtrust.module", (shared / "p11-kit/devtrust.module").read_text())
    config = home.write("openssl.cnf", pathlib.Path("/etc/ssl/openssl.cnf").read_text() +
                        f".include {shared}/openssl/devtrust.include.cnf\n")
    included = {"OPENSSL_CONF": config}
    named = {"OPENSSL_CONF": shared / "openssl/devtrust.cnf"}
    home.run([installed / "bin/devtrust", "setup", "git"])
    home.run([installed / "bin/devtrust", "pem", "-o", home.folder / "device"])
    home.run(["git", "init", "-q", "repository"])
    commit = ["git", "-C", "repository", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q",
              "--allow-empty", "-m", "message"]
    login = ["curl", "-sS", "--cacert", web_pki.root.certificate, "--cert", "device/chain.pem", "--key", "device/key.pem",
             f"https://localhost:{root_server.port}/"]

    assert "JumpCloud Device Trust" in home.run(["p11-kit", "list-modules"]).stdout
    assert home.run([*commit, "-S"]).returncode == 0
    for variables in (included, named):
        assert "devtrust" in home.run(["openssl", "list", "-providers"], variables=variables).stdout
        assert home.run(login, variables=variables).stdout == f"client SUCCESS {home.leaf.sha1()}\n"

    shutil.rmtree(installed)

    assert "p11-kit-trust" in home.run(["p11-kit", "list-modules"]).stdout
    assert home.run(["p11tool", "--list-tokens"]).returncode == 0
    assert home.run(["git", "-C", "repository", "log", "--oneline"]).stdout.count("\n") == 1
    assert home.run(commit).returncode == 0
    refused = home.run([*commit, "-S"], check=False)
    assert refused.returncode != 0 and "devtrust-smimesign" in refused.stdout, "says which program is missing"
    for variables in (included, named):
        assert home.run(["openssl", "dgst", "-sha256", config], variables=variables).stdout.startswith("SHA2-256(")
        ended = home.run(["curl", "-sS", "--cacert", web_pki.root.certificate, f"https://localhost:{root_server.port}/"],
                         variables=variables)
        assert "400 No required SSL certificate" in ended.stdout, "a handshake, without the certificate"
