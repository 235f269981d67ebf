"""What lies between two pieces of one upstream, where it was made in parts (HLS segments)."""

from __future__ import annotations

from collections.abc import Iterator

from kptv.formats.mpegts.aligner import Aligner


class Seam(bytes):
    """An empty piece: what comes next was made apart from what came.

    ``goes_on``: it follows without a gap. ``whole``: what came ended where it should.
    """

    goes_on: bool
    whole: bool

    def __new__(cls, *, goes_on: bool, whole: bool = True) -> Seam:
        seam = super().__new__(cls)
        seam.goes_on, seam.whole = goes_on, whole
        return seam

    def __repr__(self) -> str:
        return f"<Seam goes_on={self.goes_on} whole={self.whole}>"


BORDER = Seam(goes_on=True)  # the next segment begins
BROKEN_OFF = Seam(goes_on=True, whole=False)  # it does, but the one before lacks its end
SPLICE = Seam(goes_on=False)  # a discontinuity (RFC 8216, 4.3.2.3), or segments were lost
TORN = Seam(goes_on=False, whole=False)


class Parts:
    """Whole packets of a stream that comes in parts, and the seams between them."""

    def __init__(self) -> None:
        self._aligner = Aligner()
        self._seam: Seam | None = None  # to be told before the next packets

    def feed(self, data: bytes, seam: Seam | None) -> Iterator[bytes]:
        """What is whole now. ``seam``: what lies before ``data``."""
        if seam is not None:
            if rest := self._aligner.end_part():
                yield from self._led(rest)
            self._seam = _worse(self._seam, seam)
            if self._aligner.torn:
                self._seam = Seam(goes_on=self._seam.goes_on, whole=False)
        if packets := self._aligner.feed(data):
            yield from self._led(packets)

    def flush(self) -> Iterator[bytes]:
        """The rest, at the end of the stream."""
        if packets := self._aligner.flush():
            yield from self._led(packets)

    def _led(self, packets: bytes) -> Iterator[bytes]:
        seam, self._seam = self._seam, None
        if seam is not None and not (seam.goes_on and self._aligner.joined):
            yield seam
        yield packets


def _worse(one: Seam | None, other: Seam) -> Seam:
    """What lies between two parts, of which the one between gave no packet."""
    if one is None:
        return other
    return Seam(goes_on=one.goes_on and other.goes_on, whole=one.whole and other.whole)
