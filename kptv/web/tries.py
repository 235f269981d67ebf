"""Finds out whose a secret is that a request shows, slowed down where much has failed.

Theory of operation. Failures are counted by neighbourhood, by name, and by both together. A *lane*
is a neighbourhood with a name, or with a made secret. Where a lane was right before, only its own
failures count, so whoever guesses delays nobody who watches already: neither the others behind the
same address, nor the user whose name is tried elsewhere. A wrong secret that comes again from where
it came before is answered from memory and is no new try: a television with a revoked link asks
every few seconds. Right and wrong wait alike, so waiting tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from hashlib import blake2s
from secrets import token_bytes
from time import monotonic

import gevent
from cachetools import TTLCache

from kptv.channels.users.names import LONGEST_NAME, looks_made
from kptv.channels.users.table import Found
from kptv.users.checking import Busy, Checker
from kptv.users.current import CurrentUsers
from kptv.web.credentials import ShownSecret
from kptv.web.throttle import Failures, Throttle, TooManyTries

_MOST = 10_000  # lanes, and wrong secrets, that are remembered
_LANES_KEPT = 7 * 86400.0  # seconds; then it may wait once
_WRONG_KEPT = 86400.0

_Counted = tuple[Failures, Hashable]  # where, and as what


class Tries:
    """Checks what is shown; knows what has failed."""

    def __init__(
        self,
        users: CurrentUsers,
        checker: Checker,
        now: Callable[[], float] = monotonic,
        sleep: Callable[[float], object] = gevent.sleep,
    ) -> None:
        self._users = users
        self._checker = checker
        self._throttle = Throttle(sleep)
        self._by_place, self._by_name, self._by_lane = Failures(now), Failures(now), Failures(now)
        self._right: TTLCache[Hashable, bool] = TTLCache(_MOST, _LANES_KEPT, now)
        self._now = now
        self._wrong: TTLCache[bytes, bool]
        self._forget_wrong()
        self._key = token_bytes(16)
        users.watch(self._forget_wrong)

    def __repr__(self) -> str:
        return f"<Tries right={len(self._right)} wrong={len(self._wrong)} {self._throttle}>"

    def user_of(self, place: str, shown: ShownSecret) -> Found | None:
        """Whose secret that is, shown from this neighbourhood; it may wait. Raises TooManyTries."""
        mark = self._mark(place, shown)
        if mark in self._wrong or self._users.trouble:
            return None
        name = shown.name.lower()[: LONGEST_NAME + 1]
        lane = (place, mark if looks_made(shown.secret) else name)
        is_known = lane in self._right
        counted: list[_Counted] = [(self._by_lane, lane)]
        if not is_known:
            counted += [(self._by_place, place)]
            counted += [(self._by_name, name)] if name else []
        worst = max(failures.of(key) for failures, key in counted)
        self._throttle.hold_back(lane if is_known else place, worst)
        found = self._check(shown, mark, counted)
        if found is not None and not is_known:
            self._right[lane] = True
        return found

    def _forget_wrong(self) -> None:
        """The users have changed, so what was wrong may be right now."""
        self._wrong = TTLCache(_MOST, _WRONG_KEPT, self._now)

    def _check(self, shown: ShownSecret, mark: bytes, counted: list[_Counted]) -> Found | None:
        wrong = self._wrong  # that of the users of now: they may change during the check
        for failures, key in counted:  # before the check, as many may be under way at once
            failures.count(key)
        try:
            found = self._found(shown)
        except Busy:
            _take_back(counted)
            raise TooManyTries from None
        if found is not None or mark in wrong:
            _take_back(counted)
        if found is None:
            wrong[mark] = True
        return found

    def _found(self, shown: ShownSecret) -> Found | None:
        if shown.name:
            return self._checker.login(shown.name, shown.secret)
        return self._checker.made(shown.secret)

    def _mark(self, place: str, shown: ShownSecret) -> bytes:
        text = f"{place}\0{shown.name.lower()}\0{shown.secret}"
        return blake2s(text.encode("utf-8", "replace"), key=self._key).digest()


def _take_back(counted: list[_Counted]) -> None:
    for failures, key in counted:
        failures.take_back(key)
