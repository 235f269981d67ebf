"""A splicer fed as a hub feeds it."""

from __future__ import annotations

from collections.abc import Sequence

from kptv.formats.mpegts.seam import Seam
from kptv.splice.joining import Chunk, StartPoint
from kptv.splice.splicer import Splicer


def merge(chunks: Sequence[Chunk]) -> Chunk:
    """One chunk of several that follow each other."""
    starts: list[StartPoint] = []
    size = 0
    for chunk in chunks:
        starts += [start.at(start.offset + size) for start in chunk.starts]
        size += len(chunk.data)
    clock = max((chunk.clock for chunk in chunks), default=0.0)
    version = max((chunk.tables_version for chunk in chunks), default=0)
    return Chunk(b"".join([chunk.data for chunk in chunks]), tuple(starts), clock, version)


class Hub:
    """Feeds a splicer as a hub does, at the pace of the media, and keeps what comes out."""

    def __init__(self) -> None:
        self.splicer = Splicer()
        self.now = 1000.0
        self.chunks: list[Chunk] = []

    def play(
        self, stream: bytes, seconds: float = 0.0, *, same: bool = False, clean: bool = False
    ) -> Hub:
        """One upstream from open to close, which lasts ``seconds``."""
        self.splicer.open(self.now, same_stream=same)
        reads = [stream[at : at + 10_007] for at in range(0, len(stream), 10_007)]
        for read in reads:
            self.now += seconds / len(reads)
            self.chunks.append(self.splicer.feed(read, self.now))
        self.chunks.append(self.splicer.close(self.now, clean=clean))
        return self

    def take(self, piece: bytes) -> None:
        """A piece of an HLS upstream, or the seam between two."""
        if not isinstance(piece, Seam):
            self.chunks.append(self.splicer.feed(piece, self.now))
        elif piece.goes_on:
            self.chunks.append(self.splicer.cross(self.now, whole=piece.whole))
        else:
            self.chunks.append(self.splicer.close(self.now, clean=piece.whole))
            self.splicer.open(self.now, same_stream=False)

    @property
    def out(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def starts(self) -> int:
        return len(merge(self.chunks).starts)
