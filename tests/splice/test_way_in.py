"""The way in: the bytes are those of a plain, copying one, and nothing is made twice."""

from __future__ import annotations

import itertools
import sys
import tracemalloc
from dataclasses import replace

import pytest

from kptv.formats.mpegts import PACKET_SIZE
from kptv.formats.mpegts.packets import bare_packet, pid_of
from kptv.formats.mpegts.psi import ElementaryStream
from kptv.splice.joining import Chunk, StartPoint, ViewerPatch, WayIn
from tests.formats.ts_hub import AlignedSplicer
from tests.formats.ts_maker import Maker

PATIENCE = 4 * 1024 * 1024


def plain_way_in(start: StartPoint, chunks: list[bytes], *, resumed: bool) -> list[bytes]:
    """What each chunk becomes, the first from the start point on: packet by packet, by copying."""
    gated = set(start.essential | start.others)
    awaited = set(gated) if resumed else set(start.essential)
    left = PATIENCE
    ways = []
    for data in chunks:
        out = []
        at = 0
        while awaited and at < len(data):
            pid, control = pid_of(data, at), data[at + 3]
            if pid in gated:
                clock_only = not control & 0x10 and pid not in start.essential
                if data[at + 1] & 0x40 or clock_only:
                    if resumed:
                        pcr = start.pcr if pid == start.pcr_pid else None
                        counter = control - 1 if control & 0x10 else control
                        out.append(bare_packet(pid, counter, discontinuity=True, pcr=pcr))
                    gated.discard(pid)
                    awaited.discard(pid)
            if pid not in gated:
                out.append(data[at : at + PACKET_SIZE])
            at += PACKET_SIZE
        left -= at
        if left <= 0:
            awaited.clear()
        ways.append(b"".join([*out, data[at:]]))
    return ways


def spliced(stream: bytes, read: int) -> list[Chunk]:
    splicer = AlignedSplicer()
    splicer.open(0.0, same_stream=False)
    chunks = [splicer.feed(stream[at : at + read], 0.0) for at in range(0, len(stream), read)]
    return [chunk for chunk in [*chunks, splicer.close(0.0, clean=True)] if chunk]


STREAMS = {
    "picture and sound": Maker().pictures(100),
    "a frame in many packets": Maker(size=40_000).pictures(60),
    "no sound": Maker(audio=None).pictures(60),
    "another language": Maker(more=(ElementaryStream(0x102, 0x03),)).pictures(60),
    "cues": Maker(more=(ElementaryStream(0x102, 0x86),)).pictures(60),
}


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("read", [7_000, 200_000])
@pytest.mark.parametrize("name", STREAMS)
def test_it_is_to_the_byte_what_copying_would_make(name: str, read: int, resumed: bool) -> None:
    chunks = spliced(STREAMS[name], read)
    starts = [(n, start) for n, chunk in enumerate(chunks) for start in chunk.starts]
    assert starts
    for number, start in starts:
        datas = [chunk.data for chunk in chunks[number:]]
        expected = plain_way_in(start, [datas[0][start.offset :], *datas[1:]], resumed=resumed)
        expected[0] = ViewerPatch(start, resumed=resumed).start() + expected[0]
        way = WayIn(number, start, resumed=resumed)
        for at, data in enumerate(datas):
            assert b"".join(way.through(number + at, data)) == expected[at]


def test_media_is_referenced_and_only_short_runs_are_copied() -> None:
    (chunk,) = spliced(Maker(size=40_000).pictures(60), 1 << 24)[:1]
    start = chunk.starts[0]
    head, *runs = WayIn(0, start).through(0, chunk.data)
    assert isinstance(head, bytes)
    assert len(head) < 20_000
    assert runs
    for run in runs:
        assert isinstance(run, memoryview)
        assert run.obj is chunk.data
    assert len(head) + sum(map(len, runs)) > len(chunk.data) - start.offset - 100_000


def test_no_piece_but_the_last_before_a_long_one_is_short() -> None:
    chunks = spliced(STREAMS["another language"], 200_000)
    start = chunks[0].starts[1]
    pieces = WayIn(0, start, resumed=True).through(0, chunks[0].data)
    for one, two in itertools.pairwise(pieces):
        assert len(one) >= 16_384 or len(two) >= 16_384


def test_what_is_made_for_one_is_given_to_all_who_join_there() -> None:
    chunks = spliced(STREAMS["picture and sound"], 7_000)
    way = WayIn(5, chunks[0].starts[0])
    (first,) = way.through(5, chunks[0].data)
    (again,) = way.through(5, chunks[0].data)
    assert again is first


def silent_way(number: int, start: StartPoint, *, resumed: bool) -> WayIn:
    """One on which sound was announced that never comes."""
    start = replace(start, essential=start.essential | {0x1FF})
    return WayIn(number, start, resumed=resumed)


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("read", [7_000, 200_000])
@pytest.mark.parametrize("name", STREAMS)
def test_it_keeps_no_chunk(name: str, read: int, resumed: bool) -> None:
    chunks = spliced(STREAMS[name], read)
    datas = [chunk.data for chunk in chunks]
    before = [sys.getrefcount(data) for data in datas]
    ways = [
        (number, silent_way(number, start, resumed=resumed))
        for number, chunk in enumerate(chunks)
        for start in chunk.starts
    ]
    for number, way in ways:
        for at in range(number, len(datas)):
            way.through(at, datas[at])
    assert [sys.getrefcount(data) for data in datas] == before


def torn(chunks: int) -> tuple[StartPoint, list[bytes]]:
    """Sound that never begins, between any two packets of the picture."""
    tables, first, video, sound = (
        bytes((0x47, flag | pid >> 8, pid & 255, 0x10)).ljust(PACKET_SIZE, b"\xff")
        for flag, pid in ((0x40, 0), (0x40, 0x100), (0, 0x100), (0, 0x101))
    )
    start = StartPoint(0, 0.0, tables, frozenset((0x100, 0x101)), frozenset(), 0x100, None)
    return start, [first + (sound + video) * 500 for _ in range(chunks)]


@pytest.mark.parametrize("resumed", [False, True])
def test_what_it_keeps_is_small_however_much_it_leaves_out(resumed: bool) -> None:
    start, datas = torn(PATIENCE // 188_000 + 2)
    expected = plain_way_in(start, datas, resumed=resumed)
    expected[0] = ViewerPatch(start, resumed=resumed).start() + expected[0]
    way = WayIn(0, start, resumed=resumed)
    tracemalloc.start()
    try:
        for number, data in enumerate(datas):
            way.through(number, data)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 300_000
    assert way.over(len(datas))
    for number, data in enumerate(datas):
        pieces = way.through(number, data)
        assert len(pieces) == 1
        assert pieces[0] == expected[number]


def test_it_is_over_once_all_that_is_awaited_has_come() -> None:
    (chunk, *_) = spliced(Maker(size=40_000).pictures(4), 1 << 24)
    start, size = chunk.starts[0].at(0), 20 * PACKET_SIZE
    media = chunk.data[chunk.starts[0].offset :]
    datas = [media[at : at + size] for at in range(0, len(media), size)]
    way = WayIn(5, start)
    steps = 0
    while not way.over(5 + steps):
        way.through(5 + steps, datas[steps])
        steps += 1
    assert any(pid_of(datas[steps - 1], at) == 0x101 for at in range(0, size, PACKET_SIZE))
    assert steps > 1
    assert not way.over(6)
    assert way.over(5 + steps + 1)


def test_sound_that_never_comes_ends_it_after_a_while() -> None:
    (chunk, *_) = spliced(Maker(size=40_000).pictures(4), 1 << 24)
    start = replace(chunk.starts[0], essential=chunk.starts[0].essential | {0x1FF})
    way = WayIn(0, start)
    way.through(0, chunk.data)
    assert not way.over(1)
    number = 1
    while not way.over(number):
        (data,) = way.through(number, chunk.data)
        assert data is chunk.data
        number += 1
    assert number > PATIENCE // len(chunk.data)
