"""Gzip (RFC 1952), unpacked as it comes, whether it was announced or not."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

MAGIC = b"\x1f\x8b\x08"  # 2.3.1, and the one method that there is
PIECE = 64 * 1024  # bytes that are unpacked at once: 0.3 ms
MOST_MEMBERS = 10_000  # per layer: programs that pack in blocks make one of every 64 KB


class BadGzip(ValueError):
    """Data that begins like gzip and is broken."""


class Gunzip:
    """One layer: bytes in, unpacked bytes out. A body that does not begin like gzip passes."""

    def __init__(self) -> None:
        self._head = b""
        self._passes: bool | None = None  # None: not known yet
        self._over = False  # only padding follows
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1

    @property
    def packed(self) -> bool:
        """True once it is known that the bytes are gzip."""
        return self._passes is False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bytes behind ``data``, in pieces of at most PIECE. Raises BadGzip."""
        if self._passes is None:
            data = self._head = self._head + data
            if len(data) < len(MAGIC) and MAGIC.startswith(data):
                return
            self._passes, self._head = not data.startswith(MAGIC), b""
        if self._passes:
            yield data
        else:
            yield from self._unpack(data)

    def finish(self) -> bytes:
        """The rest. Raises BadGzip if more should have come."""
        if self.packed and not self._over and not self._member.eof:
            raise BadGzip("the compressed data ends too early")
        return self._head

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        output = b""
        while (data or len(output) == PIECE) and not self._over:  # full: there may be more inside
            if self._member.eof:  # members may follow each other (2.2)
                self._over = not data.startswith(MAGIC[:1])
                if self._over:
                    return
                self._member = zlib.decompressobj(wbits=31)
                self._members += 1
                if self._members > MOST_MEMBERS:
                    raise BadGzip("the compressed data is in too many parts")
            try:
                output = self._member.decompress(data, PIECE)  # bounded, however small it was
            except zlib.error:
                raise BadGzip("the compressed data is broken") from None
            member = self._member
            data = member.unused_data if member.eof else member.unconsumed_tail
            yield output


def unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes behind one layer of gzip; other bytes pass unchanged. Raises BadGzip."""
    layer = Gunzip()
    for data in pieces:
        yield from layer.feed(data)
    if rest := layer.finish():
        yield rest


def whole(body: bytes, limit: int) -> bytes:
    """``body`` unpacked, to little more than ``limit`` bytes; unchanged if it is not gzip."""
    if not body.startswith(MAGIC):
        return body
    parts: list[bytes] = []
    size = 0
    try:
        # In pieces: zlib copies the rest of what it was given after each member.
        pieces = (body[start : start + PIECE] for start in range(0, len(body), PIECE))
        for part in unpacked(pieces):
            parts.append(part)
            size += len(part)
            if size > limit:
                break
    except BadGzip:
        return body
    return b"".join(parts)
