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
    """Who asks for a channel."""

    address: str = ""
    agent: str = ""  # what its User-Agent says


class LeaseKind(StrEnum):
    """What holds a lease."""

    BODY = "body"  # of an answer that a viewer reads
    WINDOW = "window"  # the segments of an HLS playlist, which viewers fetch one by one
    RECORDER = "recorder"


class Lease:
    """A claim that a channel is played, from its making until its holder closes what it got for it.

    It knows no socket. Its holder says by ``departed`` whether it is still wanted.
    """

    __slots__ = (
        "_on_drop",
        "client",
        "departed",
        "dropped",
        "kind",
        "number",
        "place",
        "received",
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
    ) -> None:
        """``departed`` tells, without waiting, whether its viewer has left or its time is over.

        ``on_drop`` ends what the holder does when the lease is dropped: a send that waits for
        room. It is not called while the holder waits for the hub, which wakes it.
        """
        self.number = next(_numbers)
        self.kind = kind
        self.client = client
        self.departed = departed
        self.since = monotonic()
        self.dropped = False  # the holder is to leave
        self.waiting = False  # the holder waits for the hub
        self._on_drop = on_drop
        # How far its holder has come, for people:
        self.place: int | None = None  # number of the chunk that it gets next
        self.received = 0  # bytes
        self.skips = 0  # times that it fell behind the buffer and was moved on

    def __repr__(self) -> str:
        return f"<Lease {self.number} {self.kind} place={self.place} skips={self.skips}>"

    @property
    def is_viewer(self) -> bool:
        """Somebody watches."""
        return self.kind is not LeaseKind.RECORDER

    def drop(self) -> None:
        """Let the holder go: it leaves when it looks next, or now if it would not look."""
        self.dropped = True
        if not self.waiting:
            self._on_drop()
