"""The channels and shows of a guide, from its bytes in pieces; what is broken costs itself only.

Theory of operation. ``elements`` finds where each begins and ends. A show whose channel nobody
wants is counted, and no more. The others are mended and checked by expat, many at a time under
one root; if those are not well-formed, each alone, and once more mended harder. What is kept of a
show are the bytes that were checked, so all that a guide tells comes to players.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from html import unescape
from typing import NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate

from kptv.formats.xmltv.elements import Element, Elements
from kptv.formats.xmltv.mending import Decoded, mended, mended_harder
from kptv.formats.xmltv.packed import BadPacking, UnpackBounds, unpacked
from kptv.formats.xmltv.times import ShowTimes, later_than

MOST_NAMES = 200  # of one channel
MOST_CHANNELS = 100_000
MOST_SHOWS = 5_000_000
MOST_BROKEN = 1_000  # elements; with more, and most of all broken, it is given up
_LONGEST_ID = 256  # letters
_LONGEST_TITLE = 500
_AT_ONCE = 64  # shows that are checked together

_ATTRIBUTE = re.compile(rb"""([\w:.-]{1,40})\s{0,40}=\s{0,40}(?:"([^"<]*)"|'([^'<]*)')""")
_INDENTATION = re.compile(rb">\s+<")
_TITLE = re.compile(rb"<title(?:\s[^<>]*)?>([^<]*)<")
_DISPLAY_NAME = re.compile(rb"<display-name(?:\s[^<>]*)?>([^<]*)<")
_ICON = re.compile(rb"""<icon\s(?:[^<>]*?\s)?src\s{0,40}=\s{0,40}(?:"([^"<]*)"|'([^'<]*)')""")


class Fault(StrEnum):
    """What a guide has that is not read."""

    BROKEN = "broken"  # an element that is not well-formed
    TOO_LONG = "too_long"
    UNTITLED = "untitled"
    NO_TIME = "no_time"
    NO_CHANNEL = "no_channel"
    UNKNOWN_ZONE = "unknown_zone"  # read, in the guide's own zone
    MANY_NAMES = "many_names"
    MANY_CHANNELS = "many_channels"
    MANY_SHOWS = "many_shows"
    MANY_BROKEN = "many_broken"
    PACKING = "packing"
    CUT = "cut"  # no end came


class Described(NamedTuple):
    """A ``channel`` element. Some guides have several of one id."""

    id: str
    names: tuple[str, ...]
    icon: str  # its address, or empty


class Show(NamedTuple):
    """A ``programme`` element."""

    channel: str
    start: int  # seconds since 1970
    stop: int | None  # None: the guide does not tell
    title: str  # as text
    xml: bytes  # its children in their order: checked, without the indentation between them


class GuideReader:
    """Feed the bytes of a guide, get its shows."""

    def __init__(
        self,
        times: ShowTimes,
        heard: Callable[[Described], object],
        wants: Callable[[str], bool],
    ) -> None:
        """``heard`` is told of channels; ``wants`` says whether the shows of an id are kept.

        It is asked once for an id, and again if the id is described later.
        """
        self.shows = self.kept = self.channels = 0
        self.faults: Counter[Fault] = Counter()
        self.is_over = False  # a bound stopped it: what is fed is not read
        self._times, self._heard, self._wants = times, heard, wants
        self._decoded, self._elements = Decoded(), Elements()
        self._ids: dict[bytes, str] = {}  # by how they are written; empty: not wanted
        self._names: Counter[str] = Counter()  # how many an id has
        self._after: dict[str, int] = {}  # see Times.at
        self._waiting: list[tuple[str, int, int | None, bytes]] = []
        self._is_finished = False

    def __repr__(self) -> str:
        return f"<GuideReader channels={self.channels} shows={self.shows} kept={self.kept}>"

    @property
    def root(self) -> str:
        """The name of the outermost element: ``tv``, or ``html`` for a page; empty: no XML."""
        return self._elements.root

    @property
    def is_whole(self) -> bool:
        """Whether all of a guide was read to its end, but for broken elements."""
        return self._is_finished and not self.is_over and self._elements.is_closed

    def feed(self, data: bytes) -> list[Show]:
        """The shows that are complete with ``data``, or some pieces later."""
        if self.is_over:
            return []
        return self._read(self._elements.feed(self._decoded.feed(data)))

    def finish(self) -> list[Show]:
        """The last shows."""
        if self.is_over:
            return []
        shows = self._read(self._elements.feed(self._decoded.finish()))
        shows += self._read(self._elements.finish()) if not self.is_over else []
        self._is_finished = True
        self.faults[Fault.CUT] += not self.is_over and not self.is_whole
        self.faults[Fault.UNKNOWN_ZONE] += self._times.unknown_zones
        self.faults += Counter()  # without those of which there are none
        return shows + self._checked()

    def stopped(self, fault: Fault) -> list[Show]:
        """The last shows of a guide that cannot be read any further."""
        shows = self.finish()
        self.is_over = True
        self.faults[fault] += 1
        return shows

    def _read(self, elements: Iterable[Element]) -> list[Show]:
        shows: list[Show] = []
        for element in elements:
            if not element.is_whole:
                self._fault(Fault.BROKEN if element.data else Fault.TOO_LONG)
            elif element.is_show:
                self._show(element.data)
                if len(self._waiting) >= _AT_ONCE:
                    shows += self._checked()
            else:
                self._channel(mended(element.data))
            if self.is_over:
                return shows + self._checked()
        return shows

    def _fault(self, fault: Fault) -> None:
        self.faults[fault] += 1
        broken = self.faults[Fault.BROKEN]
        too_many = broken > max(MOST_BROKEN, self.shows // 2)
        if fault == Fault.BROKEN and too_many and not self.is_over:
            self._give_up(Fault.MANY_BROKEN)

    def _give_up(self, fault: Fault) -> None:
        self.faults[fault] += 1
        self.is_over = True

    def _channel(self, element: bytes) -> None:
        if not _is_well_formed(element) and not _is_well_formed(element := mended_harder(element)):
            self._fault(Fault.BROKEN)
            return
        raw = _attributes(element[: element.find(b"<", 1)]).get(b"id", b"")
        channel = text_of(raw)
        if not channel or len(channel) > _LONGEST_ID:
            self.faults[Fault.NO_CHANNEL] += 1
            return
        if channel not in self._names and len(self._names) >= MOST_CHANNELS:
            self.faults[Fault.MANY_CHANNELS] += 1
            return
        self.channels += channel not in self._names
        names = list(filter(None, map(text_of, _DISPLAY_NAME.findall(element))))
        room = MOST_NAMES - self._names[channel]
        self.faults[Fault.MANY_NAMES] += max(len(names) - room, 0)
        self._names[channel] += min(len(names), room)
        icon = _ICON.search(element)
        address = text_of(icon[1] or icon[2] or b"") if icon else ""
        self._ids.pop(raw, None)
        self._heard(Described(channel, tuple(names[:room]), address))

    def _show(self, element: bytes) -> None:
        self.shows += 1
        if self.shows > MOST_SHOWS:
            self._give_up(Fault.MANY_SHOWS)
            return
        first = element.find(b"<", 1)
        told = _attributes(element[:first])
        raw = told.get(b"channel", b"")
        channel = self._ids.get(raw)
        if channel is None:
            channel = self._asked(raw)
        if not channel:
            return
        after = self._after.get(channel)
        start = self._times.at(told.get(b"start", b"").decode(), after)
        if start is None:
            self.faults[Fault.NO_TIME] += 1
            return
        stop = self._times.at(told[b"stop"].decode(), start + 1) if b"stop" in told else None
        self._after[channel] = later_than(start, stop)
        self._waiting.append((channel, start, stop, mended(element)))

    def _asked(self, raw: bytes) -> str:
        channel = text_of(mended(raw))
        if not channel or len(channel) > _LONGEST_ID:
            self.faults[Fault.NO_CHANNEL] += 1
            return ""
        if len(self._ids) >= MOST_CHANNELS:
            self._ids.clear()
        self._ids[raw] = channel = channel if self._wants(channel) else ""
        return channel

    def _checked(self) -> list[Show]:
        """Those of the shows that wait which are well-formed."""
        waiting, self._waiting = self._waiting, []
        shows: list[Show] = []
        together = are_well_formed([element for *_, element in waiting])
        for channel, start, stop, element in waiting:
            if not together and not _is_well_formed(element):
                element = mended_harder(element)
                if not _is_well_formed(element):
                    self._fault(Fault.BROKEN)
                    continue
            xml = _children(element)
            text = title_of(xml)
            if not text:
                self.faults[Fault.UNTITLED] += 1
                continue
            shows.append(Show(channel, start, stop, text, xml))
        self.kept += len(shows)
        return shows


def shows_of(
    pieces: Iterable[bytes],
    reader: GuideReader,
    bounds: UnpackBounds = UnpackBounds(),  # noqa: B008
) -> Iterator[Show]:
    """The shows of a guide, packed or not; what is wrong with it is in the reader's ``faults``."""
    try:
        for piece in unpacked(pieces, bounds):
            yield from reader.feed(piece)
            if reader.is_over:
                return
    except BadPacking:
        yield from reader.stopped(Fault.PACKING)
        return
    yield from reader.finish()


def title_of(xml: bytes) -> str:
    """The first title among a show's children; empty: it has none."""
    title = _TITLE.search(xml)
    return text_of(title[1])[:_LONGEST_TITLE] if title else ""


def text_of(raw: bytes) -> str:
    """Text as people read it: references as characters, white space as single blanks."""
    text = raw.decode("utf-8", "replace")
    return " ".join((unescape(text) if "&" in text else text).split())


def _attributes(tag: bytes) -> dict[bytes, bytes]:
    return {name: one or other for name, one, other in _ATTRIBUTE.findall(tag)}


def _children(element: bytes) -> bytes:
    start, end = element.find(b"<", 1), element.rfind(b"</")
    return _INDENTATION.sub(b"><", element[start:end].strip()) if 0 < start < end else b""


def are_well_formed(elements: list[bytes]) -> bool:
    """Whether all are, told at once: then each is.

    Not for those with a comment, which might begin in one and end in another: False.
    """
    together = b"".join(elements)
    return (
        b"<!" not in together
        and b"<?" not in together
        and _is_well_formed(b"<tv>%b</tv>" % together)
    )


def _is_well_formed(element: bytes) -> bool:
    parser = ParserCreate("utf-8", " ")  # a prefix that only the guide's root explains is a fault
    try:
        parser.Parse(element, True)
    except ExpatError:
        return False
    return True
