"""A short clip played without an end: what viewers see while no candidate works."""

from __future__ import annotations

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.splicer import Splicer

LEAD = 0.5  # seconds of media handed out ahead of time
LATE = 2.0  # seconds behind time, after which it does not hurry to catch up
_PIECE = 20 * PACKET_SIZE


class Slate:
    """An upstream made of a clip: ``due`` gives what to feed at ``now``, at the pace of its clock.

    Its rounds are spliced by the rules of any other splice. A clip that is no transport stream
    with pictures or sound gives nothing.
    """

    __slots__ = ("_at", "_began", "_clip", "_clock", "_playable", "_round_began", "_splicer")

    def __init__(self, clip: bytes, now: float) -> None:
        self._clip = clip
        self._at = 0
        self._began = now
        self._clock = 0.0
        self._round_began = -1.0
        self._playable = bool(clip)
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
