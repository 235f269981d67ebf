"""Media in portions that take little time to splice, even if a stream is made to take much."""

from __future__ import annotations

from kptv.formats.mpegts import PACKET_SIZE

LARGEST = 1024 * 1024 // PACKET_SIZE * PACKET_SIZE  # bytes: no piece is larger
SMALLEST = 64 * PACKET_SIZE
LONG, SHORT = 0.02, 0.005  # seconds; an 8 Mbit/s stream's whole second takes 0.004


class Portions:
    """Says how much to splice before others have a turn; learns from how long portions took.

    A usual stream is never cut, so each of its pieces is sent at once. A stream whose tables change
    with each packet takes half a second for 256 KB, but only the first time.
    """

    def __init__(self) -> None:
        self.size = LARGEST  # bytes, a multiple of 188

    def __repr__(self) -> str:
        return f"<Portions size={self.size}>"

    def took(self, seconds: float) -> bool:
        """Note the processor time that the last portion took; True: others must have a turn."""
        if seconds > LONG:
            halved = self.size // 2 // PACKET_SIZE * PACKET_SIZE
            self.size = max(halved, SMALLEST)
        elif seconds < SHORT:
            self.size = min(self.size * 2, LARGEST)
        return seconds > SHORT
