"""What one instance was asked to leave alone, all of them leave alone (see ``channels.resting``).

Whoever is asked by an account, or by a host, tells the server, and so does whoever is let in. Each
takes what the server tells as if it had been asked itself, with one difference: instances look in
turn whether a rest is over, as the answer to one look tells all. Decisions stay with each instance,
which while it is alone goes by what it heard last.

Nothing of an account is told: a source and a host are digests, a reason is a word of ours. Clocks
of machines differ, so what is left of a rest is told, and no time. The rest of a source whose proxy
does not work is not told: each machine has its own way there.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from time import monotonic
from typing import Any

from kptv.channels.model import Source
from kptv.channels.resting import LOOK_AFTER, Party, Rest, Rests, Scope
from kptv.errors import Reason, UpstreamError
from kptv.restream.shared_server import Server, name_of

log = logging.getLogger(__name__)

TURN = 2.0  # seconds for a look, and for its outcome to be told, before the next instance looks
_LAST_TURN = 5  # who comes later looks together
_LONGEST = 86400.0  # seconds; more is nonsense
_REMEMBERED = 1024  # parties of which something is to be told


@dataclass(frozen=True, slots=True)
class _Taken:
    number: int  # of the change that was heard of
    rest: Rest


class SharedRests:
    """Joins the ``rests`` of this instance with those of the others."""

    def __init__(
        self, sources: Iterable[Source], server: Server, clock: Callable[[], float] = monotonic
    ) -> None:
        self.rests = Rests(self._began, self._ended, _name_of_host)
        self._sources = {source.number: source for source in sources}
        self._server = server
        self._clock = clock
        # What is to be told, also to a server that begins anew: we were asked for a rest, or were
        # let in (then the number of the change that we had heard of, or 0).
        self._own: dict[Party, Rest | int] = {}
        self._taken: dict[Party, _Taken] = {}
        self._since: object = None  # when the server began

    def __repr__(self) -> str:
        return f"<SharedRests own={len(self._own)} taken={len(self._taken)}>"

    # --- what this instance hears from providers ---

    def _began(self, rest: Rest) -> None:
        if rest.scope is Scope.STREAM or rest.why.reason is Reason.PROXY:
            return
        if len(self._own) >= _REMEMBERED:
            now = self._clock()
            self._own = {p: own for p, own in self._own.items() if _runs(own, now)}
        self._own[rest.party] = rest
        self._tell(rest.party)

    def _ended(self, party: Party) -> None:
        if party[0] is not Scope.STREAM and (party in self._own or party in self._taken):
            taken = self._taken.get(party)
            self._own[party] = taken.number if taken else 0
            self._tell(party)

    def _tell(self, party: Party) -> None:
        if not self._server.joined:
            return  # it is told as soon as that is so
        own = self._own[party]
        source = name_of(self._sources[party[1]])
        if isinstance(own, Rest):
            words = _words(own, self._clock())
            self._server.tell("rest", source=source, host=party[2], **words)
            return

        def heard(_: Any) -> None:
            if self._own.get(party) == own:
                del self._own[party]

        self._server.tell("rested", heard, source=source, host=party[2], number=own)

    # --- what it hears from the others ---

    def joined(self) -> None:
        names = {name_of(source) for source in self._sources.values()}
        # Its answer tells which rests have ended meanwhile; the others are told again behind it.
        self._server.tell("know", self._tell_all, sources=sorted(names))

    def _tell_all(self, _: Any) -> None:
        now = self._clock()
        for party, own in list(self._own.items()):
            if isinstance(own, int) or _runs(own, now):
                self._tell(party)

    def lapsed(self) -> None:
        """What it heard last goes on to hold."""

    def told(self, what: Any) -> None:
        if what.get("news"):
            self._server.tell("resting")
            return
        if what["since"] != self._since:  # it knows nothing, and its numbers began anew
            self._since, self._taken = what["since"], {}
            self._own = {p: own for p, own in self._own.items() if isinstance(own, Rest)}
        now, listed = self._clock(), set()
        for told in what["all"] or ():
            for party in self._parties(told):
                listed.add(party)
                self._take(party, told, now)
        for party in self._taken.keys() - listed:
            self._end(self._taken.pop(party).rest, now)

    def _parties(self, told: Any) -> Iterator[Party]:
        """The account or host that is meant; several if an account is listed twice."""
        scope = Scope.HOST if told["host"] else Scope.ACCOUNT
        for source in self._sources.values():
            if name_of(source) == told["source"]:
                yield scope, source.number, told["host"]

    def _take(self, party: Party, told: Any, now: float) -> None:
        number, behind = told["number"], min(told["turn"], _LAST_TURN) * TURN
        taken, current = self._taken.get(party), self.rests.get(party)
        over = self._own.get(party)
        if isinstance(over, int) and (not over or number <= over):
            return  # it has ended here, which is about to be told
        if taken is None or taken.number != number:
            rest = self.rests.take(_rest(party, told, behind, now), now)
            if rest.behind and rest.look_at > now and (not current or current.look_at <= now):
                left = rest.look_at - now
                log.info("%s: leaving %s alone for %.0f s: %s", *self._who(party), left, rest.why)
        elif current is None or (current is taken.rest and current.behind == behind):
            return  # in the first case an import has ended it
        else:
            rest = self.rests.take(replace(current, behind=behind), now)
        self._taken[party] = _Taken(number, rest)

    def _end(self, rest: Rest, now: float) -> None:
        """Media came at another instance, unless its time was over."""
        if rest.look_at > now and self.rests.drop(rest):
            self._own.pop(rest.party, None)
            log.info("%s lets another instance in: %s is tried again", *self._who(rest.party))

    def _who(self, party: Party) -> tuple[str, str]:
        what = "a host" if party[0] is Scope.HOST else "the source"
        return self._sources[party[1]].tag, what


def _runs(own: Rest | int, now: float) -> bool:
    return isinstance(own, Rest) and own.until > now


def _words(rest: Rest, now: float) -> dict[str, Any]:
    """What of a rest is told."""
    return {
        "look": round((rest.first_look - now) * 1000),
        "ends": round((rest.until - now) * 1000),
        "times": rest.times,
        "reason": str(rest.why.reason),
        "status": rest.why.status,
    }


def _rest(party: Party, told: Any, behind: float, now: float) -> Rest:
    """What another instance told, which may be of another version."""
    reason, status = told.get("reason"), told.get("status")
    known = Reason(reason) if reason in set(Reason) else Reason.RATE_LIMITED
    said = f"HTTP {status}" if isinstance(status, int) else "a refusal"
    look = min(told["look"] / 1000, LOOK_AFTER)
    return Rest(
        party,
        name="",
        why=UpstreamError(known, f"{said} to another instance", status=status),
        since=now - told["ago"] / 1000,
        first_look=now + look,
        until=now + max(min(told["ends"] / 1000, _LONGEST), look),
        times=told["times"],
        behind=behind,
    )


@lru_cache(1024)
def _name_of_host(source: Source, host: str) -> str:
    """What others call a host: the same in each instance, and nothing of its account."""
    return hashlib.sha256(f"{source.url}\n{host}".encode()).hexdigest()[:16]
