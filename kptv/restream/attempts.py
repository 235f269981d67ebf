"""From what failover says to a stream with a slot in hand."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

import gevent

from kptv.channels.failover import Failover, GiveUp, Try, Wait
from kptv.channels.model import Stream
from kptv.errors import Unavailable
from kptv.restream.slots import LocalSlots, Slot

_LOOK_AGAIN = 1.0  # seconds; an import may have brought other candidates


@dataclass(frozen=True, slots=True)
class Attempt:
    """A stream to open now: ``slot`` is held, first media must come within ``timeout`` s."""

    stream: Stream
    slot: Slot
    timeout: float


def next_attempt(failover: Failover, slots: LocalSlots) -> Attempt:
    """The next stream to open, with a slot of its source; waits as failover says.

    Raises Unavailable when the channel is given up.
    """
    while True:
        now = monotonic()
        match failover.next(now, slots.full()):
            case Try(stream, timeout):
                slot = slots.try_acquire(stream.source)
                assert slot is not None, "no switch since full() was asked"
                return Attempt(stream, slot, timeout)
            case Wait(until, ()):
                gevent.sleep(min(until - now, _LOOK_AGAIN))
            case Wait(until, streams):
                slot = slots.acquire([stream.source for stream in streams], until - now)
                if slot is not None and (attempt := _with_slot(failover, slots, slot)):
                    return attempt
            case GiveUp(message, retry_after):
                raise Unavailable(message, retry_after)


def _with_slot(failover: Failover, slots: LocalSlots, slot: Slot) -> Attempt | None:
    """The attempt for which ``slot`` was waited for, if its source still is the one to try.

    It may have asked to be left alone meanwhile. None: the slot was given back.
    """
    number = slot.source.number
    match failover.next(monotonic(), slots.full() - {number}):
        case Try(stream, timeout) if stream.source.number == number:
            return Attempt(stream, slot, timeout)
    slot.close()
    return None
