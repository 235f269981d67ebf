"""The right to one connection to a source: how many there are, and who has them.

``Slots`` is the door. Behind it may be this process's memory (``LocalSlots``) or one that several
instances share (``leased_slots``). So a plan made from ``full`` may be wrong by the time a slot is
asked for, and a slot that is held may be lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import gevent
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from kptv.channels.model import Source

# Seconds between our hanging up and the next use of the slot: a provider counts a connection
# until it has seen our close, and many look only when they next write.
SETTLE = 0.1


class SlotLost(Exception):
    """Thrown where something is received from a provider: the connection is no longer allowed.

    The stream has done nothing wrong.
    """


def _nobody_listens() -> None:
    pass


class Slot:
    """The right to one connection to ``source``; given back once, by ``close``.

    Its one holder hangs up before closing it, also after the slot was lost.
    """

    __slots__ = ("_is_open", "_slots", "_tell", "lost", "source")

    def __init__(self, source: Source, slots: Slots) -> None:
        """For ``slots`` to give out, which hears from it what its holder does with it."""
        self.source = source
        self.lost = False
        self._slots = slots
        self._is_open = True
        self._tell: Callable[[], object] = _nobody_listens

    def __repr__(self) -> str:
        state = "lost" if self.lost else "open" if self._is_open else "closed"
        return f"<Slot {self.source.tag} {state}>"

    @property
    def others(self) -> int:
        """How many other connections to its source are counted now."""
        return self._slots.others(self)

    def on_lost(self, tell: Callable[[], object]) -> None:
        """Have ``tell`` called when the slot is lost: once, and at once if that has happened.

        It must neither wait nor raise. A new holder's ``tell`` replaces the one before.
        """
        self._tell = tell
        if self.lost:
            self._tell_once()

    def mark_idle(self) -> None:
        """Its connection is kept for nobody: it is lost as soon as somebody else needs a slot."""
        if self._is_open and not self.lost:
            self._slots.idle(self)

    def mark_standby(self) -> None:
        """Its connection is kept in case another one fails: as idle, and it is lost before those.

        Nobody sees the difference if it is lost; who comes back to a channel that lingers does.
        """
        if self._is_open and not self.lost:
            self._slots.stand_by(self)

    def mark_used(self) -> None:
        """Somebody wants its connection, again or for the first time."""
        self._slots.used(self)

    def lose(self) -> None:
        """Take the right away; for the ``Slots`` that gave it. The holder closes it later."""
        if self._is_open and not self.lost:
            self.lost = True
            self._tell_once()

    def close(self, settle: float = 0.0) -> None:
        """Give it back, ``settle`` seconds from now if others may be waiting for it."""
        if self._is_open:
            self._is_open = False
            self._tell = _nobody_listens
            self._slots.give_back(self, settle)

    def _tell_once(self) -> None:
        tell, self._tell = self._tell, _nobody_listens
        tell()


class Slots(Protocol):
    """The slots of all sources. ``full``, ``held`` and ``waiting`` tell what was known last.

    ``try_acquire`` may be refused whatever they said. It and ``acquire`` may wait for others; a
    greenlet that is killed in there leaves nothing behind. The other methods never wait.
    """

    @property
    def away(self) -> str:
        """Why no slot of a limited source can be had from whoever counts them; empty: they can."""
        ...

    def full(self) -> frozenset[int]:
        """The numbers of the sources without a free slot."""
        ...

    def held(self, source: Source) -> int:
        """Connections to ``source`` that are counted now, with those that we just hung up."""
        ...

    def standing_by(self, source: Source) -> int:
        """How many of those ``held`` are kept in case others fail, and give way to whoever asks."""
        ...

    def waiting(self, number: int) -> int:
        """How many wait for a slot of the source with this number."""
        ...

    def try_acquire(self, source: Source) -> Slot | None:
        """A slot of ``source`` if one is free."""
        ...

    def acquire(self, sources: Collection[Source], timeout: float) -> Slot | None:
        """A slot of any of ``sources``, waited for ``timeout`` seconds at most.

        None: there was none, or ``look_again`` was called.
        """
        ...

    def look_again(self) -> None:
        """Wake every waiter so that it plans anew: the candidate sources may have changed."""
        ...

    def others(self, slot: Slot) -> int:
        """As ``held`` for its source, without ``slot`` itself."""
        ...

    def idle(self, slot: Slot) -> None:
        """Take ``slot`` away as soon as somebody waits for one of its source."""
        ...

    def stand_by(self, slot: Slot) -> None:
        """As ``idle``; it is taken away before those that are."""
        ...

    def used(self, slot: Slot) -> None:
        """``slot`` is neither idle nor stands by any more."""
        ...

    def give_back(self, slot: Slot, settle: float) -> None:
        """``slot`` was closed, lost or not; called once."""
        ...


class LocalSlots:
    """The slots of all sources, in this process's memory: a semaphore per source (see Slots).

    Waiters are served in the order of coming. A slot that gets free goes straight to the first
    who can use it, so no newcomer overtakes. No switch happens in any method but ``acquire``.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = {source.number: source for source in sources}
        self._semaphores = {
            number: BoundedSemaphore(source.max_connections)
            for number, source in self._sources.items()
            if source.max_connections
        }
        self._held = dict.fromkeys(self._sources, 0)
        self._waiting: deque[tuple[frozenset[int], AsyncResult]] = deque()
        self._idle: dict[Slot, None] = {}  # in the order in which they became idle
        self._standbys: dict[Slot, None] = {}  # likewise

    def __repr__(self) -> str:
        return f"<LocalSlots held={self._held} waiting={len(self._waiting)}>"

    @property
    def away(self) -> str:
        return ""

    def full(self) -> frozenset[int]:
        return frozenset(n for n, semaphore in self._semaphores.items() if semaphore.locked())

    def held(self, source: Source) -> int:
        return self._held[source.number]

    def standing_by(self, source: Source) -> int:
        return sum(slot.source.number == source.number for slot in self._standbys)

    def waiting(self, number: int) -> int:
        return sum(number in numbers for numbers, _ in self._waiting)

    def try_acquire(self, source: Source) -> Slot | None:
        semaphore = self._semaphores.get(source.number)
        if semaphore is not None and not semaphore.acquire(blocking=False):
            return None
        self._held[source.number] += 1
        return Slot(source, self)

    def acquire(self, sources: Collection[Source], timeout: float) -> Slot | None:
        for source in sources:
            if slot := self.try_acquire(source):
                return slot
        numbers = frozenset(source.number for source in sources)
        granted = AsyncResult()
        waiter = (numbers, granted)
        self._waiting.append(waiter)
        try:
            self._reclaim(numbers)
            granted.get(timeout=max(timeout, 0.0))
        except gevent.Timeout:
            pass  # it may have been granted all the same, just now
        except BaseException:
            if granted.value is not None:  # killed between the grant and the waking
                granted.value.close()
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
        slot = granted.value
        assert slot is None or isinstance(slot, Slot)
        return slot

    def look_again(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for _, granted in waiting:
            granted.set(None)

    def others(self, slot: Slot) -> int:
        return self._held[slot.source.number] - 1

    def idle(self, slot: Slot) -> None:
        self._give_way(slot, self._idle)

    def stand_by(self, slot: Slot) -> None:
        self._give_way(slot, self._standbys)

    def used(self, slot: Slot) -> None:
        self._idle.pop(slot, None)
        self._standbys.pop(slot, None)

    def give_back(self, slot: Slot, settle: float) -> None:
        self.used(slot)
        if settle and slot.source.max_connections:
            gevent.spawn_later(settle, self._release, slot.source)
        else:
            self._release(slot.source)

    def _give_way(self, slot: Slot, kept: dict[Slot, None]) -> None:
        if self.waiting(slot.source.number):
            slot.lose()
        else:
            kept[slot] = None

    def _reclaim(self, numbers: Collection[int]) -> None:
        """Take away a slot of these sources: of standbys or else of idle ones, the first."""
        for slot in (*self._standbys, *self._idle):
            if slot.source.number in numbers:
                self.used(slot)
                slot.lose()
                return

    def _release(self, source: Source) -> None:
        self._held[source.number] -= 1
        semaphore = self._semaphores.get(source.number)
        if semaphore is None:
            return
        semaphore.release()
        for waiter in self._waiting:
            numbers, granted = waiter
            if source.number in numbers:
                self._waiting.remove(waiter)
                granted.set(self.try_acquire(source))
                return
