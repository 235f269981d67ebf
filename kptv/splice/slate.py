"""The slate: a short clip that viewers see, again and again, while no candidate works."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from kptv.formats.mpegts import PACKET_SIZE, PAT_PID
from kptv.formats.mpegts.aligner import Aligner
from kptv.formats.mpegts.clock import read_pcr
from kptv.formats.mpegts.elementary import Nature
from kptv.formats.mpegts.inspection import UNIT_START
from kptv.formats.mpegts.inspector import Inspector
from kptv.formats.mpegts.packets import bare_packet, has_pcr
from kptv.formats.mpegts.psi import packets_of
from kptv.splice.splicer import Splicer

LEAD = 0.5  # seconds of media handed out ahead of time
LATE = 2.0  # a slate that is so many seconds behind time does not hurry to catch up
_PIECE = 20 * PACKET_SIZE


@lru_cache(maxsize=4)
def _packets_of(clip: bytes) -> bytes:
    """The whole packets in a clip: one copy for all channels."""
    aligner = Aligner()
    return aligner.feed(clip) + aligner.flush()


@lru_cache(maxsize=4)
def sound_of(clip: bytes, nature: Nature) -> bytes:
    """The clip without its pictures, for a radio channel whose sound is of this nature.

    Empty if the clip has no such sound: listeners' players could not go on with another.
    """
    inspector = Inspector()
    scan = inspector.scan(_packets_of(clip))
    program = inspector.program
    natures = program.natures if program else {}
    sound = next((pid for pid, found in natures.items() if found == nature), None)
    if program is None or sound is None:
        return b""
    streams = tuple(stream for stream in program.pmt.streams if stream.pid == sound)
    pmt = replace(program.pmt, pcr_pid=sound, streams=streams).section
    out: list[bytes] = []
    counter = 15
    for index, word in enumerate(scan.words):
        pid = word >> 8 & 0x1FFF
        packet = scan.block[index * PACKET_SIZE : (index + 1) * PACKET_SIZE]
        if pid == program.pmt_pid and word & UNIT_START:
            out.append(packets_of(pmt, pid, word & 15))
        elif pid in (PAT_PID, sound):
            out.append(packet)
            counter = word & 15 if pid == sound else counter
        elif pid == program.pmt.pcr_pid and has_pcr(packet):
            out.append(bare_packet(sound, counter, pcr=read_pcr(packet, 6)))
    return b"".join(out)


class Slate:
    """An upstream made of a clip: ``due`` gives what to feed at ``now``, at the pace of its clock.

    Each round is spliced behind the one before, as upstreams are. A clip that is no transport
    stream with pictures or sound gives nothing.
    """

    __slots__ = ("_at", "_began", "_clip", "_clock", "_playable", "_round_began", "_splicer")

    def __init__(self, clip: bytes, now: float) -> None:
        self._clip = _packets_of(clip)
        self._at = 0
        self._began = now
        self._clock = 0.0
        self._round_began = -1.0
        self._playable = bool(self._clip)
        self._splicer = Splicer()
        self._splicer.open(0.0, same_stream=False)

    @property
    def playable(self) -> bool:
        """False once a whole round has brought no media."""
        return self._playable

    def due(self, now: float) -> bytes:
        """The packets whose time has come."""
        if now - self._began - self._clock > LATE:
            self._began = now - self._clock
        out: list[bytes] = []
        while self._playable and self._clock < now - self._began + LEAD:
            out.append(self._next_piece())
        return b"".join(out)

    def _next_piece(self) -> bytes:
        if self._at < len(self._clip):
            chunk = self._splicer.feed(self._clip[self._at : self._at + _PIECE], 0.0)
            self._at += _PIECE
        else:
            chunk = self._splicer.close(0.0, clean=True)
            self._playable = chunk.clock > self._round_began
            self._round_began = chunk.clock
            self._at = 0
            self._splicer.open(0.0, same_stream=False)
        self._clock = max(self._clock, chunk.clock)
        return chunk.data
