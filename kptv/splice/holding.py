"""Packets for viewers, kept until every PES packet in them is whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.inspection import Unit
from kptv.formats.mpegts.packets import pid_of
from kptv.splice.joining import Media, StartPoint


@dataclass(slots=True, eq=False)
class PossibleStart:
    """A unit of the lead: a start point once it turns out to be a keyframe, or in any case."""

    place: int  # packets made before it
    unit: Unit
    point: StartPoint  # it gets its offset when it is released
    always: bool  # whether or not the unit is a keyframe


class Hold:
    """Packets in the order in which they were made."""

    __slots__ = ("_parts", "_starts", "_versions", "base", "made", "tables_version")

    def __init__(self) -> None:
        self._parts: deque[Media] = deque()  # joined once, when they are released
        self.base = 0  # the place of the first packet that is held
        self.made = 0  # places: how many packets were made so far
        self._starts: deque[PossibleStart] = deque()
        self.tables_version = 0  # of the tables that were released last
        self._versions: deque[tuple[int, int]] = deque()  # (place, version): tables that are held

    @property
    def is_empty(self) -> bool:
        return self.base == self.made

    def add(self, packets: Media) -> None:
        """Add whole packets, which nobody changes from now on."""
        if packets:
            self._parts.append(packets)
            self.made += len(packets) // PACKET_SIZE

    def add_tables(self, packets: bytes, version: int) -> None:
        """Add PAT and PMT; from here on viewers see the tables of this version."""
        self._versions.append((self.made, version))
        self.add(packets)

    def add_start(self, start: PossibleStart) -> None:
        """Note where a viewer may be able to start; in the order of their places."""
        self._starts.append(start)

    def release(self, boundary: int) -> tuple[bytes, tuple[StartPoint, ...]]:
        """Everything before the place ``boundary``, and the start points in it."""
        base = self.base
        if boundary <= base:
            return b"", ()
        data = self._take((boundary - base) * PACKET_SIZE)
        self.base = boundary
        points: list[StartPoint] = []
        while self._starts and self._starts[0].place < boundary:
            start = self._starts.popleft()
            if start.always or start.unit.key:
                points.append(start.point.at((start.place - base) * PACKET_SIZE))
        while self._versions and self._versions[0][0] < boundary:
            _, self.tables_version = self._versions.popleft()
        return data, tuple(points)

    def _take(self, size: int) -> bytes:
        taken: list[Media] = []
        while size:
            part = self._parts.popleft()
            if len(part) > size:
                self._parts.appendleft(memoryview(part)[size:])
                part = memoryview(part)[:size]
            taken.append(part)
            size -= len(part)
        return b"".join(taken)

    def change(self, place: int, change: Callable[[bytes], bytes]) -> None:
        """Change the packets that are held from a place on; their number must stay the same."""
        at = (place - self.base) * PACKET_SIZE
        if at >= 0:
            data = b"".join(self._parts)
            self._parts = deque((data[:at], change(data[at:])))

    def cut(self, partial: dict[int, int]) -> list[int]:
        """Take out the packets of each PID from its place on: units that never became whole.

        Returns the places that these packets had.
        """
        data, base, kept, gone = b"".join(self._parts), self.base, [], []
        for number in range(len(data) // PACKET_SIZE):
            at = number * PACKET_SIZE
            if base + number >= partial.get(pid_of(data, at), self.made):
                gone.append(base + number)
            else:
                kept.append(data[at : at + PACKET_SIZE])
        self._parts = deque((b"".join(kept),))
        self.made -= len(gone)
        removed = set(gone)
        self._starts = deque(start for start in self._starts if start.place not in removed)
        for start in self._starts:
            start.place -= places_before(gone, start.place)
        self._versions = deque(
            (place - places_before(gone, place), version) for place, version in self._versions
        )
        return gone


def places_before(places: list[int], place: int) -> int:
    """How many of the places come before this one."""
    return sum(1 for other in places if other < place)
