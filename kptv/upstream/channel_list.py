"""Channel lists, read as they come in: lines, entries, packed records."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from kptv.channels.catalog import BLOCK, Listing
from kptv.channels.hosts import HostCount
from kptv.channels.model import Source
from kptv.channels.packing import bodies_of_plain, body_of, number_mark
from kptv.errors import ImportFailed
from kptv.formats.m3u import ListParser
from kptv.formats.text import Lines
from kptv.pace import Pace
from kptv.upstream.documents import Document, DocumentKind, Edition

MAX_BODY = 256 * 1024**2  # bytes after unpacking; five times the longest list known
MAX_ENTRIES = 1_000_000  # of a list, 300 MB of memory; the longest known have half of it
_PARSED_AT_ONCE = 16 * 1024  # bytes, about 60 entries, 0.2 ms
_LINES_AT_ONCE = 64  # as many; lines may be short, or have been held back
_ENTRY = "#EXTINF"


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
        self._held = ""  # an #EXTINF whose address comes with the next piece
        self._records = _Records(source.number)
        self._hosts = HostCount()
        self._head = b""
        self.is_full = False

    def feed(self, piece: bytes) -> None:
        """Read some more of it. Raises ImportFailed."""
        if len(self._head) < 64:
            self._head = (self._head + piece[:64]).lstrip(b"\xef\xbb\xbf \t\r\n\0")
            if self._head.startswith(b"<"):
                raise ImportFailed("an HTML page, not a channel list")
        for start in range(0, len(piece), _PARSED_AT_ONCE):
            text = self._held + self._lines.feed_text(piece[start : start + _PARSED_AT_ONCE])
            last_line = text.rfind("\n", 0, -1) + 1
            end = last_line if text.startswith(_ENTRY, last_line) else len(text)
            self._held = text[end:]
            self._parse(text[:end])

    def _parse(self, text: str) -> None:
        if self.is_full or not text:
            return
        if plain := self._parser.plain(text):
            self._add([url for _, _, _, url in plain], bodies_of_plain(plain))
            return
        lines = text.split("\n")
        for start in range(0, len(lines), _LINES_AT_ONCE):
            entries = self._parser.feed(lines[start : start + _LINES_AT_ONCE])
            self._add([entry.url for entry in entries], list(map(body_of, entries)))
            if self.is_full:
                return

    def _add(self, urls: Sequence[str], bodies: Sequence[str]) -> None:
        left = MAX_ENTRIES - self._records.count
        if len(bodies) > left:
            urls, bodies, self.is_full = urls[:left], bodies[:left], True
        self._hosts.add(urls)
        self._records.add(bodies)
        self._pace()

    def finish(self) -> ChannelList:
        """All that was in it. Raises ImportFailed."""
        parser, records = self._parser, self._records
        if not self.is_full:
            self._parse(self._held + self._lines.finish_text())
            parser.finish()
        if not self._head:
            raise ImportFailed("an empty answer")
        if not records.count and not parser.is_list:
            raise ImportFailed("not a channel list")
        host = self._hosts.most
        listing = Listing(replace(self._source, host=host), records.blocks(), parser.headers)
        return ChannelList(
            listing,
            records.digest(parser.headers, is_full=self.is_full),
            len(listing),
            skipped=parser.skipped + self._lines.skipped,
            cut=parser.cut,
            is_full=self.is_full,
        )


class _Records:
    """Collects the records of a list in blocks, and a digest of them."""

    def __init__(self, number: int) -> None:
        self.count = 0
        self._mark = number_mark(number)
        self._full: list[Sequence[bytes]] = []  # blocks
        self._open: list[bytes] = []  # the block that is being filled
        # Without the number, which is another one if SOURCES is put into another order.
        self._hash = hashlib.sha256()

    def add(self, bodies: Sequence[str]) -> None:
        """Add records: what ``body_of`` gives of each."""
        if not bodies:
            return
        text = "\n".join(("", *bodies)).encode("utf-8", "replace")  # none has a line's end in it
        self._hash.update(text)
        if len(self._open) + len(bodies) > BLOCK:
            self._full.append(tuple(self._open))
            self._open = []
        mark = self._mark
        self._open += [mark + body for body in text.split(b"\n")[1:]]
        self.count += len(bodies)

    def blocks(self) -> list[Sequence[bytes]]:
        """All records, in the order of the list."""
        return [*self._full, tuple(self._open)] if self._open else self._full

    def digest(self, headers: dict[str, str], *, is_full: bool) -> str:
        """Of the records and of what else the list says."""
        if is_full:  # or one that ends just there would be the same
            self._hash.update(b"more")
        self._hash.update(repr(headers).encode("utf-8", "replace"))
        return self._hash.hexdigest()


CHANNEL_LIST = DocumentKind(
    "list", "entries", (".m3u.gz", ".json"), longest=MAX_BODY, read=ListReading
)


def channel_list(source: Source) -> Document[ChannelList]:
    """The channel list of ``source``."""
    return Document(CHANNEL_LIST, source, source.url)
