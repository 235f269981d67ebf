"""Streams, hosts and accounts that are left alone for a while because they refused us. Pure.

Theory of operation. An answer counts for the address that gave it. A stream that asks for a pause
(Retry-After) rests. "Too many connections" concerns the account if most links of the list lead to
the host that said so, else only that host. A 403 or 503 means the same, but only while another
connection to the account is open, or if several streams say so at the same time. An account or a
host is tried again after a minute, however long a rest it asked for: a single wrong answer would
otherwise close everything behind it. An account whose proxy does not work rests as a whole: no
stream behind it can be had, and none is to blame. What others were asked (other instances) holds
here as well, but they may have the first look (``Rest.behind``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum

from kptv.channels.model import Source, Stream, StreamKey
from kptv.errors import RATE_LIMITS, Reason, UpstreamError

FIRST_REST, LONGEST_REST = 5.0, 60.0  # seconds, doubling, if no time is named
LONGEST_STREAM_REST = 600.0
LOOK_AFTER = 60.0  # seconds until a host or an account is tried again, even if it named more
AMBIGUOUS = frozenset((403, 503))  # this stream is refused, or there are too many connections
TOLD_BY, TOLD_WITHIN = 3, 10.0  # so many streams within so many seconds speak for all
_REMEMBERED = 4096  # parties; if there are more, those whose rest is over are forgotten


class Scope(StrEnum):
    """How far a refusal reaches."""

    STREAM = "stream"
    HOST = "host"
    ACCOUNT = "account"


Party = tuple[Scope, int, str]  # scope, number of the source, host or URL ("" for an account)


@dataclass(frozen=True, slots=True)
class Rest:
    """A party that is left alone."""

    party: Party = field(repr=False)
    name: str  # of the stream that was refused
    why: UpstreamError
    since: float
    first_look: float  # when it is tried again, by whoever looks first
    until: float  # the end of the rest that it asked for: maybe later
    times: int = 1  # in a row
    behind: float = 0.0  # seconds that others have for a look before we take one

    @property
    def look_at(self) -> float:
        """When we try it again."""
        return self.first_look + self.behind

    @property
    def scope(self) -> Scope:
        """Whether a stream, a host or an account rests."""
        return self.party[0]

    @property
    def key(self) -> StreamKey:
        """The source's number, and the host or URL (a secret). For a stream that is its key."""
        return self.party[1:]

    @property
    def seconds(self) -> float:
        """How long it is left alone."""
        return self.look_at - self.since


def _nothing(_: object) -> None:
    pass


def _as_it_is(source: Source, host: str) -> str:
    return host


class Rests:
    """All parties that rest."""

    def __init__(
        self,
        began: Callable[[Rest], object] = _nothing,
        ended: Callable[[Party], object] = _nothing,
        name_of: Callable[[Source, str], str] = _as_it_is,
    ) -> None:
        """``began`` and ``ended`` hear what we were asked, and which rests media has ended.

        ``name_of`` gives what a host of a source is called here, in its party.
        """
        self._began, self._ended, self._name_of = began, ended, name_of
        self._rests: dict[Party, Rest] = {}
        # By host or account: the URLs of its streams that said 403 or 503 lately, and when.
        self._told: dict[Party, dict[str, float]] = {}

    def __repr__(self) -> str:
        return f"<Rests {len(self._rests)}>"

    def of(self, stream: Stream) -> Rest | None:
        """The rest that keeps ``stream`` from being opened longest; it may be over."""
        found = [self._rests[p] for p in self._parties(stream) if p in self._rests]
        return max(found, key=lambda rest: rest.look_at, default=None)

    def get(self, party: Party) -> Rest | None:
        """The rest of a party; it may be over."""
        return self._rests.get(party)

    def asked_until(self, stream: Stream) -> float:
        """The latest end of a rest that was asked for ``stream``; 0 if none was."""
        found = (self._rests[p].until for p in self._parties(stream) if p in self._rests)
        return max(found, default=0)

    def all(self, now: float) -> list[Rest]:
        """The rests that are not over."""
        return [rest for rest in self._rests.values() if rest.look_at > now]

    def streams(self) -> list[StreamKey]:
        """Keys of the streams that rest on their own account, not their host's."""
        return [(number, url) for scope, number, url in self._rests if scope is Scope.STREAM]

    def party(self, stream: Stream, error: UpstreamError, now: float, busy: bool) -> Party | None:
        """The party that ``error`` asks us to leave alone; None if it is a failure of the stream.

        ``busy``: other connections to the account are open.
        """
        if error.reason is Reason.PROXY:
            return account_of(stream.source)
        shared = self._shared(stream)
        asks = error.reason is Reason.RATE_LIMITED
        if error.status is None or error.status in RATE_LIMITS:
            return shared if asks else None
        if error.status in AMBIGUOUS:
            told = self._note(shared, stream.url, now)
            if busy or len(told) >= TOLD_BY:
                return shared
        return _own(stream) if asks else None

    def rest(self, party: Party, name: str, error: UpstreamError, now: float) -> Rest:
        """Leave ``party`` alone; ``name`` is the refused stream's."""
        before = self._rests.get(party)
        times = before.times if before else 1
        if before and now >= before.look_at:  # else it was asked before: they refuse side by side
            times += 1
        asked = min(FIRST_REST * 2.0 ** min(times - 1, 16), LONGEST_REST)
        if error.retry_after:  # 0 would make a loop without a pause
            asked = max(error.retry_after, 1.0)
        if party[0] is Scope.STREAM:
            asked = min(asked, LONGEST_STREAM_REST)
            look = now + asked
        else:
            look = now + min(asked, LOOK_AFTER)
        if before:
            look, asked = max(look, before.first_look), max(asked, before.until - now)
        rest = Rest(party, name, error.to_keep(), now, look, now + asked, times)
        self._keep(rest, now)
        self._began(rest)
        return rest

    def take(self, told: Rest, now: float) -> Rest:
        """Leave a party alone as others were asked to; what we were asked holds as well."""
        if own := self._rests.get(told.party):
            told = replace(
                told if told.behind else replace(own, behind=0.0),  # it says why, for people
                first_look=max(told.first_look, own.first_look),
                until=max(told.until, own.until),
                times=max(told.times, own.times),
            )
        self._keep(told, now)
        return told

    def drop(self, rest: Rest) -> bool:
        """Others were let in; False if another rest, or none, holds now."""
        if self._rests.get(rest.party) is not rest:
            return False
        self._forget(rest.party)
        return True

    def take_back(self, party: Party) -> list[StreamKey]:
        """The streams that spoke for a host or account; their own rests end."""
        told = self._told.get(party, {})
        if len(told) < TOLD_BY:
            return []
        del self._told[party]
        keys = [(party[1], url) for url in told]
        for key in keys:
            self.end(key)
        return keys

    def let_in(self, stream: Stream) -> None:
        """It gave media: neither it nor its host or account asks for a rest any more."""
        for party in (_own(stream), self._shared(stream)):
            if self._forget(party):
                self._ended(party)
        account = self._rests.get(account_of(stream.source))
        if account and account.why.reason is Reason.PROXY:
            del self._rests[account.party]

    def end(self, key: StreamKey) -> bool:
        """End the rest of a stream; False if it had none."""
        return self._rests.pop((Scope.STREAM, *key), None) is not None

    def imported(self, numbers: Collection[int] | None) -> None:
        """End the rests of streams and hosts of these sources (None: all): links may be new."""
        self._rests = {
            party: rest
            for party, rest in self._rests.items()
            if rest.scope is Scope.ACCOUNT or (numbers is not None and party[1] not in numbers)
        }

    def _keep(self, rest: Rest, now: float) -> None:
        if len(self._rests) >= _REMEMBERED:
            self._rests = {p: each for p, each in self._rests.items() if each.until > now}
        self._rests[rest.party] = rest

    def _forget(self, party: Party) -> Rest | None:
        self._told.pop(party, None)
        return self._rests.pop(party, None)

    def _note(self, shared: Party, url: str, now: float) -> dict[str, float]:
        """The streams of a host or account that were refused just now, with this one."""
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        told = self._told.get(shared, {})
        told = {other: at for other, at in told.items() if now - at <= TOLD_WITHIN} | {url: now}
        self._told[shared] = told
        return told

    def _shared(self, stream: Stream) -> Party:
        """The host of the stream's link, or the account if most of its links lead to that host."""
        source, host = stream.source, stream.other_host
        return (
            (Scope.HOST, source.number, self._name_of(source, host)) if host else account_of(source)
        )

    def _parties(self, stream: Stream) -> tuple[Party, ...]:
        """All parties whose rest keeps the stream from being opened."""
        return _own(stream), self._shared(stream), account_of(stream.source)


def _own(stream: Stream) -> Party:
    return Scope.STREAM, stream.source.number, stream.url


def account_of(source: Source) -> Party:
    """The account itself."""
    return Scope.ACCOUNT, source.number, ""
