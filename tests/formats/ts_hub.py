"""A splicer fed as a hub feeds it."""

from __future__ import annotations

from collections.abc import Sequence

from kptv.formats.mpegts.aligner import Aligner
from kptv.ports import Piece
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
    over = chunks[-1].over if chunks else 0.0
    data = b"".join([chunk.data for chunk in chunks])
    filler = bool(chunks) and all(chunk.is_filler for chunk in chunks)
    return Chunk(data, tuple(starts), clock, version, over, filler)


class AlignedSplicer(Splicer):
    """A splicer behind an aligner, as behind every upstream: fed with bytes cut anywhere."""

    def __init__(self, skip_beyond: float | None = None) -> None:
        super().__init__(skip_beyond)
        self._aligner = Aligner()

    def open(self, now: float, *, same_stream: bool, program: int = 0) -> None:
        self._aligner = Aligner()
        super().open(now, same_stream=same_stream, program=program)

    def feed(self, data: bytes, now: float) -> Chunk:
        packets = self._aligner.feed(data)
        self.lost(self._aligner.bytes_dropped, self._aligner.sync_losses)
        return super().feed(packets, now)

    def cross(self, now: float, *, whole: bool) -> Chunk:
        return merge([self._flushed(now), super().cross(now, whole=whole)])

    def close(self, now: float, *, clean: bool = False) -> Chunk:
        return merge([self._flushed(now), super().close(now, clean=clean)])

    def _flushed(self, now: float) -> Chunk:
        return super().feed(self._aligner.flush(), now)


class Hub:
    """Feeds a splicer as a hub does, at the pace of the media, and keeps what comes out."""

    def __init__(self, skip_beyond: float | None = None) -> None:
        self.splicer = AlignedSplicer(skip_beyond)
        self.now = 1000.0
        self.chunks: list[Chunk] = []
        self.begins: list[float] = []  # media times at which the clock was spliced

    def play(
        self, stream: bytes, seconds: float = 0.0, *, same: bool = False, clean: bool = False
    ) -> Hub:
        """One upstream from open to close, which lasts ``seconds``."""
        self.splicer.open(self.now, same_stream=same)
        reads = [stream[at : at + 10_007] for at in range(0, len(stream), 10_007)]
        for read in reads:
            self.now += seconds / len(reads)
            self._keep(self.splicer.feed(read, self.now))
        self._keep(self.splicer.close(self.now, clean=clean))
        return self

    def _keep(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        if self.splicer.started and self.splicer.began not in self.begins[-1:]:
            self.begins.append(self.splicer.began)

    def take(self, piece: Piece) -> None:
        """A piece of an HLS upstream."""
        if piece.seam is not None and piece.seam.goes_on:
            self._keep(self.splicer.cross(self.now, whole=piece.seam.whole))
        elif piece.seam is not None:
            self._keep(self.splicer.close(self.now, clean=piece.seam.whole))
            self.splicer.open(self.now, same_stream=False)
        self._keep(self.splicer.feed(piece.data, self.now))

    @property
    def out(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def splices(self) -> int:
        """How often the clock was set anew to go on; a replay goes on without that."""
        return len(self.begins) - 1

    @property
    def starts(self) -> int:
        return len(merge(self.chunks).starts)
