"""Continuity counters (2.4.3.3): whether one that does not go on tells of a loss.

It does not if the sender has started anew: a packager without a memory does with each segment, a
relay when it has connected once more. Then all counters restart, and nothing needs to be missing.
A restart is known (a border of segments), or seen by the counters of the tables, which no loss
changes without a loss of tables. Elsewhere a counter is taken for one that starts anew only if
nothing is missing: the PES packet before is whole, and the next one follows it in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from kptv.formats.mpegts.packets import HAS_OPCR, HAS_PCR

_LATE = 1.5  # of the longest step from one unit to the next: after more, one between is missing
_HAS_SPLICE = 0x04


class Restart(Enum):
    """Why a counter may start anew at a packet."""

    NONE = "none"
    TABLES = "tables"  # the packet is behind tables whose counters do not go on either
    BORDER = "border"  # it is behind a border of two parts; the one before ended where it should


NO_RESTART = Restart.NONE  # looking up a member of an enum costs more than all else here


class Restarts:
    """The PIDs of which no packet has come since the last restart."""

    __slots__ = ("_kind", "_tables", "pids")

    def __init__(self) -> None:
        self.pids: set[int] = set()
        self._kind = Restart.TABLES
        self._tables: dict[int, int] = {}  # last counters

    def begin(self, pids: Iterable[int], kind: Restart) -> None:
        """Here is one; ``pids`` are all that matter."""
        self.pids = set(pids)
        self._kind = kind

    def take(self, pid: int) -> Restart:
        """Why the counter of this PID's packet, which comes now, may start anew."""
        if pid not in self.pids:
            return NO_RESTART
        self.pids.discard(pid)
        return self._kind

    def is_at_table(self, pid: int, counter: int) -> bool:
        """Whether a table's counter, which comes now, tells of a restart that was not known."""
        last = self._tables.get(pid, -1)
        self._tables[pid] = counter
        known = self.take(pid) is not NO_RESTART
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


def judge_jump(restart: Restart, before: Before, *, starts: bool, dts: int | None) -> Finding:
    """What it means that a packet's counter does not go on.

    ``starts``: a PES packet starts in the packet; it has this DTS.
    """
    if restart is Restart.BORDER:
        if not starts:  # a PES packet goes on over the border
            return Finding(anew=True, lost=False)
        late = _is_late(before, dts)
        whole = before.whole or not (before.bounded or late)
        return Finding(anew=True, whole=whole, lost=late or not whole)
    follows = starts and before.whole and _follows(before, dts)
    if restart is Restart.TABLES:
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
    """Whether the adaptation field at ``at`` holds stuffing: a PES packet ends so (2.4.3.5)."""
    size = block[at]
    if size < 2:
        return not size or not block[at + 1]
    flags = block[at + 1]
    needed = 1 + 6 * bool(flags & HAS_PCR) + 6 * bool(flags & HAS_OPCR) + bool(flags & _HAS_SPLICE)
    return needed < size < 184 and block[at + size] == 0xFF
