"""One viewer's place in a hub."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any

import gevent

from kptv.errors import Unavailable
from kptv.splice.joining import ViewerPatch

if TYPE_CHECKING:
    from kptv.restream.hub import Hub


@dataclass(frozen=True, slots=True)
class Client:
    """Who watches."""

    address: str = ""
    agent: str = ""  # what its User-Agent says


_numbers = count(1)
BURST = 512 * 1024  # bytes sent before others get a turn, where no send blocks
MOST_SKIPS, SKIPS_WITHIN = 3, 30.0  # so many in so many seconds: this viewer cannot keep up


class Subscriber:
    """A body: iterate for the chunks, ``close`` when the viewer has left (may come twice)."""

    __slots__ = (
        "_begun",
        "_hub",
        "_left",
        "_next",
        "_patch",
        "_rest",
        "_skipped_at",
        "client",
        "departed",
        "hang_up",
        "joined_at",
        "number",
        "received",
        "send",
        "skips",
        "waiting",
    )

    def __init__(
        self,
        hub: Hub,
        departed: Callable[[], bool],
        client: Client = Client(),
    ) -> None:
        """``departed`` tells, without waiting, whether the viewer has hung up."""
        self.number = next(_numbers)
        self.client = client
        self.joined_at = monotonic()
        self.received = 0  # bytes handed over
        self._hub = hub
        self._next: int | None = None  # number of the next chunk; None: waits for a start
        self._patch: ViewerPatch | None = None  # while the viewer is on its way in
        self._rest = b""  # of a chunk that the viewer has had the beginning of
        self._skipped_at: deque[float] = deque(maxlen=MOST_SKIPS - 1)
        self._left = False
        self._begun = False  # the server has sent the headers and the first data itself
        self.send: Callable[[bytes], bytes] | None = None
        """Hands over, without waiting, what the viewer has room for; gives back the rest."""
        self.departed = departed
        self.hang_up: Callable[[], None] = lambda: None
        """Ends a send that waits for room."""
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
        while not hub.output.playable and not hub.ended and not self._left:
            hub.audience.wait(self)
        if hub.is_file and not self._left:
            return False
        if self._left or not hub.output.playable:
            why = hub.unavailable or Unavailable("the channel was stopped", 1.0)
            raise Unavailable(str(why), why.retry_after)  # anew: each raise adds its frames
        return True

    def __iter__(self) -> Iterator[bytes]:
        hub, sent = self._hub, 0
        while not self._left:
            if data := self._take():
                yield data
                self._begun = True
                sent += len(data)
                if sent >= BURST:
                    sent = 0
                    gevent.sleep(0)
            elif hub.ended or self._left:
                return
            else:
                sent = 0
                hub.audience.wait(self)

    def push(self) -> bool:
        """Serve the viewer while its greenlet waits; False: it has to run itself.

        A socket has room for a chunk most of the time. The way over the greenlet and the server
        costs more than all the rest then, so it is taken only where somebody has to wait.
        """
        if self.send is None or not self._begun or self._left or self._hub.ended:
            return False
        while data := self._take():
            self._rest = self.send(data)
            if self._rest:
                return False
        return True

    def _take(self) -> bytes:
        """What the viewer gets next; nothing where it has all that there is."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        buffer = self._hub.buffer
        if self._next is not None and self._next < buffer.first:
            self._skip()
            self._next = None
        data = b"" if self._next is not None else self._enter()
        while not data and self._next is not None and self._next < buffer.end:
            data = buffer.get(self._next).data
            self._next += 1
            if self._patch is not None:
                data = self._through(self._patch, data)
        self.received += len(data)
        self._hub.counters.bytes_sent += len(data)
        return data

    def _enter(self) -> bytes:
        """The beginning of the stream for this viewer: tables, then a keyframe (DESIGN, joins)."""
        place = self._hub.buffer.join(self._hub.join_buffer)
        if place is None or self._left:
            return b""
        number, start = place
        self._next = number + 1
        patch = self._patch = ViewerPatch(start, resumed=self.skips > 0)
        return patch.start() + self._through(
            patch, self._hub.buffer.get(number).data[start.offset :]
        )

    def _through(self, patch: ViewerPatch, data: bytes) -> bytes:
        data = patch.feed(data)
        if patch.done:
            self._patch = None
        return data

    def _skip(self) -> None:
        """It fell behind the buffer: on from a newer start, unless that happens all the time."""
        now = monotonic()
        self.skips += 1
        self._hub.counters.skips += 1
        if len(self._skipped_at) == MOST_SKIPS - 1 and now - self._skipped_at[0] < SKIPS_WITHIN:
            self._hub.counters.dropped += 1
            self.drop()
        self._skipped_at.append(now)

    def behind(self, now: float) -> float:
        """Seconds of media that it was not given yet."""
        return 0.0 if self._next is None else self._hub.meter.behind(self._next, now)

    def drop(self) -> None:
        """End its body at the next look, or now where a send is in the way of that."""
        self._left = True
        if self.waiting is None:
            self.hang_up()

    def close(self) -> None:
        """Leave the hub; may come twice."""
        self._left = True
        self._hub.leave(self, monotonic())
