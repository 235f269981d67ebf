"""Packets and seams of an upstream that comes in parts (HLS segments)."""

from __future__ import annotations

from collections.abc import Iterator

from kptv.formats.mpegts.aligner import Aligner
from kptv.ports import Piece, Seam

BORDER = Seam(goes_on=True)  # the next segment begins
BROKEN_OFF = Seam(goes_on=True, whole=False)  # the same, but the one before lacks its end
SPLICE = Seam(goes_on=False)  # a discontinuity (RFC 8216, 4.3.2.3), or segments were lost
TORN = Seam(goes_on=False, whole=False)  # the same, and the segment before lacks its end


class Parts:
    """Bytes of parts in, pieces out: the seam between two parts is told with the next packets."""

    def __init__(self) -> None:
        self._aligner = Aligner()
        self._seam: Seam | None = None  # to be told with the next packets

    def feed(self, data: bytes, seam: Seam | None) -> Iterator[Piece]:
        """The packets that are whole now. ``seam``: what lies before ``data``."""
        if seam is not None:
            if rest := self._aligner.end_part():
                yield self._piece(rest)
            self._seam = _worse(self._seam, seam)
            if self._aligner.torn:
                self._seam = Seam(goes_on=self._seam.goes_on, whole=False)
        if packets := self._aligner.feed(data):
            yield self._piece(packets)

    def flush(self) -> Iterator[Piece]:
        """The rest, at the end of the stream."""
        if packets := self._aligner.flush():
            yield self._piece(packets)

    def _piece(self, packets: bytes) -> Piece:
        aligner = self._aligner
        seam, self._seam = self._seam, None
        if seam is not None and seam.goes_on and aligner.joined:
            seam = None
        return Piece(
            packets,
            seam,
            bytes_dropped=aligner.bytes_dropped,
            sync_losses=aligner.sync_losses,
        )


def _worse(one: Seam | None, other: Seam) -> Seam:
    """One seam for the two around a part that gave no packet."""
    if one is None:
        return other
    return Seam(goes_on=one.goes_on and other.goes_on, whole=one.whole and other.whole)
