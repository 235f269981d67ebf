"""What it costs to cut a channel into segments, and to write its playlist: CPU per media time."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable

from benchmarks.figures import Figure, at_most
from benchmarks.transport_stream import BYTES_A_SECOND, READ, channel
from kptv.formats.mpegts.aligner import Aligner
from kptv.restream.window_playlist import Past, WindowPlaylist
from kptv.splice.joining import Chunk
from kptv.splice.segments import Cutter
from kptv.splice.splicer import Splicer
from tests.formats.ts_clips import interleaved

SECONDS = 20
ROUNDS = 5


def run() -> list[Figure]:
    """Of a channel of 8 Mbit/s whose sound lies among its pictures, in a hub's chunks."""
    chunks = _chunks(interleaved(channel(900_000, 0x100, SECONDS), 8))
    cutting, whole = (min(work(chunks) for _ in range(ROUNDS)) for work in (_cut, _list))
    what = f"cutting a channel of {BYTES_A_SECOND * 8 / 1e6:g} Mbit/s, and writing its playlist"
    return [Figure(what, whole, "%", at_most(0.15), f"of a core; cutting alone {cutting:.3f}%")]


def _chunks(stream: bytes) -> list[Chunk]:
    aligner, splicer = Aligner(), Splicer()
    splicer.open(0.0, same_stream=False)
    chunks = (
        splicer.feed(aligner.feed(stream[at : at + READ]), at / BYTES_A_SECOND)
        for at in range(0, len(stream), READ)
    )
    return [chunk for chunk in chunks if chunk]


def _cut(chunks: list[Chunk]) -> float:
    cutter = Cutter(2.0)
    return _share(lambda number: cutter.feed(number, chunks[number]), len(chunks))


def _list(chunks: list[Chunk]) -> float:
    cutter, playlist = Cutter(2.0), WindowPlaylist("news", Past(), lambda slug, now: "")

    def work(number: int) -> None:
        if segments := cutter.feed(number, chunks[number]):
            playlist.add(segments, 1.7e9 + number * 0.05)
            gzip.compress(playlist.listing(cutter.target_duration).text.encode(), mtime=0)

    share = _share(work, len(chunks))
    assert len(playlist) >= SECONDS // 2 - 2
    return share


def _share(work: Callable[[int], object], count: int) -> float:
    """% of a core for all chunks."""
    begun = time.process_time()
    for number in range(count):
        work(number)
    return (time.process_time() - begun) / SECONDS * 100
