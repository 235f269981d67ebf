"""One viewer's place in a hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

import gevent

from kptv.errors import Unavailable

if TYPE_CHECKING:
    from kptv.restream.hub import Hub

BURST = 512 * 1024  # bytes sent before others get a turn, where no send blocks


class Subscriber:
    """A body: iterate for the chunks, ``close`` when the viewer has left (may come twice)."""

    __slots__ = ("_hub", "_left", "_next", "departed", "skips", "waiting")

    def __init__(self, hub: Hub, departed: Callable[[], bool]) -> None:
        """``departed`` tells, without waiting, whether the viewer has hung up."""
        self._hub = hub
        self._next: int | None = None  # sequence number; None: not placed yet
        self._left = False
        self.departed = departed
        self.skips = 0  # times it fell behind the buffer and was moved on
        self.waiting: Any = None  # its greenlet, while it waits for the hub
        hub.join(self)

    def __repr__(self) -> str:
        return f"<Subscriber of {self._hub.channel.slug!r} next={self._next} skips={self.skips}>"

    def wait_for_start(self) -> bool:
        """Wait for media: True when there is some, False if the stream is a file.

        Raises Unavailable where there will be none. The hub's own deadline (20 s) bounds this.
        """
        hub = self._hub
        while hub.buffer.end == 0 and not hub.ended and not self._left:
            hub.wait(self)
        if hub.is_file:
            return False
        if self._left or hub.buffer.end == 0:
            raise hub.unavailable or Unavailable("the channel was stopped", 1.0)
        return True

    def __iter__(self) -> Iterator[bytes]:
        hub, buffer, sent = self._hub, self._hub.buffer, 0
        self._next = buffer.join(monotonic())
        while not self._left:
            if self._next < buffer.end:
                if self._next < buffer.first:
                    self.skips += 1
                    self._next = buffer.join(monotonic())
                data = buffer.get(self._next)
                self._next += 1
                hub.counters.bytes_sent += len(data)
                yield data
                sent += len(data)
                if sent >= BURST:
                    sent = 0
                    gevent.sleep(0)
            elif hub.ended:
                return
            else:
                sent = 0
                hub.wait(self)

    def drop(self) -> None:
        """The viewer has hung up: end its body at the next look."""
        self._left = True

    def close(self) -> None:
        """Leave the hub; may come twice."""
        self._left = True
        self._hub.leave(self, monotonic())
