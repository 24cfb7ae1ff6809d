"""PKCS#11 through ctypes: enough to look into a module from Python."""

import ctypes
import struct
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_ubyte, c_ulong, c_void_p, create_string_buffer

FUNCTIONS = """Initialize Finalize GetInfo GetFunctionList GetSlotList GetSlotInfo GetTokenInfo GetMechanismList
GetMechanismInfo InitToken InitPIN SetPIN OpenSession CloseSession CloseAllSessions GetSessionInfo GetOperationState
SetOperationState Login Logout CreateObject CopyObject DestroyObject GetObjectSize GetAttributeValue SetAttributeValue
FindObjectsInit FindObjects FindObjectsFinal EncryptInit Encrypt EncryptUpdate EncryptFinal DecryptInit Decrypt
DecryptUpdate DecryptFinal DigestInit Digest DigestUpdate DigestKey DigestFinal SignInit Sign SignUpdate SignFinal
SignRecoverInit SignRecover VerifyInit Verify VerifyUpdate VerifyFinal VerifyRecoverInit VerifyRecover
DigestEncryptUpdate DecryptDigestUpdate SignEncryptUpdate DecryptVerifyUpdate GenerateKey GenerateKeyPair WrapKey
UnwrapKey DeriveKey SeedRandom GenerateRandom GetFunctionStatus CancelFunction WaitForSlotEvent""".split()

CKA = {
    "CLASS": 0x0, "TOKEN": 0x1, "PRIVATE": 0x2, "LABEL": 0x3, "UNIQUE_ID": 0x4, "VALUE": 0x11, "CERTIFICATE_TYPE": 0x80,
    "ISSUER": 0x81, "SERIAL_NUMBER": 0x82, "TRUSTED": 0x86, "CERTIFICATE_CATEGORY": 0x87, "JAVA_MIDP_SECURITY_DOMAIN": 0x88,
    "URL": 0x89, "HASH_OF_SUBJECT_PUBLIC_KEY": 0x8A, "HASH_OF_ISSUER_PUBLIC_KEY": 0x8B, "NAME_HASH_ALGORITHM": 0x8C,
    "CHECK_VALUE": 0x90, "KEY_TYPE": 0x100,
    "SUBJECT": 0x101, "ID": 0x102, "SENSITIVE": 0x103, "ENCRYPT": 0x104, "DECRYPT": 0x105, "WRAP": 0x106, "UNWRAP": 0x107,
    "SIGN": 0x108, "SIGN_RECOVER": 0x109, "VERIFY": 0x10A, "VERIFY_RECOVER": 0x10B, "DERIVE": 0x10C, "START_DATE": 0x110,
    "END_DATE": 0x111, "MODULUS": 0x120, "MODULUS_BITS": 0x121, "PUBLIC_EXPONENT": 0x122, "PRIVATE_EXPONENT": 0x123,
    "PRIME_1": 0x124, "PRIME_2": 0x125, "EXPONENT_1": 0x126, "EXPONENT_2": 0x127, "COEFFICIENT": 0x128,
    "PUBLIC_KEY_INFO": 0x129, "EXTRACTABLE": 0x162, "LOCAL": 0x163, "NEVER_EXTRACTABLE": 0x164, "ALWAYS_SENSITIVE": 0x165,
    "KEY_GEN_MECHANISM": 0x166, "MODIFIABLE": 0x170, "COPYABLE": 0x171, "DESTROYABLE": 0x172, "EC_PARAMS": 0x180,
    "EC_POINT": 0x181, "ALWAYS_AUTHENTICATE": 0x202, "WRAP_WITH_TRUSTED": 0x210,
}
CKO_DATA, CKO_CERTIFICATE, CKO_PUBLIC_KEY, CKO_PRIVATE_KEY = range(4)
CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS, CKM_ECDSA = 0x1, 0xD, 0x40, 0x1041
CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256 = 0x43, 0x1044
CKM_SHA256, CKG_MGF1_SHA256 = 0x250, 0x2
CKF_LOGIN_REQUIRED, CKF_SERIAL_SESSION, CKF_OS_LOCKING_OK = 0x4, 0x4, 0x2
CKU_USER = 1
CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID = 0x11, 0x12
UNAVAILABLE = ctypes.c_ulong(-1).value


class Error(Exception):
    def __init__(self, function, rv):
        super().__init__(f"C_{function} answered 0x{rv:x}")
        self.rv = rv


class InitializeArgs(Structure):
    """The specification's pReserved stands where NSS has its LibraryParameters, so one structure serves both."""
    _fields_ = [("create", c_void_p), ("destroy", c_void_p), ("lock", c_void_p), ("unlock", c_void_p),
                ("flags", c_ulong), ("parameters", c_char_p), ("reserved", c_void_p)]


class TokenInfo(Structure):
    _fields_ = [("label", c_char * 32), ("manufacturer", c_char * 32), ("model", c_char * 16), ("serial", c_char * 16),
                ("flags", c_ulong), ("counts", c_ulong * 10), ("hardware", c_ubyte * 2), ("firmware", c_ubyte * 2),
                ("time", c_char * 16)]


class Attribute(Structure):
    _fields_ = [("type", c_ulong), ("value", c_void_p), ("length", c_ulong)]


class Mechanism(Structure):
    _fields_ = [("type", c_ulong), ("parameter", c_void_p), ("length", c_ulong)]


def ulong(number):
    return struct.pack("@L", number)


class Module:
    """A loaded module, initialised until it is closed."""

    def __init__(self, path, parameters=None):
        self.library = ctypes.CDLL(str(path))
        table = c_void_p()
        self._check("GetFunctionList", self.library.C_GetFunctionList(byref(table)))
        pointers = ctypes.cast(table.value + ctypes.sizeof(c_void_p), POINTER(c_void_p))  # CK_VERSION comes first, padded
        prototype = ctypes.CFUNCTYPE(c_ulong, use_errno=False)
        self.functions = {name: prototype(pointers[i]) for i, name in enumerate(FUNCTIONS)}
        arguments = InitializeArgs(flags=CKF_OS_LOCKING_OK, parameters=parameters.encode() if parameters else None)
        self.call("Initialize", byref(arguments))

    @staticmethod
    def _check(function, rv):
        if rv != 0:
            raise Error(function, rv)

    def call(self, name, *arguments):
        self._check(name, self.functions[name](*(c_ulong(a) if isinstance(a, int) else a for a in arguments)))

    def close(self):
        self.call("Finalize", None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _list(self, name, *arguments):
        count = c_ulong()
        self.call(name, *arguments, None, byref(count))
        values = (c_ulong * count.value)()
        self.call(name, *arguments, values, byref(count))
        return list(values)[:count.value]

    def slots(self):
        """Those with a token."""
        return self._list("GetSlotList", c_ubyte(1))

    def mechanisms(self, slot):
        return self._list("GetMechanismList", slot)

    def token_info(self, slot):
        info = TokenInfo()
        self.call("GetTokenInfo", slot, byref(info))
        return info

    def open(self, slot, password=None):
        session = c_ulong()
        self.call("OpenSession", slot, CKF_SERIAL_SESSION, None, None, byref(session))
        if password is not None:
            pin = password.encode()
            self.call("Login", session.value, CKU_USER, pin, len(pin))
        return Session(self, session.value)


class Session:
    def __init__(self, module, handle):
        self.module, self.handle = module, handle

    def call(self, name, *arguments):
        self.module.call(name, self.handle, *arguments)

    def find(self, **template):
        """Handles of the objects with these attributes; a number is a CK_ULONG."""
        buffers = [ulong(v) if isinstance(v, int) else v for v in template.values()]
        attributes = (Attribute * len(buffers))(*(
            Attribute(CKA[name], ctypes.cast(c_char_p(value), c_void_p), len(value))
            for name, value in zip(template, buffers)))
        self.call("FindObjectsInit", attributes, len(buffers))
        found = (c_ulong * 64)()
        count, handles = c_ulong(1), []
        while count.value:
            self.call("FindObjects", found, 64, byref(count))
            handles += list(found)[:count.value]
        self.call("FindObjectsFinal")
        return handles

    def attribute(self, handle, name):
        """The value; None where the object has no such attribute or it is empty, "sensitive" where it is kept back."""
        attribute = Attribute(CKA[name], None, 0)
        try:
            self.call("GetAttributeValue", handle, byref(attribute), 1)
        except Error as error:
            if error.rv == CKR_ATTRIBUTE_SENSITIVE:
                return "sensitive"
            if error.rv == CKR_ATTRIBUTE_TYPE_INVALID:
                return None
            raise
        if attribute.length in (0, UNAVAILABLE):
            return None
        buffer = create_string_buffer(attribute.length)
        attribute.value = ctypes.cast(buffer, c_void_p)
        self.call("GetAttributeValue", handle, byref(attribute), 1)
        return buffer.raw[:attribute.length]

    def attributes(self, handle):
        return {name: value for name in CKA if (value := self.attribute(handle, name)) is not None}

    def sign(self, key, mechanism, data, parameter=b""):
        self.call("SignInit", byref(Mechanism(mechanism, ctypes.cast(parameter, c_void_p) if parameter else None, len(parameter))), key)
        buffer, length = create_string_buffer(1024), c_ulong(1024)
        self.call("Sign", data, len(data), buffer, byref(length))
        return buffer.raw[:length.value]

    def verify(self, key, mechanism, data, signature):
        self.call("VerifyInit", byref(Mechanism(mechanism, None, 0)), key)
        self.call("Verify", data, len(data), signature, len(signature))
