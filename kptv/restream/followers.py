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

MOST_OF_ADDRESS = 64  # viewers from one address; of each channel, all others count as one
MOST_PLACES = 2 * MOST_OF_ADDRESS  # times that these follow: whoever zaps does so twice for a while
OVERFLOW = "(more)"  # the application of all others
QUIET = 10.0  # seconds without a request after which a follower has left, at least
DECIDED_WITHIN = 10.0  # seconds, whether one may follow
MOST_ZAPS, ZAPS_WITHIN = 20, 60.0  # returns to one channel; more are of two who look the same


class MayNotFollow(Exception):
    """Somebody may not follow a channel (now)."""

    def __init__(self, retry_after: float, *, ended: bool = False) -> None:
        """``ended``: followed, and was made to leave."""
        super().__init__("ended" if ended else "refused")
        self.retry_after = retry_after
        self.ended = ended


Key = tuple[str, str, str]  # a viewer's: user, address, session or application


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks, as far as they can be told apart."""

    client: Client
    session: str = ""  # what the player itself calls this viewing

    @property
    def key(self) -> Key:
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
        self._all: dict[tuple[str, Key], Follower] = {}  # by slug and viewer
        self._channels: dict[str, dict[Key, set[str]]] = {}  # slugs, by address and viewer
        self._returns: dict[tuple[str, Key], deque[float]] = {}  # when, as _all

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
        """``viewer``, or the one as whom all count who are too many for one address.

        That one is another for each channel: it has not left one as it asks for another.
        """
        client = viewer.client
        if (slug, viewer.key) in self._all or self._has_room(viewer):
            return viewer
        return Viewer(Client(client.address, OVERFLOW, client.user), f"{OVERFLOW} {slug}")

    def elsewhere(self, slug: str, viewer: Viewer) -> list[Follower]:
        """Those that the same viewer is of other channels."""
        slugs = self._channels.get(viewer.client.address, {}).get(viewer.key, ())
        return [self._all[other, viewer.key] for other in slugs if other != slug]

    def add(self, follower: Follower) -> None:
        """It follows from now on."""
        slug, viewer = follower.slug, follower.viewer
        self._all[slug, viewer.key] = follower
        viewers = self._channels.setdefault(viewer.client.address, {})
        viewers.setdefault(viewer.key, set()).add(slug)

    def remove(self, follower: Follower) -> None:
        """It follows no more; may come twice."""
        slug, viewer = follower.slug, follower.viewer
        if self._all.get((slug, viewer.key)) is not follower:
            return
        del self._all[slug, viewer.key]
        viewers = self._channels[viewer.client.address]
        viewers[viewer.key].discard(slug)
        if not viewers[viewer.key]:
            del viewers[viewer.key]
        if not viewers:
            del self._channels[viewer.client.address]

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

    def _has_room(self, viewer: Viewer) -> bool:
        """Whether ``viewer`` may follow one channel more and be told apart."""
        viewers = self._channels.get(viewer.client.address, {})
        if viewer.key not in viewers and len(viewers) >= MOST_OF_ADDRESS:
            return False
        return sum(map(len, viewers.values())) < MOST_PLACES

    def _forget_returns(self) -> None:
        now = monotonic()
        old = [key for key, times in self._returns.items() if now - times[-1] > ZAPS_WITHIN]
        for key in old:
            del self._returns[key]
