"""How many connections each source allows, and who has them.

A map of semaphores, one a source; a slot is a lease on one of them. Who waits is served in the
order of coming: a slot that gets free goes straight to the first who can use it, so that no
newcomer overtakes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from types import TracebackType

import gevent
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from kptv.channels.model import Source

# Seconds between our hanging up and the next use of the slot: a provider counts a connection
# until it has seen our close, and many look only when they next write.
SETTLE = 0.1


class Slot:
    """The right to one connection to ``source``; given back once, by ``with`` or ``close``."""

    __slots__ = ("_open", "_slots", "source")

    def __init__(self, slots: LocalSlots, source: Source) -> None:
        self._slots = slots
        self._open = True
        self.source = source

    def __repr__(self) -> str:
        return f"<Slot {self.source.tag} {'open' if self._open else 'closed'}>"

    def __enter__(self) -> Slot:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self, settle: float = 0.0) -> None:
        """Give it back, ``settle`` seconds from now where another may be waiting for it."""
        if not self._open:
            return
        self._open = False
        if settle and self.source.max_connections:
            gevent.spawn_later(settle, self._slots._release, self.source)
        else:
            self._slots._release(self.source)

    def transfer(self) -> Slot:
        """The same right in new hands; this one is closed without giving it back."""
        assert self._open
        self._open = False
        return Slot(self._slots, self.source)


class LocalSlots:
    """The slots of all sources. No switch happens in any method but ``acquire``."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = {source.number: source for source in sources}
        self._semaphores = {
            number: BoundedSemaphore(source.max_connections)
            for number, source in self._sources.items()
            if source.max_connections
        }
        self._held = dict.fromkeys(self._sources, 0)
        self._waiting: deque[tuple[frozenset[int], AsyncResult]] = deque()
        self.reclaim: Callable[[Collection[int]], None] = lambda numbers: None
        """Asked to free a slot of one of these sources, if one is held for nobody."""

    def held(self, source: Source) -> int:
        """Slots that are leased now."""
        return self._held[source.number]

    def waiting(self, number: int) -> int:
        """How many wait for a slot of the source with this number."""
        return sum(number in numbers for numbers, _ in self._waiting)

    def full(self) -> frozenset[int]:
        """The numbers of the sources without a free slot."""
        return frozenset(n for n, semaphore in self._semaphores.items() if semaphore.locked())

    def try_acquire(self, source: Source) -> Slot | None:
        """A slot of ``source`` if one is free."""
        semaphore = self._semaphores.get(source.number)
        if semaphore is not None and not semaphore.acquire(blocking=False):
            return None
        self._held[source.number] += 1
        return Slot(self, source)

    def acquire(self, sources: Collection[Source], timeout: float) -> Slot | None:
        """A slot of any of ``sources``, waited for ``timeout`` seconds at most.

        None: there was none, or ``look_again`` was called.
        """
        for source in sources:
            if slot := self.try_acquire(source):
                return slot
        numbers = frozenset(source.number for source in sources)
        granted = AsyncResult()
        place = (numbers, granted)
        self._waiting.append(place)
        try:
            self.reclaim(numbers)
            granted.get(timeout=max(timeout, 0.0))
        except gevent.Timeout:
            pass  # it may have been granted all the same, just now
        except BaseException:
            if granted.value is not None:  # killed between the grant and the waking
                granted.value.close()
            raise
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
        slot = granted.value
        assert slot is None or isinstance(slot, Slot)
        return slot

    def look_again(self) -> None:
        """End all waiting, in its order: there may be other sources to wait for now."""
        waiting, self._waiting = self._waiting, deque()
        for _, granted in waiting:
            granted.set(None)

    def _release(self, source: Source) -> None:
        self._held[source.number] -= 1
        semaphore = self._semaphores.get(source.number)
        if semaphore is None:
            return
        semaphore.release()
        for place in self._waiting:
            numbers, granted = place
            if source.number in numbers:
                self._waiting.remove(place)
                granted.set(self.try_acquire(source))
                return
