"""AES-128 segments, decrypted as they come (RFC 8216, 5.2)."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_SIZE = 16  # bytes
_BLOCK = 16


class BadCipher(ValueError):
    """A key, or an encrypted body, that cannot be right."""


class SegmentDecryptor:
    """CBC with PKCS7 padding (RFC 5652, 6.3); the last block waits until the end is known."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise BadCipher(f"a key of {len(key)} bytes, not {KEY_SIZE}")
        self._decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        self._last = b""  # decrypted, perhaps with padding
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """The bytes that can be decrypted so far; those of ``finish`` complete the segment."""
        self._size += len(data)
        plain = self._last + self._decryptor.update(data)
        self._last = plain[-_BLOCK:]
        return plain[:-_BLOCK]

    def finish(self) -> bytes:
        """The rest, without its padding. Raises BadCipher for a body of a broken length."""
        if self._size % _BLOCK or not self._size:
            raise BadCipher(f"an encrypted body of {self._size} bytes, not a multiple of {_BLOCK}")
        count = self._last[-1]
        padding = bytes([count]) * count
        if 1 <= count <= _BLOCK and self._last.endswith(padding):
            return self._last[:-count]
        return self._last  # some packagers do not pad: then all of it is media
