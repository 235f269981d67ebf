"""`/playlist.m3u8`: the served lists, rendered once after an import and kept compressed.

Theory of operation. A list of 200,000 channels has 50 MB and takes a second to render: that is done
in slices by a greenlet of its own, and whoever asks meanwhile waits for it. It is kept as deflate
blocks that need nothing from each other (RFC 1951; a full flush after each): behind a gzip header
they are the compressed answer, and one by one, inflated as the client takes them, the plain one.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field

import gevent
from cachetools import TTLCache
from flask import Blueprint, Response, request

from kptv.channels.catalog import Catalog
from kptv.channels.served import render
from kptv.config import Config
from kptv.pace import Pace
from kptv.web.lines import line
from kptv.web.players.links import Ambiguous, meant

MEDIA_TYPE = "audio/x-mpegurl; charset=utf-8"
RENDER_DEADLINE = 30.0  # seconds that a client waits for a rendering; 1,000,000 channels take 10
BLOCK_SIZE = 64 * 1024  # bytes before compression; 0.2 ms to inflate
MOST_GROUPS = 64  # group lists that are kept; the compressed list of a large one has 100 KB
_SENT_AT_ONCE = 16  # compressed blocks, about 100 KB
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"  # RFC 1952: no name, no time
_MOST_LINKS = 3  # that an answer names
_EVERYTHING = ""  # the cache's key of the list that is of no group


@dataclass(frozen=True, slots=True)
class ServedList:
    """A list ready to be sent, as it is and gzipped."""

    blocks: Sequence[bytes] = field(repr=False)  # raw deflate, each inflates alone
    length: int  # bytes, not compressed
    checksum: int  # CRC-32
    digest: str

    def plain(self) -> Iterator[bytes]:
        """The list, in pieces."""
        pace = Pace()
        for block in self.blocks:
            if data := zlib.decompressobj(wbits=-15).decompress(block):
                yield data
            pace()  # a client that takes all at once would keep the others waiting

    def gzipped(self) -> Iterator[bytes]:
        """The list gzipped, in pieces."""
        pace = Pace()
        yield _GZIP_HEADER
        for start in range(0, len(self.blocks), _SENT_AT_ONCE):
            yield b"".join(self.blocks[start : start + _SENT_AT_ONCE])
            pace()
        yield struct.pack("<LL", self.checksum, self.length & 0xFFFFFFFF)

    def gzipped_length(self) -> int:
        """Bytes of ``gzipped``."""
        return len(_GZIP_HEADER) + sum(map(len, self.blocks)) + 8


def prepare(pieces: Iterator[bytes]) -> ServedList:
    """The list made of ``pieces``; takes slices of time (see ``pace``)."""
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
    for block in blocks:  # a twentieth of the list
        digest.update(block)
    return ServedList(blocks, length, checksum, digest.hexdigest()[:32])


class ServedLists:
    """The lists of the current catalog; give it each new one."""

    def __init__(self, config: Config) -> None:
        self._base_url = config.base_url
        self._catalog: Catalog | None = None
        self._cached = config.cache_enabled
        self._cache: MutableMapping[str, ServedList] = TTLCache(
            MOST_GROUPS, config.cache_duration if config.cache_enabled else 0
        )
        self._running: dict[str, gevent.Greenlet] = {}  # by key, shared by all who wait

    def __repr__(self) -> str:
        return f"<ServedLists catalog={self._catalog} cached={len(self._cache)}>"

    @property
    def catalog(self) -> Catalog | None:
        """The current catalog; None until there is one."""
        return self._catalog

    def replace(self, catalog: Catalog) -> None:
        """Serve ``catalog`` from now on; what was rendered of the one before is dropped."""
        self._catalog = catalog
        self._cache.clear()
        gevent.killall(list(self._running.values()), block=False)
        self._running.clear()
        if self._cached:
            self._start(catalog, _EVERYTHING, None)

    def get(self, group: str | None = None) -> ServedList | None:
        """The list of all channels, or of a group; waits while it is rendered.

        None if there is no such group, or nothing was ready in RENDER_DEADLINE.
        """
        with gevent.Timeout(RENDER_DEADLINE, False):
            while (catalog := self._catalog) is not None:
                key = _EVERYTHING if group is None else f"group {catalog.group_slug(group)}"
                if (ready := self._cache.get(key)) is not None:
                    return ready
                positions = None if group is None else catalog.group(group)
                if group is not None and positions is None:
                    return None
                running = self._running.get(key) or self._start(catalog, key, positions)
                running.join()
                if isinstance(running.value, ServedList):
                    return running.value
                if not running.successful():
                    return None
                # It was ended because there is a newer catalog.
        return None

    def _start(
        self, catalog: Catalog, key: str, positions: Sequence[int] | None
    ) -> gevent.Greenlet:
        running = self._running[key] = gevent.spawn(self._render, catalog, key, positions)
        return running

    def _render(self, catalog: Catalog, key: str, positions: Sequence[int] | None) -> ServedList:
        try:
            ready = prepare(render(catalog, self._base_url, positions))
            if catalog is self._catalog:
                self._cache[key] = ready
            return ready
        finally:
            if catalog is self._catalog:
                self._running.pop(key, None)


def playlist_blueprint(lists: ServedLists) -> Blueprint:
    """The routes of the served lists."""
    blueprint = Blueprint("playlist", __name__)

    @blueprint.get("/playlist.m3u8")
    @blueprint.get("/playlist.m3u")
    @blueprint.get("/playlist")
    def playlist() -> Response:
        return _answer(lists, None)

    # Without a rule of their own these would be a channel's name and a file of the status page.
    @blueprint.get("/stream/playlist.m3u8", defaults={"group": "stream"})
    @blueprint.get("/assets/playlist.m3u8", defaults={"group": "assets"})
    @blueprint.get("/<path:group>/playlist.m3u8")
    def group_playlist(group: str) -> Response:
        if lists.catalog is None:
            return _answer(lists, group)
        try:
            slug = meant(group, lists.catalog.group_slug)
        except Ambiguous as ambiguous:
            paths = " or ".join(f"/{each}/playlist.m3u8" for each in ambiguous.found[:_MOST_LINKS])
            return line(404, f"Which group? Ask for {paths}.")
        if slug is None:
            return line(404, "No such group; /playlist.m3u8 lists all channels.")
        return _answer(lists, slug)

    return blueprint


def _answer(lists: ServedLists, group: str | None) -> Response:
    if lists.catalog is None:
        return line(503, "No channel list has been imported yet; try again soon.", 5)
    served = lists.get(group)
    if served is None:
        return line(503, "The list is not ready yet; try again soon.", 5)
    gzip = request.accept_encodings.quality("gzip") > 0
    etag = f"{served.digest}-gzip" if gzip else served.digest
    if request.if_none_match.contains_weak(etag):
        response = Response(status=304)
    else:
        response = _body(served, gzip)
    response.set_etag(etag)
    response.headers["Cache-Control"] = "no-cache"  # keep it, but ask each time whether it changed
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _body(served: ServedList, gzip: bool) -> Response:
    pieces = served.gzipped() if gzip else served.plain()
    response = Response(pieces, content_type=MEDIA_TYPE)
    response.content_length = served.gzipped_length() if gzip else served.length
    if gzip:
        response.headers["Content-Encoding"] = "gzip"
    return response
