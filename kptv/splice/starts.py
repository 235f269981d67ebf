"""Where viewers may start in the media of one upstream."""

from __future__ import annotations

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.elementary import ElementaryKind, has_rule
from kptv.formats.mpegts.inspection import Unit
from kptv.formats.mpegts.packets import picture_packets
from kptv.splice.holding import PossibleStart
from kptv.splice.idr import Idr
from kptv.splice.joining import StartPoint
from kptv.splice.lanes import Lane, Lanes
from kptv.splice.outgoing import OutgoingProgram
from kptv.splice.seeker import Found


class Starts:
    """Notes start points in the hold, as units of the lead are sent."""

    __slots__ = ("_found", "_guesses", "_hold", "_lanes", "_last", "_outgoing", "_timeline")

    def __init__(self, outgoing: OutgoingProgram, lanes: Lanes, found: Found) -> None:
        self._outgoing = outgoing
        self._timeline = outgoing.timeline
        self._hold = outgoing.hold
        self._lanes = lanes
        self._found = found
        # While no keyframe is known of a codec, one unit per second is taken for one.
        self._guesses = found.blind and not has_rule(found.nature.codec)
        self._last: int | None = None  # DTS of the last unit that was taken for a keyframe

    def open_with(self, opening: Idr) -> None:
        """Send a picture before the key unit, or instead of it: viewers start there."""
        track, key = self._lanes.lead.track, self._found.key
        if key.pts is None or key.dts is None:
            return
        shift = self._timeline.shift - (0 if opening.instead else track.duration)
        over = self._outgoing.over
        track.pts, track.dts = key.pts + shift, key.dts + shift
        packets = picture_packets(track.pid, opening.unit, track.pts, track.dts, track.counter + 1)
        track.counter = track.counter + len(packets) // PACKET_SIZE & 15
        point = self._point(track.dts, over)
        self._hold.add_start(PossibleStart(self._hold.made, key, point, always=True))
        self._hold.add(packets)

    def note(self, lane: Lane, unit: Unit) -> None:
        """Remember where the unit starts if a viewer can start there, or perhaps can."""
        is_key = unit is self._found.key
        radio = lane.kind is ElementaryKind.AUDIO
        always = radio or (is_key and not self._found.replayed) or self._is_due(unit)
        if unit.head is None and not unit.key and not always:
            return
        if is_key and self._found.opening:
            return  # viewers start at the opening, of which this is the second showing
        dts = (unit.dts or 0) + self._timeline.shift
        point = self._point(dts, self._outgoing.over)
        self._hold.add_start(PossibleStart(lane.place, unit, point, always))

    def _is_due(self, unit: Unit) -> bool:
        """Whether the unit is taken for a keyframe although nothing tells that it is one."""
        if not self._guesses or unit.dts is None:
            return False
        self._guesses = not unit.key  # its encoder marks them after all
        if self._last is not None and 0 <= unit.dts - self._last < TICKS:
            return False
        self._last = unit.dts
        return True

    def _point(self, dts: int, over: int | None) -> StartPoint:
        """The packet that is made next, as a point to start at.

        ``over``: when all picture and sound before it is over; None: there is none.
        """
        return StartPoint(
            offset=0,
            clock=self._timeline.seconds(dts),
            tables=self._outgoing.last_tables,
            essential=self._lanes.essential,
            others=self._lanes.others,
            pcr_pid=self._lanes.pcr_pid,
            pcr=self._timeline.pcr,
            tables_version=self._outgoing.version,
            gap=0.0 if over is None else max(0.0, (dts - over) / TICKS),
        )
