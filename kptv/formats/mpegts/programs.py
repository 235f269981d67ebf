"""Which programmes a stream carries, and which one of them is played."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from kptv.formats.mpegts import NULL_PID, PACKET_SIZE, PAT_PID, SYNC_BYTE
from kptv.formats.mpegts.elementary import ElementaryKind, Nature, nature_of
from kptv.formats.mpegts.packets import payload_of, pid_of
from kptv.formats.mpegts.psi import PMT_TABLE, Pat, Pmt, SectionReader, parse_pat, parse_pmt

_LAST_RESERVED = 0x1F  # PIDs up to here are for tables (2.4.3.3; ETSI EN 300 468)
_UNITS_OF_OTHERS = 12  # half a second of pictures, in which every programme should come
_MOST_OF_A_PID = 256  # programmes whose PMTs have one PID; a PAT has room for 253
_PATIENCE = 3  # repeats of a PAT for which the PMT of an earlier programme is waited for


@dataclass(frozen=True, slots=True)
class Program:
    """The programme that is played, and whether it is the only one in the stream."""

    pat: Pat
    pmt: Pmt
    pmt_pid: int
    pat_section: bytes
    pmt_section: bytes
    natures: dict[int, Nature] = field(repr=False)  # by PID

    @property
    def alone(self) -> bool:
        return len(self.pat.programs) == 1

    @property
    def lead_pid(self) -> int | None:
        """The PID of the first video, else of the first sound: viewers start at its keyframes."""
        return lead_of(self.pmt, self.natures)


def lead_of(pmt: Pmt, natures: Mapping[int, Nature]) -> int | None:
    """See ``Program.lead_pid``."""
    for kind in (ElementaryKind.VIDEO, ElementaryKind.AUDIO):
        for stream in pmt.streams:
            if natures[stream.pid].kind is kind:
                return stream.pid
    return None


class ProgramFinder:
    """Table packets in, the programme to play out: the one wanted, else the first with video.

    The choice stays while its programme lasts. If packets of other programmes come, and none of
    the chosen one, it is one of those.
    """

    __slots__ = (
        "_heard",
        "_leads",
        "_pat",
        "_pats",
        "_pmts",
        "_program",
        "_silent",
        "_tables",
        "_waits",
        "_wanted",
    )

    def __init__(self, wanted: int = 0) -> None:
        """``wanted``: the number of a programme; 0: any."""
        self._wanted = wanted
        self._program: Program | None = None
        self._tables: dict[int, _Table] = {PAT_PID: _Table()}
        self._pat: tuple[Pat, bytes] | None = None
        self._pats = 0  # repeats of the PAT while a PMT is waited for
        self._waits = False  # for a PMT
        # By PID and programme number, each with its section, and whether it has a picture.
        self._pmts: dict[int, dict[int, tuple[Pmt, bytes, bool]]] = {}
        self._leads: dict[int, int] = {}  # programme numbers by the PID of their video, or sound
        self._heard: Counter[int] = Counter()  # units of each programme while none is played
        self._silent: frozenset[int] = frozenset()  # programmes without packets

    @property
    def pids(self) -> dict[int, _Table]:
        """The PIDs of the PAT and of every PMT."""
        return self._tables

    @property
    def has_choice(self) -> bool:
        """Whether there are several programmes."""
        return self._pat is not None and len(self._pat[0].programs) > 1

    def feed(self, pid: int, payload: bytes, *, unit_start: bool) -> Program | None:
        """The programme as it is after this packet; the same object while nothing changes."""
        for section in self._tables[pid].read(payload, unit_start):
            if pid == PAT_PID:
                self._take_pat(section)
            elif section[0] == PMT_TABLE:
                self._take_pmt(pid, section)
        return self._program

    def hear(self, pid: int) -> Program | None:
        """A unit starts on a PID, while nothing came yet of the programme that is chosen."""
        number = self._leads.get(pid)
        if number is not None and self._pat is not None:
            self._heard[number] += 1
            if self._heard[number] == _UNITS_OF_OTHERS:
                numbers = {number for number, _ in self._pat[0].programs}
                self._silent = frozenset(numbers.difference(self._heard))
                self._choose()
        return self._program

    def _take_pat(self, section: bytes) -> None:
        if self._pat is None or section != self._pat[1]:
            pat = parse_pat(section)
            if pat is None or not pat.programs:
                return
            self._pat, self._pats = (pat, section), 0
            self._silent = frozenset()
            self._heard.clear()
            self._pmts = {pid: self._pmts.get(pid, {}) for _, pid in pat.programs}
            self._tables = {pid: _Table() for _, pid in pat.programs if pid != PAT_PID} | {
                PAT_PID: self._tables[PAT_PID]
            }
        elif self._waits:
            self._pats += 1
        else:
            return
        self._choose()

    def _take_pmt(self, pid: int, section: bytes) -> None:
        number = int.from_bytes(section[3:5], "big")
        known = self._pmts[pid].get(number)
        if known is not None and known[1] == section:
            return
        if known is None and len(self._pmts[pid]) >= _MOST_OF_A_PID:
            return
        pmt = parse_pmt(section)
        if pmt is not None:
            self._pmts[pid][number] = pmt, section, _has_video(pmt)
            lead = lead_of(pmt, {stream.pid: nature_of(stream) for stream in pmt.streams})
            if lead is not None:
                self._leads[lead] = number
            self._choose()

    def _choose(self) -> None:
        """Take the best programme that comes, unless a better one's PMT may come yet."""
        if self._pat is None:
            return
        pat, pat_section = self._pat
        numbers = {number for number, _ in pat.programs} - self._silent
        playing = self._program.pmt.program_number if self._program else None
        asked = next((n for n in (self._wanted, playing) if n in numbers), None)
        best: tuple[int, Pmt, bytes, int] | None = None
        self._waits = False
        for number, pid in pat.programs:
            known = self._pmts[pid].get(number)
            if known is None:
                may_be_best = number == asked or (asked is None and (best is None or not best[0]))
                if may_be_best and number in numbers and self._pats < _PATIENCE:
                    self._waits = True
                    return
            elif number in numbers:
                pmt, section, has_video = known
                rank = 2 if number == asked else int(has_video)
                if best is None or rank > best[0]:
                    best = rank, pmt, section, pid
        if best is not None:
            self._take(pat, pat_section, *best[1:])

    def _take(self, pat: Pat, pat_section: bytes, pmt: Pmt, section: bytes, pid: int) -> None:
        natures = {stream.pid: nature_of(stream) for stream in pmt.streams}
        program = Program(pat, pmt, pid, pat_section, section, natures)
        if program != self._program:
            self._program = program


class _Table:
    """A table's PID; a packet that repeats the last one is not read again."""

    __slots__ = ("_last", "_reader", "_sections")

    def __init__(self) -> None:
        self._reader = SectionReader()
        self._last = b""
        self._sections: list[bytes] = []  # of the last packet

    def read(self, payload: bytes, unit_start: bool) -> list[bytes]:
        """The sections that end in this packet."""
        if unit_start and payload == self._last:
            return self._sections
        self._sections = self._reader.feed(payload, unit_start=unit_start)
        # If a repeat is not to be read, the packet must hold its sections whole.
        self._last = payload if unit_start and self._sections else b""
        return self._sections


def _has_video(pmt: Pmt) -> bool:
    return any(nature_of(stream).kind is ElementaryKind.VIDEO for stream in pmt.streams)


def is_tables(data: bytes) -> bool:
    """Whether ``data`` is packets of a PAT and its PMTs, and of no media (RFC 8216, 3.2)."""
    finder, packets = ProgramFinder(), len(data) // PACKET_SIZE
    if not packets or len(data) % PACKET_SIZE or set(data[::PACKET_SIZE]) != {SYNC_BYTE}:
        return False
    for at in range(0, len(data), PACKET_SIZE):
        pid, packet = pid_of(data, at), data[at : at + PACKET_SIZE]
        if pid in finder.pids:
            finder.feed(pid, payload_of(packet), unit_start=bool(packet[1] & 0x40))
        elif pid > _LAST_RESERVED and pid != NULL_PID:
            return False
    return len(finder.pids) > 1
