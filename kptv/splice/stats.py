"""The figures of an upstream that the status page shows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.elementary import ElementaryKind
from kptv.formats.mpegts.inspection import Inspection, MarkKind
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.media import Medium, frame_rate, told_frame_rate
from kptv.formats.mpegts.sps import Size

_WINDOW = 10 * TICKS  # a bit rate is that of so much media
_JITTER_WINDOW = 10.0  # seconds
_STEP = TICKS // 4  # between two samples
# Looking up a member of an enum costs as much as two calls.
_KEY, _UNIT = MarkKind.KEY, MarkKind.UNIT
_AV = (ElementaryKind.VIDEO, ElementaryKind.AUDIO)


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of an upstream; zeros and None for what is not known yet."""

    codecs: tuple[str, ...]  # video first
    media: tuple[Medium, ...]  # picture and sound, in that order
    size: Size | None
    frame_rate: float | None  # frames per second
    bit_rate: int  # bit/s, null packets included
    gop_seconds: float  # from the last keyframe but one to the last
    pcr_jitter: float  # seconds between the earliest and the latest PCR of the last 10 s
    packets: int
    continuity_errors: int
    damaged_packets: int  # transport_error_indicator
    scrambled_packets: int
    bytes_dropped: int  # garbage between packets
    sync_losses: int


class Tally:
    """Measures one upstream, block by block."""

    def __init__(self) -> None:
        self.gop_seconds = 0.0
        self.unit_rate: float | None = None  # units of the lead per second of that time
        self._rate: deque[tuple[int, int]] = deque()  # (clock, bytes)
        self._offsets: deque[tuple[float, float]] = deque()  # (now, PCR - now)
        self._bytes = 0
        self._last_key: int | None = None
        self._lead: int | None = None  # the PID of that
        self._units = 0  # of the lead, since the last keyframe

    def note(self, scan: Inspection, clock: int | None, now: float) -> None:
        self._bytes += len(scan.block)
        for mark in scan.marks:
            if mark.kind is _UNIT:
                self._units += mark.pid == self._lead
            elif mark.kind is _KEY and mark.unit is not None and mark.unit.dts is not None:
                self._note_key(mark.pid, mark.unit.dts)
        if clock is None or (self._rate and 0 <= clock - self._rate[-1][0] < _STEP):
            return
        if self._rate and not 0 < clock - self._rate[-1][0] < _WINDOW:  # the clock stepped
            self._rate.clear()
            self._offsets.clear()
        self._rate.append((clock, self._bytes))
        self._offsets.append((now, clock / TICKS - now))
        while clock - self._rate[0][0] > _WINDOW:
            self._rate.popleft()
        while now - self._offsets[0][0] > _JITTER_WINDOW:
            self._offsets.popleft()

    def _note_key(self, pid: int, dts: int) -> None:
        if self._last_key is not None:
            self.gop_seconds = max(0.0, (dts - self._last_key) / TICKS)
            if self._units and self.gop_seconds and pid == self._lead:
                self.unit_rate = self._units / self.gop_seconds
        self._last_key, self._lead, self._units = dts, pid, 0

    @property
    def bit_rate(self) -> int:
        """Bits per second of media, not of time, so that a burst does not count."""
        if len(self._rate) < 2:
            return 0
        (first, some), (last, all_) = self._rate[0], self._rate[-1]
        return round((all_ - some) * 8 * TICKS / (last - first))

    @property
    def pcr_jitter(self) -> float:
        offsets = [offset for _, offset in self._offsets]
        return max(offsets) - min(offsets) if offsets else 0.0


def stats_of(inspector: Inspector, tally: Tally, bytes_dropped: int, sync_losses: int) -> Stats:
    natures = inspector.program.natures if inspector.program else {}
    pids = sorted(natures, key=lambda pid: _rank(natures[pid].kind))
    media = inspector.known_media
    return Stats(
        codecs=tuple([media[pid].codec if pid in media else natures[pid].codec for pid in pids]),
        media=tuple([media[pid] for pid in pids if pid in media]),
        size=inspector.size,
        frame_rate=_frame_rate(inspector, tally),
        bit_rate=tally.bit_rate,
        gop_seconds=tally.gop_seconds,
        pcr_jitter=tally.pcr_jitter,
        packets=inspector.packets,
        continuity_errors=inspector.continuity_errors,
        damaged_packets=inspector.damaged,
        scrambled_packets=inspector.scrambled,
        bytes_dropped=bytes_dropped,
        sync_losses=sync_losses,
    )


def _rank(kind: ElementaryKind) -> int:
    return _AV.index(kind) if kind in _AV else len(_AV)


def _frame_rate(inspector: Inspector, tally: Tally) -> float | None:
    """None of radio, whose units are no pictures."""
    sets = inspector.sets
    if inspector.size is None and not sets.main:
        return None
    return frame_rate(told_frame_rate(sets.codec, sets.main), tally.unit_rate)
