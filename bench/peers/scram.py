"""What servers keep of a password (RFC 5802 §3), for accounts that are written to their stores."""

import base64
import dataclasses
import functools
import hashlib
import hmac


@dataclasses.dataclass(frozen=True)
class Keys:
    """Of SCRAM-SHA-1."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


@functools.cache
def keys(password, iterations):
    """All accounts have the same salt: nothing is computed twice, and no run differs from the
    next."""
    salt = base64.b64encode(hashlib.sha256(b"bench").digest()[:12])
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha1")
    return Keys(
        salt=salt,
        iterations=iterations,
        stored_key=hashlib.sha1(client_key).digest(),
        server_key=hmac.digest(salted, b"Server Key", "sha1"),
    )
