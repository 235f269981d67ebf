"""The front row: each chunk goes once to all who have everything; the others run themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import socket

from kptv.metrics.counters import ChannelCounters
from kptv.restream import front_row
from kptv.restream.audience import Audience
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.cursor import Cursor
from kptv.restream.front_row import Wire, file_of
from kptv.restream.lease import Lease
from kptv.splice.joining import Chunk, StartPoint

LIMIT = 10.0  # seconds; what hangs, fails
CHUNK = 188 * 100
TABLES = bytes(188)  # what comes before the first chunk of each viewer
WAYS = {"by file": 1, "by send": sys.maxsize}


class Stage:
    """A buffer that is filled chunk by chunk, and those who read it."""

    def __init__(self, limit: int = 1 << 24) -> None:
        self.counters = ChannelCounters("News")
        self.buffer = ChunkBuffer(limit, Budget(1 << 24))
        self.audience = Audience("news", self.counters, self.buffer)
        self.made = bytearray()
        self.viewers: list[Viewer] = []
        self.add(1, wake=False)

    def add(self, count: int = 1, *, wake: bool = True, size: int = CHUNK) -> None:
        """So many chunks, of which none is like another."""
        for _ in range(count):
            number = self.buffer.end
            data = number.to_bytes(4, "big") * (size // 4)
            self.made += data
            start = StartPoint(0, float(number), TABLES, frozenset(), frozenset(), 0x101, None)
            self.buffer.append(Chunk(data, (start,), float(number)))
        if wake:
            self.audience.wake()

    def viewer(self, send_buffer: int = 0) -> Viewer:
        """One more, that stands in the front row with the next chunk."""
        viewer = Viewer(self, send_buffer)
        self.viewers.append(viewer)
        until_waiting(viewer)
        assert viewer.read(len(TABLES)) == TABLES
        return viewer

    @property
    def standing(self) -> int:
        return len(self.audience._row)

    def close(self) -> None:
        for viewer in self.viewers:
            viewer.greenlet.kill()
            viewer.ours.close()
            viewer.theirs.close()


class Viewer:
    """Sends to one end of a connection what it reads; the other end is the test's."""

    def __init__(self, stage: Stage, send_buffer: int) -> None:
        self.stage = stage
        self.ours, self.theirs = socket.socketpair()
        if send_buffer:
            self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.lease = Lease()
        self.cursor = Cursor(stage.buffer, self.lease, stage.counters, 0.0)
        self.wire = Wire(self.ours._sock.send, self.ours.fileno())
        self.runs = 0  # times that its greenlet had something to do
        self.greenlet = gevent.spawn(self._watch)

    def _watch(self) -> None:
        while not self.lease.dropped and not self.stage.audience._over:
            self.runs += 1
            while data := self.cursor.take():
                self.ours.sendall(data)
            self.stage.audience.wait(self.lease, self.cursor, self.wire)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.theirs.recv(size - len(data))
            assert more, "the end"
            data += more
        return data


def until_waiting(viewer: Viewer) -> None:
    while not viewer.lease.waiting:
        gevent.sleep(0.001)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(front_row, "FILE_FROM", WAYS[request.param])
    name: str = request.param
    return name


@pytest.fixture
def stage(way: str) -> Iterator[Stage]:
    stage = Stage()
    with gevent.Timeout(LIMIT):
        yield stage
    stage.close()


def test_all_get_every_chunk_and_no_greenlet_runs(stage: Stage) -> None:
    viewers = [stage.viewer() for _ in range(20)]
    for _ in range(5):
        stage.add()
        gevent.idle()
    assert stage.standing == 20
    for viewer in viewers:
        assert viewer.read(len(stage.made)) == stage.made
        assert viewer.runs == 1


def test_what_each_has_got_is_told_at_any_time_and_counted_once(stage: Stage) -> None:
    early = stage.viewer()
    stage.add(3)
    gevent.idle()
    late = stage.viewer()
    begun = late.lease.received
    stage.add(2)
    gevent.idle()
    assert stage.standing == 2
    assert early.lease.place == late.lease.place == stage.buffer.end
    assert early.lease.received == len(TABLES) + len(stage.made)
    assert late.lease.received == begun + 2 * CHUNK
    told = early.lease.received, late.lease.received
    assert stage.counters.bytes_sent == sum(told)
    stage.audience.end()
    gevent.joinall([early.greenlet, late.greenlet], raise_error=True)
    assert (early.lease.received, late.lease.received) == told
    assert early.lease.place == stage.buffer.end
    assert stage.standing == 0


def test_one_that_has_no_room_falls_out_with_its_rest_and_comes_back(stage: Stage) -> None:
    other, slow = stage.viewer(), stage.viewer(send_buffer=4 * CHUNK)
    while stage.standing != 1:
        stage.add()
        gevent.idle()
        other.read(CHUNK)
    while slow.lease.waiting:
        gevent.sleep(0.001)
    stage.add(3)
    gevent.idle()
    assert stage.standing == 1
    assert slow.read(len(stage.made)) == stage.made
    until_waiting(slow)
    assert slow.lease.received == len(TABLES) + len(stage.made)
    stage.add()
    gevent.idle()
    assert stage.standing == 2
    assert slow.read(CHUNK) == stage.made[-CHUNK:]


def test_what_is_on_its_way_to_a_slow_one_stays_as_it_was(stage: Stage) -> None:
    viewers = [stage.viewer(send_buffer=1 << 20) for _ in range(3)]
    for _ in range(8):  # each fits, and none is read before all have been made
        stage.add()
        gevent.idle()
    assert stage.standing == 3
    assert [viewer.read(len(stage.made)) for viewer in viewers] == [stage.made] * 3


def test_files_of_chunks_do_not_stay_open(stage: Stage) -> None:
    viewer = stage.viewer()
    stage.add()
    gevent.idle()
    before = len(os.listdir("/proc/self/fd"))
    stage.add(5)
    gevent.idle()
    assert len(os.listdir("/proc/self/fd")) == before
    assert viewer.read(len(stage.made)) == stage.made


def test_one_that_took_the_next_chunk_itself_stands_with_the_others_after_it(
    stage: Stage,
) -> None:
    first = stage.viewer()
    stage.add()
    gevent.idle()
    stage.add()  # the loop has not served anybody yet
    ahead = Viewer(stage, 0)
    stage.viewers.append(ahead)
    until_waiting(ahead)
    stage.add()
    gevent.idle()
    assert stage.standing == 2
    assert ahead.read(len(TABLES)) == TABLES
    got = ahead.lease.received - len(TABLES)
    assert first.read(len(stage.made)) == stage.made
    assert ahead.read(got) == stage.made[-got:]


def test_one_that_was_killed_is_sent_nothing_more_and_its_socket_may_be_closed(
    stage: Stage,
) -> None:
    killed, other = stage.viewer(), stage.viewer()
    stage.add()
    gevent.idle()
    assert stage.standing == 2
    killed.greenlet.kill(block=False)  # in the turn before the one that serves
    stage.add()
    gevent.idle()
    killed.ours.close()
    assert stage.standing == 1
    assert killed.read(2 * CHUNK) == stage.made[: 2 * CHUNK]
    assert killed.theirs.recv(1) == b"", "the end"
    assert killed.lease.received == len(TABLES) + 2 * CHUNK
    assert other.read(len(stage.made)) == stage.made


def test_one_that_is_dropped_runs_itself_and_the_others_stand_on(stage: Stage) -> None:
    dropped, other = stage.viewer(), stage.viewer()
    stage.add()
    gevent.idle()
    dropped.lease.drop()
    stage.add()
    dropped.greenlet.join()
    assert stage.standing == 1
    assert dropped.lease.received == len(TABLES) + 2 * CHUNK
    assert other.read(len(stage.made)) == stage.made


def test_one_that_has_gone_meets_that_in_its_own_greenlet(stage: Stage) -> None:
    gone, other = stage.viewer(), stage.viewer()
    stage.add()
    gevent.idle()
    gone.theirs.close()
    stage.add()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        gone.greenlet.get()
    stage.add()
    gevent.idle()
    assert stage.standing == 1
    assert other.read(len(stage.made)) == stage.made


def test_a_fault_in_one_costs_only_that_one(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, other = stage.viewer(), stage.viewer()

    def fail(data: bytes) -> int:
        raise KeyError("a bug")

    lost.greenlet.kill()
    lost.wire = Wire(fail, -1)
    lost.greenlet = gevent.spawn(lost._watch)
    until_waiting(lost)
    monkeypatch.setattr(front_row, "FILE_FROM", sys.maxsize)
    stage.add()
    lost.greenlet.get()
    assert lost.lease.dropped
    assert "news: a viewer was lost" in caplog.text
    assert other.read(len(stage.made)) == stage.made


def test_all_who_stand_are_moved_on_if_the_buffer_goes_on_without_them(way: str) -> None:
    with gevent.Timeout(LIMIT):
        stage = Stage(limit=3 * CHUNK)
        viewers = [stage.viewer() for _ in range(3)]
        stage.add()
        gevent.idle()
        stage.add(10)
        for viewer in viewers:
            assert viewer.read(2 * CHUNK) == stage.made[: 2 * CHUNK]
            assert viewer.read(2 * len(TABLES))[3] & 0x20, "what marks the break"
            assert viewer.read(CHUNK) == stage.made[-CHUNK:]
            assert viewer.lease.skips == 1
        stage.close()


def test_when_its_hub_ends_all_take_what_is_left_and_go(stage: Stage) -> None:
    viewers = [stage.viewer() for _ in range(3)]
    stage.add()
    gevent.idle()
    stage.add()
    stage.audience.end()
    gevent.joinall([viewer.greenlet for viewer in viewers], raise_error=True)
    assert stage.standing == 0
    assert [viewer.lease.place for viewer in viewers] == [2, 2, 2]


def test_without_files_in_memory_chunks_are_sent_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", refuse)
    viewer = stage.viewer()
    stage.add(3)
    gevent.idle()
    assert stage.standing == 1
    assert viewer.read(len(stage.made)) == stage.made


def test_a_file_that_cannot_hold_a_chunk_is_closed_and_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write_half(file: int, data: Any) -> int:
        return len(data) // 2

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write_half)
        assert file_of(b"media") is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_few_are_sent_to_and_many_get_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    files = []

    def make(data: bytes) -> int | None:
        files.append(len(data))
        return file_of(data)

    monkeypatch.setattr(front_row, "file_of", make)
    stage = Stage()
    with gevent.Timeout(LIMIT):
        for _ in range(front_row.FILE_FROM - 1):
            stage.viewer()
        stage.add()
        gevent.idle()
        assert files == []
        stage.viewer()
        stage.add()
        gevent.idle()
        assert files == [CHUNK]
        for viewer in stage.viewers:
            got = viewer.lease.received - len(TABLES)
            assert viewer.read(got) == stage.made[-got:]
    stage.close()
