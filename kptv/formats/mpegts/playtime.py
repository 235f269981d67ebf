"""How long media lasts by its own clock, measured as it comes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.aligner import Aligner
from kptv.formats.mpegts.clock import TICKS, WRAP, read_pcr, read_timestamp
from kptv.formats.mpegts.packets import HAS_PCR, pid_of

LONGEST_STEP = 3 * TICKS  # from one time stamp to the next; after a longer one it is another clock
_REORDERED = TICKS  # a time stamp may be so much before the last: pictures come in decoding order
_SHORTEST = 0.1  # seconds; a clock that goes no further in a whole segment stands still
_ADAPTED = re.compile(rb"[\x20-\x3f\x60-\x7f\xa0-\xbf\xe0-\xff]")  # 2.4.3.3: third header byte
_STARTS = re.compile(rb"[\x40-\x7f]")  # payload_unit_start_indicator, no transport_error_indicator
_TIMED = frozenset((0xBD, *range(0xC0, 0xF0)))  # stream_ids of sound and pictures (2.4.3.7)


class _Clock:
    """The time stamps of one PID."""

    def __init__(self) -> None:
        self.seconds = 0.0  # in this segment
        self.runs = False  # it was seen in this segment
        self._pid = -1
        self._last: int | None = None
        self._step = 0  # ticks, the last good one
        self._border = False

    def begin(self, *, goes_on: bool) -> None:
        if not self.runs:
            self._pid, self._last = -1, None
        if not goes_on:
            self._last = None
        self.seconds, self.runs, self._border = 0.0, False, True

    def note(self, pid: int, ticks: int) -> None:
        if self._pid != pid and self._pid >= 0:
            return
        self._pid, self.runs = pid, True
        step = (ticks - self._last) % WRAP if self._last is not None else 0
        if not self._border and WRAP - step < _REORDERED:
            return
        if 0 < step <= LONGEST_STEP:
            self._step = step
        elif step or self._border:
            step = self._step  # the clock jumped: it is taken to go on at its pace
        self._last, self._border = ticks, False
        self.seconds += step / TICKS


class Playtime:
    """Seconds of media in the segments of a stream. Raises on no input.

    The PCRs tell them. If there are none, or they stand still, the time stamps of one PID do. A
    clock that starts anew, also in mid-segment, is taken to go on at the same pace.
    """

    def __init__(self) -> None:
        self._pcr, self._dts = _Clock(), _Clock()
        self._trusted: _Clock | None = None  # the one that told the time of the last segment
        self._aligner = Aligner()
        self._goes_on = False

    def splice(self) -> None:
        """The next segment has nothing to do with the one before it."""
        self._goes_on = False

    def begin(self) -> None:
        """A segment begins."""
        self._aligner = Aligner()
        for clock in (self._pcr, self._dts):
            clock.begin(goes_on=self._goes_on)
        self._goes_on = True

    def feed(self, data: bytes) -> float | None:
        """Seconds from the last time stamp before to the last in it; None: not known yet."""
        before = self._pcr.seconds, self._dts.seconds
        self._note(self._aligner.feed(data))
        clock = self._trusted or (self._pcr if self._pcr.runs else self._dts)
        if not clock.runs:
            return None
        return clock.seconds - (before[0] if clock is self._pcr else before[1])

    def end(self) -> float | None:
        """Seconds that the whole segment lasts; None: nothing in it tells."""
        self._note(self._aligner.flush())
        clocks = (self._pcr, self._dts)
        self._trusted = next((c for c in clocks if c.seconds >= _SHORTEST), None)
        return self._trusted.seconds if self._trusted else None

    def _note(self, packets: bytes) -> None:
        for pid, ticks in _pcrs(packets):
            self._pcr.note(pid, ticks)
        if self._trusted is not self._pcr:
            for pid, ticks in _stamps(packets):
                self._dts.note(pid, ticks)


def _pcrs(packets: bytes) -> Iterator[tuple[int, int]]:
    """PID and ticks of each PCR."""
    for match in _ADAPTED.finditer(packets[3::PACKET_SIZE]):
        at = match.start() * PACKET_SIZE
        if packets[at + 4] >= 7 and packets[at + 5] & HAS_PCR and not packets[at + 1] & 0x80:
            yield pid_of(packets, at), read_pcr(packets, at + 6)


def _stamps(packets: bytes) -> Iterator[tuple[int, int]]:
    """PID and ticks of each DTS, or of the PTS if these are the same (2.4.3.7)."""
    for match in _STARTS.finditer(packets[1::PACKET_SIZE]):
        start = match.start() * PACKET_SIZE
        control = packets[start + 3]
        at = start + (5 + packets[start + 4] if control & 0x20 else 4)
        pes = packets[at : min(at + 19, start + PACKET_SIZE)]
        if control & 0xC0 or len(pes) < 14 or pes[:3] != b"\0\0\1" or pes[3] not in _TIMED:
            continue
        if pes[7] & 0xC0 == 0xC0 and len(pes) == 19:
            yield pid_of(packets, start), read_timestamp(pes, 14)
        elif pes[7] & 0x80:
            yield pid_of(packets, start), read_timestamp(pes, 9)
