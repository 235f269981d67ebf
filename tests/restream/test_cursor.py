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
