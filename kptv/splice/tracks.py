"""On which PID of the outgoing programme each PID of an upstream goes out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from kptv.formats.mpegts import NULL_PID
from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.elementary import ElementaryKind, Nature, language_of
from kptv.formats.mpegts.inspection import Unit
from kptv.formats.mpegts.programs import Program
from kptv.formats.mpegts.psi import Pat, Pmt, Tables, parse_pat, parse_pmt

LONGEST = TICKS  # a unit lasts no longer; a longer step of time is a gap
RECENT = 16  # units whose durations are remembered
_FIRST_FREE = 0x0100  # below are tables, by convention
_DEFAULT_DURATION = {ElementaryKind.VIDEO: TICKS // 25, ElementaryKind.AUDIO: TICKS // 40}


@dataclass(slots=True, eq=False)
class Track:
    """A PID of the outgoing programme; times are ticks of the programme's clock."""

    pid: int
    nature: Nature
    language: str
    counter: int = -1  # of the last packet handed on, once its lane has ended; -1: none
    dts: int | None = None  # the highest of all whole units
    pts: int | None = None
    rest: int | None = None  # how long the last unit lasts, if its frames were counted
    _durations: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def duration(self) -> int:
        """How long a unit lasts; for sound the longest lately, as the number of frames varies."""
        if not self._durations:
            return _DEFAULT_DURATION.get(self.nature.kind, 1)
        is_sound = self.nature.kind is ElementaryKind.AUDIO
        return max(self._durations) if is_sound else self._durations[-1]

    @property
    def over(self) -> int | None:
        """When the last unit is over if it lasts as long as most; a gap is no unit's length."""
        if self.dts is None:
            return None
        usual = sorted(self._durations)[len(self._durations) // 2] if self._durations else None
        return self.dts + (usual or self.duration)

    @property
    def end(self) -> int | None:
        """The earliest time at which something may follow."""
        if self.dts is None:
            return None
        return self.dts + (self.duration if self.rest is None else self.rest)

    def follow(self, other: Track) -> None:
        """Go on where the other one stands, if that is later."""
        if other.dts is not None and other.pts is not None:
            self.dts = other.dts if self.dts is None else max(self.dts, other.dts)
            self.pts = other.pts if self.pts is None else max(self.pts, other.pts)

    def take(self, unit: Unit, shift: int) -> None:
        """A whole unit went out on this track."""
        if unit.dts is None or unit.pts is None:
            return
        self.rest = None
        dts, pts = unit.dts + shift, unit.pts + shift
        if self.dts is None or self.pts is None:
            self.dts, self.pts = dts, pts
            return
        if 0 < dts - self.dts < LONGEST:
            self._durations.append(dts - self.dts)
        self.dts, self.pts = max(dts, self.dts), max(pts, self.pts)


def assign(tracks: list[Track], program: Program, taken: frozenset[int]) -> dict[int, Track]:
    """The track for each PID of an upstream's programme; new ones are added to ``tracks``.

    Streams of one nature follow each other: first those of the same language, then by order.
    Another codec gets a PID of its own, so that no decoder is fed what it cannot read. If the old
    codec returns, it returns to its PID.
    """
    streams = [(s.pid, program.natures[s.pid], language_of(s)) for s in program.pmt.streams]
    pcr_pid = program.pmt.pcr_pid
    if pcr_pid != NULL_PID and pcr_pid not in program.natures:
        streams.append((pcr_pid, Nature(ElementaryKind.CLOCK, "", 0), ""))
    found: dict[int, Track] = {}
    free = list(tracks)
    for same_language in (True, False):
        for pid, nature, language in streams:
            if pid in found:
                continue
            for track in free:
                if track.nature == nature and (track.language == language or not same_language):
                    found[pid] = track
                    free.remove(track)
                    break
    for pid, nature, language in streams:
        if pid not in found:
            used = taken | {track.pid for track in tracks}
            found[pid] = Track(_free_pid(pid, used), nature, language)
            tracks.append(found[pid])
    return found


def tables_of(program: Program) -> Tables:
    """The tables of the first upstream, with only the programme that is played."""
    if program.alone:
        return Tables(program.pat_section, program.pmt_section, program.pmt_pid)
    only = ((program.pmt.program_number, program.pmt_pid),)
    pat = replace(program.pat, programs=only)
    return Tables(pat.section, program.pmt_section, program.pmt_pid)


def follow(tables: Tables, program: Program, targets: dict[int, Track]) -> Tables:
    """The tables once ``program`` plays on these tracks.

    They are the same object if they still tell the truth. Else the PMT has the next version; its
    PID and programme number stay.
    """
    before = parse_pmt(tables.pmt)
    pat = parse_pat(tables.pat)
    streams = tuple(replace(s, pid=targets[s.pid].pid) for s in program.pmt.streams)
    clock = targets.get(program.pmt.pcr_pid)
    pcr_pid = clock.pid if clock else NULL_PID
    listed = {(s.pid, s.stream_type) for s in streams}
    if before is None or pat is None:  # impossible: they were read with the same functions
        return tables
    if listed == {(s.pid, s.stream_type) for s in before.streams} and pcr_pid == before.pcr_pid:
        return tables
    number, version = before.program_number, before.version + 1 & 31
    pmt = Pmt(number, version, pcr_pid, streams, program.pmt.descriptors)
    only = Pat(pat.transport_stream, pat.version, ((number, tables.pmt_pid),))
    return Tables(only.section, pmt.section, tables.pmt_pid)


def _free_pid(wanted: int, used: frozenset[int] | set[int]) -> int:
    if wanted not in used:
        return wanted
    # If no PID is left, the packets become null packets.
    return next((pid for pid in range(_FIRST_FREE, NULL_PID) if pid not in used), NULL_PID)
