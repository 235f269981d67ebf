"""What viewers see through all upstreams: tracks and tables with their counters, and a clock."""

from __future__ import annotations

from kptv.formats.mpegts import PAT_PID
from kptv.formats.mpegts.clock import TICKS
from kptv.formats.mpegts.elementary import ElementaryKind
from kptv.formats.mpegts.inspection import Unit
from kptv.formats.mpegts.programs import Program
from kptv.formats.mpegts.psi import Tables, packet_count, packets_of
from kptv.splice.holding import Hold
from kptv.splice.reserve import Reserve
from kptv.splice.timeline import Timeline
from kptv.splice.tracks import Track, assign, follow, tables_of

AV = (ElementaryKind.VIDEO, ElementaryKind.AUDIO)
ROUNDING = TICKS // 1000  # a unit may follow so much too early


class OutgoingProgram:
    """The one programme of a hub, as far as it was made."""

    def __init__(self, skip_beyond: float | None) -> None:
        """``skip_beyond``: see Reserve."""
        self.tracks: list[Track] = []
        self.tables: Tables | None = None
        self.version = 0  # of the tables: one more with each change; 0: there are none yet
        self.lead: Track | None = None  # its times are the programme's
        self.timeline = Timeline(Reserve(skip_beyond))
        self.hold = Hold()
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

    def announce(self) -> None:
        """Send the tables, at once."""
        self.hold.add_tables(self.next_pat() + self.next_pmt(), self.version)

    def begin(self, unit: Unit, now: float, *, frames: int, sound: bool, same: bool) -> None:
        """Let time go on for an upstream that starts with ``unit``.

        It goes on so many ``frames`` behind the last picture, or later if time is skipped.
        ``sound``: the unit is sound, as on radio, and must not run into the sound that went out.
        ``same``: the upstream is the one before, connected to once more.
        """
        if unit.dts is None or unit.pts is None:
            return
        least = self._least_shift(unit.pts, unit.dts, frames)
        end = self._sound_end() if sound else None
        if end is not None:
            least = max(least, end - unit.dts)
        grid = self.lead.duration if self.lead else 1
        self.timeline.start(unit.dts, now, least=least, grid=grid, same=same)

    def _least_shift(self, pts: int, dts: int, frames: int) -> int:
        """What must be added to these times, for their unit to come behind the last picture."""
        lead, origin = self.lead, self.timeline.origin
        if lead is not None and lead.dts is not None and lead.pts is not None:
            return max(lead.dts - dts, lead.pts - pts) + frames * lead.duration
        return origin - dts if origin is not None else 0

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
        self._pmt_counter = self._pmt_counter + packet_count(self.tables.pmt) & 15
        return packets_of(self.tables.pmt, self.tables.pmt_pid, self._pmt_counter)

    def end_of(self, track: Track) -> int | None:
        """When media on this track ends; of picture and sound, on all tracks of its kind."""
        ends = [track.end]
        if track.nature.kind in AV:
            ends = [other.end for other in self.tracks if other.nature.kind is track.nature.kind]
        return max((end - ROUNDING for end in ends if end is not None), default=None)

    @property
    def over(self) -> int | None:
        """When all pictures and sound that went out are over; None: there were none."""
        ends = [track.over for track in self.tracks if track.nature.kind in AV]
        return max((end for end in ends if end is not None), default=None)

    def _sound_end(self) -> int | None:
        """When the last sound ends."""
        ends = [track.end for track in self.tracks if track.nature.kind is ElementaryKind.AUDIO]
        return max((end for end in ends if end is not None), default=None)

    def _taken(self) -> frozenset[int]:
        return frozenset((PAT_PID, self.tables.pmt_pid)) if self.tables else frozenset((PAT_PID,))
