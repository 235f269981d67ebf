"""Long answers, rendered once and kept compressed: lists, guides, JSON.

Theory of operation. A list of 200,000 channels has 50 MB and takes a second to render. A greenlet
of its own renders it in slices, and all who ask meanwhile wait for that one. The result is kept as
deflate blocks that need nothing from each other (RFC 1951; a full flush after each): behind a gzip
header they are the compressed answer, and inflated one by one, as the client takes them, the plain
one.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Hashable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

import gevent
from cachetools import TTLCache
from flask import Response, request

from kptv.pace import Pace
from kptv.vitals.heartbeat import Heartbeat, beating

RENDER_DEADLINE = 30.0  # seconds that a client waits for a rendering; 1,000,000 channels take 10
BLOCK_SIZE = 64 * 1024  # bytes before compression; 0.2 ms to inflate
_SENT_AT_ONCE = 16  # compressed blocks, about 100 KB
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"  # RFC 1952: no name, no time


@dataclass(frozen=True, slots=True)
class Rendered:
    """A body ready to be sent, as it is and gzipped."""

    blocks: Sequence[bytes] = field(repr=False)  # raw deflate, each inflates alone
    length: int  # bytes, not compressed
    checksum: int  # CRC-32
    digest: str

    def plain(self) -> Iterator[bytes]:
        """The body, in pieces."""
        pace = Pace()
        for block in self.blocks:
            if data := zlib.decompressobj(wbits=-15).decompress(block):
                yield data
            pace()  # a client that takes all at once would keep the others waiting

    def gzipped(self) -> Iterator[bytes]:
        """The body gzipped, in pieces."""
        pace = Pace()
        yield _GZIP_HEADER
        for start in range(0, len(self.blocks), _SENT_AT_ONCE):
            yield b"".join(self.blocks[start : start + _SENT_AT_ONCE])
            pace()
        yield struct.pack("<LL", self.checksum, self.length & 0xFFFFFFFF)

    def gzipped_length(self) -> int:
        """Bytes of ``gzipped``."""
        return len(_GZIP_HEADER) + sum(map(len, self.blocks)) + 8


def prepare(pieces: Iterator[bytes]) -> Rendered:
    """The body made of ``pieces``; takes slices of time (see ``pace``)."""
    pace, deflate = Pace(), zlib.compressobj(1, wbits=-15)
    blocks, waiting = [], b""
    length = checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        length += len(piece)
        waiting += deflate.compress(piece)
        if length // BLOCK_SIZE != (length - len(piece)) // BLOCK_SIZE:
            blocks.append(waiting + deflate.flush(zlib.Z_FULL_FLUSH))
            waiting = b""
        pace()
    blocks.append(waiting + deflate.flush())
    digest = hashlib.sha256()
    for block in blocks:  # a twentieth of the body
        digest.update(block)
    return Rendered(blocks, length, checksum, digest.hexdigest()[:32])


def answer(rendered: Rendered, media_type: str) -> Response:
    """The answer to the current request: 304 if the client has it already, gzipped if it may be."""
    gzip = request.accept_encodings.quality("gzip") > 0
    etag = f"{rendered.digest}-gzip" if gzip else rendered.digest
    if request.if_none_match.contains_weak(etag):
        response = Response(status=304)
    else:
        response = _body(rendered, media_type, gzip)
    response.set_etag(etag)
    response.headers["Cache-Control"] = "no-cache"  # keep it, but ask each time whether it changed
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _body(rendered: Rendered, media_type: str, gzip: bool) -> Response:
    pieces = rendered.gzipped() if gzip else rendered.plain()
    response = Response(pieces, content_type=media_type)
    response.content_length = rendered.gzipped_length() if gzip else rendered.length
    if gzip:
        response.headers["Content-Encoding"] = "gzip"
    return response


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that can be rendered: what it is known by, and what gives its pieces."""

    key: Hashable
    pieces: Callable[[], Iterator[bytes]] = field(repr=False)


class _Rendering(NamedTuple):
    """A rendering that runs."""

    greenlet: gevent.Greenlet
    heartbeat: Heartbeat


class Renderings:
    """Renders each thing once for all who want it, and keeps the results for a while."""

    def __init__(self, most: int, duration: float) -> None:
        """At most ``most`` results are kept, for ``duration`` seconds; 0: none is."""
        self._cache: MutableMapping[Hashable, Rendered] = TTLCache(most, duration)
        self._running: dict[Hashable, _Rendering] = {}

    def __repr__(self) -> str:
        return f"<Renderings kept={len(self._cache)} running={len(self._running)}>"

    def get(self, find: Callable[[], Wanted | None]) -> Rendered | None:
        """The thing that ``find`` gives, rendered; waits while that is done.

        ``find`` is asked again if ``clear`` ends the rendering that is waited for. None if it finds
        nothing, the rendering fails, or nothing is ready in RENDER_DEADLINE.
        """
        with gevent.Timeout(RENDER_DEADLINE, False):
            while (wanted := find()) is not None:
                if (ready := self._cache.get(wanted.key)) is not None:
                    return ready
                running = self._running.get(wanted.key) or self.start(wanted)
                running.greenlet.join()
                if isinstance(running.greenlet.value, Rendered):
                    return running.greenlet.value
                if not running.greenlet.successful():
                    return None
        return None

    @property
    def alive(self) -> bool:
        """Whether no rendering hangs."""
        now = monotonic()
        return all(running.heartbeat.alive(now) for running in self._running.values())

    def start(self, wanted: Wanted) -> _Rendering:
        """Render it now, for those who will ask."""
        heartbeat = Heartbeat(monotonic())
        greenlet = gevent.spawn(self._render, wanted, heartbeat)
        running = self._running[wanted.key] = _Rendering(greenlet, heartbeat)
        return running

    def clear(self) -> None:
        """Drop all results, and end what is being rendered: everything has changed."""
        self._cache.clear()
        gevent.killall([running.greenlet for running in self._running.values()], block=False)
        self._running.clear()

    def _render(self, wanted: Wanted, heartbeat: Heartbeat) -> Rendered:
        try:
            ready = prepare(beating(wanted.pieces(), heartbeat))
            if self._is_mine(wanted.key):
                self._cache[wanted.key] = ready
            return ready
        finally:
            if self._is_mine(wanted.key):
                del self._running[wanted.key]

    def _is_mine(self, key: Hashable) -> bool:
        """Whether this greenlet renders ``key``: it may have been ended, and another begun."""
        running = self._running.get(key)
        return running is not None and running.greenlet is gevent.getcurrent()
