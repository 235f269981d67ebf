"""Guides unpacked as they come: gzip, xz and zip, told by their first bytes and never by a name."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kptv.formats.gzipped import MAGIC as _GZIP
from kptv.formats.gzipped import PIECE, BadGzip, Gunzip

_XZ = b"\xfd7zXZ\0"
_ZIP = b"PK\3\4"
_HEADERS = (_ZIP, b"PK\1\2")  # of a member, of the directory
_LONGEST_MAGIC = max(map(len, (_GZIP, _XZ, _ZIP)))
LAYERS = 2  # a packed file may be packed once more by the server
_XZ_MEMORY = 80 * 1024 * 1024  # bytes: what the largest preset of xz needs to unpack
_FREE = 16 * 1024 * 1024  # bytes that may be of any ratio: few programmes repeat themselves
_MOST_MEMBERS = 10_000  # of a zip or xz
_LOCAL_HEADER = struct.Struct("<6xHH8xIIHH")  # of a zip (APPNOTE 4.3.7)
_ENCRYPTED, _SIZE_FOLLOWS = 1, 8  # flags
_STORED, _DEFLATED = 0, 8  # methods


class BadPacking(ValueError):
    """A guide cannot be unpacked any further: what came before is good."""


@dataclass(frozen=True, slots=True)
class UnpackBounds:
    """How much may come out: bytes in all, and times what went in."""

    size: int = 2 * 1024**3
    ratio: int = 200  # real guides have 8 to 11


def unpacked(pieces: Iterable[bytes], bounds: UnpackBounds = UnpackBounds()) -> Iterator[bytes]:
    """The bytes of a guide, plain or packed, in pieces as small as PIECE. Raises BadPacking."""
    counted = _Counted(pieces)
    layers: Iterator[bytes] = iter(counted)
    for _ in range(LAYERS):
        layers = _one_layer(layers)
    size = 0
    for piece in layers:
        size += len(piece)
        if size > bounds.size:
            raise BadPacking(f"it is larger than {bounds.size >> 20} MB")
        if size > _FREE and size > counted.size * bounds.ratio:
            raise BadPacking(f"it is packed more than {bounds.ratio} to 1")
        yield piece


class _Counted:
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.size = 0  # bytes so far
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            for start in range(0, len(piece), PIECE):
                part = piece[start : start + PIECE]
                self.size += len(part)
                yield part


def _one_layer(pieces: Iterator[bytes]) -> Iterator[bytes]:
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= _LONGEST_MAGIC:
            break
    rest = _behind(head, pieces)
    if head.startswith(_GZIP):
        return _gunzipped(rest)
    if head.startswith(_XZ):
        return _unxzed(rest)
    return _unzipped(rest) if head.startswith(_ZIP) else rest


def _behind(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from pieces


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    layer = Gunzip()
    try:
        for piece in pieces:
            yield from layer.feed(piece)
        layer.finish()
    except BadGzip as error:
        raise BadPacking(str(error)) from None


def _unxzed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The streams of an xz file (2: they may follow each other, with zeros between)."""
    stream, data, streams = _xz_stream(), b"", 1
    for piece in pieces:
        data += piece
        while data or not stream.needs_input:
            if stream.eof:
                data = data.lstrip(b"\0")
                if len(data) < len(_XZ) and _XZ.startswith(data):
                    break  # more may come
                if not data.startswith(_XZ):
                    return  # rubbish behind the last
                stream, streams = _xz_stream(), streams + 1
                if streams > _MOST_MEMBERS:
                    raise BadPacking("the compressed data is in too many parts")
            try:
                output = stream.decompress(data, PIECE)
            except lzma.LZMAError:
                raise BadPacking("the compressed data is broken") from None
            data = stream.unused_data if stream.eof else b""
            if output:
                yield output
    if not stream.eof:
        raise BadPacking("the compressed data ends too early")


def _xz_stream() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


def _unzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The first .xml in a zip, by the headers before its members: its directory comes last."""
    source = _Source(pieces)
    for _ in range(_MOST_MEMBERS):
        header = source.exactly(_LOCAL_HEADER.size)
        if not header.startswith(_ZIP):
            break
        flags, method, packed_size, _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        name = source.exactly(name_length)
        source.exactly(extra_length)
        if flags & _ENCRYPTED:
            raise BadPacking("it is encrypted")
        if method == _DEFLATED:
            member = _inflated(source)
        elif method == _STORED and not flags & _SIZE_FOLLOWS:
            member = source.next(packed_size)
        else:
            raise BadPacking("it is packed by a method that is not known here")
        if name.lower().endswith(b".xml"):
            yield from member
            return
        for _ in member:
            pass
        if flags & _SIZE_FOLLOWS:
            source.skip_descriptor()
    raise BadPacking("there is no .xml in it")


def _inflated(source: _Source) -> Iterator[bytes]:
    """A member that tells its own end (RFC 1951). What is behind it goes back."""
    member = zlib.decompressobj(wbits=-15)
    data = b""
    while not member.eof:
        data = data or source.some()
        try:
            output = member.decompress(data, PIECE)
        except zlib.error:
            raise BadPacking("the compressed data is broken") from None
        data = member.unconsumed_tail
        yield output
    source.give_back(member.unused_data)


class _Source:
    """Bytes out of pieces, as many as are wanted. Raises BadPacking where they end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def some(self) -> bytes:
        """One byte or more."""
        data, self._rest = self._rest, b""
        while not data:
            try:
                data = next(self._pieces)
            except StopIteration:
                raise BadPacking("the compressed data ends too early") from None
        return data

    def give_back(self, data: bytes) -> None:
        self._rest = data + self._rest

    def exactly(self, size: int) -> bytes:
        """So many bytes: of a header, at most 64 KB."""
        return b"".join(self.next(size))

    def next(self, size: int) -> Iterator[bytes]:
        while size:
            data = self.some()
            if len(data) > size:
                self.give_back(data[size:])
            yield data[:size]
            size -= min(size, len(data))

    def skip_descriptor(self) -> None:
        """Checksum and sizes behind a member (4.3.9): of 32 or 64 bits, with or without magic."""
        data = self.exactly(28)  # of what follows there is more than that
        ends = (at for at in (12, 16, 20, 24) if data[at : at + 4] in _HEADERS)
        self.give_back(data[next(ends, 12) :])
