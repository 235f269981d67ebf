"""A lease keeps a hub alive: somebody watches, or something records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from time import monotonic

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Client:
    """Address, application and user of a request."""

    address: str = ""
    agent: str = ""  # its User-Agent
    user: str = ""  # name; empty: nobody in particular


class LeaseKind(StrEnum):
    """The kinds of holders."""

    BODY = "body"  # of an answer that a viewer reads
    WINDOW = "window"  # the segments of an HLS playlist, which followers fetch one by one
    FOLLOWER = "follower"  # of a window, which holds the hub for all of them
    RECORDER = "recorder"


class Progress:
    """How far those have come that stand at one place of a buffer together."""

    __slots__ = ("dropped", "place", "received")

    def __init__(self) -> None:
        self.place = 0  # number of the next chunk for them
        self.received = 0  # bytes, since the first of them
        self.dropped = False  # one of them was, since this was last looked at


class Lease:
    """A claim that a channel is played, until its holder closes the Playing or the film.

    It knows no socket: its holder tells by ``departed`` whether the claim still stands.
    """

    __slots__ = (
        "_dropped",
        "_on_drop",
        "_place",
        "_received",
        "_shared",
        "client",
        "departed",
        "gives_way",
        "kind",
        "number",
        "on_end",
        "since",
        "skips",
        "waiting",
    )

    def __init__(
        self,
        kind: LeaseKind = LeaseKind.BODY,
        client: Client = Client(),
        departed: Callable[[], bool] = lambda: False,
        on_drop: Callable[[], object] = lambda: None,
        gives_way: Callable[[], bool] = lambda: False,
    ) -> None:
        """``departed`` tells, without waiting, whether the viewer has left or the time is over.

        ``on_drop`` is called when the lease is dropped, to break off what the holder does: a send
        that waits for room. A holder that waits for the hub is woken instead. ``gives_way`` tells,
        without waiting, whether it would rather end than keep a slot that somebody waits for.
        """
        self.number = next(_numbers)
        self.kind = kind
        self.client = client
        self.departed = departed
        self.gives_way = gives_way
        self.since = monotonic()
        self._dropped = False
        self.waiting = False  # the holder waits for the hub
        self._on_drop = on_drop
        self.on_end: Callable[[Lease], object] | None = None
        """Called once, when the lease ends; it must neither wait nor raise."""
        # How far the holder has come, for people:
        self._place: int | None = None
        self._received = 0
        self._shared: Progress | None = None  # counts on for it, and for others
        self.skips = 0  # times that it fell behind the buffer and was moved on

    def __repr__(self) -> str:
        return f"<Lease {self.number} {self.kind} place={self.place} skips={self.skips}>"

    @property
    def dropped(self) -> bool:
        """The holder is to leave."""
        return self._dropped

    @dropped.setter
    def dropped(self, dropped: bool) -> None:
        self._dropped = dropped
        if self._shared is not None:
            self._shared.dropped = True

    @property
    def place(self) -> int | None:
        """Number of the next chunk for it; None: it has begun nowhere."""
        return self._place if self._shared is None else self._shared.place

    @place.setter
    def place(self, place: int | None) -> None:
        self._place = place

    @property
    def received(self) -> int:
        """Bytes."""
        return self._received if self._shared is None else self._received + self._shared.received

    @received.setter
    def received(self, received: int) -> None:
        self._received = received

    def share(self, progress: Progress) -> None:
        """It stands where ``progress`` is, and goes on with it until ``settle``."""
        self._received -= progress.received
        self._shared = progress

    def settle(self) -> bool:
        """It goes on by itself from where it has come; False: it has done so already."""
        if self._shared is None:
            return False
        self._place, self._received = self.place, self.received
        self._shared = None
        return True

    @property
    def is_viewer(self) -> bool:
        """Somebody watches by it alone."""
        return self.kind in (LeaseKind.BODY, LeaseKind.FOLLOWER)

    def end(self) -> None:
        """It claims nothing any more; may come twice. Whoever holds what it claimed calls this."""
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(self)

    def drop(self) -> None:
        """Let the holder go: it leaves when it looks next, or is made to look."""
        self.dropped = True
        if not self.waiting:
            self._on_drop()
