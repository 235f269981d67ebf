"""Where a new upstream starts: at a keyframe, or where the last connection broke off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kptv.formats.mpegts.clock import TICKS, WRAP
from kptv.formats.mpegts.elementary import ElementaryKind, Nature, RandomAccess, has_rule
from kptv.formats.mpegts.inspection import Inspection, Mark, MarkKind, Unit, elementary_stream
from kptv.formats.mpegts.parameters import with_sets
from kptv.formats.mpegts.programs import Program
from kptv.splice.idr import Idr, idr_of

KEY_WAIT = 10.0  # seconds without a keyframe, after which any access unit will do
FLAG_WAIT = 2.0  # the same if only a flag tells a keyframe, which many encoders never set
CLOSED_WAIT = TICKS  # media in which an IDR is waited for although another keyframe came
REPLAY_WAIT = 2.0  # seconds in which a reconnect has to catch up with what was sent
AMPLE_WAIT = 3.0  # seconds in which keyframes are passed over while players have ample media
SOUGHT = 32_000  # packets (6 MB) that are kept at most while a keyframe is sought
REMEMBERED = 1024  # units by which a replay is recognised: 20 to 40 seconds


@dataclass(frozen=True, slots=True)
class Found:
    """The unit that an upstream is sent from, and how it starts there."""

    key: Unit
    program: Program  # the upstream's
    packets: Sequence[tuple[Inspection, int]]  # from the unit on, and where in each they start
    opening: Idr | None = None  # a picture to show one frame before the unit, or in its place
    replayed: bool = False  # it goes on, in mid-group, where the last connection broke off
    blind: bool = False  # no keyframe came in time

    @property
    def nature(self) -> Nature:
        return self.program.natures[self.key.pid]


class Memory:
    """Which units of an upstream were sent."""

    __slots__ = ("_fingerprints", "last_dts")

    def __init__(self) -> None:
        self._fingerprints: dict[int, int] = {}  # by DTS
        self.last_dts: int | None = None

    def note(self, unit: Unit) -> None:
        if unit.dts is None:
            return
        self.last_dts = unit.dts
        self._fingerprints[unit.dts % WRAP] = unit.fingerprint
        if len(self._fingerprints) > REMEMBERED:
            del self._fingerprints[next(iter(self._fingerprints))]

    def holds(self, unit: Unit) -> bool:
        """Whether this very unit was sent."""
        if unit.dts is None:
            return False
        return self._fingerprints.get(unit.dts % WRAP) == unit.fingerprint

    def differs(self, unit: Unit) -> bool:
        """Whether another unit of this time was sent."""
        if unit.dts is None:
            return False
        return self._fingerprints.get(unit.dts % WRAP, unit.fingerprint) != unit.fingerprint


class Seeker:
    """Looks for the unit to start from, and keeps the packets from there on.

    ``splice``: something was sent before, so an IDR is worth a wait. ``memory``: what was sent of
    the upstream, if it is one that was opened again.
    """

    def __init__(
        self,
        opened: float,
        *,
        splice: bool,
        memory: Memory | None = None,
        first: int = 0,
        program: Program | None = None,
    ) -> None:
        self._program = program  # the upstream's, as far as it was looked at
        self._blind = False  # no keyframe came in time
        self._replayed = False  # it starts where the last connection broke off
        self._fallback: Unit | None = None  # an open start of H.264, while an IDR is waited for
        self._opened = opened
        self._splice = splice
        self._memory = memory
        self._first = first  # the number of the first packet that may start
        self._catching_up = False
        self._candidate: int | None = None
        self._kept: list[tuple[Inspection, int]] = []

    def look(self, scan: Inspection, start: int, now: float, *, ample: bool) -> Found | None:
        """Where to start, once that is found; it may be in packets that were given before.

        ``ample``: players have so much media in reserve that a later keyframe is better.
        """
        self._kept.append((scan, start))
        for mark in scan.marks:
            if mark.packet < start:
                continue
            if mark.program is not None:
                self._change(mark.program)
            if mark.unit is not None and mark.unit.number >= self._first:
                key = self._at_mark(mark, mark.unit, now, ample=ample)
                if key and self._program:
                    return self._found(key, self._program)
        self._forget()
        return None

    def _found(self, key: Unit, program: Program) -> Found:
        packets = [
            (scan, max(start, key.number - scan.first))
            for scan, start in self._kept
            if scan.first + scan.count > key.number
        ]
        opening = None
        if key is self._fallback:
            unit = elementary_stream(key, [scan for scan, _ in packets])
            opening = idr_of(with_sets("h264", unit, key.sets))  # of other codecs none is sought
        return Found(key, program, packets, opening, self._replayed, self._blind)

    def _change(self, program: Program) -> None:
        """The upstream has another programme: units of the one before are of no use."""
        self._program = program
        self._candidate = self._fallback = None

    def _at_mark(self, mark: Mark, unit: Unit, now: float, *, ample: bool) -> Unit | None:
        nature = self._program.natures.get(unit.pid) if self._program else None
        if self._program is None or nature is None:
            return None
        is_lead = unit.pid == self._program.lead_pid
        if mark.kind is MarkKind.UNIT:
            return self._at_unit(unit, nature, now, is_lead=is_lead)
        if not is_lead:
            return None
        # An open start is worth avoiding with H.264 only: its decoders count frames across it.
        closed = unit.key is RandomAccess.CLOSED or nature.codec != "h264"
        return self._at_key(unit, now, closed=closed, ample=ample)

    def _at_unit(self, unit: Unit, nature: Nature, now: float, *, is_lead: bool) -> Unit | None:
        kind, waited = nature.kind, now - self._opened
        late = waited >= KEY_WAIT
        if is_lead and not has_rule(nature.codec):
            late = waited >= FLAG_WAIT
        if not is_lead:
            self._blind = late and kind is ElementaryKind.AUDIO and self._candidate is None
            return unit if self._blind else None
        self._candidate = unit.number
        if self._catches_up(unit, now):
            self._replayed = True
            return unit
        if self._catching_up:
            return None
        if kind is ElementaryKind.AUDIO and unit.pts is not None:  # radio: start at any
            return unit
        if self._fallback and self._waited_enough(unit):
            return self._fallback
        self._blind = late
        return unit if late else None

    def _at_key(self, unit: Unit, now: float, *, closed: bool, ample: bool) -> Unit | None:
        if self._catching_up or (ample and now - self._opened < AMPLE_WAIT):
            return None
        if closed or not self._splice:
            return unit
        self._fallback = self._fallback or unit
        return None

    def _catches_up(self, unit: Unit, now: float) -> bool:
        """Whether a replay has come to the first unit that was not sent."""
        memory = self._memory
        if memory is None or memory.last_dts is None or unit.dts is None:
            return False
        if memory.holds(unit):
            self._catching_up = True
        elif self._catching_up and memory.differs(unit):
            self._memory, self._catching_up = None, False  # only its headers were the same
        if now - self._opened > REPLAY_WAIT:
            self._memory, self._catching_up = None, False
        return self._catching_up and unit.dts > memory.last_dts

    def _waited_enough(self, unit: Unit) -> bool:
        first = self._fallback
        if first is None or first.dts is None or unit.dts is None:
            return True
        return unit.dts - first.dts >= CLOSED_WAIT

    def _forget(self) -> None:
        """Drop packets that nothing can start in any more."""
        if sum(scan.count for scan, _ in self._kept) > SOUGHT:
            self._kept.clear()
            self._candidate = self._fallback = None
            return
        needed = self._fallback.number if self._fallback else self._candidate
        if needed is None:
            self._kept.clear()
        else:
            self._kept = [
                (scan, start) for scan, start in self._kept if scan.first + scan.count > needed
            ]
