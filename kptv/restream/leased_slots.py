"""Slots that several instances share: what the server has granted to this one (see Slots).

Each slot has a token, which names it at the server. Sources without a limit are counted here alone,
and the server never hears of them.

Who asks waits for an answer; who is killed meanwhile leaves a token that nobody waits for, and what
is granted for that is given back. A grant becomes a slot in the very turn in which it is heard, so
one that is told twice finds it there. Other methods never wait: what they say is carried in order.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any

import gevent
from gevent.event import AsyncResult

from kptv.channels.model import Source
from kptv.restream.shared_server import Server, name_of
from kptv.restream.slots import Slot

_SPARE = 1.0  # seconds that the server keeps a place longer than we wait
_AFTER = 0.005  # seconds after the end of a settling, by the server's clock


@dataclass(eq=False, slots=True)
class _Ask:
    """Somebody who wants a slot."""

    sources: tuple[Source, ...]  # in the order of preference
    until: float  # monotonic
    waits: bool
    answer: AsyncResult = field(default_factory=AsyncResult)  # a slot, or None


class LeasedSlots:
    """The slots of all sources, as far as this instance has them (see Slots)."""

    def __init__(self, sources: Iterable[Source], member: Server, call: float = 1.0) -> None:
        """``call``: seconds within which the server must have answered."""
        self._sources = {source.number: source for source in sources}
        self._names = {n: name_of(source) for n, source in self._sources.items()}
        self._member = member
        self._call = call
        self._new_token = map(f"{os.urandom(6).hex()}.{{}}".format, count())
        self._asks: dict[str, _Ask] = {}  # by token, in the order of coming
        self._slots: dict[str, Slot] = {}  # likewise; those that the server knows
        self._tokens: dict[Slot, str] = {}
        self._ended: set[Slot] = set()  # lost with a former life, and not closed yet
        self._held = dict.fromkeys(self._sources, 0)
        self._elsewhere = dict.fromkeys(self._names.values(), 0)
        self._idle: dict[Slot, None] = {}
        self._standbys: dict[Slot, None] = {}
        self.lost = 0  # since the start

    def __repr__(self) -> str:
        return f"<LeasedSlots held={self._held} asks={len(self._asks)}>"

    # --- Slots ---

    @property
    def away(self) -> str:
        """Why no slot of a limited source can be had now; empty: they can."""
        return self._member.away

    def full(self) -> frozenset[int]:
        limited = [s for s in self._sources.values() if s.max_connections]
        if self._member.away:
            return frozenset(source.number for source in limited)
        return frozenset(
            s.number
            for s in limited
            if self._held[s.number] + self._elsewhere[self._names[s.number]] >= s.max_connections
        )

    def held(self, source: Source) -> int:
        return self._held[source.number]

    def standing_by(self, source: Source) -> int:
        return sum(slot.source.number == source.number for slot in self._standbys)

    def waiting(self, number: int) -> int:
        return sum(
            ask.waits and any(source.number == number for source in ask.sources)
            for ask in self._asks.values()
        )

    def try_acquire(self, source: Source) -> Slot | None:
        if not source.max_connections:
            return self._made(source)
        if not self._member.joined or self._member.away:
            return None
        return self._ask(_Ask((source,), monotonic() + self._call, waits=False))

    def acquire(self, sources: Collection[Source], timeout: float) -> Slot | None:
        for source in sources:
            if not source.max_connections:
                return self._made(source)
        return self._ask(_Ask(tuple(sources), monotonic() + max(timeout, 0.0), waits=True))

    def look_again(self) -> None:
        for token, ask in list(self._asks.items()):
            if ask.waits:
                self._cancel(token)
                ask.answer.set(None)

    def others(self, slot: Slot) -> int:
        number = slot.source.number
        return self._held[number] - 1 + self._elsewhere[self._names[number]]

    def idle(self, slot: Slot) -> None:
        self._give_way(slot, self._idle)

    def stand_by(self, slot: Slot) -> None:
        self._give_way(slot, self._standbys)

    def used(self, slot: Slot) -> None:
        if self._forget_idle(slot):
            self._tell_of(slot, "used")

    def give_back(self, slot: Slot, settle: float) -> None:
        self._forget_idle(slot)
        source = slot.source
        if settle and source.max_connections:
            gevent.spawn_later(settle, self._uncount, source.number)
        else:
            self._uncount(source.number)
        if (token := self._tokens.pop(slot, None)) and self._slots.pop(token, None):
            self._release(token, self._names[source.number], settle)
        if slot in self._ended:
            self._ended.discard(slot)
            self._member.look()

    # --- what the member holds ---

    @property
    def limits(self) -> Sequence[tuple[str, int]]:
        limited: dict[str, int] = {}
        for source in self._sources.values():
            if most := source.max_connections:
                name = self._names[source.number]
                limited[name] = min(most, limited.get(name, most))
        return list(limited.items())

    @property
    def tokens(self) -> Sequence[tuple[str, str]]:
        return [(token, self._names[slot.source.number]) for token, slot in self._slots.items()]

    @property
    def is_empty(self) -> bool:
        return not self._slots and not self._ended

    def joined(self, kept: frozenset[str]) -> None:
        for token in [token for token in self._slots if token not in kept]:
            self._lose(self._slots.pop(token))
        for slot in (*self._standbys, *self._idle):
            self._tell_idle(slot)
        for token, ask in self._asks.items():
            self._send(token, ask)

    def granted(self, token: str, source: str) -> None:
        if self._grant(token, source):
            self._member.tell("took", token=token)
        elif token not in self._slots:  # who waited has gone
            self._release(token, source, 0.0)

    def asked(self, token: str) -> None:
        slot = self._slots.get(token)
        if slot is not None and (slot.lost or self._forget_idle(slot)):
            self._lose(slot)  # its holder closes it, and that gives it back
        else:
            self._member.tell("used", token=token)

    def known(self, counts: Iterable[tuple[str, int, int]]) -> None:
        for source, others, _ in counts:
            self._elsewhere[source] = others

    def lapsed(self) -> None:
        slots, self._slots = list(self._slots.values()), {}
        self._ended.update(slots)
        asks, self._asks = list(self._asks.values()), {}
        for ask in asks:
            if ask.waits:
                self._asks[next(self._new_token)] = ask  # it goes on waiting, as another
            else:
                ask.answer.set(None)
        for slot in slots:
            self._forget_idle(slot)
            self._lose(slot)

    # --- asking ---

    def _ask(self, ask: _Ask) -> Slot | None:
        token = next(self._new_token)
        self._asks[token] = ask
        if self._member.joined:  # else it is sent as soon as that is so
            self._send(token, ask)
        try:
            ask.answer.get(timeout=max(ask.until - monotonic(), 0.0))
        except gevent.Timeout:
            pass  # it may have been granted all the same, just now
        except BaseException:
            if ask.answer.value is not None:  # killed between the grant and the waking
                ask.answer.value.close()
            raise
        finally:
            for token in [token for token, each in self._asks.items() if each is ask]:
                self._cancel(token)
        slot = ask.answer.value
        assert slot is None or isinstance(slot, Slot)
        return slot

    def _send(self, token: str, ask: _Ask) -> None:
        left = ask.until - monotonic() + _SPARE

        def answered(answer: Any) -> None:
            if answer["is"] == "granted":
                if not self._grant(token, answer["source"]) and token not in self._slots:
                    self._release(token, answer["source"], 0.0)
            elif answer["is"] != "waits" and not ask.waits and self._asks.pop(token, None):
                ask.answer.set(None)

        self._member.tell(
            "reserve",
            answered,
            token=token,
            sources=[self._names[source.number] for source in ask.sources],
            wait=max(round(left * 1000), 1) if ask.waits else 0,
        )

    def _grant(self, token: str, name: str) -> bool:
        """Make a slot for whoever asked with ``token``; False: nobody does any more."""
        if not self._member.joined or (ask := self._asks.pop(token, None)) is None:
            return False
        source = next(s for s in ask.sources if self._names[s.number] == name)
        slot = self._slots[token] = self._made(source)
        self._tokens[slot] = token
        ask.answer.set(slot)
        return True

    def _cancel(self, token: str) -> None:
        ask = self._asks.pop(token)
        if self._member.joined:
            sources = [self._names[source.number] for source in ask.sources]
            self._member.tell("cancel", token=token, sources=sources)

    # --- holding and giving back ---

    def _made(self, source: Source) -> Slot:
        self._held[source.number] += 1
        return Slot(source, self)

    def _uncount(self, number: int) -> None:
        self._held[number] -= 1

    def _release(self, token: str, name: str, settle: float) -> None:
        def released(_: Any) -> None:
            if settle:
                gevent.spawn_later(settle + _AFTER, self._settled)

        self._member.tell(
            "release", released, token=token, source=name, settle=round(settle * 1000)
        )

    def _settled(self) -> None:
        """What has settled is for whoever waits; the server itself has no clock that strikes."""
        if self._member.joined:
            self._member.tell("pump")

    def _lose(self, slot: Slot) -> None:
        if not slot.lost:
            self.lost += 1
            slot.lose()

    # --- giving way ---

    def _give_way(self, slot: Slot, kept: dict[Slot, None]) -> None:
        if self.waiting(slot.source.number):
            slot.lose()
        elif slot not in kept:
            self._forget_idle(slot)
            kept[slot] = None
            self._tell_idle(slot)

    def _tell_idle(self, slot: Slot) -> None:
        source = self._names[slot.source.number]
        self._tell_of(slot, "idle", source=source, standby=slot in self._standbys)

    def _tell_of(self, slot: Slot, op: str, **more: Any) -> None:
        token = self._tokens.get(slot)
        if token in self._slots and self._member.joined:
            self._member.tell(op, token=token, **more)

    def _forget_idle(self, slot: Slot) -> bool:
        """Whether it was idle, or stood by."""
        known = slot in self._idle or slot in self._standbys
        self._idle.pop(slot, None)
        self._standbys.pop(slot, None)
        return known
