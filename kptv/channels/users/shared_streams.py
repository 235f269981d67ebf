"""A user's streams at several instances, as one of them knows and judges them. Pure.

A server keeps the claims of all, and a version of them. An instance has the state that it was told
last: it judges that (``UserStreams``), and tells what it has decided of which version. If another
was quicker, the server says so with the state as it is, and it is judged again. What this instance
has claimed, was told, and is missing in a state, somebody has ended.

The server names a stream by its *ticket*, which is no secret. Here streams have numbers: those of
other instances are below zero. Seats and clients are digests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from kptv.channels.users.streams import Limit, Remembered, UserStreams, Verdict

Judge = Callable[[UserStreams], Verdict]
"""Decides, and changes what it is given so."""


@dataclass(eq=False, slots=True)
class Own:
    """A stream of this instance."""

    number: int
    ticket: str
    seat: str
    client: str
    is_sent: bool = False  # the server may know of it
    is_told: bool = False  # it does


@dataclass(frozen=True, slots=True)
class _Foreign:
    number: int  # below zero, and another one in each state
    ticket: str
    seat: str
    client: str


@dataclass(frozen=True, slots=True)
class SharedState:
    """What the server has told; as long as it has told nothing: that there is nothing."""

    version: str = ""
    claims: tuple[tuple[str, str, str], ...] = ()  # ticket, seat, client; in the order of coming
    remembered: Remembered = field(default_factory=Remembered)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, and what the server has to hear so that it holds."""

    verdict: Verdict
    adds: tuple[Own, ...]
    ended: tuple[Own, ...]
    given: dict[str, Any] = field(repr=False)  # for the operation ``claim``
    changes: bool  # anything


class SharedUser:
    """One user's streams."""

    def __init__(self) -> None:
        self._own: dict[str, Own] = {}  # by ticket, in the order in which they came
        self._state = SharedState()

    def __repr__(self) -> str:
        return f"<SharedUser own={len(self._own)} {self._state.version!r}>"

    @property
    def is_empty(self) -> bool:
        """Nothing is open here."""
        return not self._own

    def is_calm(self, now: float) -> bool:
        """Whether anybody may take over from others."""
        return self._state.remembered.calm_until <= now

    def is_settled(self, limit: Limit) -> bool:
        """Whether nothing is to be told, and nothing can be over the limit."""
        remembered, claims = self._state.remembered, self._state.claims
        if remembered.over_until is not None or len(claims) > limit.most:
            return False
        return all(own.is_told for own in self._own.values())

    # --- what is open here ---

    def add(self, own: Own) -> None:
        """It is open from now on."""
        self._own[own.ticket] = own
        own.is_told = own.ticket in self._tickets()

    def has(self, own: Own) -> bool:
        """Whether it is open, and counts."""
        return self._own.get(own.ticket) is own

    def remove(self, ticket: str) -> Own | None:
        """It is open no more; None: it was not."""
        return self._own.pop(ticket, None)

    # --- judging ---

    def plan(self, judge: Judge, now: float, asked: Own | None = None) -> Decision:
        """What ``judge`` says of all that is known; nothing changes yet.

        ``asked``: what it may add. The server may have heard of it, and its answer got lost.
        """
        numbered, known = self._all(asked), self._tickets()
        streams = UserStreams(numbered, self._state.remembered)
        verdict = judge(streams)
        adds = tuple(c for c in streams.claims if isinstance(c, Own) and c.ticket not in known)
        ended = [claim for claim in numbered if claim.number in verdict.ends]
        memory = _changes(self._state.remembered, streams.remembered, now)
        given = {
            "version": self._state.version,
            "adds": [(own.ticket, own.seat, own.client) for own in adds],
            "ends": [claim.ticket for claim in ended],
            **memory,
        }
        own_ended = tuple(claim for claim in ended if isinstance(claim, Own))
        verdict = Verdict(
            verdict.admitted, tuple(own.number for own in own_ended), verdict.retry_after
        )
        return Decision(verdict, adds, own_ended, given, bool(adds or ended or memory))

    def carried_out(self, plan: Decision) -> None:
        """The server has done as was planned: what that ends is open no more."""
        for own in plan.ended:
            self._own.pop(own.ticket, None)

    def alone(self, judge: Judge) -> tuple[Verdict, list[Own]]:
        """What ``judge`` says of this instance's own streams, and which ones that ends."""
        streams = UserStreams(self._own.values(), self._state.remembered)
        verdict = judge(streams)
        self._state = SharedState(remembered=streams.remembered)
        ended = [own for own in self._own.values() if own.number in verdict.ends]
        self._own = {c.ticket: c for c in streams.claims if isinstance(c, Own)}
        return verdict, ended

    # --- what the server says ---

    def note(self, state: SharedState) -> list[Own]:
        """It is as ``state`` says; which ones of this instance somebody has ended."""
        self._state = state
        known = self._tickets()
        ended = [own for own in self._own.values() if own.is_told and own.ticket not in known]
        for own in ended:
            del self._own[own.ticket]
        for own in self._own.values():
            own.is_told = own.ticket in known
        return ended

    def joined(self) -> None:
        """The server may know nothing of what it was told."""
        self._state = SharedState()
        for own in self._own.values():
            own.is_told = False

    def _all(self, asked: Own | None) -> list[Own | _Foreign]:
        """In the order of coming: what the server knows not yet comes last."""
        untold, found = dict(self._own), list[Own | _Foreign]()
        for number, (ticket, seat, client) in enumerate(self._state.claims, 1):
            if asked is not None and ticket == asked.ticket:
                found.append(asked)
            else:
                own = untold.pop(ticket, None)
                found.append(own or _Foreign(-number, ticket, seat, client))
        return [*found, *untold.values()]

    def _tickets(self) -> set[str]:
        """Of all that the server knows."""
        return {ticket for ticket, _, _ in self._state.claims}


def state_of(answer: dict[str, Any], now: float) -> SharedState:
    """The state that an answer of the server tells."""
    over, calm = answer.get("over"), answer.get("calm")
    remembered = Remembered(
        over_until=now + over[0] / 1000 if over else None,
        over_by=over[1] if over else None,
        calm_until=now + calm / 1000 if calm is not None else -inf,
    )
    claims = tuple((ticket, seat, client) for ticket, seat, client in answer["claims"] or ())
    return SharedState(answer["version"], claims, remembered)


def _changes(before: Remembered, after: Remembered, now: float) -> dict[str, Any]:
    """What is remembered anew, as ``claim`` is told it: times as ms from now."""
    told: dict[str, Any] = {}
    if (before.over_until, before.over_by) != (after.over_until, after.over_by):
        until = after.over_until
        told["over"] = until is not None and (_ms(until - now), after.over_by)
    if before.calm_until != after.calm_until:
        told["calm"] = _ms(after.calm_until - now)
    return told


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
