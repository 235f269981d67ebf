"""Who follows which channel by HLS, as far as requests tell, which come one by one.

One who asks for another channel has left the one before, or there are two who cannot be told
apart: the same application behind the same address. The latter shows when both channels are asked
for by turns, more often than anybody zaps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from gevent.event import Event

from kptv.restream.lease import Client, Lease, LeaseKind

MOST_OF_ADDRESS = 64  # followers of one channel from one address; more of them count as one
OVERFLOW = "(more)"  # the application of those
QUIET = 10.0  # seconds without a request after which a follower has left, at least
DECIDED_WITHIN = 10.0  # seconds, whether one may follow
MOST_ZAPS, ZAPS_WITHIN = 20, 60.0  # returns to one channel; more are of two who look the same


class Refused(Exception):
    """Somebody may not follow a channel (now)."""

    def __init__(self, retry_after: float, *, ended: bool = False) -> None:
        """``ended``: followed, and was made to leave."""
        super().__init__("ended" if ended else "refused")
        self.retry_after = retry_after
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks, as far as they can be told apart."""

    client: Client
    session: str = ""  # what the player itself calls this viewing

    @property
    def key(self) -> tuple[str, str, str]:
        """The same for all requests of one."""
        return self.client.user, self.client.address, self.session or self.client.agent


class Follower:
    """A viewer of one channel, from the first request until ``QUIET`` or more after the last."""

    def __init__(self, slug: str, viewer: Viewer, on_end: Callable[[Follower], object]) -> None:
        """``on_end`` is called when it is made to leave; it must neither wait nor raise."""
        self.slug = slug
        self.viewer = viewer
        self.lease = Lease(
            LeaseKind.FOLLOWER,
            client=viewer.client,
            departed=lambda: self.has_left,
            on_drop=lambda: on_end(self),
        )
        self.quiet_after = QUIET  # seconds
        self.has_moved = False  # the same viewer asked for another channel
        self.stays = False  # there are two who cannot be told apart
        self.decided = Event()  # whether it may follow
        self.refused_for = 0.0  # seconds, if it may not
        self._seen_at = monotonic()
        self._waiting = 0  # requests of it

    def __repr__(self) -> str:
        return f"<Follower of {self.slug!r} {self.lease!r} moved={self.has_moved}>"

    @property
    def has_left(self) -> bool:
        """Whether nothing is asked for any more."""
        return self.has_moved or self.is_quiet

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was asked for, for long."""
        return not self._waiting and monotonic() - self._seen_at > self.quiet_after

    @property
    def is_ended(self) -> bool:
        """Whether it was made to leave, and is to get nothing as long as it asks."""
        return self.lease.dropped and not self.has_moved

    def see(self) -> None:
        """It asks for something."""
        self._seen_at = monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While a request of it waits, however long, it asks."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            self.see()


class Followers:
    """All of them; those that are quiet have to be swept out."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, tuple[str, str, str]], Follower] = {}  # by slug and viewer
        self._channels: dict[tuple[str, str, str], set[str]] = {}  # slugs, by viewer
        self._of_address: dict[tuple[str, str], int] = {}  # how many, by slug and address
        self._returns: dict[tuple[str, tuple[str, str, str]], deque[float]] = {}  # when, as _all

    def __repr__(self) -> str:
        return f"<Followers {len(self._all)}>"

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Follower]:
        return iter(list(self._all.values()))

    def find(self, slug: str, viewer: Viewer) -> Follower | None:
        """The follower that this viewer is, of this channel."""
        return self._all.get((slug, viewer.key))

    def counted_as(self, slug: str, viewer: Viewer) -> Viewer:
        """``viewer``, or the one as whom all count who are too many for one address."""
        client = viewer.client
        many = self._of_address.get((slug, client.address), 0) >= MOST_OF_ADDRESS
        if not many or (slug, viewer.key) in self._all:
            return viewer
        return Viewer(Client(client.address, OVERFLOW, client.user))

    def elsewhere(self, slug: str, viewer: Viewer) -> list[Follower]:
        """Those that the same viewer is of other channels."""
        slugs = self._channels.get(viewer.key, ())
        return [self._all[other, viewer.key] for other in slugs if other != slug]

    def add(self, follower: Follower) -> None:
        """It follows from now on."""
        slug, viewer = follower.slug, follower.viewer
        self._all[slug, viewer.key] = follower
        self._channels.setdefault(viewer.key, set()).add(slug)
        place = slug, viewer.client.address
        self._of_address[place] = self._of_address.get(place, 0) + 1

    def remove(self, follower: Follower) -> None:
        """It follows no more; may come twice."""
        slug, viewer = follower.slug, follower.viewer
        if self._all.get((slug, viewer.key)) is not follower:
            return
        del self._all[slug, viewer.key]
        slugs = self._channels[viewer.key]
        slugs.discard(slug)
        if not slugs:
            del self._channels[viewer.key]
        place = slug, viewer.client.address
        self._of_address[place] -= 1
        if not self._of_address[place]:
            del self._of_address[place]

    def returns_too_often(self, follower: Follower) -> bool:
        """Note that it is back, although its viewer had moved on; whether nobody zaps like that.

        It may be back anew, after it was ended and removed.
        """
        now, key = monotonic(), (follower.slug, follower.viewer.key)
        times = self._returns.setdefault(key, deque(maxlen=MOST_ZAPS + 1))
        times.append(now)
        while now - times[0] > ZAPS_WITHIN:
            times.popleft()
        return len(times) > MOST_ZAPS

    def quiet(self) -> list[Follower]:
        """Those that have left long ago."""
        self._forget_returns()
        return [follower for follower in self._all.values() if follower.is_quiet]

    def _forget_returns(self) -> None:
        now = monotonic()
        old = [key for key, times in self._returns.items() if now - times[-1] > ZAPS_WITHIN]
        for key in old:
            del self._returns[key]
