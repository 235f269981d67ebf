"""The packets of one upstream that were dealt with last."""

from __future__ import annotations

from collections import deque

from kptv.formats.mpegts.inspection import Inspection, Unit, elementary_stream
from kptv.formats.mpegts.inspector import Inspector

LONGEST_UNIT = 20_000  # packets (3.7 MB): longer PES packets are not kept, nor waited for


class Trail:
    """How far an upstream was dealt with, and what its last packets can still tell."""

    __slots__ = ("_dealt", "_inspector", "_kept", "_start", "border", "position")

    def __init__(self, inspector: Inspector, number: int) -> None:
        self.position = number  # the upstream's packets before this one are dealt with
        self.border = -1  # the number of the first packet behind the last border
        self._inspector = inspector
        self._dealt: Inspection | None = None  # has the packets that were dealt with last
        self._start = number  # the number of the first of them
        self._kept: deque[Inspection] = deque()

    def go_on(self, scan: Inspection, start: int, stop: int) -> None:
        """The packets from index ``start`` to before ``stop`` were dealt with."""
        self.position = scan.first + stop
        self._dealt, self._start = scan, scan.first + start
        if not self._kept or self._kept[-1] is not scan:
            self._kept.append(scan)

    def keep(self, number: int) -> None:
        """Keep the packets from this one on, within limits, and drop the rest."""
        number = max(number, self.position - LONGEST_UNIT)
        while self._kept and self._kept[0].first + self._kept[0].count <= number:
            self._kept.popleft()

    def cross(self) -> None:
        """What comes next was made apart, and what came ended where it should."""
        self.border = self._inspector.packets

    def stands_at_border(self, pid: int) -> bool:
        """Whether nothing of the PID came behind the last border."""
        if self.border not in (self._start, self.position):
            return False
        return self.position == self.border or all(
            word >> 8 & 0x1FFF != pid for word in self._words()
        )

    def counter_of(self, pid: int) -> int:
        """The counter of the PID's last packet; the inspector may be ahead in the same block."""
        for word in reversed(self._words()):
            if word >> 8 & 0x1FFF == pid:
                return word & 15
        return self._inspector.counter_of(pid)

    def _words(self) -> tuple[int, ...]:
        """The headers of the packets that were dealt with last."""
        scan = self._dealt
        if scan is None:
            return ()
        return scan.words[self._start - scan.first : self.position - scan.first]

    def payload_of(self, unit: Unit) -> bytes:
        """The elementary stream in a PES packet, if its packets are still here."""
        if unit.end is None or not self._kept or unit.number < self._kept[0].first:
            return b""
        return elementary_stream(unit, self._kept)
