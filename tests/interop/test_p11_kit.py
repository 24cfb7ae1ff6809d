"""p11-kit: its list of modules, its proxy and its remoting."""

import pytest

from programs import uri


@pytest.fixture
def home(rsa_home, p11_kit_module):
    rsa_home.add_to_p11_kit(p11_kit_module)
    return rsa_home


def test_lists_the_module(home, p11_kit_module):
    text = home.run(["p11-kit", "list-modules"]).stdout
    ours = text[text.index("devtrust:"):]
    assert f"devtrust: {p11_kit_module}\n" in ours and "token: JumpCloud Device Trust\n" in ours, text


def test_lists_the_module_with_a_broken_store(make_home, module):
    """A program that lists all modules must not suffer from ours."""
    home = make_home("ec:P-256", fresh=True)
    home.add_to_p11_kit(module)
    for name in ("cert9.db", "key4.db"):
        home.write(f".pki/nssdb/{name}", b"no database" * 100)
    text = home.run(["p11-kit", "list-modules"]).stdout
    assert "devtrust:" in text and "p11-kit-trust:" in text and "couldn't" not in text, text


def test_signs_through_the_remoting(home, module):
    """As sandboxed programs reach it: p11-kit server outside, p11-kit-client inside."""
    script = """
        eval "$(p11-kit server --provider "$1" "$2")"
        p11tool --provider "$(pkg-config --variable=p11_module_path p11-kit-1)/p11-kit-client.so" --test-sign "$3"
        status=$?
        kill "$P11_KIT_SERVER_PID"
        exit "$status"
    """
    text = home.run(["sh", "-c", script, "sh", module, "pkcs11:token=JumpCloud%20Device%20Trust", uri("private")],
                    variables={"XDG_RUNTIME_DIR": home.folder}).stdout
    assert "Verifying against public key in the token... ok" in text, text
