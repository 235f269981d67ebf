"""A place in a buffer, and what is read from there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kptv.channels.model import Source, Stream
from kptv.metrics.counters import ChannelCounters
from kptv.ports import Piece
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.cursor import MOST_SKIPS, SKIPS_WITHIN, Cursor
from kptv.restream.lease import Lease
from kptv.restream.output import Output
from kptv.splice.joining import Chunk, StartPoint
from tests.restream.radio import Radio, marks

STREAM = Stream(Source(1, "http://one/", 1), "http://one/1.ts")
FRAME = 3 * 188  # bytes of a frame and its tables, as a reader gets them


class Rig:
    """A buffer that a radio plays into, and a cursor in it."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.buffer = ChunkBuffer(limit, Budget(1 << 20))
        self.output = Output(self.buffer, b"", 0.0, lambda: None)
        self.output.open(STREAM, 0.0)
        self.radio = Radio()
        self.now = 0.0
        self.lease = Lease()
        self.counters = ChannelCounters("News")
        self.cursor = Cursor(self.buffer, self.lease, self.counters, 2.0)

    def play(self, *names: bytes) -> None:
        for name in names:
            self.now += 0.024
            self.output.feed(Piece(self.radio.frame(name)), self.now)

    def read(self) -> bytes:
        return b"".join(iter(self.cursor.take, b""))


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock that cursors look at."""
    return lambda now: monkeypatch.setattr("kptv.restream.cursor.monotonic", lambda: now)


def test_there_is_nothing_to_take_before_the_first_media() -> None:
    rig = Rig()
    assert rig.cursor.take() == b""
    assert rig.lease.place is None


def test_it_takes_what_is_buffered_and_then_what_comes() -> None:
    rig = Rig()
    rig.play(b"a", b"b")
    assert marks(rig.read()) == [b"a", b"b"]
    assert rig.cursor.take() == b""
    rig.play(b"c")
    assert marks(rig.read()) == [b"c"]
    assert rig.lease.place == rig.buffer.end


def test_what_was_taken_is_told_to_the_lease_and_counted() -> None:
    rig = Rig()
    rig.play(b"a", b"b")
    taken = len(rig.read())
    assert rig.lease.received == rig.counters.bytes_sent == taken > 0


def test_what_is_put_back_comes_next_and_is_counted_once() -> None:
    rig = Rig()
    rig.play(b"a", b"b")
    data = rig.cursor.take()
    rig.cursor.put_back(data[188:])
    assert rig.cursor.take() == data[188:]
    assert rig.lease.received == len(data)
    assert marks(rig.cursor.take()) == [b"b"]


class Film:
    """A buffer with chunks of one packet ID each, and cursors in it."""

    def __init__(self) -> None:
        self.buffer = ChunkBuffer(1 << 24, Budget(1 << 24))
        self.counters = ChannelCounters("News")

    def add(self, *packets: bytes, starts_at: int | None = None) -> Chunk:
        start = StartPoint(
            offset=starts_at or 0,
            clock=0.0,
            tables=packet(0, starts=True),
            essential=frozenset((0x100, 0x101)),
            others=frozenset(),
            pcr_pid=0x100,
            pcr=None,
        )
        chunk = Chunk(b"".join(packets), () if starts_at is None else (start,))
        self.buffer.append(chunk)
        return chunk

    def cursor(self) -> Cursor:
        return Cursor(self.buffer, Lease(), self.counters, 2.0)


def packet(pid: int, *, starts: bool = False) -> bytes:
    return bytes((0x47, (0x40 if starts else 0) | pid >> 8, pid & 0xFF, 0x10)).ljust(188, b"\xff")


def test_all_who_join_at_one_start_share_what_they_get_and_it_refers_to_the_chunk() -> None:
    film = Film()
    torn, video = packet(0x101), packet(0x100) * 200
    chunk = film.add(packet(0x100, starts=True), torn, video, starts_at=0)
    one, two = film.cursor(), film.cursor()
    heads, bodies = zip(*[(each.take(), each.take()) for each in (one, two)], strict=True)
    assert heads[0] is heads[1]
    assert heads[0] == packet(0, starts=True) + packet(0x100, starts=True)
    for body in bodies:
        assert isinstance(body, memoryview)
        assert body.obj is chunk.data
        assert body == video
    assert one.take() == two.take() == b""


def test_who_is_on_the_way_in_gets_the_next_chunk_through_it_and_then_whole_chunks() -> None:
    film = Film()
    film.add(packet(0x100, starts=True), packet(0x100) * 200, starts_at=0)
    cursor = film.cursor()
    assert len(b"".join(iter(cursor.take, b""))) == 202 * 188
    film.add(packet(0x101) * 100, packet(0x101, starts=True), packet(0x100) * 200)
    assert b"".join(iter(cursor.take, b"")) == packet(0x101, starts=True) + packet(0x100) * 200
    after = film.add(packet(0x101) * 100)
    assert cursor.take() is after.data


def test_a_chunk_of_which_a_reader_gets_nothing_is_passed_over() -> None:
    film = Film()
    film.add(packet(0x100, starts=True), starts_at=0)
    film.add(packet(0x101))
    film.add(packet(0x101, starts=True))
    cursor = film.cursor()
    assert cursor.take() == packet(0, starts=True) + packet(0x100, starts=True)
    assert cursor.take() == packet(0x101, starts=True)
    assert cursor.take() == b""


def test_a_piece_that_is_put_back_comes_before_those_behind_it() -> None:
    film = Film()
    film.add(packet(0x100, starts=True), packet(0x101), packet(0x100) * 200, starts_at=0)
    cursor = film.cursor()
    head = cursor.take()
    cursor.put_back(memoryview(head)[188:])
    assert cursor.take() == head[188:]
    assert cursor.take() == packet(0x100) * 200


def test_a_buffer_lets_go_of_the_way_in_with_the_chunk_it_refers_to() -> None:
    film = Film()
    film.add(packet(0x100, starts=True), packet(0x100) * 200, starts_at=0)
    way = film.buffer.way_in(2.0)
    assert way is not None
    film.add(packet(0x100, starts=True), starts_at=0)
    assert film.buffer.way_in(2.0) is way, "the oldest, as no start has enough media behind it"
    assert film.buffer.drop_oldest()
    newest = film.buffer.way_in(2.0)
    assert newest is not None
    assert newest.number == 1
    film.buffer.close()
    assert film.buffer.way_in(2.0) is None


def test_one_that_falls_behind_goes_on_at_a_newer_start_with_the_break_marked() -> None:
    rig = Rig(limit=3 * FRAME)
    rig.play(b"a")
    assert marks(rig.read()) == [b"a"]
    rig.play(*(b"%d" % n for n in range(10)))
    data = rig.read()
    assert marks(data) == [b"7", b"8", b"9"]
    assert data[3] & 0x20, "an adaptation field, which marks the break"
    assert rig.lease.skips == rig.counters.skips == 1
    assert not rig.lease.dropped


@pytest.mark.parametrize(("apart", "dropped"), [(1.0, True), (SKIPS_WITHIN, False)])
def test_one_that_falls_behind_again_and_again_is_let_go(
    time: Callable[[float], None], apart: float, dropped: bool
) -> None:
    rig = Rig(limit=3 * FRAME)
    rig.play(b"a")
    rig.read()
    for n in range(MOST_SKIPS):
        assert not rig.lease.dropped
        time(n * apart)
        rig.play(*(b"%d" % n for n in range(10)))
        data = rig.read()
    assert rig.lease.dropped is dropped
    assert bool(data) is not dropped
    assert rig.counters.dropped == dropped
