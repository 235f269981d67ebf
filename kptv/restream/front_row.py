"""The front row: viewers that have everything, and to whom each new chunk goes in one loop."""

from __future__ import annotations

import logging
import os
from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from typing import Any

import gevent

from kptv.metrics.counters import ChannelCounters
from kptv.restream.buffer import ChunkBuffer
from kptv.restream.cursor import Cursor
from kptv.restream.lease import Lease, Progress

log = logging.getLogger(__name__)

# So many viewers get a chunk from a file in memory: the kernel sends its pages and copies nothing.
# For fewer, making the file costs more than that saves.
FILE_FROM = 16
_HAS_FILES = hasattr(os, "memfd_create") and hasattr(os, "sendfile")


@dataclass(frozen=True, slots=True)
class Wire:
    """A viewer's socket if nothing is between: what is written to it goes out as it is."""

    send: Callable[[bytes], int]  # at once, as much as there is room for; OSError: nothing
    descriptor: int


class Waiter:
    """A greenlet that waits for more. With a cursor and a wire it may stand in the front row."""

    __slots__ = ("cursor", "greenlet", "lease", "wire")

    def __init__(self, lease: Lease, cursor: Cursor | None = None, wire: Wire | None = None):
        self.lease = lease
        self.cursor = cursor
        self.wire = wire
        self.greenlet: Any = gevent.getcurrent()  # None: it waits no more


Short = tuple[Waiter, int]  # one whose socket took only so many bytes


class FrontRow:
    """Stands at one chunk of the buffer. Nothing in here switches."""

    def __init__(self, name: str, buffer: ChunkBuffer, counters: ChannelCounters) -> None:
        """``name`` is the channel's, for the log."""
        self._name = name
        self._buffer = buffer
        self._counters = counters
        self._progress = Progress()  # of all who stand here
        # Three lists that go together. A loop touches nothing else of a viewer: each object that is
        # in no cache costs about as much as the whole rest of its step.
        self._waiters: list[Waiter] = []
        self._sends: list[Callable[[bytes], int]] = []
        self._descriptors = array("i")

    def __repr__(self) -> str:
        return f"<FrontRow of {self._name!r} viewers={len(self)} at={self._progress.place}>"

    def __len__(self) -> int:
        return len(self._waiters)

    def serve(self, comers: list[Waiter]) -> list[Waiter]:
        """Send all that is new to those who stand here, and take in those of ``comers`` who may.

        What is returned stands here no more, or never did, and has to run itself: there is
        something that it has not sent, or it was dropped.
        """
        leaving = self._without_dropped()
        while True:
            comers = [comer for comer in comers if not self._admit(comer)]
            if not self._waiters or self._progress.place >= self._buffer.end:
                return leaving + comers
            leaving += self._next_chunk()

    def dismiss(self) -> list[Waiter]:
        """Those who stood here; none does any more."""
        leaving = self._waiters
        for waiter in leaving:
            waiter.lease.settle()
        self._waiters, self._sends, self._descriptors = [], [], array("i")
        return leaving

    def leave(self, waiter: Waiter) -> None:
        """``waiter`` stands here no more: afterwards its socket may be closed."""
        if waiter.lease.settle():
            at = self._waiters.index(waiter)
            del self._waiters[at], self._sends[at], self._descriptors[at]

    def _admit(self, comer: Waiter) -> bool:
        """Whether it has all that the row has, and so stands here from now on."""
        lease, cursor, wire, progress = comer.lease, comer.cursor, comer.wire, self._progress
        if cursor is None or wire is None or lease.dropped or lease.place is None:
            return False
        if not self._waiters:
            progress.place = lease.place
        if lease.place != progress.place or not cursor.between_chunks:
            return False
        self._waiters.append(comer)
        self._sends.append(wire.send)
        self._descriptors.append(wire.descriptor)
        lease.share(progress)
        return True

    def _without_dropped(self) -> list[Waiter]:
        if not self._progress.dropped:
            return []
        self._progress.dropped = False
        dropped = [waiter for waiter in self._waiters if waiter.lease.dropped]
        self._remove(dropped)
        return dropped

    def _remove(self, leaving: list[Waiter]) -> None:
        if not leaving:
            return
        for waiter in leaving:
            waiter.lease.settle()
        gone = set(leaving)
        stays = [waiter not in gone for waiter in self._waiters]
        self._waiters = list(compress(self._waiters, stays))
        self._sends = list(compress(self._sends, stays))
        self._descriptors = array("i", compress(self._descriptors, stays))

    def _next_chunk(self) -> list[Waiter]:
        """Send one chunk to all; those who have not got the whole of it stand here no more."""
        progress = self._progress
        if progress.place < self._buffer.first:
            return self.dismiss()  # they are moved on like all who fall behind
        data = self._buffer.get(progress.place).data
        short = self._send(data)
        # What a socket has no room for counts too, as everything that is taken from the buffer.
        progress.place += 1
        progress.received += len(data)
        self._counters.bytes_sent += len(data) * len(self._waiters)
        leaving = [waiter for waiter, _ in short]
        self._remove(leaving)
        for waiter, sent in short:
            assert waiter.cursor is not None
            waiter.cursor.put_back(memoryview(data)[sent:])
        return leaving

    def _send(self, data: bytes) -> list[Short]:
        file = file_of(data) if _HAS_FILES and len(self._waiters) >= FILE_FROM else None
        if file is None:
            return self._send_bytes(data)
        try:
            return self._send_file(file, len(data))
        finally:
            os.close(file)  # what is on its way still has its pages, which nobody writes to again

    def _send_bytes(self, data: bytes) -> list[Short]:
        size = len(data)
        short: list[Short] = []
        for at, send in enumerate(self._sends):
            try:
                sent = send(data)
            except OSError:  # no room; or gone, and then its greenlet's own send will meet that
                sent = 0
            except Exception:  # one viewer's: the others must have theirs
                log.exception("%s: a viewer was lost", self._name)
                self._waiters[at].lease.drop()
                sent = 0
            if sent != size:
                short.append((self._waiters[at], sent))
        return short

    def _send_file(self, file: int, size: int) -> list[Short]:
        sendfile = os.sendfile
        short: list[Short] = []
        for at, descriptor in enumerate(self._descriptors):
            try:
                sent = sendfile(descriptor, file, 0, size)
            except OSError:  # as above
                sent = 0
            if sent != size:
                short.append((self._waiters[at], sent))
        return short


def file_of(data: bytes) -> int | None:
    """The descriptor of a new file in memory that holds ``data``; None: there can be none now."""
    try:
        file = os.memfd_create("chunk")
    except OSError:  # too many files are open
        return None
    with suppress(OSError):  # no memory
        if os.write(file, data) == len(data):
            return file
    os.close(file)
    return None
