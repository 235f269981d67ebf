"""Continuity counters (2.4.3.3): whether one that does not go on tells of a loss.

It does not where what sends was started anew: each segment of a packager without a memory, a relay
that connected once more. Then all counters start again, and nothing needs to be missing. A place
where that may be is known (a border of segments), or seen by the counters of the tables, which no
loss changes without one of them being lost. Elsewhere a counter is taken for one that starts anew
only if nothing is missing: behind a PES packet that is whole comes the one that follows it in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from kptv.formats.mpegts.packets import HAS_OPCR, HAS_PCR

_LATE = 1.5  # the longest step from one unit to the next: what comes later lacks one between
_HAS_SPLICE = 0x04


class BreakPlace(Enum):
    """What is known of the place where a counter does not go on."""

    ANYWHERE = "anywhere"
    TABLES = "tables"  # behind tables whose counters do not go on either
    BORDER = "border"  # of two parts, of which the first ended where it should


ANYWHERE = BreakPlace.ANYWHERE  # looking up a member of an enum costs more than all else here


class Places:
    """Of which PIDs the next packet is the first behind a place where counters may start anew."""

    __slots__ = ("_is_border", "_tables", "pids")

    def __init__(self) -> None:
        self.pids: set[int] = set()
        self._is_border = False
        self._tables: dict[int, int] = {}  # last counters

    def begin(self, pids: Iterable[int], *, border: bool) -> None:
        """Here is one; ``pids`` are all that matter."""
        self.pids = set(pids)
        self._is_border = border

    def take(self, pid: int) -> BreakPlace:
        """Where a packet of this PID is."""
        if pid not in self.pids:
            return ANYWHERE
        self.pids.discard(pid)
        return BreakPlace.BORDER if self._is_border else BreakPlace.TABLES

    def table_starts_anew(self, pid: int, counter: int) -> bool:
        """Whether that is so of a table, away from a place that is known."""
        last = self._tables.get(pid, -1)
        self._tables[pid] = counter
        known = self.take(pid) is not ANYWHERE
        return last >= 0 and counter not in (last, last + 1 & 15) and not known


@dataclass(frozen=True, slots=True)
class Before:
    """What came of a PID before a packet; times are ticks."""

    whole: bool  # its last PES packet is all there
    bounded: bool  # and that is known by its length
    steady: bool  # units follow each other without gaps, as those of picture and sound do
    dts: int | None
    step: int  # the longest from one unit to the next


@dataclass(frozen=True, slots=True)
class Finding:
    """What a counter that does not go on means."""

    anew: bool  # it starts anew; else packets were lost, and that is all
    whole: bool = True  # nothing of the last unit is missing
    lost: bool = True  # something is missing


def judge_jump(place: BreakPlace, before: Before, *, starts: bool, dts: int | None) -> Finding:
    """``starts``: with the packet begins a PES packet, which has this DTS."""
    if place is BreakPlace.BORDER:
        if not starts:  # a PES packet that goes on over the border
            return Finding(anew=True, lost=False)
        late = _is_late(before, dts)
        whole = before.whole or not (before.bounded or late)
        return Finding(anew=True, whole=whole, lost=late or not whole)
    follows = starts and before.whole and _follows(before, dts)
    if place is BreakPlace.TABLES:
        whole = follows or (before.whole and not before.steady)
        return Finding(anew=True, whole=whole, lost=not whole)
    return Finding(anew=follows, lost=not follows)


def _is_late(before: Before, dts: int | None) -> bool:
    if dts is None or before.dts is None or not before.step:
        return False
    return dts - before.dts > _LATE * before.step


def _follows(before: Before, dts: int | None) -> bool:
    if dts is None or before.dts is None or not before.step:
        return False
    return 0 < dts - before.dts <= _LATE * before.step


def is_filled_up(block: bytes, at: int) -> bool:
    """Whether the adaptation field at ``at`` holds stuffing: so ends a PES packet (2.4.3.5)."""
    size = block[at]
    if size < 2:
        return not size or not block[at + 1]
    flags = block[at + 1]
    needed = 1 + 6 * bool(flags & HAS_PCR) + 6 * bool(flags & HAS_OPCR) + bool(flags & _HAS_SPLICE)
    return needed < size < 184 and block[at + size] == 0xFF
