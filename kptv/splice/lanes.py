"""The ways that the PIDs of one upstream take to the tracks that viewers see."""

from __future__ import annotations

from dataclasses import dataclass, field

from kptv.formats.mpegts import NULL_PID
from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.cues import CueReader
from kptv.formats.mpegts.elementary import ElementaryKind
from kptv.formats.mpegts.inspection import Mark, Unit
from kptv.formats.mpegts.programs import Program
from kptv.formats.mpegts.sound import sound_duration
from kptv.splice.holding import places_before
from kptv.splice.outgoing import OutgoingProgram
from kptv.splice.restamp import DROP, HeaderMap, Restamped
from kptv.splice.seeker import Found, Memory
from kptv.splice.tracks import Track
from kptv.splice.trail import LONGEST_UNIT, Trail

STRAY = 5 * TICKS  # a unit this far from the last picture or sound is not of this time base
LONGEST_CUE = 1000  # packets: a cue message that takes more of the stream is not waited for
LATEST_UNIT = 7 * TICKS // 10  # nor is sound that takes longer than this to be whole
_AV = (ElementaryKind.VIDEO, ElementaryKind.AUDIO)
# Looking up a member of an enum costs as much as two calls.
_AUDIO, _OTHER = ElementaryKind.AUDIO, ElementaryKind.OTHER
_ROUTED = ~0x1FFF0F  # all of a header but PID and counter


@dataclass(slots=True, eq=False)
class Lane:
    """The way of one PID of the upstream to its track."""

    pid: int
    track: Track
    open: bool = False
    delta: int = 0  # what is added to counters
    not_before: int | None = None  # units with an earlier PTS (after the shift) are dropped
    unit: Unit | None = None  # the last one that was let in, until it is whole
    whole: Unit | None = None  # the last one that became whole
    place: int = 0  # where the unit starts: packets made before it
    since: int | None = None  # the upstream's time when it started
    pcr: int | None = None  # the last PCR before it
    cues: CueReader = field(default_factory=CueReader)  # of a PID with cue messages
    kind: ElementaryKind = field(init=False)
    is_av: bool = field(init=False)  # picture or sound

    def __post_init__(self) -> None:
        self.kind = self.track.nature.kind
        self.is_av = self.kind in _AV

    def turn_on(self, counter: int) -> None:
        """Let packets through, from one with this counter on."""
        self.open = True
        if self.track.counter >= 0:
            self.delta = self.track.counter + 1 - counter

    def turn_off(self, counter: int) -> None:
        """Drop packets, from one with this counter on."""
        self.open = False
        self.track.counter = counter - 1 + self.delta & 15

    def cue_place(self, made: int) -> int | None:
        """Where the cue message starts that is waited for, if ``made`` packets were made."""
        place = self.cues.place if self.open else None
        return None if place is None or made - place >= LONGEST_CUE else place


class Lanes:
    """All lanes of one upstream, from its start to its end.

    What is not whole when a lane ends is cut: its packets are taken out of the hold, and the
    track's counter is that of the packet before them.
    """

    def __init__(
        self, outgoing: OutgoingProgram, trail: Trail, found: Found, memory: Memory
    ) -> None:
        self.program = found.program
        self.latest: int | None = None  # DTS of picture or sound, the upstream's
        self.pcr_pid = NULL_PID  # the track's
        self.essential: frozenset[int] = frozenset()  # the tracks of picture and sound
        self.others: frozenset[int] = frozenset()
        self.headers = HeaderMap(self._route)
        self.is_gated = outgoing.lead is not None and not found.replayed
        self._outgoing = outgoing
        self._timeline = outgoing.timeline
        self._hold = outgoing.hold
        self._trail = trail
        self._memory = memory
        self._key = found.key
        self._drops_key = found.opening is not None and found.opening.instead
        self._lanes: dict[int, Lane] = {}
        self.adopt(found.program)

    def __getitem__(self, pid: int) -> Lane:
        return self._lanes[pid]

    def get(self, pid: int) -> Lane | None:
        """The lane of an upstream's PID; None: the PID is not of its programme."""
        return self._lanes.get(pid)

    @property
    def lead(self) -> Lane:
        """The lane whose times are the outgoing programme's."""
        return self._lanes[self._key.pid]

    # Their tracks

    def adopt(self, program: Program) -> None:
        """Give each PID of the upstream's programme its track, and send the tables."""
        self.program = program
        before, self._lanes = self._lanes, {}
        for pid, track in self._outgoing.adopt(program).items():
            lane = before.get(pid)
            if lane is None or lane.track is not track:
                lane = Lane(pid, track, not_before=self._outgoing.end_of(track))
            self._lanes[pid] = lane
        for pid, lane in before.items():
            if self._lanes.get(pid) is not lane:
                self._leave(lane)
        self._take_lead()
        clock = self._lanes.get(program.pmt.pcr_pid)
        self.pcr_pid = clock.track.pid if clock else NULL_PID
        lanes = self._lanes.values()
        self.essential = frozenset(lane.track.pid for lane in lanes if lane.is_av)
        self.others = frozenset(lane.track.pid for lane in lanes) - self.essential
        self.headers.clear()
        self._outgoing.announce()

    def keeps_lead(self, program: Program) -> bool:
        """Whether the lead stays what it is if the upstream's programme becomes this one."""
        pid = self._key.pid
        return program.lead_pid == pid and program.natures[pid] == self.lead.track.nature

    def _take_lead(self) -> None:
        """Make the key unit's lane the one whose times are the programme's."""
        lane, last = self.lead, self._outgoing.lead
        if last is not None and last is not lane.track:
            lane.track.follow(last)
        self._outgoing.lead = lane.track
        if not lane.open:
            gated = self.is_gated and self._key.pts is not None
            lane.not_before = (self._key.pts or 0) + self._timeline.shift if gated else None

    def _route(self, word: int) -> int:
        """The header that goes out for one that comes in; DROP for a PID that has no open lane."""
        lane = self._lanes.get(word >> 8 & 0x1FFF)
        if lane is None or not lane.open:
            return DROP
        return word & _ROUTED | lane.track.pid << 8 | word + lane.delta & 15

    # Their units

    def begin_unit(self, draft: Restamped, index: int, unit: Unit) -> Lane | None:
        """The lane of a unit that goes out from this packet on; None: it does not."""
        lane = self._lanes.get(unit.pid)
        if lane is None:
            return None
        wanted = self._wants(lane, unit, draft)
        self._finish(lane)
        if wanted and not lane.open:
            self.open(lane, draft, index, unit.counter)
        elif lane.open and not wanted:
            draft.advance(index)
            lane.turn_off(unit.counter)
            self.headers.clear()
        if not wanted:
            return None
        lane.unit, lane.place = unit, self._hold.made + draft.advance(index)
        if lane.is_av and unit.dts is not None:
            self.latest = unit.dts if self.latest is None else max(self.latest, unit.dts)
        lane.since, lane.pcr = self.latest, self._timeline.pcr
        return lane

    def open(self, lane: Lane, draft: Restamped, index: int, counter: int) -> None:
        """Let a lane's packets through, from this one on, which has this counter."""
        draft.advance(index)
        lane.turn_on(counter)
        self.headers.clear()

    def renumber(self, lane: Lane, draft: Restamped, mark: Mark, number: int) -> None:
        """Let the counters of a lane go on although the upstream's start anew at a packet."""
        draft.advance(mark.packet)
        draft.rewrite()
        lane.delta = lane.delta + mark.step & 15
        if unit := lane.unit:  # its counters are older than the delta
            unit.counter = unit.counter - mark.step & 15
            if unit.is_whole(number):
                unit.end_counter = unit.end_counter - mark.step & 15
        self.headers.clear()

    def insert(self, lane: Lane, unit: Unit, count: int) -> None:
        """A unit goes out in so many packets more than it came in."""
        lane.delta = lane.delta + count & 15
        unit.counter = unit.counter - count & 15
        self.headers.clear()

    def _wants(self, lane: Lane, unit: Unit, draft: Restamped) -> bool:
        """Whether a unit goes out: not before its time, and not of another time base."""
        if unit is self._key and self._drops_key:
            return False
        if unit.pts is None:
            return lane.open or lane.not_before is None
        time = unit.pts + self._timeline.shift
        if lane.not_before is not None and time < lane.not_before:
            return False
        if lane.open or not draft.rewrites or self.latest is None:
            return True
        return abs(unit.pts - self.latest) < STRAY

    def _finish(self, lane: Lane) -> None:
        """The lane's unit is whole: the track has come as far as that."""
        unit, lane.unit = lane.unit, None
        if unit is None:
            return
        lane.track.take(unit, self._timeline.shift)
        lane.whole = unit
        if unit.pid == self._key.pid:
            self._memory.note(unit)

    # What is not whole

    @property
    def boundary(self) -> int:
        """The place before which every PES packet is whole, or is not waited for."""
        boundary = made = self._hold.made
        for lane in self._lanes.values():
            if not lane.open:
                continue
            if lane.place < boundary and self._is_awaited(lane):
                boundary = lane.place
            if lane.kind is _OTHER and (cue := lane.cue_place(made)) is not None:
                boundary = min(boundary, cue)
        return boundary

    @property
    def starting(self) -> bool:
        """Whether the key unit is not whole yet, and is waited for."""
        return self.lead.unit is self._key and self._is_awaited(self.lead)

    def _is_awaited(self, lane: Lane) -> bool:
        """Whether the lane's unit is not whole, but may become it in time."""
        unit = lane.unit
        if unit is None or (unit.end is not None and unit.end <= self._trail.position):
            return False
        if self._hold.made - lane.place > LONGEST_UNIT:
            return False
        if lane.pid == self._key.pid or lane.since is None or self.latest is None:
            return True
        return self.latest - lane.since <= LATEST_UNIT

    def keep_trail(self) -> None:
        """Keep the packets since the last whole PES packet of sound, to count its frames."""
        number = self._trail.position
        for lane in self._lanes.values():
            if lane.open and lane.kind is _AUDIO and (unit := lane.whole or lane.unit):
                number = min(number, unit.number)
        self._trail.keep(number)

    # Their end

    def is_torn(self, lane: Lane, number: int) -> bool:
        """Whether a break before the packet ``number`` leaves a unit without its end.

        Or, of the lead, pictures behind it without those that they refer to.
        """
        if lane.pid == self._key.pid:
            return True
        return lane.unit is not None and not lane.unit.is_whole(number)

    def tear(self, lane: Lane) -> list[int]:
        """Cut a unit that lacks its end; the lane goes on with the next.

        Returns the places of the packets that were taken out.
        """
        cuts: dict[int, int] = {}
        self._end(lane, cuts, clean=False)
        gone = self._hold.cut(cuts)

        def moved(place: int) -> int:
            return place - places_before(gone, place)

        for other in self._lanes.values():
            other.place = moved(other.place)
            other.cues.move(moved)
        self.headers.clear()
        return gone

    def end(self, *, clean: bool) -> None:
        """The upstream is gone. ``clean``: it ended between two units."""
        cuts: dict[int, int] = {}
        for lane in self._lanes.values():
            self._end(lane, cuts, clean=clean)
        self._hold.cut(cuts)
        self._lanes = {}

    def _leave(self, lane: Lane) -> None:
        """The upstream's programme has this PID no more; nothing of it is cut."""
        self._end(lane, None, clean=True)

    def _end(self, lane: Lane, cuts: dict[int, int] | None, *, clean: bool) -> None:
        """No more of this PID goes out.

        ``cuts`` collects, per PID of a track, the place from which packets are taken out of the
        hold. None: all packets stay.
        """
        if not lane.open:
            return
        counter, place = self._settle(lane, clean=clean, may_cut=cuts is not None)
        track = lane.track
        if cuts is not None and place is not None:
            cuts[track.pid] = place
        if counter >= 0:
            track.counter = counter + lane.delta & 15
        if lane.whole is not None and lane.kind is _AUDIO:
            track.rest = sound_duration(self._trail.payload_of(lane.whole), track.nature.codec)
        lane.open = False

    def _settle(self, lane: Lane, *, clean: bool, may_cut: bool) -> tuple[int, int | None]:
        """Finish the lane's unit if it is whole now.

        Returns the counter of the last packet that stays (-1: there is none), and the place from
        which packets are cut (None: nothing is).
        """
        unit, place = lane.unit, lane.cue_place(self._hold.made) if may_cut else None
        counter = self._trail.counter_of(lane.pid)
        if place is not None:
            counter = lane.cues.counter - 1 & 15
        if unit is None:
            return counter, place
        if unit.is_whole(self._trail.position):
            counter = unit.end_counter
            self._finish(lane)
        elif unit.unbounded and (clean or self._trail.stands_at_border(lane.pid)):
            self._finish(lane)
        elif may_cut and self._is_awaited(lane) and lane.place >= self._hold.base:
            counter, place = unit.counter - 1 & 15, lane.place
            if lane.track.pid == self.pcr_pid:
                self._timeline.pcr = lane.pcr
        return counter, place
