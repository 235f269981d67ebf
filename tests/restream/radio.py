"""A radio channel, made packet by packet: each frame carries a mark that a test can find again."""

from __future__ import annotations

from kptv.formats.mpegts.clock import write_timestamp
from kptv.formats.mpegts.packets import NULL_PACKET
from kptv.formats.mpegts.psi import ElementaryStream, Pat, Pmt, packets_of

PMT_PID, AUDIO_PID = 0x1000, 0x101
FRAME_TICKS = 1920  # of an AAC frame at 48 kHz
_MARK = b"mark:"


class Radio:
    """One connection to a radio channel; its clock starts at ``base`` ticks."""

    def __init__(self, base: int = 90_000) -> None:
        self._time = base
        self._frames = 0

    def frame(self, mark: bytes) -> bytes:
        """PAT, PMT and an audio frame that says ``mark``: whole packets."""
        counter = self._frames & 15
        tables = packets_of(Pat(1, 0, ((1, PMT_PID),)).section, 0, counter)
        pmt = Pmt(1, 0, AUDIO_PID, (ElementaryStream(AUDIO_PID, 0x0F),))
        tables += packets_of(pmt.section, PMT_PID, counter)
        stamp = bytearray(b"\x21\x00\x01\x00\x01")
        write_timestamp(stamp, 0, self._time)
        payload = _MARK + mark + b";"
        pes = b"\x00\x00\x01\xc0" + (8 + len(payload)).to_bytes(2, "big") + b"\x80\x80\x05"
        pes += bytes(stamp) + payload
        stuffing = 183 - len(pes)
        head = bytes((0x47, 0x40 | AUDIO_PID >> 8, AUDIO_PID & 255, 0x30 | counter, stuffing, 0))
        self._time += FRAME_TICKS
        self._frames += 1
        # An aligner keeps back its last packet until the next has begun: here a null one.
        return tables + head + b"\xff" * (stuffing - 1) + pes + NULL_PACKET * 2


def marks(data: bytes) -> list[bytes]:
    """The marks in a viewer's bytes, in their order."""
    return [piece.split(b";", 1)[0] for piece in data.split(_MARK)[1:]]
