"""Where a new upstream may start: its first keyframe, or where the last one broke off."""

from __future__ import annotations

from kptv.formats.mpegts.clock import TICKS, WRAP
from kptv.formats.mpegts.elementary import ElementaryKind, Nature, RandomAccess, has_rule
from kptv.formats.mpegts.inspection import Inspection, Mark, MarkKind, Unit
from kptv.formats.mpegts.programs import Program

KEY_WAIT = 10.0  # seconds without a keyframe, after which any access unit will do
FLAG_WAIT = 2.0  # seconds, where only a flag tells, which many encoders never set
CLOSED_WAIT = TICKS  # media that an IDR is waited for when there is another keyframe
REPLAY_WAIT = 2.0  # seconds in which a reconnect has to catch up with what was sent
AHEAD_WAIT = 3.0  # seconds that keyframes are passed over while media is ahead of time
SOUGHT = 32_000  # packets (6 MB) that are kept while a keyframe is sought
REMEMBERED = 1024  # units by which a replay is recognised: 20 to 40 seconds


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
    this very stream, if it is one that is opened again.
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
        self.program = program  # the upstream's, where it was looked at last
        self.blind = False  # no keyframe came in time
        self.replayed = False  # it starts where the last connection broke off
        self.fallback: Unit | None = None  # an open start of H.264, while an IDR is waited for
        self._opened = opened
        self._splice = splice
        self._memory = memory
        self._first = first  # the number of the first packet that may start
        self._catching_up = False
        self._candidate: int | None = None
        self._kept: list[tuple[Inspection, int]] = []

    def look(self, scan: Inspection, start: int, now: float, *, ahead: bool) -> Unit | None:
        """The unit to start from, once it is found; it may be in packets looked at before."""
        self._kept.append((scan, start))
        for mark in scan.marks:
            if mark.packet < start:
                continue
            if mark.program is not None:
                self._change(mark.program)
            if mark.unit is not None and mark.unit.number >= self._first:
                found = self._at_mark(mark, mark.unit, now, ahead=ahead)
                if found:
                    return found
        self._forget()
        return None

    def take(self, number: int) -> list[tuple[Inspection, int]]:
        """The packets from this one on: inspections, and where in each they start."""
        kept, self._kept = self._kept, []
        return [
            (scan, max(start, number - scan.first))
            for scan, start in kept
            if scan.first + scan.count > number
        ]

    def _change(self, program: Program) -> None:
        """Another programme: what was found in the one before is of no use."""
        self.program = program
        self._candidate = self.fallback = None

    def _at_mark(self, mark: Mark, unit: Unit, now: float, *, ahead: bool) -> Unit | None:
        nature = self.program.natures.get(unit.pid) if self.program else None
        if self.program is None or nature is None:
            return None
        is_lead = unit.pid == self.program.lead_pid
        if mark.kind is MarkKind.UNIT:
            return self._at_unit(unit, nature, now, is_lead=is_lead)
        if not is_lead:
            return None
        # Only of H.264 an open start is worth avoiding: its decoders count frames across it.
        closed = unit.key is RandomAccess.CLOSED or nature.codec != "h264"
        return self._at_key(unit, now, closed=closed, ahead=ahead)

    def _at_unit(self, unit: Unit, nature: Nature, now: float, *, is_lead: bool) -> Unit | None:
        kind, waited = nature.kind, now - self._opened
        late = waited >= KEY_WAIT
        if is_lead and not has_rule(nature.codec):
            late = waited >= FLAG_WAIT
        if not is_lead:
            self.blind = late and kind is ElementaryKind.AUDIO and self._candidate is None
            return unit if self.blind else None
        self._candidate = unit.number
        if self._catches_up(unit, now):
            self.replayed = True
            return unit
        if self._catching_up:
            return None
        if kind is ElementaryKind.AUDIO and unit.pts is not None:  # radio: start at any
            return unit
        if self.fallback and self._waited_enough(unit):
            return self.fallback
        self.blind = late
        return unit if late else None

    def _at_key(self, unit: Unit, now: float, *, closed: bool, ahead: bool) -> Unit | None:
        if self._catching_up or (ahead and now - self._opened < AHEAD_WAIT):
            return None
        if closed or not self._splice:
            return unit
        self.fallback = self.fallback or unit
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
        first = self.fallback
        if first is None or first.dts is None or unit.dts is None:
            return True
        return unit.dts - first.dts >= CLOSED_WAIT

    def _forget(self) -> None:
        """Drop packets that cannot be the start any more."""
        if sum(scan.count for scan, _ in self._kept) > SOUGHT:
            self._kept.clear()
            self._candidate = self.fallback = None
            return
        needed = self.fallback.number if self.fallback else self._candidate
        if needed is None:
            self._kept.clear()
        else:
            self._kept = [
                (scan, start) for scan, start in self._kept if scan.first + scan.count > needed
            ]
