"""Draws docs/browser-login.png: what Chromium shows of a page that demands the device's certificate, which it has by our
module only.

    browser.py BUILD_DIR FOLDER-OF-NODE_MODULES

The picture holds nothing that differs from one run to the next.
"""

import os
import pathlib
import shutil
import sys
import tempfile

top = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(top / "tests/interop"), str(top / "tests/browsers")]
from browsers import Chromium  # noqa: E402
from programs import Nginx  # noqa: E402
from stores import LEAF_NAME, Pki  # noqa: E402

# In nginx's configuration, between single quotes.
PAGE = """<!doctype html><title>Portal</title><link rel=icon href=data:,>
<style>
  body { margin: 0; height: 100vh; display: grid; place-items: center; background: #eef1f5; color: #1f2933;
         font: 16px DejaVu Sans, sans-serif }
  main { width: 640px; padding: 28px 40px 32px; background: #fff; border-radius: 10px; border-top: 6px solid #2f855a }
  h1 { margin: 0 0 6px; font-size: 26px }
  p { margin: 0 0 20px; color: #52606d }
  dl { display: grid; grid-template-columns: 110px auto; gap: 9px 12px; margin: 0 }
  dt { color: #7b8794 }
  dd { margin: 0 }
</style>
<main>
<h1>&#10003; Signed in by this device</h1>
<p>The portal asked the browser for a certificate, and got this one:</p>
<dl>
<dt>Certificate<dd>$ssl_client_s_dn
<dt>Issued by<dd>$ssl_client_i_dn
<dt>Verified<dd>$ssl_client_verify
<dt>Connection<dd>$ssl_protocol
</dl>
</main>"""
NAME = LEAF_NAME.replace("–", "-")  # nginx would show the dash as three escaped bytes
LOCATION = f"""default_type "text/html; charset=utf-8"; return 200 '{PAGE}';"""


def main():
    build, os.environ["DEVTRUST_BROWSER_DRIVER"] = pathlib.Path(sys.argv[1]).resolve(), str(pathlib.Path(sys.argv[2]).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # root starts the browser as a user who is not
        module = shutil.copy(build / "lib/devtrust-pkcs11.so", folder)
        device, web = Pki(folder / "device"), Pki(folder / "web", "ec:P-256", "Web Root", "Web Issuer")
        server = web.issue("ec:P-256", "localhost", extensions="server")
        nginx = Nginx(folder / "nginx", server, device.root.certificate, location=LOCATION)
        browser = Chromium(folder / "home", web.root.certificate, device.issue(name=NAME))
        try:
            browser.add_module(module)
            browser.start()
            picture = folder / "page.png"
            page = browser.open(f"https://localhost:{nginx.port}/", screenshot=str(picture))
            if page["status"] != 200 or NAME not in page["text"] or "SUCCESS" not in page["text"]:
                sys.exit(f"browser: the page is not the one that the certificate opens: {page}")
            browser.close()
            shutil.copyfile(picture, top / "docs/browser-login.png")
        finally:
            browser.kill()
            nginx.close()


if __name__ == "__main__":
    main()
