"""Which tables are in force at the end of a chunk, and where a viewer may start."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kptv.splice.joining import Chunk
from tests.formats.ts_checker import check
from tests.formats.ts_hub import AlignedSplicer, Hub
from tests.formats.ts_maker import Maker

OTHER_CODEC = b"\x00\x00\x01\xb3\x16\x00\x90\x13\x00\x00\x01\x00\x00\x0f\xff\xf8"


def other(**more: int) -> Maker:
    """A provider whose pictures are MPEG-2."""
    return Maker(video_type=0x02, key=OTHER_CODEC, **more)


def versions(chunks: list[Chunk]) -> list[int]:
    """Each version once, in the order of the chunks that have data."""
    found = [chunk.tables_version for chunk in chunks if chunk]
    return [found[0], *(b for a, b in pairwise(found) if a != b)]


def test_before_the_first_tables_the_version_is_0() -> None:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    assert splicer.feed(Maker().nulls(9), 0.0).tables_version == 0
    assert splicer.filler().tables_version == 0


def test_the_version_stays_while_the_tables_do() -> None:
    hub = Hub().play(Maker().pictures(60)).play(Maker(video=0x55, pmt=0x77, time=7).pictures(60))
    assert versions([*hub.chunks, hub.splicer.filler()]) == [1]
    assert len(check(hub.out).pmts) == 1


def test_the_version_grows_with_each_change_of_what_viewers_get() -> None:
    hub = Hub()
    for maker in (Maker(), other(time=3), other(pmt=0x77, time=9), Maker(time=5)):
        hub.play(maker.pictures(60))
    assert versions([*hub.chunks, hub.splicer.filler()]) == [1, 2, 3]
    assert len(check(hub.out).pmts) == 3


def test_a_programme_that_changes_in_mid_stream_is_another_version() -> None:
    stream = Maker().pictures(50)
    hub = Hub().play(stream + Maker(audio=None, time=900_000 + 50 * 3600).pictures(50))
    assert versions(hub.chunks) == [1, 2]


@pytest.mark.parametrize("read", [188, 1000, 7000, 1_000_000])
def test_chunk_and_starts_have_the_version_of_the_tables_before_them(read: int) -> None:
    splicer, chunks = AlignedSplicer(), []
    for number, maker in enumerate((Maker(gop=5), other(time=3, gop=5), Maker(time=5, gop=5))):
        splicer.open(float(number), same_stream=False)
        stream = maker.pictures(30)[:-500]  # something is held, and cut
        chunks += [splicer.feed(stream[at : at + read], 0.0) for at in range(0, len(stream), read)]
        chunks.append(splicer.close(number + 0.5))
    seen, started = b"", set()
    for chunk in chunks:
        for start in chunk.starts:
            started.add(start.tables_version)
            before = check(seen + chunk.data[: start.offset])
            assert len(before.pmts) == start.tables_version
        seen += chunk.data
        if chunk:
            assert len(check(seen).pmts) == chunk.tables_version
    assert started == {1, 2, 3}
