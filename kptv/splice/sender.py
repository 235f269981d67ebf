"""One upstream from its start to its end: its packets on the programme's PIDs and clock."""

from __future__ import annotations

from collections import deque
from functools import partial

from kptv.formats.mpegts import NULL_PID, PACKET_SIZE, PAT_PID
from kptv.formats.mpegts.clock import TICKS, read_pcr, write_pcr
from kptv.formats.mpegts.cues import Cue
from kptv.formats.mpegts.elementary import CUES, ElementaryKind, RandomAccess
from kptv.formats.mpegts.inspection import (
    UNIT_START,
    Inspection,
    Mark,
    MarkKind,
    Unit,
    elementary_stream,
)
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.packets import (
    DISCONTINUITY,
    HAS_PCR,
    bare_packet,
    payload_of,
    picture_packets,
    remove_pcr,
)
from kptv.formats.mpegts.programs import Program
from kptv.formats.mpegts.sound import sound_duration
from kptv.splice.holding import Hold, PossibleStart
from kptv.splice.idr import Idr
from kptv.splice.joining import StartPoint
from kptv.splice.outgoing import OutgoingProgram
from kptv.splice.restamp import (
    DROP,
    Draft,
    HeaderMap,
    break_link,
    complete_unit,
    shift_opcr,
    shift_unit,
)
from kptv.splice.seeker import Memory
from kptv.splice.timeline import Timeline
from kptv.splice.tracks import Lane

JUMP_BACK, JUMP_AHEAD = TICKS, 3 * TICKS  # a step of the clock that needs a splice
STRAY = 5 * TICKS  # a unit this far from the programme's clock is not of this time base
LONGEST_UNIT = 20_000  # packets (3.7 MB): longer PES packets are not waited for
LONGEST_HEAD = 1000  # packets of all PIDs, in which a unit tells what it is
LONGEST_CUE = 1000  # packets: a cue message that takes more of the stream is not waited for
LATEST_UNIT = 7 * TICKS // 10  # nor is sound that takes longer than this to be whole
_AV = (ElementaryKind.VIDEO, ElementaryKind.AUDIO)
_ROUTED = ~0x1FFF0F  # all of a header but PID and counter


class Sender:
    """Packets of one upstream in, packets for viewers into the hold.

    ``key`` is the unit to start from. Null packets and what is not of the programme are left out.
    ``opening`` is a picture to be shown one frame before it, or instead. Of the first upstream
    (``first``) nothing but the tables is rewritten. A ``replay`` goes on in the middle of a group
    of pictures. A ``blind`` one is of a codec of whose keyframes nothing is known.
    """

    def __init__(
        self,
        inspector: Inspector,
        program: Program,
        programme: OutgoingProgram,
        timeline: Timeline,
        hold: Hold,
        memory: Memory,
        key: Unit,
        *,
        opening: Idr | None,
        first: bool,
        replay: bool,
        blind: bool,
    ) -> None:
        self.position = key.number  # the upstream's packets before this one are dealt with
        self._inspector = inspector
        self._programme = programme
        self._timeline = timeline
        self._hold = hold
        self._memory = memory
        self._key = key
        self._replay = replay
        self._blind = blind
        self._started: int | None = None  # DTS of the last start point of a blind start
        self.awaits = False
        self._rewrite = not first
        self._gate_lead = not first and not replay
        self._lanes: dict[int, Lane] = {}
        self._words: tuple[int, ...] = ()  # the headers dealt with last
        self._words_at = key.number  # the number of the first of them
        self._border = -1  # the number of the first packet behind the last border
        self._cues: list[Cue] = []  # of the block
        self._recent: deque[Inspection] = deque()  # where the last sound is
        self._headers = HeaderMap(self._route)
        self._latest: int | None = None  # DTS of picture or sound, the upstream's
        self._open_start: int | None = None  # where an H.265 key unit is that is no IDR
        self._pcr_pid = NULL_PID
        self._essential: frozenset[int] = frozenset()
        self._others: frozenset[int] = frozenset()
        self.program = program
        self._adopt(program, first=first)
        self._announce()
        self._opening = opening
        if opening:
            self._add_opening(opening)

    def send(
        self, scan: Inspection, start: int, limit: int | None, *, final: bool = False
    ) -> tuple[int, bool]:
        """Deal with packets from ``start`` on.

        Where it stopped, and whether this sender ends there: the clock steps, the lead changes, or
        comes to ``limit``, a time of the programme. It also stops, and ``awaits`` more packets,
        before a unit of which they tell what it is; not if ``final``.
        """
        self.awaits = False
        draft = Draft(scan, start, self._headers, rewrite=self._rewrite)
        stop, over = scan.count, False
        adopt: Program | None = None
        torn: Lane | None = None
        for at, mark in enumerate(scan.marks):
            if mark.packet < start:
                continue
            if mark.kind is MarkKind.BREAK:
                if torn := self._on_break(scan, draft, at, limit):
                    stop, over = mark.packet, mark.pid == self._key.pid
                    break
            elif (over := self._is_end(mark, limit)) or (not final and self._is_open(mark)):
                stop, self.awaits = mark.packet, not over
                break
            elif mark.program is not None and mark.program is not self.program:
                stop, adopt = mark.packet + 1, mark.program
                over = self._loses_lead(adopt)
                break
            else:
                self._deal(scan, draft, mark)
        self._hold.add(draft.finish(stop))
        self._shift_cues()
        self.position = scan.first + stop
        self._words, self._words_at = scan.words[start:stop], scan.first + start
        self._keep(scan)
        if torn and not over:
            self._tear(torn)
        self._break_link()
        if adopt and over:
            self.program = adopt
        elif adopt:
            self._adopt(adopt, first=False)
            self._announce()
        return stop, over

    def _break_link(self) -> None:
        """Of an open start, once it is whole."""
        if self._open_start is not None and self._key.is_whole(self.position):
            lead = self._lanes[self._key.pid].track.pid
            self._hold.change(self._open_start, lambda packets: break_link(packets, lead))
            self._open_start = None

    @property
    def boundary(self) -> int:
        """The place before which every PES packet is whole, or is not waited for."""
        boundary = self._hold.made
        for lane in self._lanes.values():
            torn = lane.unit is not None and not lane.unit.is_whole(self.position)
            if lane.open and torn and not self._overdue(lane):
                boundary = min(boundary, lane.place)
            if (place := self._awaited_cue(lane)) is not None:
                boundary = min(boundary, place)
        return boundary

    def end(self, *, clean: bool) -> None:
        """The upstream is gone: take what is not whole out of the hold, keep the counters.

        ``clean``: it ended between two units, so that the last one of no told length is whole.
        """
        torn: dict[int, int] = {}
        for lane in self._lanes.values():
            self._end_lane(lane, torn, clean=clean)
        self._hold.cut(torn)
        self._lanes = {}

    def cross(self) -> None:
        """What comes next was made apart, and what came ended where it should."""
        self._border = self._inspector.packets

    def _stands_at_border(self, pid: int) -> bool:
        """Whether nothing of the PID came behind the last border."""
        if self._border not in (self._words_at, self.position):
            return False
        return self.position == self._border or all(
            word >> 8 & 0x1FFF != pid for word in self._words
        )

    def _on_break(self, scan: Inspection, draft: Draft, at: int, limit: int | None) -> Lane | None:
        """Let counters go on although the upstream's start anew.

        The lane whose unit will never be whole; None: nothing is torn.
        """
        mark = scan.marks[at]
        lane, number = self._lanes.get(mark.pid), scan.first + mark.packet
        if lane is None or not lane.open:
            return None
        if not mark.whole and self._is_torn(lane, number):
            self._border = -1  # what came did not end where it should
            return lane
        after = scan.marks[at + 1] if at + 1 < len(scan.marks) else mark
        if not self._is_end(after, limit):  # else the counters are those before the break
            self._renumber(draft, mark, lane, number)
        return None

    def _is_open(self, mark: Mark) -> bool:
        """Whether a unit of the lead starts of which it is not clear what it is."""
        unit = mark.unit
        if unit is None or unit.head is None or mark.kind is not MarkKind.UNIT:
            return False
        return unit.pid == self._key.pid and self._inspector.packets - unit.number < LONGEST_HEAD

    def _is_end(self, mark: Mark, limit: int | None) -> bool:
        """Whether this sender ends where the mark is."""
        return mark.unit is not None and (self._jumps(mark) or self._exceeds(mark, limit))

    def _is_torn(self, lane: Lane, number: int) -> bool:
        """Whether its unit will never be whole, or (of the lead) what follows does not decode."""
        if lane.pid == self._key.pid:
            return True
        return lane.unit is not None and not lane.unit.is_whole(number)

    def _tear(self, lane: Lane) -> None:
        """Take out a unit that lacks its end; the lane goes on with the next."""
        torn: dict[int, int] = {}
        self._end_lane(lane, torn, clean=False)
        gone = self._hold.cut(torn)
        for other in self._lanes.values():
            other.place -= sum(1 for place in gone if place < other.place)
        if self._open_start is not None:
            self._open_start -= sum(1 for place in gone if place < (self._open_start or 0))
        self._headers.clear()

    def _renumber(self, draft: Draft, mark: Mark, lane: Lane, number: int) -> None:
        """Let the counters of a lane go on although the upstream's start anew."""
        draft.advance(mark.packet)
        draft.rewrite()
        self._rewrite = True
        lane.delta = lane.delta + mark.step & 15
        if unit := lane.unit:  # its counters are those from before, the delta is not
            unit.counter = unit.counter - mark.step & 15
            if unit.is_whole(number):
                unit.end_counter = unit.end_counter - mark.step & 15
        self._headers.clear()

    def _end_lane(self, lane: Lane, torn: dict[int, int] | None, *, clean: bool) -> None:
        """No more of this PID. ``torn``: from where on to take packets out; None: they stay."""
        unit, track = lane.unit, lane.track
        if not lane.open:
            return
        counter, cue = self._counter_of(lane.pid), self._awaited_cue(lane)
        if cue is not None and torn is not None:
            counter = lane.cues.counter - 1 & 15
            torn[track.pid] = cue
        if unit is not None:
            if unit.is_whole(self.position):
                counter = unit.end_counter
                self._finish(lane)
            elif unit.unbounded and (clean or self._stands_at_border(lane.pid)):
                self._finish(lane)
            elif torn is not None and lane.place >= self._hold.base and not self._overdue(lane):
                counter = unit.counter - 1 & 15
                torn[track.pid] = lane.place
                if track.pid == self._pcr_pid:
                    self._timeline.pcr = lane.pcr
        if counter >= 0:
            track.counter = counter + lane.delta & 15
        if lane.whole is not None and track.nature.kind is ElementaryKind.AUDIO:
            track.rest = sound_duration(self._payload(lane.whole), track.nature.codec)
        lane.open = False

    def _keep(self, scan: Inspection) -> None:
        """Keep the packets since the last whole PES packet of sound: see `_payload`."""
        if not self._recent or self._recent[-1] is not scan:
            self._recent.append(scan)
        units = [
            lane.whole or lane.unit
            for lane in self._lanes.values()
            if lane.open and lane.track.nature.kind is ElementaryKind.AUDIO
        ]
        needed = min((unit.number for unit in units if unit), default=self.position)
        needed = max(needed, self.position - LONGEST_UNIT)
        while self._recent and self._recent[0].first + self._recent[0].count <= needed:
            self._recent.popleft()

    def _payload(self, unit: Unit) -> bytes:
        """The elementary stream in a PES packet, if its packets are still here."""
        if unit.end is None or not self._recent or unit.number < self._recent[0].first:
            return b""
        return elementary_stream(unit, self._recent)

    def _counter_of(self, pid: int) -> int:
        """The counter of the PID's last packet; the inspector may be ahead in the same block."""
        for word in reversed(self._words):
            if word >> 8 & 0x1FFF == pid:
                return word & 15
        return self._inspector.counter_of(pid)

    # Lanes

    def _adopt(self, program: Program, *, first: bool) -> None:
        """Give each PID of the upstream's programme its track."""
        self.program = program
        before, self._lanes = self._lanes, {}
        for pid, track in self._programme.adopt(program).items():
            lane = before.get(pid)
            if lane is None or lane.track is not track:
                lane = Lane(pid, track, not_before=None if first else self._programme.end_of(track))
            self._lanes[pid] = lane
        for pid, lane in before.items():
            if self._lanes.get(pid) is not lane:
                self._end_lane(lane, None, clean=True)
        self._take_lead()
        self._rewrite = self._rewrite or not first
        clock = self._lanes.get(program.pmt.pcr_pid)
        self._pcr_pid = clock.track.pid if clock else NULL_PID
        kinds = {lane.track.pid: lane.track.nature.kind for lane in self._lanes.values()}
        self._essential = frozenset(pid for pid, kind in kinds.items() if kind in _AV)
        self._others = frozenset(kinds) - self._essential
        self._headers.clear()

    def _take_lead(self) -> None:
        """Make the key unit's lane the one whose times are the programme's."""
        lane, last = self._lanes[self._key.pid], self._programme.lead
        if last is not None and last is not lane.track:
            lane.track.follow(last)
        self._programme.lead = lane.track
        if not lane.open:
            gated = self._gate_lead and self._key.pts is not None
            lane.not_before = (self._key.pts or 0) + self._timeline.shift if gated else None

    def _loses_lead(self, program: Program) -> bool:
        lead = self._lanes[self._key.pid].track
        if program.lead_pid != self._key.pid:
            return True
        return program.natures[self._key.pid] != lead.nature

    def _announce(self) -> None:
        """The tables, at once."""
        packets = self._programme.next_pat() + self._programme.next_pmt()
        self._hold.add_tables(packets, self._programme.version)

    def _add_opening(self, opening: Idr) -> None:
        """A picture of its own before the key unit, or instead of it: viewers start there."""
        track, key = self._lanes[self._key.pid].track, self._key
        if key.pts is None or key.dts is None:
            return
        shift = self._timeline.shift - (0 if opening.instead else track.duration)
        track.pts, track.dts = key.pts + shift, key.dts + shift
        packets = picture_packets(track.pid, opening.unit, track.pts, track.dts, track.counter + 1)
        track.counter = track.counter + len(packets) // PACKET_SIZE & 15
        point = self._start_point(track.dts)
        self._hold.add_start(PossibleStart(self._hold.made, key, point, always=True))
        self._hold.add(packets)

    def _route(self, word: int) -> int:
        """What becomes of a packet by its header; what is not of the programme is dropped."""
        lane = self._lanes.get(word >> 8 & 0x1FFF)
        if lane is None or not lane.open:
            return DROP
        return word & _ROUTED | lane.track.pid << 8 | word + lane.delta & 15

    def _deal(self, scan: Inspection, draft: Draft, mark: Mark) -> None:
        if mark.kind is MarkKind.CLOCK:
            self._on_clock(scan, draft, mark)
        elif mark.kind is MarkKind.UNIT and mark.unit is not None:
            self._on_unit(draft, mark.packet, mark.unit)
        elif mark.kind is MarkKind.TABLE:
            self._on_table(scan, draft, mark)
        elif mark.kind is MarkKind.SECTION:
            self._on_section(scan, draft, mark)

    def _jumps(self, mark: Mark) -> bool:
        """Whether a unit of picture or sound starts at another time than it should."""
        unit = mark.unit
        lane = self._lanes.get(mark.pid)
        if (
            unit is None
            or mark.kind is not MarkKind.UNIT
            or lane is None
            or lane.unit is None
            or lane.track.nature.kind not in _AV
        ):
            return False
        if unit.dts is None or lane.unit.dts is None or self._latest is None:
            return False
        back = JUMP_BACK if lane.unit.number >= self._border else 1
        if unit.dts <= lane.unit.dts - back:
            return True
        return unit.dts > max(lane.unit.dts, self._latest) + JUMP_AHEAD

    def _exceeds(self, mark: Mark, limit: int | None) -> bool:
        """Whether a unit of the lead behind the first starts beyond the limit."""
        unit = mark.unit
        if limit is None or unit is None or mark.kind is not MarkKind.UNIT:
            return False
        is_next = unit.pid == self._key.pid and unit is not self._key
        return is_next and unit.dts is not None and unit.dts + self._timeline.shift > limit

    def _overdue(self, lane: Lane) -> bool:
        """Whether the lane's unit takes too long to become whole."""
        if self._hold.made - lane.place > LONGEST_UNIT:
            return True
        if lane.pid == self._key.pid or lane.since is None or self._latest is None:
            return False
        return self._latest - lane.since > LATEST_UNIT

    # Packets that need a look

    def _on_unit(self, draft: Draft, index: int, unit: Unit) -> None:
        lane = self._lanes.get(unit.pid)
        if lane is None:
            return
        wanted = self._wants(lane, unit)
        self._finish(lane)
        if wanted != lane.open:
            draft.advance(index)
            if wanted:
                lane.turn_on(unit.counter)
            else:
                lane.turn_off(unit.counter)
            self._headers.clear()
        if not wanted:
            return
        lane.unit, lane.place = unit, self._hold.made + draft.advance(index)
        if lane.track.nature.kind in _AV and unit.dts is not None:
            self._latest = unit.dts if self._latest is None else max(self._latest, unit.dts)
        lane.since, lane.pcr = self._latest, self._timeline.pcr
        spot = draft.packet(index)
        if spot:
            shift_unit(*spot, unit, self._timeline.shift)
        if unit is self._key and self._gate_lead and unit.key is RandomAccess.OPEN:
            is_h265 = lane.track.nature.codec == "hevc"
            self._open_start = lane.place if is_h265 else None
        if unit.pid == self._key.pid:
            self._note_start(lane, unit)
            self._complete(draft, index, unit, lane)

    def _wants(self, lane: Lane, unit: Unit) -> bool:
        """Whether a unit goes out: not before its time, and not of another time base."""
        if unit is self._key and self._opening and self._opening.instead:
            return False
        if unit.pts is None:
            return lane.open or lane.not_before is None
        time = unit.pts + self._timeline.shift
        if lane.not_before is not None and time < lane.not_before:
            return False
        if lane.open or not self._rewrite or self._latest is None:
            return True
        return abs(unit.pts - self._latest) < STRAY

    def _finish(self, lane: Lane) -> None:
        """The lane's unit is whole: the track has come as far as that."""
        unit, lane.unit = lane.unit, None
        if unit is None:
            return
        lane.track.take(unit, self._timeline.shift)
        lane.whole = unit
        if unit.pid == self._key.pid:
            self._memory.note(unit)

    def _complete(self, draft: Draft, index: int, unit: Unit, lane: Lane) -> None:
        """Put the parameter sets into a unit of the lead that a decoder lacks."""
        codec, sets = lane.track.nature.codec, unit.sets
        if not sets:
            return
        draft.rewrite()
        self._rewrite = True
        change = partial(complete_unit, codec=codec, sets=sets)
        more = draft.expand(index, change) - 1
        lane.delta = lane.delta + more & 15
        unit.counter = unit.counter - more & 15
        self._headers.clear()

    def _note_start(self, lane: Lane, unit: Unit) -> None:
        """Remember where the unit starts if a viewer can start there, or perhaps can."""
        radio = lane.track.nature.kind is ElementaryKind.AUDIO
        always = radio or (unit is self._key and not self._replay) or self._is_due(unit)
        if unit.head is None and not unit.key and not always:
            return
        if unit is self._key and self._opening:
            return  # it is the opening's second showing
        point = self._start_point((unit.dts or 0) + self._timeline.shift)
        self._hold.add_start(PossibleStart(lane.place, unit, point, always))

    def _is_due(self, unit: Unit) -> bool:
        """Whether the unit is a start point of a codec without known keyframes: one per second."""
        if not self._blind or unit.dts is None:
            return False
        self._blind = not unit.key  # its encoder marks them after all
        if self._started is not None and 0 <= unit.dts - self._started < TICKS:
            return False
        self._started = unit.dts
        return True

    def _start_point(self, dts: int) -> StartPoint:
        """The packet that is made next, as a point to start at."""
        return StartPoint(
            offset=0,
            clock=self._timeline.seconds(dts),
            tables=self._programme.last_tables,
            essential=self._essential,
            others=self._others,
            pcr_pid=self._pcr_pid,
            pcr=self._timeline.pcr,
            tables_version=self._programme.version,
        )

    def _on_clock(self, scan: Inspection, draft: Draft, mark: Mark) -> None:
        lane = self._lanes.get(mark.pid)
        if lane is None:
            return
        word = scan.words[mark.packet]
        if lane.track.nature.kind is ElementaryKind.CLOCK and not lane.open:
            draft.advance(mark.packet)
            lane.turn_on((word & 15) + 1)  # without a payload the counter stands still
            self._headers.clear()
        at = mark.packet * PACKET_SIZE
        pcr = None
        has_pcr = scan.block[at + 5] & HAS_PCR and scan.block[at + 4] >= 7
        if has_pcr:
            latest = None if self._latest is None else self._latest + self._timeline.shift
            pcr = self._timeline.take_pcr(read_pcr(scan.block, at + 6), latest)
        if not lane.open:
            if pcr is not None and lane.track.counter >= 0 and self._rewrite:
                draft.replace(mark.packet, self._bare_clock(lane, pcr))
            return
        spot = draft.packet(mark.packet)
        if spot is None:
            return
        shift_opcr(*spot, self._timeline.shift)
        if has_pcr:
            self._put_clock(*spot, pcr)

    def _put_clock(self, data: bytearray, at: int, pcr: int | None) -> None:
        if pcr is None:
            remove_pcr(data, at)
            return
        write_pcr(data, at + 6, pcr)
        if self._timeline.new_base:
            data[at + 5] |= DISCONTINUITY
            self._timeline.new_base = False

    def _bare_clock(self, lane: Lane, pcr: int) -> bytes:
        """The PCR of a packet that is dropped."""
        new_base, self._timeline.new_base = self._timeline.new_base, False
        return bare_packet(lane.track.pid, lane.track.counter, discontinuity=new_base, pcr=pcr)

    def _on_table(self, scan: Inspection, draft: Draft, mark: Mark) -> None:
        """The programme's tables in place of the upstream's."""
        packets = b""
        if scan.words[mark.packet] & UNIT_START:
            is_pat = mark.pid == PAT_PID
            packets = self._programme.next_pat() if is_pat else self._programme.next_pmt()
        draft.replace(mark.packet, packets)

    def _on_section(self, scan: Inspection, draft: Draft, mark: Mark) -> None:
        lane, word = self._lanes.get(mark.pid), scan.words[mark.packet]
        if lane is None or lane.track.nature.kind is not ElementaryKind.OTHER:
            return
        starts = bool(word & UNIT_START)
        if not lane.open and starts:
            draft.advance(mark.packet)
            lane.turn_on(word & 15)
            self._headers.clear()
        if lane.open and lane.track.nature.codec == CUES and self._rewrite:
            place = self._hold.made + draft.advance(mark.packet)
            packet = scan.block[mark.packet * PACKET_SIZE : (mark.packet + 1) * PACKET_SIZE]
            cues = lane.cues.feed(place, payload_of(packet), word & 15, unit_start=starts)
            self._cues += [cue for cue in cues if cue.packets <= LONGEST_CUE]

    def _shift_cues(self) -> None:
        """Those that have become whole; all of each is still held."""
        for cue in self._cues:
            self._hold.change(cue.place, partial(cue.shifted, shift=self._timeline.shift))
        self._cues.clear()

    def _awaited_cue(self, lane: Lane) -> int | None:
        """The place of the cue message that is not whole, and is waited for."""
        place = lane.cues.place if lane.open else None
        if place is None or self._hold.made - place >= LONGEST_CUE:
            return None
        return place
