"""Long answers, rendered once and kept compressed: lists, guides, JSON.

Theory of operation. A list of 200,000 channels has 50 MB and takes a second to render. A greenlet
of its own renders it in slices, and all who ask meanwhile wait for that one. The result is kept as
deflate blocks that need nothing from each other (RFC 1951; a full flush after each): behind a gzip
header they are the compressed answer, and inflated one by one, as the client takes them, the plain
one.

What is rendered for users has a mark where each has something of its own, as an address with a
secret: OWN_BASE, or others of ``new_mark``. All whose rights are the same share one rendering: it
is put in while it is sent, block by block. Tags are made without marks, so that processes that are
given the same key (``TAG_KEY``) tag the same answers alike.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

import gevent
from cachetools import TTLCache
from flask import Response, current_app, request

from kptv.pace import Pace, one_by_one
from kptv.vitals.heartbeat import Heartbeat, beating
from kptv.web.caller import CallerKind, caller

RENDER_DEADLINE = 30.0  # seconds that a client waits for a rendering; 1,000,000 channels take 10
BLOCK_SIZE = 64 * 1024  # bytes before compression; 0.2 ms to inflate
_SENT_AT_ONCE = 16  # compressed blocks, about 100 KB
TAG_KEY = "tag_key"  # among an application's extensions: gives the key; without it, it is ours
_PROCESS_KEY = secrets.token_bytes(32)
_LENGTH, _CALLED = 39, 7  # bytes of a mark, and those by which it is called in each process
_MARKS: list[bytes] = []
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"  # RFC 1952: no name, no time

Own = Mapping[str, str]  # what a caller has for marks
NOTHING: Own = {}


def new_mark() -> str:
    """A text that stands in renderings for something of the caller's own.

    No list can contain it, as it is another one in each process; letters and digits alone, as no
    format changes these.
    """
    mark = f"own{len(_MARKS):04}{secrets.token_hex(16)}"
    _MARKS.append(mark.encode())
    return mark


OWN_BASE = new_mark()  # for what is before the paths of a caller's links


@dataclass(frozen=True, slots=True)
class Rendered:
    """A body ready to be sent, as it is and gzipped."""

    blocks: Sequence[bytes] = field(repr=False)  # raw deflate, each inflates alone
    length: int  # bytes, not compressed
    checksum: int  # CRC-32
    digest: str
    marks: Mapping[bytes, int] = field(default_factory=dict)  # how often it has each

    def plain(self, base: str = "", more: Own = NOTHING) -> Iterator[bytes]:
        """The body, in pieces, with ``base`` for OWN_BASE, and ``more`` for other marks."""
        return one_by_one(self._with(base, more)) if self.marks else self._inflated_in_turns()

    def plain_length(self, base: str = "", more: Own = NOTHING) -> int:
        """Bytes of ``plain``."""
        own = self._own(base, more)
        return self.length + sum(
            count * (len(own[mark]) - _LENGTH) for mark, count in self.marks.items()
        )

    def gzipped(self, base: str = "", more: Own = NOTHING) -> Iterator[bytes]:
        """The body gzipped, in pieces."""
        return self._deflated_again(base, more) if self.marks else self._as_kept()

    def gzipped_length(self) -> int | None:
        """Bytes of ``gzipped``; None: nobody knows before it is sent."""
        return None if self.marks else len(_GZIP_HEADER) + sum(map(len, self.blocks)) + 8

    def digest_for(self, base: str, more: Own = NOTHING, key: bytes = _PROCESS_KEY) -> str:
        """Another one for each caller, if something of its own is in the body.

        It tells nothing of that to whoever does not know the ``key``.
        """
        if not self.marks:
            return self.digest
        told = b" ".join([self.digest.encode(), *self._own(base, more).values()])
        return hmac.new(key, told, hashlib.sha256).hexdigest()[:32]

    def _own(self, base: str, more: Own) -> dict[bytes, bytes]:
        """What is to be put in, by mark: of those that are in the body."""
        own = {OWN_BASE: base, **more}
        return {mark: own[mark.decode()].encode() for mark in self.marks}

    def _inflated(self) -> Iterator[bytes]:
        for block in self.blocks:
            if data := zlib.decompressobj(wbits=-15).decompress(block):
                yield data

    def _inflated_in_turns(self) -> Iterator[bytes]:
        pace = Pace()
        for data in self._inflated():
            yield data
            pace()  # a client that takes all at once would keep the others waiting

    def _with(self, base: str, more: Own) -> Iterator[bytes]:
        pieces = self._inflated()
        for mark, own in self._own(base, more).items():
            pieces = _put_in(pieces, mark, own)
        return pieces

    def _as_kept(self) -> Iterator[bytes]:
        pace = Pace()
        yield _GZIP_HEADER
        for start in range(0, len(self.blocks), _SENT_AT_ONCE):
            yield b"".join(self.blocks[start : start + _SENT_AT_ONCE])
            pace()
        yield _gzip_end(self.checksum, self.length)

    def _deflated_again(self, base: str, more: Own) -> Iterator[bytes]:
        yield _GZIP_HEADER  # at once: who waits for its turn may time out
        yield from one_by_one(self._deflated(base, more))

    def _deflated(self, base: str, more: Own) -> Iterator[bytes]:
        deflate, checksum = zlib.compressobj(1, wbits=-15), 0
        for data in self._with(base, more):
            checksum = zlib.crc32(data, checksum)
            if packed := deflate.compress(data):
                yield packed
        yield deflate.flush()
        yield _gzip_end(checksum, self.plain_length(base, more))


def _gzip_end(checksum: int, length: int) -> bytes:
    return struct.pack("<LL", checksum, length & 0xFFFFFFFF)


def _put_in(pieces: Iterator[bytes], mark: bytes, own: bytes) -> Iterator[bytes]:
    """The ``pieces`` with ``own`` for each mark, also for one that lies across a border."""
    kept = b""
    for piece in pieces:
        *before, last = (kept + piece).split(mark)
        begun = _begun(last, mark)
        kept = last[len(last) - begun :]
        if data := own.join([*before, last[: len(last) - begun]]):
            yield data
    if kept:
        yield kept


def _begun(data: bytes, mark: bytes) -> int:
    """Bytes at the end of ``data`` that may be the beginning of a mark."""
    return next((size for size in range(_LENGTH - 1, 0, -1) if data.endswith(mark[:size])), 0)


def prepare(pieces: Iterator[bytes]) -> Rendered:
    """The body made of ``pieces``; takes slices of time (see ``pace``)."""
    pace, deflate = Pace(), zlib.compressobj(1, wbits=-15)
    blocks, waiting = [], b""
    length = checksum = 0
    unmarked = _Unmarked()
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        length += len(piece)
        unmarked.add(piece)
        waiting += deflate.compress(piece)
        if length // BLOCK_SIZE != (length - len(piece)) // BLOCK_SIZE:
            blocks.append(waiting + deflate.flush(zlib.Z_FULL_FLUSH))
            waiting = b""
        pace()
    blocks.append(waiting + deflate.flush())
    present = {mark: count for mark, count in unmarked.marks.items() if count}
    return Rendered(blocks, length, checksum, unmarked.digest(), present)


class _Unmarked:
    """A text in pieces: its digest, which is the same whatever the marks are in this process."""

    def __init__(self) -> None:
        self.marks = dict.fromkeys(_MARKS, 0)  # how often it has each, so far
        self._digest = hashlib.sha256()
        self._end = b""  # of what is there: a mark may lie across a border

    def add(self, piece: bytes) -> None:
        text = self._end + piece
        for mark in self.marks:
            bare = text.replace(mark, b"\0" + mark[:_CALLED])  # which no text has
            self.marks[mark] += (len(text) - len(bare)) // (_LENGTH - _CALLED - 1)
            text = bare
        self._end = text[1 - _LENGTH :]
        self._digest.update(text[: 1 - _LENGTH])

    def digest(self) -> str:
        """Of all of it; nothing can be added any more."""
        self._digest.update(self._end)
        return self._digest.hexdigest()[:32]


def answer(
    rendered: Rendered, media_type: str, own_base: str = "", more: Own = NOTHING
) -> Response:
    """The answer to the current request: 304 if the client has it already, gzipped if it may be.

    ``own_base`` is what the caller has for OWN_BASE, ``more`` that for other marks.
    """
    gzip = request.accept_encodings.quality("gzip") > 0
    key = current_app.extensions.get(TAG_KEY, _own_key)()
    digest = rendered.digest_for(own_base, more, key)
    etag = f"{digest}-gzip" if gzip else digest
    if request.if_none_match.contains_weak(etag):
        response = Response(status=304)
    else:
        response = _body(rendered, media_type, gzip, own_base, more)
    response.set_etag(etag)
    response.headers["Cache-Control"] = how_to_keep()
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _own_key() -> bytes:
    return _PROCESS_KEY


def how_to_keep() -> str:
    """What `Cache-Control` is to say of an answer that not every caller gets."""
    if caller().kind is CallerKind.ANYONE:
        return "no-cache"  # keep it, but ask each time whether it changed
    return "private, no-store"


def _body(rendered: Rendered, media_type: str, gzip: bool, base: str, more: Own) -> Response:
    pieces = rendered.gzipped(base, more) if gzip else rendered.plain(base, more)
    response = Response(pieces, content_type=media_type)
    length = rendered.gzipped_length() if gzip else rendered.plain_length(base, more)
    if length is not None:
        response.content_length = length
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
