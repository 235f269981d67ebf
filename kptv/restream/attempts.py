"""From what failover says to a stream with a slot in hand."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from time import monotonic

import gevent

from kptv.channels.failover import Failover, GiveUp, Try, Wait
from kptv.channels.model import Stream
from kptv.errors import AllInUse, Unavailable
from kptv.restream.slots import Slot, Slots

_LOOK_AGAIN = 1.0  # seconds; an import may have brought other candidates


@dataclass(frozen=True, slots=True)
class Attempt:
    """A stream to open now: ``slot`` is held, first media must come within ``timeout`` s."""

    stream: Stream
    slot: Slot
    timeout: float


def next_attempt(failover: Failover, slots: Slots) -> Attempt:
    """The next stream to open, with a slot of its source; waits as failover says.

    Raises Unavailable when the channel is given up.
    """
    refused: frozenset[int] = frozenset()  # sources that had no slot since the last wait
    while True:
        now = monotonic()
        match failover.next(now, slots.full() | refused):
            case Try(stream, _):
                slot = slots.try_acquire(stream.source)
                if slot is None:
                    refused |= {stream.source.number}
            case Wait(until, streams):
                slot = _wait(slots, streams, until - now)
                refused = frozenset()
            case GiveUp(_, retry_after, True) if why := slots.away:
                raise Unavailable(why, retry_after)
            case GiveUp(message, retry_after, all_in_use):
                raise (AllInUse if all_in_use else Unavailable)(message, retry_after)
        if slot is None:
            continue
        if attempt := _with_slot(failover, slots.full() | refused, slot):
            return attempt


def spare_attempt(
    failover: Failover, slots: Slots, now: float, but_of: frozenset[int] = frozenset()
) -> Attempt | None:
    """A stream to open beside the one that plays, if there is one whose source has a slot.

    ``but_of``: numbers of sources that it must not be of.
    """
    refused = but_of
    while stream := failover.spare(now, slots.full() | refused):
        if slot := slots.try_acquire(stream.source):
            return Attempt(stream, slot, failover.timeout(stream, now))
        refused |= {stream.source.number}
    return None


def _wait(slots: Slots, streams: Collection[Stream], seconds: float) -> Slot | None:
    """A slot for one of ``streams``, if there is one in time; without any, only the wait."""
    if streams:
        return slots.acquire([stream.source for stream in streams], seconds)
    gevent.sleep(min(seconds, _LOOK_AGAIN))
    return None


def _with_slot(failover: Failover, full: frozenset[int], slot: Slot) -> Attempt | None:
    """The attempt for which ``slot`` was taken, if its source still is the one to try.

    The source may have asked to be left alone meanwhile. None: the slot was given back.
    """
    number = slot.source.number
    match failover.next(monotonic(), full - {number}):
        case Try(stream, timeout) if stream.source.number == number:
            return Attempt(stream, slot, timeout)
    slot.close()
    return None
