"""How many streams a user has open, and which one gives way. Pure: told the time, opens nothing.

Theory of operation. A *seat* is a channel at an address: whoever asks for one again, as players do
that look at a channel before they play it, is no stream more. A *client* is an address and an
application. For GRACE seconds a user may have one seat more than the limit, as a player that zaps
may open the next channel before it closes the last; two more are never open. If nothing has closed
by then, the oldest other seat of the client that opened it is ended, or else the oldest of all. A
client may take over from itself as often as it likes: before it would have a second seat more, its
newest goes at once. From other clients it may take over once in TAKE_OVER_EVERY seconds, so that
two do not throw each other out in turns. A seat has MOST_OF_SEAT streams at most: of a film, each
range has a connection to the provider.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol

GRACE = 3.0  # seconds in which one seat more is open; players close what they left within one
TAKE_OVER_EVERY = 5.0  # seconds
MOST_OF_SEAT = 8  # streams: two TVs with Kodi behind one address, which opens each four times

Seat = Hashable  # channel, address
Client = Hashable  # address, application
Gone = Callable[[int], bool]
"""Whether the viewer of the stream with this number has left, though its end is not told yet."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a user may have."""

    most: int = 0  # seats; 0: no limit
    refuses: bool = False  # one more, though an older one could give way


class Counted(Protocol):
    """What counts of a stream."""

    @property
    def number(self) -> int:
        """Its own."""
        ...

    @property
    def seat(self) -> Seat:
        """What the limit counts."""
        ...

    @property
    def client(self) -> Client:
        """What asks for it."""
        ...


@dataclass(frozen=True, slots=True)
class Claim:
    """A stream that is open, or that somebody asks for."""

    number: int  # its own
    channel: str  # slug
    address: str
    agent: str

    @property
    def seat(self) -> Seat:
        """What counts."""
        return self.channel, self.address

    @property
    def client(self) -> Client:
        """What asks for it."""
        return self.address, self.agent


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a stream may be opened."""

    admitted: bool
    ends: tuple[int, ...] = ()  # numbers of the streams that end now, before anything is opened
    retry_after: float = 0.0  # seconds, if it is refused


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a user's streams beside which ones are open."""

    over_until: float | None = None  # one seat more is open until then
    over_by: Client | None = None  # whose; None: the limit was lowered
    calm_until: float = -inf  # nobody takes over from others before


class StreamCounts(Protocol):
    """The streams of all users, by whoever counts them: this process, or several together."""

    def ask(self, user: int, claim: Claim, limit: Limit, gone: Gone, now: float) -> Verdict:
        """Whether ``claim`` may be opened now; if so, it counts until ``leave``.

        May wait for an answer. Whoever is killed meanwhile has no claim.
        """
        ...

    def leave(self, user: int, number: int) -> None:
        """That stream is open no more; may come twice, also for one that was never admitted."""
        ...

    def look(self, user: int, limit: Limit, gone: Gone, now: float) -> Sequence[int]:
        """Numbers of the streams that have to end now; asked for once a second. Never waits."""
        ...


class LocalStreamCounts:
    """The streams of all users, in this process's memory (see StreamCounts)."""

    def __init__(self) -> None:
        self._users: dict[int, UserStreams] = {}

    def __repr__(self) -> str:
        return f"<LocalStreamCounts users={len(self._users)}>"

    def ask(self, user: int, claim: Claim, limit: Limit, gone: Gone, now: float) -> Verdict:
        return self._users.setdefault(user, UserStreams()).ask(claim, limit, gone, now)

    def leave(self, user: int, number: int) -> None:
        if streams := self._users.get(user):
            streams.leave(number)
            if streams.is_as_new:
                del self._users[user]

    def look(self, user: int, limit: Limit, gone: Gone, now: float) -> Sequence[int]:
        streams = self._users.get(user)
        return streams.look(limit, gone, now) if streams else ()


class UserStreams:
    """The open streams of one user."""

    def __init__(
        self, claims: Iterable[Counted] = (), remembered: Remembered = Remembered()
    ) -> None:
        """``claims``: those that are open, in the order in which they came."""
        self._claims = {claim.number: claim for claim in claims}
        self.remembered = remembered

    def __repr__(self) -> str:
        return f"<UserStreams {len(self._claims)} {self.remembered}>"

    @property
    def claims(self) -> list[Counted]:
        """Those that are open, in the order in which they came."""
        return list(self._claims.values())

    @property
    def is_as_new(self) -> bool:
        """It remembers nothing."""
        return not self._claims and self.remembered.calm_until == -inf

    def ask(self, claim: Counted, limit: Limit, gone: Gone, now: float) -> Verdict:
        """See StreamCounts."""
        if claim.number in self._claims:  # it was asked for, and the answer got lost
            return Verdict(True)
        ends = self._end_gone(gone) if limit.most else ()
        excess = self._excess(limit)
        if excess <= 0:
            self._calm_down()
        if limit.most and self._is_crowded(claim.seat):
            return Verdict(False, ends, GRACE)
        if excess < 0 or claim.seat in self._seats():
            self._claims[claim.number] = claim
            return Verdict(True, ends)
        if limit.refuses:
            return Verdict(False, ends, GRACE)
        if self._seats_of(claim.client):
            ends += self._make_room(limit, lambda: self._newest_of(claim.client))
        elif (wait := self.remembered.calm_until - now) > 0:
            return Verdict(False, ends, wait)
        else:
            ends += self._make_room(limit, self._victim)
            self._calm_down()
            self.remembered = replace(self.remembered, calm_until=now + TAKE_OVER_EVERY)
        self._claims[claim.number] = claim
        if self.remembered.over_until is None:
            self._tolerate(now, claim.client)
        return Verdict(True, ends)

    def leave(self, number: int) -> None:
        """See StreamCounts."""
        self._claims.pop(number, None)

    def look(self, limit: Limit, gone: Gone, now: float) -> Sequence[int]:
        """See StreamCounts."""
        ends = self._end_gone(gone) if self._excess(limit) > 0 else ()
        while self._excess(limit) > 1:  # it was lowered
            ends += self._end(self._victim())
        if self._excess(limit) <= 0:
            self._calm_down()
        elif self.remembered.over_until is None:
            self._tolerate(now, None)
        elif now >= self.remembered.over_until:
            ends += self._end(self._victim())
            self._calm_down()
        return ends

    def _tolerate(self, now: float, client: Client | None) -> None:
        """One seat more is open, of ``client``."""
        self.remembered = replace(self.remembered, over_until=now + GRACE, over_by=client)

    def _calm_down(self) -> None:
        """Nothing is over the limit."""
        if self.remembered.over_until is not None:
            self.remembered = replace(self.remembered, over_until=None, over_by=None)

    def _excess(self, limit: Limit) -> int:
        """By how many seats the user is over the limit; below 0: there is room for one more."""
        if len(self._claims) < limit.most:  # nearly always
            return -1
        return len(self._seats()) - limit.most if limit.most else -1

    def _is_crowded(self, seat: Seat) -> bool:
        """Whether it has as many streams as it may."""
        if len(self._claims) < MOST_OF_SEAT:  # nearly always
            return False
        return sum(claim.seat == seat for claim in self._claims.values()) >= MOST_OF_SEAT

    def _seats(self) -> dict[Seat, None]:
        """The oldest first."""
        return dict.fromkeys(claim.seat for claim in self._claims.values())

    def _seats_of(self, client: Client | None) -> list[Seat]:
        """Likewise."""
        own = (claim.seat for claim in self._claims.values() if claim.client == client)
        return list(dict.fromkeys(own))

    def _newest_of(self, client: Client) -> Seat:
        own = self._seats_of(client)
        return own[-1] if own else self._victim()

    def _victim(self) -> Seat:
        """The seat that gives way: not the one that was opened last by who is over the limit."""
        own = self._seats_of(self.remembered.over_by)
        others = (seat for seat in self._seats() if seat not in own)
        return (*own[:-1], *others, *own)[0]

    def _make_room(self, limit: Limit, which: Callable[[], Seat]) -> tuple[int, ...]:
        """End seats until one more is only one more than allowed."""
        ends: tuple[int, ...] = ()
        while len(self._seats()) > limit.most:
            ends += self._end(which())
        return ends

    def _end(self, seat: Seat) -> tuple[int, ...]:
        ends = tuple(n for n, claim in self._claims.items() if claim.seat == seat)
        for number in ends:
            del self._claims[number]
        return ends

    def _end_gone(self, gone: Gone) -> tuple[int, ...]:
        ends = tuple(filter(gone, self._claims))
        for number in ends:
            del self._claims[number]
        return ends
