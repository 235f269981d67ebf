"""Channel lists, read as they come in: lines, entries, packed records."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from kptv.channels.catalog import BLOCK, Listing
from kptv.channels.hosts import HostCount
from kptv.channels.model import Source
from kptv.channels.packing import number_mark, pack
from kptv.errors import ImportFailed
from kptv.formats.m3u import Entry, ListParser
from kptv.formats.text import Lines
from kptv.pace import Pace
from kptv.upstream.documents import Document, DocumentKind, Edition

MAX_BODY = 256 * 1024**2  # bytes after unpacking; five times the longest list known
MAX_ENTRIES = 1_000_000  # of a list, 300 MB of memory; the longest known have half of it
_PARSED_AT_ONCE = 16 * 1024  # bytes, about 60 entries, 0.5 ms
_LINES_AT_ONCE = 64  # as many; lines may be short, or have been held back


@dataclass(frozen=True, slots=True)
class ChannelList:
    """A list that was read to its end."""

    listing: Listing
    digest: str  # SHA-256 of all that was read out of it, relative URLs resolved
    count: int  # entries
    skipped: int  # lines that made no sense
    cut: int  # names, groups, values that were too long
    is_full: bool  # it has more than MAX_ENTRIES: those behind are left out

    @property
    def losses(self) -> str:
        """What the log says of what is not as the list has it."""
        skipped = f", {self.skipped} lines skipped" if self.skipped else ""
        cut = f", {self.cut} texts cut that were too long" if self.cut else ""
        return skipped + cut

    def take_apart(self) -> Generator[None]:
        """Free it in steps."""
        return self.listing.take_apart()


class ListReading:
    """A list being read (see ``documents.Reading``)."""

    def __init__(self, source: Source, edition: Edition) -> None:
        self._source = source
        self._pace = Pace()
        self._lines, self._parser = Lines(edition.charset), ListParser(edition.base)
        self._blocks: list[list[bytes]] = []
        self._digest = hashlib.sha256()
        self._hosts = HostCount()
        self._head = b""
        self._left = MAX_ENTRIES
        self.is_full = False

    def feed(self, piece: bytes) -> None:
        """Read some more of it. Raises ImportFailed."""
        if len(self._head) < 64:
            self._head = (self._head + piece[:64]).lstrip(b"\xef\xbb\xbf \t\r\n\0")
            if self._head.startswith(b"<"):
                raise ImportFailed("an HTML page, not a channel list")
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

    def finish(self) -> ChannelList:
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
        return ChannelList(
            listing,
            self._digest.hexdigest(),
            len(listing),
            skipped=parser.skipped + self._lines.skipped,
            cut=parser.cut,
            is_full=self.is_full,
        )


CHANNEL_LIST = DocumentKind(
    "list", "entries", (".m3u.gz", ".json"), longest=MAX_BODY, read=ListReading
)


def channel_list(source: Source) -> Document[ChannelList]:
    """The channel list of ``source``."""
    return Document(CHANNEL_LIST, source, source.url)


def _append(
    blocks: list[list[bytes]], number: int, entries: Iterable[Entry], digest: _Hash
) -> None:
    records = [pack(number, entry) for entry in entries]
    if not records:
        return
    # Without the number, which is another one if SOURCES is put into another order.
    mark = number_mark(number)
    digest.update(b"".join([b"\n", b"\n".join(records)]).replace(b"\n" + mark, b"\n"))
    if not blocks or len(blocks[-1]) + len(records) > BLOCK:
        blocks.append([])
    blocks[-1] += records


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
