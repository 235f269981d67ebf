"""The newest media of an upstream that nobody sees yet, ready to go on with at any moment.

How it works. Pieces are inspected as they come, and kept from a *start* on: a keyframe of the
video; of radio, any unit. The start that is kept longest is the newest that has ENOUGH media behind
it. Once it is opened, media is given from a start on, with the tables in force there: at once as
much as viewers are owed, and the rest no faster than it plays. So players keep the reserve that
they have, neither less nor, splice by splice, more; what is not given yet stays here.
"""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from dataclasses import dataclass, replace

from kptv.formats.mpegts import PACKET_SIZE, PAT_PID
from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.elementary import ElementaryKind, RandomAccess
from kptv.formats.mpegts.inspection import Inspection, Mark, MarkKind
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.packets import pid_of
from kptv.formats.mpegts.parameters import ParameterSets
from kptv.ports import Piece, Seam
from kptv.splice.seeker import CLOSED_WAIT
from kptv.splice.watch import Trouble, Watch

ENOUGH = 2.0  # seconds of media behind a start: as much as a silence that was noticed late costs
SLACK = 0.1  # seconds that are given beyond what is owed: the splicer holds so much back
SOUGHT = CLOSED_WAIT / TICKS + SLACK  # seconds that the seeker looks at, where no IDR comes
PROGRAMME_WAIT = 12.0  # seconds without any start, after which the stream is of no use
LONGEST_PAUSE = 15.0  # seconds of a pause that more is kept for
LARGEST = 256 * 1024  # bytes that are given at once
_LONGEST_ADVANCE = 10 * TICKS  # of the clock between two pieces; more is a jump
_SOUND_STEP = 0.25  # seconds between two starts of radio
_MOST_STARTS = 1024  # each has tables of its own; 50 keyframes a second for 17 s are fewer
_MOST_TABLES = 32 * PACKET_SIZE  # bytes of a table that are kept


@dataclass(frozen=True, slots=True)
class _Kept:
    """A piece, and what came before it."""

    piece: Piece
    first: int  # the number of its first packet
    at: float  # seconds of media

    @property
    def end(self) -> int:
        """The number of the packet behind its last."""
        return self.first + len(self.piece.data) // PACKET_SIZE


@dataclass(frozen=True, slots=True)
class _Start:
    """A unit of the lead to start from."""

    number: int  # of its first packet
    at: float  # seconds of media before it
    tables: bytes  # PAT and PMT as they came last
    sought: float = 0.0  # seconds of media behind it that the seeker wants to see


class Stock:
    """One upstream's. Pieces in by ``add``; ``open`` it once, then pieces out by ``take``."""

    def __init__(self, limit: int, now: float, program: int = 0) -> None:
        """It keeps ``limit`` bytes. ``program``: the number of the one wanted; 0: any."""
        self.size = 0  # bytes
        self._limit = limit
        self._program = program
        self._kept: deque[_Kept] = deque()
        self._starts: deque[_Start] = deque()
        self._unit: _Start | None = None  # the last unit of the lead, which may be a start
        self._tables: dict[int, bytes] = {}  # of the PAT, and of the PMT in force or to come
        self._end = 0  # packets that came
        self._media = 0.0  # seconds that came
        self._came_at = now
        self._pause = 0.0  # the longest, in seconds
        self._began_at = now
        self._has_begun = False  # a start has come
        self._due_from: float | None = None  # when its first media was due; None: not opened
        self._hurries = False  # all is given at once: its memory is needed
        self._begin(now)

    def __repr__(self) -> str:
        return f"<Stock {self.seconds:.1f} s bytes={self.size}>"

    @property
    def ready(self) -> bool:
        """There is a start."""
        return bool(self._starts)

    @property
    def is_full(self) -> bool:
        """Once it is opened: some has to be taken before more is added."""
        return self._due_from is not None and self.size > (0 if self._hurries else self._limit)

    @property
    def seconds(self) -> float:
        """How much media there is behind the oldest start."""
        return self._media - self._starts[0].at if self._starts else 0.0

    @property
    def sets(self) -> ParameterSets:
        """The upstream's parameter sets that came last, as they are now."""
        return deepcopy(self._inspector.sets)

    def add(self, piece: Piece, now: float) -> None:
        """The next piece of the upstream has come."""
        if piece.seam is not None:
            self._cross(piece.seam, now)
        if self._end:
            self._pause = min(max(self._pause, now - self._came_at), LONGEST_PAUSE)
        self._came_at = now
        self._kept.append(_Kept(piece, self._end, self._media))
        self.size += len(piece.data)
        scan = self._inspector.scan(piece.data)
        self._end += scan.count
        self._received += len(piece.data)
        self._watch.note(scan, self._inspector.program)
        if self._due_from is None:
            self._note(scan)
        self._follow()
        if self._due_from is None:
            self._forget()

    def trouble(self, now: float) -> Trouble | None:
        """The reason not to go on with this upstream, if there is one."""
        if not self._has_begun and now - self._began_at > PROGRAMME_WAIT:
            return Trouble.NO_MEDIA
        return self._watch.look(now, self._inspector, self._received)

    def drop_oldest(self) -> bool:
        """Give memory back, as a buffer does; False: none just now."""
        if self._due_from is not None:
            self._hurries = True
            return False
        if len(self._starts) > 1:
            self._starts.popleft()
            self._drop_before(self._starts[0].number)
            return True
        had = self.size
        self._starts.clear()
        self._unit = None
        self._drop_before(self._end)
        return had > 0

    def open(self, owed: float, now: float) -> None:
        """Viewers go on with this from now on; ``owed``: seconds that they had no media for.

        The start is the newest behind which there is enough for that and for a usual pause, else
        the oldest.
        """
        pause = max(0.0, self._pause - (now - self._came_at)) if self._pause >= 1.0 else 0.0
        start = self._choose(owed, pause)
        self._drop_before(start.number if start else self._end)
        self._due_from = now - self._media - owed - SLACK
        if start is None:
            return
        self._due_from = now - start.at - max(owed + SLACK, start.sought)
        first = self._kept.popleft()
        data = start.tables + first.piece.data[(start.number - first.first) * PACKET_SIZE :]
        self.size += len(data) - len(first.piece.data)
        self._kept.appendleft(_Kept(replace(first.piece, data=data, seam=None), 0, first.at))

    def take(self, now: float) -> Piece | None:
        """What is due, as one piece, if it is opened; a seam begins another."""
        taken: list[Piece] = []
        size = 0
        while self._kept and self._is_due(self._kept[0], now):
            piece = self._kept[0].piece
            if taken and (piece.seam is not None or size + len(piece.data) > LARGEST):
                break
            self._kept.popleft()
            taken.append(piece)
            size += len(piece.data)
        self.size -= size
        if not taken:
            return None
        data = b"".join(piece.data for piece in taken)
        return replace(taken[-1], data=data, seam=taken[0].seam)

    def wait(self, now: float) -> float | None:
        """Seconds until the next piece is due; None: there is none, or it is not opened."""
        if not self._kept or self._due_from is None:
            return None
        return max(0.0, self._due_from + self._kept[0].at - now)

    def clear(self) -> None:
        """Give all memory back."""
        self._kept.clear()
        self._starts.clear()
        self.size = 0

    def _begin(self, now: float) -> None:
        """What comes next is inspected from nothing."""
        self._inspector = Inspector(wanted=self._program)
        self._watch = Watch(now)
        self._received = 0  # bytes
        self._base = self._end  # packets that came before
        self._clock: int | None = None

    def _cross(self, seam: Seam, now: float) -> None:
        if seam.goes_on:
            self._inspector.cross()
        else:
            self._begin(now)
            self._unit = None

    def _note(self, scan: Inspection) -> None:
        """Find tables and starts in what came."""
        for mark in scan.marks:
            program = self._inspector.program
            if mark.kind in (MarkKind.TABLE, MarkKind.PROGRAM):
                self._note_table(scan, mark)
            elif mark.unit is not None and program and mark.pid == program.lead_pid:
                nature = program.natures[mark.pid]
                if mark.kind is MarkKind.UNIT:
                    number = self._base + mark.unit.number
                    self._unit = _Start(number, self._media, self._tables_now())
                    if nature.kind is ElementaryKind.AUDIO:
                        self._note_sound(self._unit)
                elif self._unit and self._unit.number == self._base + mark.unit.number:
                    opens = mark.unit.key is RandomAccess.OPEN and nature.codec == "h264"
                    self._add_start(replace(self._unit, sought=SOUGHT if opens else 0.0))

    def _note_sound(self, start: _Start) -> None:
        if not self._starts or start.at - self._starts[-1].at >= _SOUND_STEP:
            self._add_start(start)

    def _add_start(self, start: _Start) -> None:
        if len(self._starts) == _MOST_STARTS:
            self._starts.popleft()
        self._starts.append(start)
        self._has_begun = True

    def _note_table(self, scan: Inspection, mark: Mark) -> None:
        at = mark.packet * PACKET_SIZE
        packet = scan.block[at : at + PACKET_SIZE]
        pid = pid_of(scan.block, at)
        before = self._tables.get(pid, b"")
        if pid != mark.pid or packet == before[-PACKET_SIZE:]:
            return  # the programme was heard, not told; or the packet has two marks
        starts = packet[1] & 0x40 or len(before) >= _MOST_TABLES
        program = self._inspector.program
        known = (PAT_PID, program.pmt_pid if program else PAT_PID)
        self._tables = {each: self._tables[each] for each in known if each in self._tables}
        self._tables[pid] = packet if starts else before + packet

    def _tables_now(self) -> bytes:
        program = self._inspector.program
        pmt = self._tables.get(program.pmt_pid, b"") if program else b""
        return self._tables.get(PAT_PID, b"") + pmt

    def _follow(self) -> None:
        """Add what the clock advanced to the media that came."""
        before, self._clock = self._clock, self._inspector.clock
        if before is not None and self._clock is not None:
            advance = self._clock - before
            self._media += advance / TICKS if 0 < advance < _LONGEST_ADVANCE else 0.0

    def _forget(self) -> None:
        """Drop what is older than anybody will want."""
        starts, enough = self._starts, ENOUGH + (self._pause if self._pause >= 1.0 else 0.0)
        while len(starts) > 1 and self._media - starts[1].at >= enough:
            starts.popleft()
        first = starts[0] if starts else self._unit
        self._drop_before(first.number if first else self._end)
        while self.size > self._limit and self.drop_oldest():
            pass

    def _drop_before(self, number: int) -> None:
        while self._kept and self._kept[0].end <= number:
            self.size -= len(self._kept.popleft().piece.data)

    def _choose(self, owed: float, pause: float) -> _Start | None:
        for start in reversed(self._starts):
            if self._media - start.at >= max(owed + pause, start.sought):
                return start
        return self._starts[0] if self._starts else None

    def _is_due(self, kept: _Kept, now: float) -> bool:
        if self._due_from is None:
            return False
        return self._hurries or self.size > self._limit or self._due_from + kept.at <= now
