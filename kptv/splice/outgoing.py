"""What viewers see through all upstreams: tracks and tables, with their counters."""

from __future__ import annotations

from kptv.formats.mpegts import PACKET_SIZE, PAT_PID
from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.elementary import ElementaryKind
from kptv.formats.mpegts.programs import Program
from kptv.formats.mpegts.psi import Tables, packets_of
from kptv.splice.tracks import Track, assign, follow, tables_of

ROUNDING = TICKS // 1000  # by which a unit may follow early


class OutgoingProgram:
    """The one programme of a hub."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self.tables: Tables | None = None
        self.version = 0  # of the tables: one more with each change; 0: there are none yet
        self.lead: Track | None = None  # its times are the programme's
        self._pat_counter = self._pmt_counter = 15

    def adopt(self, program: Program) -> dict[int, Track]:
        """Make room for an upstream's programme; the track for each of its PIDs."""
        before = self.tables
        if before is None:
            self.tables = tables_of(program)
        targets = assign(self.tracks, program, self._taken())
        if before is not None:
            self.tables = follow(before, program, targets)
        self.version += self.tables is not before
        return targets

    @property
    def last_tables(self) -> bytes:
        """PAT and PMT as they went out last."""
        if self.tables is None:
            return b""
        return self.tables.packets(self._pat_counter, self._pmt_counter)

    def next_pat(self) -> bytes:
        """The PAT's next repeat."""
        if self.tables is None:
            return b""
        self._pat_counter = self._pat_counter + 1 & 15
        return packets_of(self.tables.pat, PAT_PID, self._pat_counter)

    def next_pmt(self) -> bytes:
        """The PMT's next repeat."""
        if self.tables is None:
            return b""
        count = len(packets_of(self.tables.pmt, self.tables.pmt_pid, 0)) // PACKET_SIZE
        self._pmt_counter = self._pmt_counter + count & 15
        return packets_of(self.tables.pmt, self.tables.pmt_pid, self._pmt_counter)

    def end_of(self, track: Track) -> int | None:
        """When what went out ends: on tracks of this kind if it is picture or sound, else on it."""
        ends = [track.end]
        if track.nature.kind in (ElementaryKind.VIDEO, ElementaryKind.AUDIO):
            ends = [other.end for other in self.tracks if other.nature.kind is track.nature.kind]
        return max((end - ROUNDING for end in ends if end is not None), default=None)

    def sound_end(self) -> int | None:
        """When the last sound ends."""
        ends = [track.end for track in self.tracks if track.nature.kind is ElementaryKind.AUDIO]
        return max((end for end in ends if end is not None), default=None)

    def _taken(self) -> frozenset[int]:
        return frozenset((PAT_PID, self.tables.pmt_pid)) if self.tables else frozenset((PAT_PID,))
