"""All media that is open, and whose it is: what has no right to be open any more is ended."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic

import gevent

from kptv.channels.model import Channel
from kptv.channels.users.model import ALL_RIGHTS, Rights, User
from kptv.channels.users.streams import (
    GRACE,
    Claim,
    Limit,
    LocalStreamCounts,
    StreamCounts,
    Verdict,
)
from kptv.channels.users.table import UserTable
from kptv.metrics.user_figures import UserFigures
from kptv.pace import Pace
from kptv.restream.lease import Lease
from kptv.vitals.repeating import Repeating
from kptv.web.caller import Caller

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5  # seconds; a change of users is looked at as soon as it is known
_ASK_AGAIN = 0.1  # seconds, of one who waits for room
_MOST_WAITING = 8  # of a user; more are refused at once
_LEAVING = 1.0  # seconds that one waits for those who give way to it: they leave at once
_LOOK_AGAIN = 0.01  # seconds, meanwhile


@dataclass(frozen=True, slots=True)
class Access:
    """What callers may, asked again while something is open to them."""

    may_have: Callable[[Rights, Channel], bool] = lambda rights, channel: False
    """Whether rights that are not all allow a channel."""
    still: Callable[[Caller], bool] = lambda caller: True
    """Whether the caller would still be let in."""
    users: Callable[[], UserTable] = UserTable
    """All there are."""

    def allows(self, rights: Rights, channel: Channel) -> bool:
        """Whether ``rights`` allow ``channel``."""
        return rights.is_all or self.may_have(rights, channel)


class Ending(StrEnum):
    """Why a stream was ended: the label of the metric."""

    LIMIT = "limit"
    LOGIN = "login"
    RIGHTS = "rights"
    OPERATOR = "operator"
    TIME = "time"

    @property
    def words(self) -> str:
        """For the log, and for whoever waits for the stream."""
        return _WORDS[self]


_WORDS = {
    Ending.LIMIT: "another stream took its place",
    Ending.LOGIN: "whoever watches is not let in any more",
    Ending.RIGHTS: "the channel is not allowed any more",
    Ending.OPERATOR: "the operator ended it",
    Ending.TIME: "the time that was asked for is over",
}


@dataclass(slots=True, eq=False)
class OpenStream:
    """Media that is open, or waited for: who has it, and on which terms."""

    caller: Caller
    channel: Channel
    lease: Lease
    until: float | None = None  # monotonic
    ending: Ending | None = field(default=None, init=False)  # its holder is told to leave
    _user: User | None = field(default=None, init=False)  # as last seen
    _rights: Rights = field(default=ALL_RIGHTS, init=False)  # of that one

    def rights(self, user: User) -> Rights:
        """Those of ``user``, who has the stream; made anew only if the user has changed."""
        if user is not self._user:
            self._user, self._rights = user, user.rights
        return self._rights


class OpenStreams:
    """Lets streams begin as the users' limits allow, and ends those that nobody may have."""

    def __init__(
        self,
        let_go: Callable[[Lease], object],
        access: Access,
        figures: UserFigures,
        counts: StreamCounts | None = None,
    ) -> None:
        """``let_go`` ends what a lease holds, and does not wait; ``counts`` counts for limits."""
        self._let_go = let_go
        self._access = access
        self._figures = figures
        self._counts = counts or LocalStreamCounts()
        self._open: dict[int, OpenStream] = {}  # by the number of the lease
        self._waiting: Counter[int] = Counter()  # for room, by user
        self._looks: Repeating | None = None  # once there is something to look at

    def __repr__(self) -> str:
        return f"<OpenStreams {len(self._open)}>"

    def __iter__(self) -> Iterator[OpenStream]:
        return iter(list(self._open.values()))

    def of_user(self, user_id: int) -> int:
        """How many are open to this user; 0: to all who are nobody in particular."""
        return sum(stream.caller.user_id == user_id for stream in self._open.values())

    @property
    def alive(self) -> bool:
        """Whether what has to end is looked for, if there may be such."""
        return self._looks is None or self._looks.alive

    def enter(self, stream: OpenStream) -> float:
        """0.0: ``stream`` may begin, and is open until its lease ends. It is not asked for twice.

        Otherwise it is refused: seconds after which there may be room. Waits until what gives way
        is closed; or, for a user whose streams do not, as long as one that is left takes for that.
        """
        caller, verdict = stream.caller, Verdict(True)
        if caller.user is not None:
            verdict = self._wait_for_room(stream, caller.user)
            if not verdict.admitted:
                self._figures.refused[caller.name] += 1
                log.warning("user %s: a stream is refused: too many are open", caller.name)
                return verdict.retry_after
            self._figures.streams[caller.name] += 1
        self._open[stream.lease.number] = stream
        stream.lease.on_end = self._left
        if caller.user is not None or stream.until is not None:
            self._look_from_now_on()
        if caller.user is not None and not self._wait_until_left(stream, verdict.ends):
            stream.lease.end()
            return GRACE
        return 0.0

    def end(self, number: int) -> bool:
        """End the stream whose lease has this number, for the operator; False: there is none."""
        stream = self._open.get(number)
        if stream is not None:
            self._end(stream, Ending.OPERATOR)
        return stream is not None

    def give_way(self, numbers: Iterable[int]) -> None:
        """End the streams whose leases have these numbers: others took their place."""
        for number in numbers:
            if stream := self._open.get(number):
                self._end(stream, Ending.LIMIT)

    def changed(self) -> None:
        """Users have changed: look at all streams in a moment. Does not wait."""
        users = self._access.users()
        self._figures.keep({user.name for user in users})
        if users or self._open:
            self._look_from_now_on()
            gevent.spawn(self.look)

    def close(self) -> None:
        """Look no more; may come twice."""
        if self._looks is not None:
            self._looks.close()

    def look(self) -> None:
        """End all that nobody may have any more; gives turns."""
        pace, now, strangers = Pace(), monotonic(), 0
        of_users: dict[int, list[OpenStream]] = {}
        for stream in self:
            pace()
            if stream.until is not None and stream.until <= now:
                self._end(stream, Ending.TIME)
            elif not self._access.still(stream.caller):
                strangers += not stream.caller.name and stream.ending is None
                self._end(stream, Ending.LOGIN)
            elif stream.caller.user is not None:
                of_users.setdefault(stream.caller.user_id, []).append(stream)
        if strangers:
            log.info("%d streams of nobody in particular are ended: a login is needed", strangers)
        for user_id, streams in of_users.items():
            pace()
            if user := self._access.users().by_id(user_id):
                self._look_after(user, streams)

    def _look_after(self, user: User, streams: Iterable[OpenStream]) -> None:
        ends = self._counts.look(user.id, limit_of(user), self._is_gone, monotonic())
        self.give_way(ends)
        for stream in streams:
            if not self._access.allows(stream.rights(user), stream.channel):
                self._end(stream, Ending.RIGHTS)

    def _look_from_now_on(self) -> None:
        if self._looks is None:
            self._looks = Repeating(self.look, LOOK_EVERY)

    def _wait_for_room(self, stream: OpenStream, user: User) -> Verdict:
        """Whether the stream is admitted, and counts from now on."""
        client = stream.lease.client
        claim = Claim(stream.lease.number, stream.channel.slug, client.address, client.agent)
        until = monotonic() + GRACE
        while True:
            now, limit = monotonic(), limit_of(user)
            verdict = self._counts.ask(user.id, claim, limit, self._is_gone, now)
            self.give_way(verdict.ends)
            if verdict.admitted and not self._is_let_in(stream, user):  # any more: it was waited
                self._counts.leave(user.id, claim.number)
                return Verdict(False, (), GRACE)
            if verdict.admitted or not limit.refuses or now >= until:
                return verdict
            if not self._wait(stream, user.id):
                return verdict
            found = self._access.users().by_id(user.id)
            if found is None or not self._access.still(stream.caller):
                return verdict
            user = found

    def _is_let_in(self, stream: OpenStream, user: User) -> bool:
        user = self._access.users().by_id(user.id) or user
        is_allowed = self._access.allows(stream.rights(user), stream.channel)
        return is_allowed and self._access.still(stream.caller)

    def _wait(self, stream: OpenStream, user: int) -> bool:
        """For a moment; False: it is not worth while."""
        if self._waiting[user] >= _MOST_WAITING or stream.lease.departed():
            return False
        self._waiting[user] += 1
        try:
            gevent.sleep(_ASK_AGAIN)
        finally:
            self._waiting[user] -= 1
            if not self._waiting[user]:
                del self._waiting[user]
        return True

    def _wait_until_left(self, stream: OpenStream, numbers: Iterable[int]) -> bool:
        """Until those that give way to its user's streams have closed what they hold.

        They do so soon, or are not waited for. False: it had to give way itself meanwhile. So many
        who come at once ask no provider for more than may be open, even if ``look`` has ended one.
        """
        until, lease = monotonic() + _LEAVING, stream.lease
        leaving = {*numbers, *self._leaving(stream.caller.user_id)}
        lease.waiting = True  # whoever lets it go does not hang up: there is an answer to come
        while stream.ending is None and monotonic() < until:
            if not any(number in self._open for number in leaving):
                break
            gevent.sleep(_LOOK_AGAIN)
        lease.waiting = False
        return stream.ending is None

    def _leaving(self, user_id: int) -> list[int]:
        """The numbers of a user's streams that give way to others, and are open yet."""
        return [
            number
            for number, stream in self._open.items()
            if stream.ending is Ending.LIMIT and stream.caller.user_id == user_id
        ]

    def _is_gone(self, number: int) -> bool:
        stream = self._open.get(number)
        return stream is None or stream.lease.departed()

    def _end(self, stream: OpenStream, why: Ending) -> None:
        if stream.ending is not None or stream.lease.number not in self._open:
            return
        stream.ending = why
        lease, caller = stream.lease, stream.caller
        if not lease.departed():  # or it would have ended by itself
            if caller.user is not None:
                self._figures.ended[caller.name, why] += 1
            whose = f"user {caller.name}'s stream" if caller.name else "a stream"
            # Of strangers there may be thousands: ``look`` counts them.
            level = logging.DEBUG if why is Ending.LOGIN and not caller.name else logging.INFO
            log.log(level, "%s: %s is ended: %s", stream.channel.slug, whose, why.words)
        self._let_go(lease)

    def _left(self, lease: Lease) -> None:
        """Its holder has closed what it held."""
        stream = self._open.pop(lease.number)
        if stream.caller.user is not None:
            self._counts.leave(stream.caller.user_id, lease.number)
            self._figures.streams[stream.caller.name] -= 1


def limit_of(user: User) -> Limit:
    """How many streams a user may have."""
    return Limit(user.max_streams, user.refuses)
