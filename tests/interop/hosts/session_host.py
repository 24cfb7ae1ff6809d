"""A program that keeps one session with a token. Arguments: the module and the token's label. It says which mechanisms the
token has. Then, for each line of standard input, a mechanism with its parameter and what to sign, it looks for the key that is
there now, signs, and answers with the SHA-1 of the certificate and the signature; or with what went wrong. All in hexadecimal."""

import hashlib
import sys

from pkcs11 import CKO_CERTIFICATE, CKO_PRIVATE_KEY, Error, Module


def answer(session, mechanism, parameter, data):
    (key,) = session.find(CLASS=CKO_PRIVATE_KEY)
    (certificate,) = session.find(CLASS=CKO_CERTIFICATE, ID=session.attribute(key, "ID"))
    signature = session.sign(key, int(mechanism, 16), bytes.fromhex(data), bytes.fromhex(parameter))
    return f"{hashlib.sha1(session.attribute(certificate, 'VALUE')).hexdigest()} {signature.hex()}"


with Module(sys.argv[1]) as module:
    (slot,) = [slot for slot in module.slots() if module.token_info(slot).label.decode().strip() == sys.argv[2]]
    session = module.open(slot)
    print("mechanisms", *[f"{mechanism:x}" for mechanism in module.mechanisms(slot)], flush=True)
    for line in sys.stdin:
        try:
            print(answer(session, *line.rstrip("\n").split(",")), flush=True)
        except Error as error:
            print(error, flush=True)
