"""Secrets as they are kept: nobody who reads the file has one."""

from __future__ import annotations

import secrets
from hashlib import scrypt, sha256

from kptv.channels.users.names import ALPHABET, MADE_LENGTH

SALT_LENGTH = 16  # bytes
DIGEST_LENGTH = 32
_COST = 1 << 14  # with blocks of 8 times 128 bytes: 16 MiB and some 50 ms a time
_BLOCKS = 8


def new_secret() -> str:
    """A secret that nobody can guess, made of what is easy to type on a television."""
    return "".join(secrets.choice(ALPHABET) for _ in range(MADE_LENGTH))


def new_salt() -> bytes:
    """What makes equal typed secrets of different users look different."""
    return secrets.token_bytes(SALT_LENGTH)


def digest_of(made: str) -> bytes:
    """The digest of a made secret: 99 random bits need no slow one."""
    return sha256(made.encode("utf-8", "replace")).digest()


def slow_digest_of(typed: str, salt: bytes) -> bytes:
    """The digest of a typed secret: slow, so that guesses are; it lets other threads run."""
    text = typed.encode("utf-8", "replace")
    return scrypt(text, salt=salt, n=_COST, r=_BLOCKS, p=1, dklen=DIGEST_LENGTH)
