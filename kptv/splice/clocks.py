"""The clock references of one upstream, on the clock of the outgoing programme."""

from __future__ import annotations

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.clock import read_pcr, write_pcr
from kptv.formats.mpegts.elementary import ElementaryKind
from kptv.formats.mpegts.inspection import Inspection, Mark
from kptv.formats.mpegts.packets import DISCONTINUITY, HAS_PCR, bare_packet, remove_pcr
from kptv.splice.lanes import Lane, Lanes
from kptv.splice.restamp import Restamped, shift_opcr
from kptv.splice.timeline import Timeline


class ClockShifter:
    """Rewrites PCR and OPCR; a PCR goes out although the packet that it came in does not."""

    __slots__ = ("_lanes", "_timeline")

    def __init__(self, lanes: Lanes, timeline: Timeline) -> None:
        self._lanes = lanes
        self._timeline = timeline

    def shift(self, scan: Inspection, draft: Restamped, mark: Mark) -> None:
        """Deal with the clock references of a packet that has any."""
        lane = self._lanes.get(mark.pid)
        if lane is None:
            return
        if lane.kind is ElementaryKind.CLOCK and not lane.open:
            counter = scan.word(mark.packet) & 15
            # Packets without a payload have the counter of the packet before them.
            self._lanes.open(lane, draft, mark.packet, counter + 1)
        at = mark.packet * PACKET_SIZE
        has_pcr = bool(scan.block[at + 5] & HAS_PCR) and scan.block[at + 4] >= 7
        pcr = self._take(read_pcr(scan.block, at + 6)) if has_pcr else None
        if not lane.open:
            if pcr is not None and lane.track.counter >= 0 and draft.rewrites:
                draft.replace(mark.packet, self._bare(lane, pcr))
            return
        spot = draft.packet(mark.packet)
        if spot is None:
            return
        shift_opcr(*spot, self._timeline.shift)
        if has_pcr:
            self._put(*spot, pcr)

    def _take(self, raw: int) -> int | None:
        """The PCR that goes out; None: it is to be left out."""
        latest, shift = self._lanes.latest, self._timeline.shift
        return self._timeline.take_pcr(raw, None if latest is None else latest + shift)

    def _put(self, data: bytearray, at: int, pcr: int | None) -> None:
        if pcr is None:
            remove_pcr(data, at)
            return
        write_pcr(data, at + 6, pcr)
        if self._is_new_base():
            data[at + 5] |= DISCONTINUITY

    def _bare(self, lane: Lane, pcr: int) -> bytes:
        """The PCR of a packet that is dropped, in a packet of its own."""
        new_base = self._is_new_base()
        return bare_packet(lane.track.pid, lane.track.counter, discontinuity=new_base, pcr=pcr)

    def _is_new_base(self) -> bool:
        """Whether this PCR, which goes out, is the first of another time base."""
        new_base, self._timeline.new_base = self._timeline.new_base, False
        return new_base
