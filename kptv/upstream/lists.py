"""One channel list: opened at its provider or on disk, unpacked, parsed as it comes in.

Theory of operation. A list may have 50 MB: it is never whole in memory. Bytes go in pieces of at
most 64 KB through gunzip, the copy that is kept (``store``), lines and parser into packed records;
between two pieces other greenlets have their turn. Only at the end is it known whether all of it
came, so nothing is replaced before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from stat import S_ISREG
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests

from kptv.channels.catalog import BLOCK, Listing
from kptv.channels.hosts import HostCount
from kptv.channels.model import Source
from kptv.channels.packing import number_mark, pack
from kptv.errors import ImportFailed, UpstreamError
from kptv.formats import gzipped
from kptv.formats.addresses import resolve
from kptv.formats.gzipped import PIECE
from kptv.formats.m3u import Entry, ListParser
from kptv.formats.text import Lines
from kptv.pace import Pace
from kptv.upstream.client import mapped_errors

MAX_BODY = 256 * 1024**2  # bytes after unpacking; five times the longest list known
MAX_ENTRIES = 1_000_000  # of a list, 300 MB of memory; the longest known have half of it
CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 60.0  # seconds of silence; some panels make a list only when asked, in half a minute
_PARSED_AT_ONCE = 16 * 1024  # bytes, about 60 entries, 0.5 ms
_LINES_AT_ONCE = 64  # as many; lines may be short, or have been held back
_CHARSET = re.compile(r";\s*+charset\s*+=\s*+[\"']?([\w.:-]++)", re.I)  # RFC 9110, 8.3.1
_MOST_LAYERS = 2  # of gzip: a .gz file that is sent with Content-Encoding


class ListClient(Protocol):
    """What is needed of ``client.Client``."""

    def get(
        self,
        source: Source,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
        also: frozenset[int],
    ) -> requests.Response: ...


@dataclass(frozen=True, slots=True)
class Version:
    """What tells whether a list has changed since, and where it came from."""

    base: str = field(default="", repr=False)  # the URL behind all redirects: a secret
    etag: str = ""
    last_modified: str = ""
    digest: str = ""  # SHA-256 of all that was read out of it, relative URLs resolved
    charset: str = ""  # that the answer told

    def conditions(self) -> dict[str, str]:
        """Headers that ask for the list only if it is another (RFC 9110, 13.1)."""
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in pairs.items() if value}


@contextmanager
def open_list(
    client: ListClient, source: Source, known: Version
) -> Iterator[tuple[Version, Iterator[bytes]] | None]:
    """The list's version and its bytes as they come; None if it is the ``known`` one still.

    Raises ImportFailed, also while the bytes are iterated.
    """
    path = path_of(source.url)
    with _open_file(path, known) if path else _open_url(client, source, known) as opened:
        yield opened


def path_of(url: str) -> Path | None:
    """The file that a ``file:`` URL or a plain path stands for; None for any other URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme in ("http", "https"):
        return None
    return Path(url2pathname(parts.path) if parts.scheme == "file" else url)


@contextmanager
def _open_file(path: Path, known: Version) -> Iterator[tuple[Version, Iterator[bytes]] | None]:
    with _file_errors():
        stat = path.stat()
        if not S_ISREG(stat.st_mode):  # to open a pipe would stop all streams
            raise ImportFailed("not a file")
        file = path.open("rb")
    version = Version(path.absolute().as_uri(), f"{stat.st_mtime_ns}-{stat.st_size}")
    with file:
        unchanged = version.etag == known.etag
        yield None if unchanged else (version, _pieces(_file_errors, lambda: file.read(PIECE)))


@contextmanager
def _open_url(
    client: ListClient, source: Source, known: Version
) -> Iterator[tuple[Version, Iterator[bytes]] | None]:
    # Takes no slot of the source: providers count streams, and lists are requests to their panel.
    response = _ask(client, source, known)
    if response.status_code == 304 and resolve(response.url, "x") != resolve(known.base, "x"):
        response.close()  # behind another redirect, so its relative links lead elsewhere
        response = _ask(client, source, Version())
    with closing(response):
        if response.status_code == 304:
            yield None
            return
        answer = response.headers
        told = _CHARSET.search(answer.get("content-type", ""))
        version = Version(
            response.url,
            answer.get("etag", ""),
            answer.get("last-modified", ""),
            charset=told[1] if told else "",
        )
        # read1 gives what is there, and tells of a body shorter than its Content-Length.
        yield version, _pieces(_request_errors, lambda: response.raw.read1(PIECE))


def _ask(client: ListClient, source: Source, known: Version) -> requests.Response:
    with _request_errors():
        return client.get(
            source,
            source.url,
            headers={"Accept-Encoding": "gzip", **known.conditions()},
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            also=frozenset((304,)),
        )


def _pieces(
    errors: Callable[[], AbstractContextManager[None]], read: Callable[[], bytes]
) -> Iterator[bytes]:
    while True:
        with errors():
            data = read()
        if not data:
            return
        yield data


@contextmanager
def _request_errors() -> Iterator[None]:
    try:
        with mapped_errors():
            yield
    except UpstreamError as error:
        raise ImportFailed(str(error), error.retry_after) from None


@contextmanager
def _file_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImportFailed(f"cannot read the file: {error.strerror}") from None


def unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes behind all layers of gzip, in pieces of at most PIECE; raises ImportFailed."""
    for _ in range(_MOST_LAYERS):
        pieces = gzipped.unpacked(pieces)
    try:
        yield from pieces
    except gzipped.BadGzip as error:
        raise ImportFailed(str(error)) from None


@dataclass(frozen=True, slots=True)
class Imported:
    """A list that was read to its end."""

    listing: Listing
    digest: str
    size: int  # bytes, unpacked
    skipped: int  # lines that made no sense
    cut: int  # names, groups, values that were too long
    is_full: bool  # it has more than MAX_ENTRIES: those behind are left out
    is_list: bool  # it says it is a channel list, although it may be an empty one


def read_list(
    source: Source,
    base: str,
    pieces: Iterator[bytes],
    keep: Callable[[bytes], object],
    charset: str = "",
    worker: AbstractContextManager[object] | None = None,
) -> Imported:
    """The entries in ``pieces``, gzip or not; ``keep`` is given every piece unpacked.

    ``charset`` is what the answer told of their encoding. ``worker`` is held while a piece is
    parsed, and never while one is waited for.
    Takes slices of time (see ``pace``). Raises ImportFailed for what is no channel list.
    """
    reading = _Reading(source, base, charset)
    worker = nullcontext() if worker is None else worker
    for piece in unpacked(pieces):
        with worker:
            keep(piece)
            reading.feed(piece)
        if reading.is_full:
            break  # what follows is left out, and need not be fetched
    with worker:
        return reading.finish()


class _Reading:
    """A list being read."""

    def __init__(self, source: Source, base: str, charset: str) -> None:
        self._source = source
        self._pace, self._lines, self._parser = Pace(), Lines(charset), ListParser(base)
        self._blocks: list[list[bytes]] = []
        self._digest, self._size = hashlib.sha256(), 0
        self._hosts = HostCount()
        self._head = b""
        self._left = MAX_ENTRIES
        self.is_full = False

    def feed(self, piece: bytes) -> None:
        """Some more of it. Raises ImportFailed."""
        self._size += len(piece)
        if self._size > MAX_BODY:
            raise ImportFailed(f"longer than {MAX_BODY // 1024**2} MiB")
        if len(self._head) < 64:
            self._head = (self._head + piece[:64]).lstrip(b"\xef\xbb\xbf \t\r\n\0")
            if self._head.startswith(b"<"):
                raise ImportFailed("an HTML page, not a channel list")
        self._pace()
        for start in range(0, len(piece), _PARSED_AT_ONCE):
            self._parse(self._lines.feed(piece[start : start + _PARSED_AT_ONCE]))

    def _parse(self, found: list[str]) -> None:
        for start in range(0, len(found), _LINES_AT_ONCE):
            entries = self._parser.feed(found[start : start + _LINES_AT_ONCE])
            if len(entries) > self._left:
                entries, self.is_full = entries[: self._left], True
            self._left -= len(entries)
            self._hosts.add(entry.url for entry in entries)
            _append(self._blocks, self._source.number, entries, self._digest)
            self._pace()
            if self.is_full:
                return

    def finish(self) -> Imported:
        """All that was in it. Raises ImportFailed."""
        parser, blocks = self._parser, self._blocks
        if not self.is_full:
            self._parse(self._lines.finish())
            parser.finish()
        if self.is_full:  # or one that ends just there would be the same
            self._digest.update(b"more")
        self._digest.update(repr(parser.headers).encode("utf-8", "replace"))
        if not self._head:
            raise ImportFailed("an empty answer")
        if not blocks and not parser.is_list:
            raise ImportFailed("not a channel list")
        listing = Listing(replace(self._source, host=self._hosts.most), blocks, parser.headers)
        return Imported(
            listing,
            self._digest.hexdigest(),
            self._size,
            skipped=parser.skipped + self._lines.skipped,
            cut=parser.cut,
            is_full=self.is_full,
            is_list=parser.is_list,
        )


def _append(
    blocks: list[list[bytes]], number: int, entries: Iterable[Entry], digest: _Hash
) -> None:
    records = [pack(number, entry) for entry in entries]
    if not records:
        return
    # Without the number, which is another one when SOURCES is put into another order.
    mark = number_mark(number)
    digest.update(b"".join([b"\n", b"\n".join(records)]).replace(b"\n" + mark, b"\n"))
    if not blocks or len(blocks[-1]) + len(records) > BLOCK:
        blocks.append([])
    blocks[-1] += records


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
