"""This instance among those that share: it joins, renews, and hangs up by itself in time.

What it holds (its *cargo*) is its own as long as its term is good. Behind that, whatever the server
says or does not say, all of it is given up, and the instance joins again as another life once the
last of it is closed. Nothing is given out meanwhile: who cannot ask whether a connection is allowed
does not open one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from math import inf
from time import monotonic
from typing import Any, Protocol

import gevent
from gevent.event import Event

from kptv.instances.courier import Call, Courier
from kptv.instances.link import Answer, Link, LinkError
from kptv.instances.term import Term, Times

log = logging.getLogger(__name__)

_LISTEN_AGAIN = 1.0  # seconds after a subscription ended; until then renewals tell
_LEAVE_WITHIN = 0.7  # seconds at the end; what is not said by then, the end of the lease says


class Messages(Protocol):
    """What the server tells by itself."""

    def next(self) -> Answer | None:
        """The next message, waited for; None: there was none. Raises LinkError."""
        ...

    def close(self) -> None:
        """Hang up; may come twice."""
        ...


class Cargo(Protocol):
    """What an instance holds at the server. Nothing here waits."""

    @property
    def limits(self) -> Sequence[tuple[str, int]]:
        """By source, how many connections it allows; for all that are limited."""
        ...

    @property
    def tokens(self) -> Sequence[tuple[str, str]]:
        """Each token that is held, and its source."""
        ...

    @property
    def is_empty(self) -> bool:
        """All is closed: also what was lost with a former life."""
        ...

    def joined(self, kept: frozenset[str]) -> None:
        """The server knows of these tokens, and of nothing else."""
        ...

    def granted(self, token: str, source: str) -> None:
        """Who waited with this token has a slot; may be told again."""
        ...

    def asked(self, token: str) -> None:
        """Somebody needs this slot, which was idle; may be told again."""
        ...

    def known(self, counts: Iterable[tuple[str, int, int]]) -> None:
        """By source, how many slots other instances hold, and how many wait there."""
        ...

    def lapsed(self) -> None:
        """Nothing is held any more: every connection is to be closed at once."""
        ...


class Hearer(Protocol):
    """Whoever shares something beside slots, by operations of its own. Nothing here waits."""

    def joined(self) -> None:
        """The server may know nothing of what was said before: say again what still holds."""
        ...

    def told(self, what: Any) -> None:
        """What an answer says of it, or a message; may come twice."""
        ...

    def lapsed(self) -> None:
        """This instance is alone until it has joined again."""
        ...


class Member:
    """Works in greenlets of its own, from ``start`` until ``close``."""

    def __init__(
        self,
        place: str,
        dial: Callable[[], Link],
        listen: Callable[[], Messages],
        times: Times,
    ) -> None:
        """``place`` is where no other process can be while this one lives (see ``place_of``)."""
        self.times = times
        self.lapses = 0
        self._place = place
        self._lives = (f"{os.urandom(4).hex()}.{n}" for n in count())
        self._life = next(self._lives)
        self._listen = listen
        self._term = Term(times)
        self._joined = False
        self._trouble = ""
        self._grace_until = -inf
        self._held = Event()  # there is a term to watch
        self._courier = Courier(dial, self)
        self._greenlets: list[gevent.Greenlet] = []
        self._cargo: Cargo
        self._hearers: dict[str, Hearer] = {}

    def __repr__(self) -> str:
        return f"<Member {self._place!r} joined={self._joined} {self._term!r}>"

    # --- for the cargo ---

    def start(self, cargo: Cargo) -> None:
        """Join, and hold ``cargo``."""
        self._cargo = cargo
        self._courier.start()
        self._greenlets = [gevent.spawn(self._watch), gevent.spawn(self._hear)]

    def also(self, name: str, hearer: Hearer) -> None:
        """Tell ``hearer`` what answers and messages say under ``name``; before ``start``."""
        self._hearers[name] = hearer

    @property
    def alive(self) -> bool:
        """Whether it works; without it, all would be given up and nothing had again."""
        return self._courier.alive and not any(each.dead for each in self._greenlets)

    def leave(self) -> None:
        """Wait a moment until all is closed, and go: then it is free at once for others."""
        with gevent.Timeout(_LEAVE_WITHIN, False):
            while not self._cargo.is_empty or not self._courier.idle:
                gevent.sleep(0.01)
            if self.joined and not self._trouble:
                left = Event()
                self.tell("leave", lambda _: left.set())
                left.wait()
        gevent.killall(self._greenlets)
        self._courier.close()

    @property
    def away(self) -> str:
        """Why nothing can be asked for now; empty: it can."""
        if self._trouble:
            return f"Valkey (LEASES_URL) {self._trouble}"
        if not self.joined:
            return "this instance has not joined the others yet"
        if (left := self._grace_until - monotonic()) > 0:
            return f"Valkey (LEASES_URL) began anew, connections are given out in {left:.0f} s"
        return ""

    @property
    def joined(self) -> bool:
        """Whether the server can be told something, and what is held is surely this instance's."""
        return self._joined and self._term.is_good(monotonic())

    @property
    def reachable(self) -> bool:
        """Whether it can be asked now, as far as is known: also one that gives no slots yet."""
        return self.joined and not self._trouble

    @property
    def renewed_ago(self) -> float:
        """Seconds since what was last renewed was sent; infinite: nothing is held."""
        times = self.times
        return monotonic() - (self._term.good_until - times.lease + times.margin)

    @property
    def calls(self) -> int:
        """How many were answered."""
        return self._courier.carried

    def tell(
        self, op: str, answered: Callable[[Answer], object] = lambda _: None, **given: Any
    ) -> None:
        """Have the server carry this out; ``answered`` is called with what it says, at most once.

        For those that have ``joined``. Never switches.
        """

        def heard(answer: Answer) -> None:
            self._note(answer)
            self._tell_hearers(answer)
            answered(answer)

        self._courier.take(Call(op, given, heard))

    def look(self) -> None:
        """Something has changed that may allow to join."""
        self._courier.look()

    # --- for the courier ---

    @property
    def owner(self) -> str:
        return f"{self._place}|{self._life}"

    def urgent(self, now: float) -> Call | None:
        self._lapse_if_over(now)
        if self._joined:
            sources = [source for source, _ in self._cargo.limits]
            due = now >= self._term.renew_at
            return self._urgent("renew", self._renewed, sources=sources) if due else None
        if self._held.is_set() or self._cargo.is_empty:
            limits, tokens = self._cargo.limits, self._cargo.tokens
            return self._urgent("join", self._has_joined, limits=limits, tokens=tokens)
        return None  # a connection of the former life is being closed

    def next_at(self, now: float) -> float:
        return self._term.renew_at if self._joined else now + self.times.renewal

    def connected(self) -> None:
        self._term.renew_by(monotonic())

    def failed(self, why: str) -> None:
        if not self._trouble:
            log.warning("Valkey (LEASES_URL) %s; what plays goes on for a while", why)
        self._trouble = why

    # --- joining and renewing ---

    def _urgent(self, op: str, answered: Callable[[Call, Answer], None], **given: Any) -> Call:
        call = Call(op, given, lambda answer: answered(call, answer))
        return call

    def _has_joined(self, call: Call, answer: Answer) -> None:
        log.info("joined the instances that share Valkey")
        self._has_renewed(call, answer)
        self._joined = True
        self._cargo.joined(frozenset(answer["kept"] or ()))
        for hearer in self._hearers.values():
            hearer.joined()
        self._tell_hearers(answer)

    def _renewed(self, call: Call, answer: Answer) -> None:
        self._note(answer)
        if not self._joined:
            return
        self._has_renewed(call, answer)
        for token, source in answer["granted"] or ():
            self._cargo.granted(token, source)
        for token in answer["asked"] or ():
            self._cargo.asked(token)
        self._tell_hearers(answer)

    def _has_renewed(self, call: Call, answer: Answer) -> None:
        if self._trouble:
            log.info("Valkey (LEASES_URL) answers again")
        self._trouble = ""
        self._term.renewed(call.sent_at)
        self._held.set()
        self._note(answer)

    def _note(self, answer: Answer) -> None:
        """What each answer says beside its own."""
        if answer["is"] == "unknown":  # its lease has ended there, or the server began anew
            self._joined = False
            self._courier.look()
        if answer["grace"]:
            self._grace_until = monotonic() + answer["grace"] / 1000
            self._term.renew_by(self._grace_until + 0.01)
        if counts := answer.get("known"):
            self._cargo.known(counts)

    # --- the deadline ---

    def _watch(self) -> None:
        while True:
            self._held.wait()
            now = monotonic()
            self._lapse_if_over(now)
            gevent.sleep(max(self._term.good_until - now, 0.001) if self._held.is_set() else 0)

    def _lapse_if_over(self, now: float) -> None:
        if not self._held.is_set() or self._term.is_good(now):
            return
        log.warning("%s: this instance gives up all limited connections", self.away)
        self.lapses += 1
        self._joined = False
        self._held.clear()
        self._term.over()
        self._life = next(self._lives)
        self._courier.forget()
        self._cargo.lapsed()
        for hearer in self._hearers.values():
            hearer.lapsed()

    # --- messages ---

    def _hear(self) -> None:
        while True:
            try:
                messages = self._listen()
                try:
                    self._term.renew_by(monotonic())  # for what was told while nobody listened
                    self._courier.look()
                    while True:
                        self._heard(messages.next() or {})
                finally:
                    messages.close()
            except LinkError:
                gevent.sleep(_LISTEN_AGAIN)

    def _heard(self, message: Answer) -> None:
        if not self.joined:
            return  # the renewal tells it again, if it still holds
        if token := message.get("granted"):
            self._cargo.granted(token, message["source"])
        if token := message.get("asked"):
            self._cargo.asked(token)
        self._tell_hearers(message)

    def _tell_hearers(self, said: Answer) -> None:
        for name, hearer in self._hearers.items():
            if (what := said.get(name)) is not None:
                hearer.told(what)
