"""A program that keeps running: it opens one session, and signs each line that it reads with the identity of the moment.

    watch.py MODULE

Answers each line with a line of JSON: the certificate (DER) and the signature, in hexadecimal.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/interop"))
from pkcs11 import CKM_SHA256_RSA_PKCS, CKO_CERTIFICATE, CKO_PRIVATE_KEY, Module  # noqa: E402


def main():
    with Module(sys.argv[1]) as module:
        session = module.open(module.slots()[0])
        for line in sys.stdin:
            # Looked for anew each time: that is all that a program has to do to follow a renewal.
            (key,) = session.find(CLASS=CKO_PRIVATE_KEY)
            (certificate,) = session.find(CLASS=CKO_CERTIFICATE, ID=session.attribute(key, "ID"))
            signature = session.sign(key, CKM_SHA256_RSA_PKCS, line.rstrip("\n").encode())
            answer = {"certificate": session.attribute(certificate, "VALUE").hex(), "signature": signature.hex()}
            print(json.dumps(answer), flush=True)


main()
