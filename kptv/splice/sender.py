"""One upstream from its start to its end: its packets on the PIDs and clock that viewers see."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import partial

from kptv.formats.mpegts import PACKET_SIZE, PAT_PID
from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.cues import Cue
from kptv.formats.mpegts.elementary import CUES, ElementaryKind, RandomAccess
from kptv.formats.mpegts.inspection import UNIT_START, Inspection, Mark, MarkKind, Unit
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.packets import payload_of
from kptv.formats.mpegts.programs import Program
from kptv.splice.clocks import ClockShifter
from kptv.splice.holding import places_before
from kptv.splice.lanes import LONGEST_CUE, Lane, Lanes
from kptv.splice.outgoing import OutgoingProgram
from kptv.splice.restamp import Restamped, break_link, complete_unit, shift_unit
from kptv.splice.seeker import Found, Memory
from kptv.splice.starts import Starts
from kptv.splice.trail import Trail

JUMP_BACK, JUMP_AHEAD = TICKS, 3 * TICKS  # a step of the clock that needs a splice
LONGEST_HEAD = 1000  # packets of all PIDs, in which a unit tells what it is


class Then(Enum):
    """What follows after a sender has stopped at a packet."""

    MORE = "more"  # it is to be given the packets from there on
    LATER = "later"  # the same, once more packets came: they tell what the unit there is
    OVER = "over"  # it ends: the clock steps, the lead changes, or it is too far ahead of time


# Looking up a member of an enum costs as much as two calls, and these are asked for at each mark.
_UNIT, _CLOCK, _TABLE = MarkKind.UNIT, MarkKind.CLOCK, MarkKind.TABLE
_SECTION, _BREAK = MarkKind.SECTION, MarkKind.BREAK
_OPEN, _OTHER = RandomAccess.OPEN, ElementaryKind.OTHER
_OVER = Then.OVER


@dataclass(slots=True)
class _Stop:
    """Why the marks of a block are not gone through to the end."""

    index: int  # of the first packet that is left
    then: Then = Then.MORE
    torn: Lane | None = None  # its unit will never be whole
    program: Program | None = None  # the upstream's from here on


class Sender:
    """Packets of one upstream in, packets for viewers into the hold.

    Null packets and what is not of the upstream's programme are left out. Of the first upstream
    nothing but the tables is rewritten, as long as its counters and parameter sets are all there.
    """

    def __init__(
        self, inspector: Inspector, outgoing: OutgoingProgram, memory: Memory, found: Found
    ) -> None:
        self._inspector = inspector
        self._outgoing = outgoing
        self._timeline = outgoing.timeline
        self._hold = outgoing.hold
        self._key = found.key
        self._rewrites = outgoing.lead is not None
        self._trail = Trail(inspector, found.key.number)
        self._lanes = Lanes(outgoing, self._trail, found, memory)
        self._clocks = ClockShifter(self._lanes, self._timeline)
        self._cues: list[Cue] = []  # that became whole in this block
        self._open_start: int | None = None  # the place of an H.265 key unit that is no IDR
        self._starts = Starts(outgoing, self._lanes, found)
        if found.opening:
            self._starts.open_with(found.opening)

    @property
    def program(self) -> Program:
        """The upstream's programme, as it is now."""
        return self._lanes.program

    @property
    def starting(self) -> bool:
        """Whether the first unit is not whole yet, and is waited for."""
        return self._lanes.starting

    @property
    def boundary(self) -> int:
        """The place before which every PES packet is whole, or is not waited for."""
        return self._lanes.boundary

    def send(
        self, scan: Inspection, start: int, limit: int | None, *, final: bool = False
    ) -> tuple[int, Then]:
        """Deal with packets from index ``start`` on; the index of the first one that is left.

        ``limit``: a time of the outgoing programme, at which the sender ends. ``final``: no more
        packets will tell what a unit is.
        """
        draft = Restamped(scan, start, self._lanes.headers, rewrite=self._rewrites)
        stop = self._go_through(scan, draft, start, limit, final=final) or _Stop(scan.count)
        for packets in draft.finish(stop.index):
            self._hold.add(packets)
        self._rewrites = draft.rewrites
        self._shift_cues()
        self._trail.go_on(scan, start, stop.index)
        self._lanes.keep_trail()
        if stop.torn and stop.then is not _OVER:
            self._tear(stop.torn)
        self._break_link()
        if stop.program:
            self._change(stop.program, stop.then)
        return stop.index, stop.then

    def cross(self) -> None:
        """What comes next was made apart, and what came ended where it should."""
        self._trail.cross()

    def end(self, *, clean: bool) -> None:
        """The upstream is gone: what is not whole is taken out of the hold.

        ``clean``: it ended between two units, so that the last one of no told length is whole.
        """
        self._lanes.end(clean=clean)

    def _go_through(
        self, scan: Inspection, draft: Restamped, start: int, limit: int | None, *, final: bool
    ) -> _Stop | None:
        """Deal with the marks of a block; why that stopped, or None."""
        for at, mark in enumerate(scan.marks):
            if mark.packet < start:
                continue
            kind = mark.kind
            if kind is _BREAK:
                if stop := self._on_break(scan, draft, at, limit):
                    return stop
            elif kind is _UNIT and mark.unit is not None:
                if then := self._stops_at(mark.unit, limit, final=final):
                    return _Stop(mark.packet, then)
                self._on_unit(draft, mark.packet, mark.unit)
            elif mark.program is not None and mark.program is not self.program:
                keeps = self._lanes.keeps_lead(mark.program)
                then = Then.MORE if keeps else Then.OVER
                return _Stop(mark.packet + 1, then, program=mark.program)
            else:
                self._deal(scan, draft, mark)
        return None

    def _deal(self, scan: Inspection, draft: Restamped, mark: Mark) -> None:
        if mark.kind is _CLOCK:
            self._clocks.shift(scan, draft, mark)
        elif mark.kind is _TABLE:
            self._on_table(scan, draft, mark)
        elif mark.kind is _SECTION:
            self._on_section(scan, draft, mark)

    # Where it stops

    def _stops_at(self, unit: Unit, limit: int | None, *, final: bool) -> Then | None:
        """What follows if the sender stops before a unit; None: it goes on."""
        if self._is_end(unit, limit):
            return Then.OVER
        return Then.LATER if not final and self._is_open(unit) else None

    def _is_open(self, unit: Unit) -> bool:
        """Whether the unit is one of the lead that may or may not be a keyframe: more will tell."""
        if unit.head is None or unit.pid != self._key.pid:
            return False
        return self._inspector.packets - unit.number < LONGEST_HEAD

    def _is_end(self, unit: Unit, limit: int | None) -> bool:
        """Whether the sender ends before the first packet of this unit."""
        dts = unit.dts
        if dts is None:
            return False
        return self._jumps(unit, dts) or (limit is not None and self._exceeds(unit, dts, limit))

    def _jumps(self, unit: Unit, dts: int) -> bool:
        """Whether a unit of picture or sound starts at another time than it should."""
        lane, latest = self._lanes.get(unit.pid), self._lanes.latest
        last = lane.unit if lane is not None and lane.is_av else None
        if last is None or last.dts is None or latest is None:
            return False
        back = JUMP_BACK if last.number >= self._trail.border else 1
        return dts <= last.dts - back or dts > max(last.dts, latest) + JUMP_AHEAD

    def _exceeds(self, unit: Unit, dts: int, limit: int) -> bool:
        """Whether a unit of the lead behind the first starts beyond the limit."""
        if unit.pid != self._key.pid or unit is self._key:
            return False
        return dts + self._timeline.shift > limit

    def _on_break(
        self, scan: Inspection, draft: Restamped, at: int, limit: int | None
    ) -> _Stop | None:
        """Let counters go on although the upstream's start anew; or stop: a unit is torn there."""
        mark = scan.marks[at]
        lane, number = self._lanes.get(mark.pid), scan.first + mark.packet
        if lane is None or not lane.open:
            return None
        if not mark.whole and self._lanes.is_torn(lane, number):
            self._trail.border = -1  # what came did not end where it should
            is_lead = mark.pid == self._key.pid
            return _Stop(mark.packet, Then.OVER if is_lead else Then.MORE, torn=lane)
        after = scan.marks[at + 1] if at + 1 < len(scan.marks) else mark
        starts = after.unit if after.kind is _UNIT else None
        if starts is None or not self._is_end(starts, limit):  # else none behind it goes out
            self._lanes.renumber(lane, draft, mark, number)
        return None

    def _tear(self, lane: Lane) -> None:
        """Take out a unit that lacks its end; the lane goes on with the next."""
        gone = self._lanes.tear(lane)
        if self._open_start is not None:
            self._open_start -= places_before(gone, self._open_start)

    def _change(self, program: Program, then: Then) -> None:
        """The upstream's programme is another one from here on."""
        if then is Then.OVER:
            self._lanes.program = program
        else:
            self._lanes.adopt(program)
            self._rewrites = True

    # Packets that need a look

    def _on_unit(self, draft: Restamped, index: int, unit: Unit) -> None:
        lane = self._lanes.begin_unit(draft, index, unit)
        if lane is None:
            return
        spot = draft.packet(index)
        if spot:
            shift_unit(*spot, unit, self._timeline.shift)
        if unit.pid != self._key.pid:
            return
        codec = lane.track.nature.codec
        if unit is self._key and self._lanes.is_gated and unit.key is _OPEN:
            self._open_start = lane.place if codec == "hevc" else None
        self._starts.note(lane, unit)
        if unit.sets:
            self._complete(draft, index, unit, lane)

    def _complete(self, draft: Restamped, index: int, unit: Unit, lane: Lane) -> None:
        """Put parameter sets into a unit of the lead that comes without them."""
        draft.rewrite()
        change = partial(complete_unit, codec=lane.track.nature.codec, sets=unit.sets)
        self._lanes.insert(lane, unit, draft.expand(index, change) - 1)

    def _break_link(self) -> None:
        """Mark an open start as one, once it is whole: a decoder resets its frame numbers there."""
        if self._open_start is not None and self._key.is_whole(self._trail.position):
            lead = self._lanes.lead.track.pid
            self._hold.change(self._open_start, lambda packets: break_link(packets, lead))
            self._open_start = None

    def _on_table(self, scan: Inspection, draft: Restamped, mark: Mark) -> None:
        """Send the outgoing tables in place of the upstream's."""
        packets = b""
        if scan.word(mark.packet) & UNIT_START:
            is_pat = mark.pid == PAT_PID
            packets = self._outgoing.next_pat() if is_pat else self._outgoing.next_pmt()
        draft.replace(mark.packet, packets)

    def _on_section(self, scan: Inspection, draft: Restamped, mark: Mark) -> None:
        lane, word = self._lanes.get(mark.pid), scan.word(mark.packet)
        if lane is None or lane.kind is not _OTHER:
            return
        starts = bool(word & UNIT_START)
        if not lane.open and starts:
            self._lanes.open(lane, draft, mark.packet, word & 15)
        if lane.open and lane.track.nature.codec == CUES and draft.rewrites:
            place = self._hold.made + draft.advance(mark.packet)
            packet = scan.block[mark.packet * PACKET_SIZE : (mark.packet + 1) * PACKET_SIZE]
            cues = lane.cues.feed(place, payload_of(packet), word & 15, unit_start=starts)
            self._cues += [cue for cue in cues if cue.packets <= LONGEST_CUE]

    def _shift_cues(self) -> None:
        """Shift the cue messages that have become whole; all of each is still held."""
        for cue in self._cues:
            self._hold.change(cue.place, partial(cue.shifted, shift=self._timeline.shift))
        self._cues.clear()
