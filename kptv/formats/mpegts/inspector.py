"""What is inside the packets of one upstream: programme, access units, clocks, counters.

How it works. The 32-bit headers of all packets of a block are unpacked by one call. A header that
is the one predicted for the next plain video packet needs no further look, a null packet is
counted, and everything else (tables, starts of PES packets, adaptation fields, other PIDs, wrong
counters) goes to one slow method. The result is the block's headers and a short list of marks, in
the order of the packets; whoever hands the block on looks only at those.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

from kptv.formats.mpegts import NULL_PID, PACKET_SIZE, PAT_PID
from kptv.formats.mpegts.clock import TICKS, read_pcr, read_timestamp, unwrap
from kptv.formats.mpegts.continuity import (
    ANYWHERE,
    Before,
    BreakPlace,
    Places,
    is_filled_up,
    judge_jump,
)
from kptv.formats.mpegts.elementary import (
    CUES,
    ElementaryKind,
    Nature,
    RandomAccess,
    Verdict,
    judge,
)
from kptv.formats.mpegts.inspection import (
    UNIT_START,
    Inspection,
    Mark,
    MarkKind,
    Unit,
)
from kptv.formats.mpegts.parameters import ParameterSets, Sets, sets_in
from kptv.formats.mpegts.programs import Program, ProgramFinder
from kptv.formats.mpegts.sps import Size

_NULL = NULL_PID << 8
_PID = 0x1FFF00
_DAMAGED, _SCRAMBLED, _ADAPTATION, _PAYLOAD = 0x800000, 0xC0, 0x20, 0x10
_LARGEST_ADAPTATION = 183
_ONLY_PCR = 7  # the size of an adaptation field with a PCR and nothing else
_NO_PREDICTION = -1
_START_CODE = b"\x00\x00\x01"
_PLAIN_UNITS = 2  # start codes before the slice data of most pictures: a delimiter, a slice
_HEAD_PACKETS = 16  # of an access unit are looked at for its slice type
# stream_ids whose PES packets have no header fields behind the length (2.4.3.7).
_AV = (ElementaryKind.VIDEO, ElementaryKind.AUDIO)
_BARE_PES = frozenset((0xBC, 0xBE, 0xBF, 0xF0, 0xF1, 0xF2, 0xF8, 0xFF))


@dataclass(slots=True, eq=False)
class _Pid:
    """The state of one PID of the programme."""

    nature: Nature
    counter: int = -1
    repeated: bool = False  # the last packet was a duplicate: legal once
    unit: Unit | None = None
    dts: int | None = None  # of the last unit, if it has one
    step: int = 0  # the longest from one unit to the next
    filled_at: int = -1  # the counter of the last packet that ends a PES packet by its stuffing

    @property
    def is_short(self) -> bool:
        """Bytes of a PES packet of told length are still to come."""
        return self.unit is not None and self.unit.left > 0


@lru_cache(maxsize=512)
def headers_of(count: int) -> struct.Struct:
    """Unpacks the headers of so many packets."""
    return struct.Struct(">" + "I184x" * count)


class Inspector:
    """Blocks of whole packets of one upstream in, inspections out. Raises on no input.

    ``near`` is a time of the clock that the upstream is thought to go on with; ``wanted`` is the
    number of the programme to be played, if it is there (0: any); ``sets`` are what came of the
    same stream before.
    """

    def __init__(self, near: int = 0, wanted: int = 0, sets: ParameterSets | None = None) -> None:
        self.program: Program | None = None
        self._pcr: int | None = None  # the last one, unwrapped
        self.packets = self.damaged = 0
        self.scrambled = 0  # of the programme's packets
        self.media = 0  # packets of the programme with a clear payload
        self.lead_units = 0  # access units of the video in the clear; of radio, PES packets
        self.continuity_errors = 0
        self.size: Size | None = None
        self._near = near
        self._expected = _NO_PREDICTION
        self._pids: dict[int, _Pid] = {}
        self._finder = ProgramFinder(wanted)
        self._listens = True  # nothing of the programme came yet: that of others is noted
        self._gone: dict[int, int] = {}  # last counters of the programme that was
        self.sets = sets or ParameterSets()
        self._places = Places()
        self._lead: int | None = None
        self._block = b""
        self._first = 0
        self._marks: list[Mark] = []

    def __repr__(self) -> str:
        return f"<Inspector packets={self.packets} program={self.program}>"

    def scan(self, block: bytes) -> Inspection:
        """Look at the next packets; ``block`` is a multiple of 188 bytes."""
        words = headers_of(len(block) // PACKET_SIZE).unpack(block)
        self._block, self._first, self._marks = block, self.packets, []
        slow, expected, nulls, others = self._look, self._expected, 0, 0
        for index, word in enumerate(words):
            if word == expected:
                expected = word + 1 if word & 15 != 15 else word - 15
            elif word & _PID == _NULL:
                nulls += 1
            else:
                others += 1
                self._expected = expected
                slow(index, word)
                expected = self._expected
        self._expected = expected
        self.packets += len(words)
        self.media += len(words) - nulls - others
        return Inspection(block, words, self._first, self._marks)

    def cross(self) -> None:
        """What comes next was made apart, and what came before ended where it should."""
        self._begin_anew(border=True)

    def _begin_anew(self, *, border: bool) -> None:
        """From here on counters may start anew: each PID's next packet is looked at."""
        if self._lead is not None and self._expected != _NO_PREDICTION:
            self._pids[self._lead].counter = self._expected - 1 & 15
        self._expected = _NO_PREDICTION
        self._places.begin([*self._pids, *self._finder.pids], border=border)

    def counter_of(self, pid: int) -> int:
        """The counter of the PID's last packet; -1: there was none."""
        if pid == self._lead and self._expected != _NO_PREDICTION:
            return self._expected - 1 & 15
        state = self._pids.get(pid)
        return state.counter if state else self._gone.get(pid, -1)

    # One packet at a time

    def _look(self, index: int, word: int) -> None:
        pid = word >> 8 & 0x1FFF
        if word & _DAMAGED:
            self.damaged += 1
            return
        state = self._pids.get(pid)
        if state is None:
            if pid in self._finder.pids:
                self._look_at_table(index, word, pid)
            elif self._listens and word & UNIT_START:
                self._use(index, self._finder.hear(pid))
            return
        if pid == self._lead and self._expected != _NO_PREDICTION:
            state.counter = self._expected - 1 & 15
        self._look_inside(index, word, pid, state)
        if pid == self._lead:
            self._predict(state, word)

    def _look_inside(self, index: int, word: int, pid: int, state: _Pid) -> None:
        place = self._places.take(pid) if pid in self._places.pids else ANYWHERE
        last = state.counter
        at = index * PACKET_SIZE + 4
        end = at + PACKET_SIZE - 4
        flags, filled = 0, False
        if word & _ADAPTATION:
            flags = self._look_at_adaptation(at, pid)
            size = self._block[at]
            filled = size != _ONLY_PCR and is_filled_up(self._block, at)
            at += 1 + size
        if word & _PAYLOAD and at < end:
            step = self._step(state, word, flags, place)
            if step is not None:
                payload = self._block[at:end]
                short = place is not ANYWHERE and word & UNIT_START and state.is_short
                if step or short:  # the counter may fit by chance
                    self._on_jump(index, word, pid, step, place, payload)
                self._look_at_payload(index, word, last, pid, state, payload, flags)
            if filled:
                state.filled_at = state.counter
        elif place is not ANYWHERE and last >= 0 and word & 15 != last:
            state.counter = word & 15  # without a payload it stands still
            self._marks.append(Mark(index, MarkKind.BREAK, pid, step=last - word & 15))
        if flags & 0x18:
            self._marks.append(Mark(index, MarkKind.CLOCK, pid))

    def _predict(self, state: _Pid, word: int) -> None:
        """The header of the next plain packet of the lead, while no verdict is open."""
        plain = word & ~(UNIT_START | _ADAPTATION | 15) | _PAYLOAD
        settled = state.unit and state.unit.head is None and not word & _SCRAMBLED
        if settled and state.nature.kind is ElementaryKind.VIDEO:
            self._expected = plain | state.counter + 1 & 15
        else:
            self._expected = _NO_PREDICTION

    def _step(self, state: _Pid, word: int, flags: int, place: BreakPlace) -> int | None:
        """What the continuity counter lacks to go on (2.4.3.3); None: this is a duplicate."""
        counter = word & 15
        last, state.counter = state.counter, counter
        marked = flags & 0x80
        if counter == last and not (state.repeated or marked or place is not ANYWHERE):
            state.repeated = True
            return None
        state.repeated = False
        return last + 1 - counter & 15 if last >= 0 and not marked else 0

    def _on_jump(
        self, index: int, word: int, pid: int, step: int, place: BreakPlace, payload: bytes
    ) -> None:
        """A counter does not go on: packets were lost, or it starts anew."""
        state = self._pids[pid]
        unit, starts = state.unit, bool(word & UNIT_START)
        is_whole = unit is None or unit.end is not None
        if unit is not None and unit.unbounded:
            is_whole = state.filled_at == (word & 15) + step - 1 & 15
        bounded = unit is None or not unit.unbounded
        steady = state.nature.kind in _AV
        before = Before(is_whole, bounded, steady, state.dts, state.step)
        starts_unit = starts and payload.startswith(_START_CODE)
        dts = self._times(payload)[1] if starts_unit else None
        found = judge_jump(place, before, starts=starts, dts=dts)
        self.continuity_errors += found.lost
        if found.lost:
            state.dts = None  # no step is to be told from here
        if not found.anew:
            return
        if not found.whole and not (unit and unit.end is not None):
            state.unit = None
        self._marks.append(Mark(index, MarkKind.BREAK, pid, step=step, whole=found.whole))

    def _look_at_adaptation(self, at: int, pid: int) -> int:
        """The flags of an adaptation field; its PCR is what time it is (2.4.3.5)."""
        size = self._block[at]
        if not 0 < size <= _LARGEST_ADAPTATION:
            return 0
        flags = self._block[at + 1]
        if flags & 0x10 and size >= 7 and self.program and pid == self.program.pmt.pcr_pid:
            self._pcr = unwrap(read_pcr(self._block, at + 2), self._time)
        return flags

    def _look_at_payload(
        self, index: int, word: int, last: int, pid: int, state: _Pid, payload: bytes, flags: int
    ) -> None:
        """``last``: the counter of the PID's packet before this one."""
        if word & _SCRAMBLED:
            self.scrambled += 1
            return
        self.media += 1
        if word & UNIT_START:
            self._end_unit(index, last, state)
            if payload.startswith(_START_CODE):
                at = PACKET_SIZE - len(payload)
                self._start_unit(index, word & 15, pid, state, payload, at, flags)
            else:
                state.unit = None
                self._marks.append(Mark(index, MarkKind.SECTION, pid))
        elif state.unit is not None:
            self._go_on(index, word & 15, state.unit, state, payload)
        elif state.nature.codec == CUES:
            self._marks.append(Mark(index, MarkKind.SECTION, pid))

    # PES packets and access units

    def _start_unit(
        self, index: int, counter: int, pid: int, state: _Pid, pes: bytes, at: int, flags: int
    ) -> None:
        pts, dts, content = self._times(pes)
        length = int.from_bytes(pes[4:6], "big")
        is_lead = pid == self._lead
        unit = Unit(
            pid=pid,
            number=self._first + index,
            counter=counter,
            pts=pts,
            dts=dts,
            pts_at=at + 9 if pts is not None else 0,
            has_dts=dts is not None and pes[7] & 0xC0 == 0xC0,
            random_access=bool(flags & 0x40),
            fingerprint=zlib.crc32(pes[content:]) if state.nature.kind in _AV else 0,
        )
        if dts is not None and state.dts is not None and 0 < dts - state.dts < TICKS:
            state.step = max(state.step, dts - state.dts)
        state.unit, state.dts = unit, dts
        if state.nature.kind in _AV:
            self._listens = False
        self.lead_units += is_lead
        if dts is not None:
            self._near = dts
        self._marks.append(Mark(index, MarkKind.UNIT, pid, unit))
        if is_lead and state.nature.kind is ElementaryKind.VIDEO:
            unit.head = b""
            self._judge(index, unit, state, pes[content:])
        if length and state.nature.kind is not ElementaryKind.VIDEO:
            unit.left = length + 6
            self._count_down(index, counter, unit, len(pes))

    def _times(self, pes: bytes) -> tuple[int | None, int | None, int]:
        """PTS and DTS of a PES packet, unwrapped, and where its content starts."""
        if len(pes) < 9 or pes[3] in _BARE_PES:
            return None, None, 6
        pts = dts = None
        if pes[7] & 0x80 and len(pes) >= 14:
            pts = dts = unwrap(read_timestamp(pes, 9), self._time)
        if pes[7] & 0xC0 == 0xC0 and len(pes) >= 19:
            dts = unwrap(read_timestamp(pes, 14), self._time)
        return pts, dts, 9 + pes[8]

    def _go_on(self, index: int, counter: int, unit: Unit, state: _Pid, payload: bytes) -> None:
        if unit.head is not None:
            self._judge(index, unit, state, payload)
        if unit.left > 0:  # bounded, and not whole: what comes behind its end is not of it
            self._count_down(index, counter, unit, len(payload))

    def _count_down(self, index: int, counter: int, unit: Unit, size: int) -> None:
        unit.left = max(0, unit.left - size)
        if not unit.left:
            unit.end, unit.end_counter = self._first + index + 1, counter

    def _end_unit(self, index: int, last: int, state: _Pid) -> None:
        """The next unit starts here: an unbounded one is now whole, a short one never will be."""
        unit = state.unit
        if unit is None:
            return
        if unit.head is not None:  # it had no picture in it
            own = sets_in(state.nature.codec, unit.head, whole=True)
            self._settle(index, unit, Verdict(RandomAccess.NONE), own)
        if unit.end is None:
            unit.end, unit.end_counter = self._first + index, last & 15

    def _judge(self, index: int, unit: Unit, state: _Pid, payload: bytes) -> None:
        unit.head = (unit.head or b"") + payload
        verdict = judge(
            state.nature.codec, unit.head, random_access=unit.random_access, known=True
        )  # `_settle` knows
        if verdict is None and len(unit.head) > _HEAD_PACKETS * PACKET_SIZE:
            verdict = Verdict(
                RandomAccess.OPEN if unit.random_access else RandomAccess.NONE
            )  # of odd syntax
        if verdict is not None:
            may_bring_sets = verdict.key or unit.head.count(_START_CODE) > _PLAIN_UNITS
            own = sets_in(state.nature.codec, unit.head) if may_bring_sets else {}
            self._settle(index, unit, verdict, own)

    def _settle(self, index: int, unit: Unit, verdict: Verdict, own: Sets) -> None:
        unit.head = None
        if own:
            self.sets.note(own)
        vouched = verdict.opaque and unit.random_access  # for what nobody here can read
        unit.key = (
            verdict.key if verdict.key and (vouched or self.sets.known) else RandomAccess.NONE
        )
        self.size = verdict.size or self.size
        if unit.key:
            unit.sets = self.sets.missing(own)
            self._marks.append(Mark(index, MarkKind.KEY, unit.pid, unit))

    # Programme tables

    def _look_at_table(self, index: int, word: int, pid: int) -> None:
        if pid == PAT_PID or (self.program and pid == self.program.pmt_pid):
            self._marks.append(Mark(index, MarkKind.TABLE, pid))
        if not word & _PAYLOAD or word & _SCRAMBLED:
            return
        if self._places.table_starts_anew(pid, word & 15):
            self._begin_anew(border=False)
        at = index * PACKET_SIZE + 4
        if word & _ADAPTATION:
            at += 1 + self._block[at]
        payload = self._block[at : (index + 1) * PACKET_SIZE]
        self._use(index, self._finder.feed(pid, payload, unit_start=bool(word & UNIT_START)))

    def _use(self, index: int, program: Program | None) -> None:
        """Play this programme from now on, if it is another."""
        if program is None or program is self.program:
            return
        self.program = program
        self._listens = self._finder.has_choice
        wanted = dict(program.natures)
        wanted.setdefault(program.pmt.pcr_pid, Nature(ElementaryKind.CLOCK, "", 0))
        wanted.pop(NULL_PID, None)
        before = self._pids
        self._gone = {pid: self.counter_of(pid) for pid in before}
        self._pids = {
            pid: before[pid] if pid in before and before[pid].nature == nature else _Pid(nature)
            for pid, nature in wanted.items()
            if pid not in self._finder.pids
        }
        self._follow(program)
        self._expected = _NO_PREDICTION
        self._marks.append(Mark(index, MarkKind.PROGRAM, program.pmt_pid, program=program))

    def _follow(self, program: Program) -> None:
        """Take the programme's lead, and forget the parameter sets of another."""
        before, self._lead = self._lead, program.lead_pid
        codec = program.natures[self._lead].codec if self._lead is not None else ""
        if codec != self.sets.codec or before not in (None, self._lead):
            self.sets = ParameterSets(codec)

    @property
    def clock(self) -> int | None:
        """The last PCR, unwrapped; without any the last DTS."""
        if self._pcr is not None:
            return self._pcr
        return self._near if self.lead_units else None

    @property
    def _time(self) -> int:
        return self._near if self._pcr is None else self._pcr
