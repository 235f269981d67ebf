"""The units of an upstream: PES packets, and in those of video the access units.

A unit is told of when it starts; when it ends and whether a decoder can start from it are noted in
it later, as its packets come.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.clock import TICKS, StreamClock, read_timestamp
from kptv.formats.mpegts.elementary import ElementaryKind, Nature, RandomAccess, UnitVerdict, judge
from kptv.formats.mpegts.inspection import Mark, MarkKind, Unit
from kptv.formats.mpegts.parameters import ParameterSets, Sets, sets_in
from kptv.formats.mpegts.programs import Program
from kptv.formats.mpegts.sps import Size

START_CODE = b"\x00\x00\x01"
AV = (ElementaryKind.VIDEO, ElementaryKind.AUDIO)
# Looking up a member of an enum costs as much as two calls.
_VIDEO, _UNIT = ElementaryKind.VIDEO, MarkKind.UNIT
_PLAIN_UNITS = 2  # start codes before the slice data of most pictures: a delimiter, a slice
_HEAD_PACKETS = 16  # packets of an access unit that are looked at for its slice type
# stream_ids whose PES packets have no header fields behind the length (2.4.3.7).
_BARE_PES = frozenset((0xBC, 0xBE, 0xBF, 0xF0, 0xF1, 0xF2, 0xF8, 0xFF))


@dataclass(slots=True, eq=False)
class PidState:
    """What is known of one PID of the programme."""

    nature: Nature
    counter: int = -1  # of its last packet
    repeated: bool = False  # the last packet was a duplicate: legal once
    unit: Unit | None = None  # the one that is running, or was last
    dts: int | None = None  # of the last unit, if it has one
    step: int = 0  # the longest from one unit to the next
    head: bytes = b""  # of picture and sound: what its first packet holds of the last unit
    filled_at: int = -1  # the counter of the last packet that ends a PES packet by its stuffing

    @property
    def is_short(self) -> bool:
        """Bytes of a PES packet of told length are still to come."""
        return self.unit is not None and self.unit.left > 0


class UnitReader:
    """Follows the units of all PIDs of a programme; marks where they start and are keyframes."""

    def __init__(self, clock: StreamClock, sets: ParameterSets | None) -> None:
        """``sets``: the parameter sets that came of the same stream before."""
        self.sets = sets or ParameterSets()
        self.size: Size | None = None  # of the pictures
        self.lead_units = 0  # access units of the video in the clear; of radio, PES packets
        self._clock = clock
        self._lead: int | None = None  # PID
        self._first = 0  # the number of the first packet of the block
        self._marks: list[Mark] = []  # of the block

    def begin(self, first: int, marks: list[Mark]) -> None:
        """A block begins with the packet of this number; what is found is added to ``marks``."""
        self._first, self._marks = first, marks

    def follow(self, program: Program) -> None:
        """Take the programme's lead, and forget the parameter sets of another."""
        before, self._lead = self._lead, program.lead_pid
        codec = program.natures[self._lead].codec if self._lead is not None else ""
        if codec != self.sets.codec or before not in (None, self._lead):
            self.sets = ParameterSets(codec)

    def start(
        self, index: int, counter: int, pid: int, state: PidState, pes: bytes, *, flagged: bool
    ) -> None:
        """A unit starts with ``pes``, the payload of a packet; ``flagged``: for random access."""
        pts, dts, content = self.times(pes)
        is_av = state.nature.kind in AV
        state.head = head = pes[content:] if is_av else b""
        unit = Unit(
            pid=pid,
            number=self._first + index,
            counter=counter,
            pts=pts,
            dts=dts,
            pts_at=PACKET_SIZE - len(pes) + 9 if pts is not None else 0,
            has_dts=dts is not None and pes[7] & 0xC0 == 0xC0,
            random_access=flagged,
            fingerprint=zlib.crc32(head),
        )
        if dts is not None and state.dts is not None and 0 < dts - state.dts < TICKS:
            state.step = max(state.step, dts - state.dts)
        state.unit, state.dts = unit, dts
        if dts is not None:
            self._clock.take_dts(dts)
        self._marks.append(Mark(index, _UNIT, pid, unit))
        is_video = state.nature.kind is _VIDEO
        if pid == self._lead:
            self.lead_units += 1
            if is_video:
                unit.head = b""
                self._judge(index, unit, state.nature.codec, head)
        length = int.from_bytes(pes[4:6], "big")
        if length and not is_video:
            unit.left = length + 6
            self._count_down(index, counter, unit, len(pes))

    def go_on(self, index: int, counter: int, unit: Unit, codec: str, payload: bytes) -> None:
        """A packet goes on with a unit."""
        if unit.head is not None:
            self._judge(index, unit, codec, payload)
        if unit.left > 0:  # else it is whole, and what comes behind its end is not of it
            self._count_down(index, counter, unit, len(payload))

    def end(self, index: int, last: int, state: PidState) -> None:
        """Another unit starts here: one of no told length is whole, a short one never will be.

        ``last``: the counter of the PID's packet before.
        """
        unit = state.unit
        if unit is None:
            return
        if unit.head is not None:  # it had no picture in it
            own = sets_in(state.nature.codec, unit.head, whole=True)
            self._settle(index, unit, UnitVerdict(RandomAccess.NONE), own)
        if unit.end is None:
            unit.end, unit.end_counter = self._first + index, last & 15

    def times(self, pes: bytes) -> tuple[int | None, int | None, int]:
        """PTS and DTS of a PES packet, unwrapped, and where its content starts."""
        if len(pes) < 9 or pes[3] in _BARE_PES:
            return None, None, 6
        pts = dts = None
        if pes[7] & 0x80 and len(pes) >= 14:
            pts = dts = self._clock.unwrap(read_timestamp(pes, 9))
        if pes[7] & 0xC0 == 0xC0 and len(pes) >= 19:
            dts = self._clock.unwrap(read_timestamp(pes, 14))
        return pts, dts, 9 + pes[8]

    def _count_down(self, index: int, counter: int, unit: Unit, size: int) -> None:
        unit.left = max(0, unit.left - size)
        if not unit.left:
            unit.end, unit.end_counter = self._first + index + 1, counter

    def _judge(self, index: int, unit: Unit, codec: str, payload: bytes) -> None:
        """Tell from the bytes so far whether the access unit is a keyframe, if they do tell."""
        unit.head = (unit.head or b"") + payload
        flagged = unit.random_access
        verdict = judge(codec, unit.head, random_access=flagged, known=True)  # `_settle` knows
        if verdict is None and len(unit.head) > _HEAD_PACKETS * PACKET_SIZE:  # of odd syntax
            verdict = UnitVerdict(RandomAccess.OPEN if flagged else RandomAccess.NONE)
        if verdict is not None:
            may_bring_sets = verdict.key or unit.head.count(START_CODE) > _PLAIN_UNITS
            own = sets_in(codec, unit.head) if may_bring_sets else {}
            self._settle(index, unit, verdict, own)

    def _settle(self, index: int, unit: Unit, verdict: UnitVerdict, own: Sets) -> None:
        """``own``: the parameter sets that the unit brings."""
        unit.head = None
        if own:
            self.sets.note(own)
        vouched = verdict.opaque and unit.random_access  # for what nobody here can read
        if verdict.key and (vouched or self.sets.known):
            unit.key = verdict.key
            unit.sets = self.sets.missing(own)
        self.size = verdict.size or self.size
        if unit.key:
            self._marks.append(Mark(index, MarkKind.KEY, unit.pid, unit))
