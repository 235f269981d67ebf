"""Packets behind a cut that belong before it: the rest of PES packets that began there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kptv.formats.mpegts import PACKET_SIZE
from kptv.splice.joining import Media, StartPoint

LONGEST_TAIL = 2 * 1024 * 1024  # bytes of the stream in which a tail must come
_UNTOLD = 1 << 32  # bytes: a PES packet lasts until the next one of its PID
_SHORT = 4 * 1024  # bytes; shorter runs beside a tail are joined
_STARTS, _HAS_PAYLOAD, _HAS_FIELD = 0x40, 0x10, 0x20
_PES = b"\x00\x00\x01"


class Packets:
    """A run of whole packets, and where in it those of a PID are."""

    __slots__ = ("_high", "_low", "data")

    def __init__(self, data: Media) -> None:
        self.data = data
        self._high = self._low = b""

    def run(self, begin: int, end: int) -> Media:
        """Those between two places, by reference."""
        return self.data if end - begin == len(self.data) else memoryview(self.data)[begin:end]

    def of(self, pid: int, begin: int, end: int) -> Iterator[int]:
        """Where the packets of a PID are, the first one first."""
        low, high, at, stop = self._pids(), pid >> 8, begin // PACKET_SIZE, end // PACKET_SIZE
        while (at := low.find(pid & 0xFF, at, stop)) >= 0:
            if self._high[at] & 0x1F == high:
                yield at * PACKET_SIZE
            at += 1

    def back(self, pid: int) -> Iterator[int]:
        """Where the packets of a PID are, the last one first."""
        low, high, at = self._pids(), pid >> 8, len(self.data) // PACKET_SIZE
        while (at := low.rfind(pid & 0xFF, 0, at)) >= 0:
            if self._high[at] & 0x1F == high:
                yield at * PACKET_SIZE

    def starts(self, at: int) -> bool:
        """Whether a PES packet, or a section, starts in the packet there."""
        return bool(self.data[at + 1] & _STARTS)

    def payload(self, at: int) -> int:
        """How many bytes of payload the packet there has."""
        control = self.data[at + 3]
        if not control & _HAS_PAYLOAD:
            return 0
        return max(0, PACKET_SIZE - 5 - self.data[at + 4]) if control & _HAS_FIELD else 184

    def told(self, at: int) -> int | None:
        """The bytes of the PES packet that starts in the packet there; None: they are not told."""
        begin = at + PACKET_SIZE - self.payload(at)
        head = bytes(self.data[begin : min(begin + 6, at + PACKET_SIZE)])
        if len(head) < 6 or not head.startswith(_PES):
            return None
        return (head[4] << 8 | head[5]) + 6 if head[4] or head[5] else None

    def _pids(self) -> bytes:
        if not self._low:
            self._high = bytes(self.data[1::PACKET_SIZE])
            self._low = bytes(self.data[2::PACKET_SIZE])
        return self._low


class Tail:
    """What is still to come, behind a cut, of the PES packets that began before it."""

    __slots__ = ("_essential", "_left", "_rests")

    def __init__(self, rests: dict[int, int], essential: frozenset[int] = frozenset()) -> None:
        """``rests``: by PID, how many bytes. ``essential``: PIDs of picture and sound."""
        self._rests = rests
        self._essential = essential
        self._left = LONGEST_TAIL

    @property
    def is_over(self) -> bool:
        """Whether all of it has come, or is not waited for any more."""
        return not self._rests

    def split(self, media: Packets, begin: int, end: int) -> tuple[bytes, Iterable[Media]]:
        """The packets between two places that are of the tail, and the runs that are not."""
        stop = min(end, begin + self._left)
        self._left -= end - begin
        places = [at for pid in tuple(self._rests) for at in self._of(pid, media, begin, stop)]
        if self._left <= 0:
            self._rests.clear()
        places.sort()
        tail = b"".join([media.data[at : at + PACKET_SIZE] for at in places])
        return tail, _without(media, begin, end, places)

    def _of(self, pid: int, media: Packets, begin: int, end: int) -> Iterator[int]:
        """Where the packets of a PID are that belong to the tail."""
        for at in media.of(pid, begin, end):
            size = media.payload(at)
            if media.starts(at) or (not size and pid not in self._essential):
                del self._rests[pid]  # nothing began here, or it was a clock alone
                return
            yield at
            self._rests[pid] -= size
            if self._rests[pid] <= 0:
                del self._rests[pid]
                return


def tail_of(parts: Sequence[Media], start: StartPoint, lead: int) -> Tail:
    """The tail of a segment that ends at ``start``, a unit of the PID ``lead``; ``parts``: its own.

    Of a PID that is neither picture nor sound, only PES packets of told length are waited for.
    """
    came = dict.fromkeys(_others(start, lead), 0)  # bytes of the last PES packet of each PID
    rests: dict[int, int] = {}
    for part in reversed(parts):
        if not came:
            break
        media = Packets(part)
        for pid in tuple(came):
            for at in media.back(pid):
                came[pid] += media.payload(at)
                if media.starts(at):
                    told = media.told(at)
                    rest = (_UNTOLD if told is None else told) - came.pop(pid)
                    if rest > 0 and (told is not None or pid in start.essential):
                        rests[pid] = rest
                    break
    return Tail(rests, start.essential)


def stray_of(start: StartPoint, lead: int) -> Tail:
    """What comes behind the first cut of all, a unit of the PID ``lead``, and began before it."""
    return Tail(dict.fromkeys(_others(start, lead), _UNTOLD), start.essential)


def _others(start: StartPoint, lead: int) -> frozenset[int]:
    return (start.essential | start.others) - {lead}


def _without(media: Packets, begin: int, end: int, places: list[int]) -> Iterator[Media]:
    """The runs between those places; short ones are joined."""
    short: list[Media] = []
    for place in [*places, end]:
        run = media.run(begin, place) if begin < place else b""
        begin = place + PACKET_SIZE
        if len(run) < _SHORT:
            short.append(run)
            continue
        yield b"".join(short)
        short = []
        yield run
    yield b"".join(short)
