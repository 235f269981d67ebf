"""Slots that are counted elsewhere: each answer takes a moment, and may be no."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

from kptv.channels.model import Source
from kptv.restream.slots import Slot


@dataclass(eq=False, slots=True)
class _Place:
    """In the queue of those who wait."""

    numbers: frozenset[int]
    changed: Event = field(default_factory=Event)
    again: bool = False


class FarSlots:
    """What a store that several processes share would be to one of them.

    Connections of other processes count too (``elsewhere``), and ``full`` knows of them only
    what the last answer said. So a slot is refused although a source is not told to be full.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self.away = ""
        self.elsewhere: Counter[int] = Counter()  # connections of other processes
        self.refusals = 0
        self._limits = {source.number: source.max_connections for source in sources}
        self._counted: Counter[int] = Counter()  # ours, lost ones not
        self._slots: dict[Slot, None] = {}
        self._idle: dict[Slot, None] = {}
        self._standbys: dict[Slot, None] = {}
        self._waiting: deque[_Place] = deque()
        self._known_full: set[int] = set()

    def lose(self, source: Source) -> bool:
        """Another process gets our oldest connection of this source; False: we have none."""
        held = (slot for slot in self._slots if slot.source == source and not slot.lost)
        slot = next(held, None)
        if slot is None:
            return False
        self.elsewhere[source.number] += 1
        self._take_away(slot)
        return True

    def full(self) -> frozenset[int]:
        return frozenset(self._known_full)

    def held(self, source: Source) -> int:
        return self._counted[source.number]

    def standing_by(self, source: Source) -> int:
        return sum(slot.source.number == source.number for slot in self._standbys)

    def waiting(self, number: int) -> int:
        return sum(number in place.numbers for place in self._waiting)

    def others(self, slot: Slot) -> int:
        return self._counted[slot.source.number] - (slot in self._slots and not slot.lost)

    def try_acquire(self, source: Source) -> Slot | None:
        return None if self._first(source.number) else self._ask(source)

    def acquire(self, sources: Collection[Source], timeout: float) -> Slot | None:
        for source in sources:
            if slot := self.try_acquire(source):
                return slot
        place = _Place(frozenset(source.number for source in sources))
        self._waiting.append(place)
        try:
            self._reclaim(place.numbers)
            with gevent.Timeout(max(timeout, 0.0), False):
                while not place.again:
                    place.changed.wait()
                    place.changed.clear()
                    for source in sources:
                        if self._first(source.number) is place and (slot := self._ask(source)):
                            return slot
            return None
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
            self._wake()

    def look_again(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for place in waiting:
            place.again = True
            place.changed.set()

    def idle(self, slot: Slot) -> None:
        if self.waiting(slot.source.number):
            self._take_away(slot)
        else:
            self._idle[slot] = None

    def stand_by(self, slot: Slot) -> None:
        if self.waiting(slot.source.number):
            self._take_away(slot)
        else:
            self._standbys[slot] = None

    def used(self, slot: Slot) -> None:
        self._idle.pop(slot, None)
        self._standbys.pop(slot, None)

    def give_back(self, slot: Slot, settle: float) -> None:
        self.used(slot)
        del self._slots[slot]
        if settle and slot.source.max_connections and not slot.lost:
            gevent.spawn_later(settle, self._uncount, slot.source.number)
        elif not slot.lost:
            self._uncount(slot.source.number)

    def free(self, source: Source) -> None:
        """Another process gave a connection of this source back."""
        self.elsewhere[source.number] -= 1
        self._changed(source.number)

    def _ask(self, source: Source) -> Slot | None:
        """A slot, if the store says so, and whoever asked is still there to hear it."""
        gevent.sleep(0)  # on its way
        number, limit = source.number, self._limits[source.number]
        if limit and self._counted[number] + self.elsewhere[number] >= limit:
            self._known_full.add(number)
            self.refusals += 1
            return None
        self._counted[number] += 1
        self._note(number)
        try:
            gevent.sleep(0)  # the answer, on its way back
        except BaseException:
            self._uncount(number)
            raise
        slot = Slot(source, self)
        self._slots[slot] = None
        return slot

    def _take_away(self, slot: Slot) -> None:
        self.used(slot)
        self._counted[slot.source.number] -= 1
        slot.lose()
        self._changed(slot.source.number)

    def _reclaim(self, numbers: Collection[int]) -> None:
        for slot in (*self._standbys, *self._idle):
            if slot.source.number in numbers:
                self._take_away(slot)
                return

    def _uncount(self, number: int) -> None:
        self._counted[number] -= 1
        self._changed(number)

    def _changed(self, number: int) -> None:
        self._note(number)
        self._wake()

    def _note(self, number: int) -> None:
        """What our own doing tells of a source."""
        limit = self._limits[number]
        full = limit and self._counted[number] >= limit
        (self._known_full.add if full else self._known_full.discard)(number)

    def _first(self, number: int) -> _Place | None:
        return next((place for place in self._waiting if number in place.numbers), None)

    def _wake(self) -> None:
        for place in self._waiting:
            place.changed.set()
