"""Password hashes, as `scheme$salt$hex`.

Sign-ups get scrypt with parameters that cost about one millisecond: real work, but cheap on purpose, since one process
serves everything and this is a test system. Seeded users get a plain salted SHA-256, so that 3,000 of them are made in
milliseconds; login accepts both. Not for use with real people's passwords.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable

SCRYPT_N = 512  # 1.0 ms and 512 KiB a hash; OWASP asks for 2**17


def scrypt_hash(password: str) -> str:
    salt = secrets.token_hex(16)
    return f"scrypt${salt}${_scrypt(password, salt)}"


def seeded_hash(password: str, *, salt: str) -> str:
    return f"sha256${salt}${_sha256(password, salt)}"


def matches(password: str, stored: str) -> bool:
    scheme, salt, expected = stored.split("$")
    return hmac.compare_digest(_SCHEMES[scheme](password, salt), expected)


def _scrypt(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=SCRYPT_N, r=8, p=1, dklen=32).hex()


def _sha256(password: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()


_SCHEMES: dict[str, Callable[[str, str], str]] = {"scrypt": _scrypt, "sha256": _sha256}
