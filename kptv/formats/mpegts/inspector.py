"""What is inside the packets of one upstream: programme, units, clocks, counters.

How it works. The 32-bit headers of all packets of a block are unpacked by one call. A header that
is the one predicted for the next plain video packet needs no further look, a null packet is
counted, and everything else (tables, starts of PES packets, adaptation fields, other PIDs, wrong
counters) goes to one slow method. The result is which packets these were and a short list of marks,
in the order of the packets. The splicer looks only at those.
"""

from __future__ import annotations

from functools import lru_cache

from kptv.formats.mpegts import NULL_PID, PACKET_SIZE, PAT_PID
from kptv.formats.mpegts.clock import StreamClock, read_pcr
from kptv.formats.mpegts.continuity import (
    NO_RESTART,
    Before,
    Restart,
    Restarts,
    is_filled_up,
    judge_jump,
)
from kptv.formats.mpegts.elementary import CUES, ElementaryKind, Nature
from kptv.formats.mpegts.inspection import UNIT_START, Inspection, Mark, MarkKind, headers_of
from kptv.formats.mpegts.media import Medium, medium_of
from kptv.formats.mpegts.parameters import ParameterSets
from kptv.formats.mpegts.programs import Program, ProgramFinder
from kptv.formats.mpegts.sps import Size
from kptv.formats.mpegts.units import AV, START_CODE, PidState, UnitReader

_NULL = NULL_PID << 8
_PID = 0x1FFF00
_DAMAGED, _SCRAMBLED, _ADAPTATION, _PAYLOAD = 0x800000, 0xC0, 0x20, 0x10
_LARGEST_ADAPTATION = 183
_ONLY_PCR = 7  # the size of an adaptation field with a PCR and nothing else
_NO_PREDICTION = -1
_RANDOM_ACCESS = 0x40  # a flag of an adaptation field
# Looking up a member of an enum costs as much as two calls.
_VIDEO = ElementaryKind.VIDEO
_CLOCK, _TABLE, _SECTION = MarkKind.CLOCK, MarkKind.TABLE, MarkKind.SECTION


@lru_cache(maxsize=64)
def _followers(plain: int) -> dict[int, int]:
    """The header behind each plain one of a PID; ``plain`` is one of them, with counter 0."""
    return {plain | counter: plain | counter + 1 & 15 for counter in range(16)}


class Inspector:
    """Blocks of whole packets of one upstream in, inspections out. Raises on no input.

    ``near``: a time of the clock that the upstream is thought to go on with. ``wanted``: the number
    of the programme to play, if it is there; 0: any. ``sets``: the parameter sets of the same
    stream, if it was open before.
    """

    def __init__(self, near: int = 0, wanted: int = 0, sets: ParameterSets | None = None) -> None:
        self.program: Program | None = None
        self.packets = self.damaged = 0
        self.scrambled = 0  # of the programme's packets
        self.media = 0  # packets of the programme with a clear payload
        self.continuity_errors = 0
        self._expected = _NO_PREDICTION
        self._followers: dict[int, int] = {}  # the header to expect behind each expected one
        self._pids: dict[int, PidState] = {}
        self._finder = ProgramFinder(wanted)
        self._listens = True  # nothing came yet of the programme: units of others are noted
        self._gone: dict[int, int] = {}  # last counters of the programme before this one
        self._restarts = Restarts()
        self._lead: int | None = None  # PID
        self._clock = StreamClock(near)
        self._units = UnitReader(self._clock, sets)
        self._block = b""
        self._marks: list[Mark] = []

    def __repr__(self) -> str:
        return f"<Inspector packets={self.packets} program={self.program}>"

    def scan(self, block: bytes) -> Inspection:
        """Look at the next packets; ``block`` is a multiple of 188 bytes."""
        words = headers_of(len(block) // PACKET_SIZE).unpack(block)
        first = self.packets
        self._block, self._marks = block, []
        self._units.begin(first, self._marks)
        looked: list[tuple[int, int]] = []
        slow, expected, followers = self._look, self._expected, self._followers
        for index, word in enumerate(words):
            if word == expected:
                expected = followers[word]
                continue
            looked.append((index, word))
            if word & _PID != _NULL:
                self._expected = expected
                slow(index, word)
                expected, followers = self._expected, self._followers
        self._expected = expected
        self.packets += len(words)
        self.media += len(words) - len(looked)
        return Inspection(block, first, looked, self._marks)

    def cross(self) -> None:
        """A part of the stream begins that was made apart from the one before."""
        self._begin_anew(Restart.BORDER)

    def _begin_anew(self, restart: Restart) -> None:
        """From here on counters may start anew: each PID's next packet is looked at."""
        if self._lead is not None and self._expected != _NO_PREDICTION:
            self._pids[self._lead].counter = self._expected - 1 & 15
        self._expected = _NO_PREDICTION
        self._restarts.begin([*self._pids, *self._finder.pids], restart)

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

    def _look_inside(self, index: int, word: int, pid: int, state: PidState) -> None:
        restart = self._restarts.take(pid) if pid in self._restarts.pids else NO_RESTART
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
            step = self._step(state, word, flags, restart)
            if step is not None:
                payload = self._block[at:end]
                short = restart is not NO_RESTART and word & UNIT_START and state.is_short
                if step or short:  # the counter may fit by chance
                    self._on_jump(index, word, pid, step, restart, payload)
                self._look_at_payload(index, word, last, state, payload, flags)
            if filled:
                state.filled_at = state.counter
        elif restart is not NO_RESTART and last >= 0 and word & 15 != last:
            state.counter = word & 15  # without a payload a counter stands still
            self._marks.append(Mark(index, MarkKind.BREAK, pid, step=last - word & 15))
        if flags & 0x18:
            self._marks.append(Mark(index, _CLOCK, pid))

    def _predict(self, state: PidState, word: int) -> None:
        """The header of the next plain packet of the lead, while no verdict is open."""
        plain = word & ~(UNIT_START | _ADAPTATION | 15) | _PAYLOAD
        settled = state.unit and state.unit.head is None and not word & _SCRAMBLED
        if settled and state.nature.kind is _VIDEO:
            self._expected = plain | state.counter + 1 & 15
            self._followers = _followers(plain)
        else:
            self._expected = _NO_PREDICTION

    def _step(self, state: PidState, word: int, flags: int, restart: Restart) -> int | None:
        """What must be added to the counter for it to go on (2.4.3.3); None: a duplicate."""
        counter = word & 15
        last, state.counter = state.counter, counter
        marked = flags & 0x80
        if counter == last and not (state.repeated or marked or restart is not NO_RESTART):
            state.repeated = True
            return None
        state.repeated = False
        return last + 1 - counter & 15 if last >= 0 and not marked else 0

    def _on_jump(
        self, index: int, word: int, pid: int, step: int, restart: Restart, payload: bytes
    ) -> None:
        """A counter does not go on: packets were lost, or it starts anew."""
        state = self._pids[pid]
        unit, starts = state.unit, bool(word & UNIT_START)
        is_whole = unit is None or unit.end is not None
        if unit is not None and unit.unbounded:
            is_whole = state.filled_at == (word & 15) + step - 1 & 15
        bounded = unit is None or not unit.unbounded
        steady = state.nature.kind in AV
        before = Before(is_whole, bounded, steady, state.dts, state.step)
        starts_unit = starts and payload.startswith(START_CODE)
        dts = self._units.times(payload)[1] if starts_unit else None
        found = judge_jump(restart, before, starts=starts, dts=dts)
        self.continuity_errors += found.lost
        if found.lost:
            state.dts = None  # a step from there would be none of two neighbours
        if not found.anew:
            return
        if not found.whole and not (unit and unit.end is not None):
            state.unit = None
        self._marks.append(Mark(index, MarkKind.BREAK, pid, step=step, whole=found.whole))

    def _look_at_adaptation(self, at: int, pid: int) -> int:
        """The flags of an adaptation field; its PCR tells what time it is (2.4.3.5)."""
        size = self._block[at]
        if not 0 < size <= _LARGEST_ADAPTATION:
            return 0
        flags = self._block[at + 1]
        if flags & 0x10 and size >= 7 and self.program and pid == self.program.pmt.pcr_pid:
            self._clock.take_pcr(read_pcr(self._block, at + 2))
        return flags

    def _look_at_payload(
        self, index: int, word: int, last: int, state: PidState, payload: bytes, flags: int
    ) -> None:
        """``last``: the counter of the PID's packet before this one."""
        if word & _SCRAMBLED:
            self.scrambled += 1
            return
        self.media += 1
        pid = word >> 8 & 0x1FFF
        if word & UNIT_START:
            self._units.end(index, last, state)
            if payload.startswith(START_CODE):
                flagged = bool(flags & _RANDOM_ACCESS)
                self._units.start(index, word & 15, pid, state, payload, flagged=flagged)
                if state.nature.kind in AV:
                    self._listens = False
            else:
                state.unit = None
                self._marks.append(Mark(index, _SECTION, pid))
        elif state.unit is not None:
            self._units.go_on(index, word & 15, state.unit, state.nature.codec, payload)
        elif state.nature.codec == CUES:
            self._marks.append(Mark(index, _SECTION, pid))

    # Programme tables

    def _look_at_table(self, index: int, word: int, pid: int) -> None:
        if pid == PAT_PID or (self.program and pid == self.program.pmt_pid):
            self._marks.append(Mark(index, _TABLE, pid))
        if not word & _PAYLOAD or word & _SCRAMBLED:
            return
        if self._restarts.is_at_table(pid, word & 15):
            self._begin_anew(Restart.TABLES)
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
            pid: before[pid] if pid in before and before[pid].nature == nature else PidState(nature)
            for pid, nature in wanted.items()
            if pid not in self._finder.pids
        }
        self._lead = program.lead_pid
        self._units.follow(program)
        self._expected = _NO_PREDICTION
        self._marks.append(Mark(index, MarkKind.PROGRAM, program.pmt_pid, program=program))

    # What is known of the upstream

    @property
    def size(self) -> Size | None:
        """The size of the pictures, as far as it was told."""
        return self._units.size

    @property
    def known_media(self) -> dict[int, Medium]:
        """What is known of the programme's picture and sound, by PID."""
        sets, lead = self.sets, self._lead
        return {
            pid: medium_of(state.nature, state.head, sets.main if pid == lead else b"")
            for pid, state in self._pids.items()
            if state.nature.kind in AV
        }

    @property
    def sets(self) -> ParameterSets:
        """The parameter sets that came last."""
        return self._units.sets

    @property
    def lead_units(self) -> int:
        """How many access units of the video came in the clear; of radio, PES packets."""
        return self._units.lead_units

    @property
    def clock(self) -> int | None:
        """The last PCR, unwrapped; without any the last DTS."""
        if self._clock.pcr is not None:
            return self._clock.pcr
        return self._clock.near if self.lead_units else None
