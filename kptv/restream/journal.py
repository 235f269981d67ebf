"""Events of the channels that play, as values: for the page, not for the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

REMEMBERED = 200  # events of all channels
REMEMBERED_OF_HUB = 40


class EventKind(StrEnum):
    """The kinds of events."""

    OPENED = "opened"  # a channel begins to play
    STARTED = "started"  # a source gives media
    FAILED = "failed"  # a source failed
    STANDS_BY = "stands_by"  # a source was opened beside, to go on with when the other fails
    SWITCHED = "switched"  # somebody asked for another source
    SLOT_LOST = "slot_lost"  # a source's connection was needed elsewhere
    STOPPED = "stopped"  # somebody ended the channel
    GAVE_UP = "gave_up"  # no source worked
    CLOSED = "closed"  # the channel plays no more


@dataclass(frozen=True, slots=True)
class Event:
    """A change of state; ``detail`` holds no URL, host or credential."""

    time: float  # Unix
    kind: EventKind
    channel: str  # slug
    name: str  # of the channel
    source: int | None = None
    reason: str = ""
    detail: str = ""
    # Seconds that viewers had been without media by then; None: the stream that they saw did not
    # change, or they had seen none yet.
    silence: float | None = None


class Journal:
    """The last events of all channels, and the listeners to the next ones."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=REMEMBERED)
        self.listeners: list[Callable[[Event], object]] = []

    def __repr__(self) -> str:
        return f"<Journal events={len(self.events)}>"

    def note(self, event: Event) -> None:
        """Remember an event and tell the listeners, which must neither wait nor raise."""
        self.events.append(event)
        for listener in self.listeners:
            listener(event)
