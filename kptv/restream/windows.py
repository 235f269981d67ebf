"""All windows, and who follows them: whoever asks for a channel's playlist shares its window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic

from cachetools import LRUCache

from kptv.channels.model import Channel
from kptv.errors import Unavailable
from kptv.restream.followers import DECIDED_WITHIN, Follower, Followers, MayNotFollow, Viewer
from kptv.restream.lease import Lease
from kptv.restream.window import Common, Window
from kptv.restream.window_playlist import NumberedSegment, Past
from kptv.vitals.repeating import Repeating

LOOK_EVERY = 1.0  # seconds
_MOST_REMEMBERED = 10_000  # channels whose playlists may go on
_OVER = 3.0  # target durations for which a channel that is over stays so: players ask on and on
_AGAIN = 2.0  # seconds after which to ask again for what should have come


class IsFilm(Exception):
    """The channel is a film, which HLS is not needed for."""


class IsOver(Exception):
    """The channel was followed, and has given up or was stopped just now."""


class Windows:
    """The windows by channel."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self._windows: dict[str, Window] = {}  # by slug
        self._followers = Followers()
        self._pasts: LRUCache[str, Past] = LRUCache(_MOST_REMEMBERED)
        self._over: LRUCache[str, float] = LRUCache(_MOST_REMEMBERED)  # until when, by slug
        self._looks: Repeating | None = None  # once there is something to look at
        self._closed = False

    def __repr__(self) -> str:
        return f"<Windows {len(self._windows)} followers={len(self._followers)}>"

    def __len__(self) -> int:
        return len(self._windows)

    def __iter__(self) -> Iterator[Window]:
        return iter(list(self._windows.values()))

    @property
    def waiting(self) -> int:
        """Viewers whose channel has not begun, so that no hub counts them."""
        return sum(len(window.followers) for window in self if window.hub is None)

    @property
    def alive(self) -> bool:
        """Whether those who left are looked for."""
        return self._looks is None or self._looks.alive

    def follow(
        self,
        channel: Channel,
        viewer: Viewer,
        enter: Callable[[Lease], float],
        departed: Callable[[], bool] = lambda: False,
    ) -> Window:
        """The window of ``channel`` for ``viewer``, once it has a segment; waits.

        ``enter`` is asked before anything is opened whether a new follower may watch by its lease:
        0.0, or seconds after which there may be room. ``departed`` tells, without waiting, whether
        whoever asks has left meanwhile. Raises Refused, IsFilm, IsOver, Unavailable.
        """
        slug = channel.slug
        viewer = self._followers.counted_as(slug, viewer)
        self.left_for(channel, viewer)
        self._raise_if_over(slug)  # before it counts for a limit
        follower = self._follower(slug, viewer, enter)
        window = self._window(channel)
        follower.quiet_after = window.quiet_after
        if not follower.lease.dropped:
            window.follow(follower.lease)
        window.ask()
        with follower.waiting():
            window.wait_to_begin(lambda: departed() or follower.is_ended)
        return self._begun(window, follower)

    def wait_for(
        self,
        window: Window,
        number: int,
        seconds: float,
        viewer: Viewer,
        departed: Callable[[], bool] = lambda: False,
    ) -> None:
        """As ``window.wait_for``, for ``viewer``, who may have to leave meanwhile: Refused."""
        slug = window.channel.slug
        follower = self._followers.find(slug, self._followers.counted_as(slug, viewer))
        if follower is None:
            window.wait_for(number, seconds, departed)
            return
        with follower.waiting():
            window.wait_for(number, seconds, lambda: departed() or follower.is_ended)
        if follower.is_ended:
            raise MayNotFollow(follower.quiet_after, ended=True)

    def left_for(self, channel: Channel, viewer: Viewer) -> None:
        """``viewer`` asks for ``channel``, by whatever protocol: other windows are not missed."""
        for follower in self._followers.elsewhere(channel.slug, viewer):
            if follower.stays or follower.has_moved:
                continue
            follower.has_moved = True
            if window := self._windows.get(follower.slug):
                window.unfollow(follower.lease)
                window.heed()

    def segment(self, slug: str, number: int, viewer: Viewer) -> NumberedSegment | None:
        """A segment of a channel; None: it is gone, or still to come. Raises Refused.

        Whoever asks need not follow, but may not have been made to leave; and a channel plays only
        as long as somebody follows it, who is counted.
        """
        follower = self._followers.find(slug, viewer)
        if follower is not None:
            follower.see()
            if follower.is_ended:
                raise MayNotFollow(follower.quiet_after, ended=True)
        window = self._windows.get(slug)
        if window is None:
            return None
        found = window.segment(number)
        if found is not None and follower is not None:
            window.touch()
            follower.lease.received += found.segment.size
        return found

    def find(self, slug: str) -> Window | None:
        """The window of a channel, if it has one."""
        return self._windows.get(slug)

    def look(self) -> None:
        """Let those go who ask no more."""
        for follower in self._followers.quiet():
            self._forget(follower)
        self._count()

    def close(self) -> None:
        """End all, and begin none; may come twice."""
        self._closed = True
        for window in self:
            window.close()
        if self._looks is not None:
            self._looks.close()

    def _follower(self, slug: str, viewer: Viewer, enter: Callable[[Lease], float]) -> Follower:
        """The follower that ``viewer`` is from now on."""
        follower = self._followers.find(slug, viewer)
        if follower is not None:
            follower.see()
            if not follower.decided.wait(DECIDED_WITHIN):
                raise MayNotFollow(DECIDED_WITHIN)
            if follower.refused_for:  # just now, while this request waited, too
                raise MayNotFollow(follower.refused_for)
            if not follower.lease.dropped:
                if follower.has_moved:
                    follower.has_moved = False
                    follower.stays = self._followers.returns_too_often(follower)
                return follower
            if not follower.has_moved or self._followers.returns_too_often(follower):
                raise MayNotFollow(follower.quiet_after, ended=True)
            self._forget(follower)
        return self._enter(Follower(slug, viewer, self._ended), enter)

    def _enter(self, follower: Follower, enter: Callable[[Lease], float]) -> Follower:
        self._followers.add(follower)
        self._look_from_now_on()
        try:
            follower.refused_for = enter(follower.lease)
        except BaseException:
            follower.refused_for = _AGAIN
            raise
        finally:
            if follower.refused_for:
                self._forget(follower)
            follower.decided.set()
        if follower.refused_for:
            raise MayNotFollow(follower.refused_for)
        return follower

    def _window(self, channel: Channel) -> Window:
        """That of ``channel``, made if there is none; one that ends is waited for: it knows why."""
        slug = channel.slug
        window = self._windows.get(slug)
        if window is not None and window.is_ending:
            window.wait_to_end()
            window = self._windows.get(slug)
        self._raise_if_over(slug)
        if window is None:
            if self._closed:
                raise Unavailable("the proxy is stopping", 5.0)
            window = Window(channel, self._common, self._pasts.get(slug, Past()), self._window_over)
            self._windows[slug] = window
            self._count()
        elif window.is_ending:
            raise Unavailable("it has just ended", _AGAIN)
        return window

    def _raise_if_over(self, slug: str) -> None:
        if self._over.get(slug, 0.0) > monotonic():
            raise IsOver

    def _begun(self, window: Window, follower: Follower) -> Window:
        """``window``, if it has begun."""
        if follower.lease.dropped:
            raise MayNotFollow(follower.quiet_after, ended=True)
        if window.has_begun:
            return window
        if window.is_film:
            self._forget(follower)
            raise IsFilm
        if window.failure is not None:
            why = window.failure
            raise type(why)(str(why), why.retry_after)  # anew: each raise adds its frames
        raise Unavailable("nothing that can be played came in time", _AGAIN)

    def _window_over(self, window: Window) -> None:
        slug = window.channel.slug
        if self._windows.get(slug) is not window:
            return
        del self._windows[slug]
        self._pasts[slug] = window.past()
        if window.has_begun and (window.failure is not None or window.was_stopped):
            self._over[slug] = monotonic() + _OVER * window.target_duration
        self._count()

    def _count(self) -> None:
        figures, windows = self._common.figures, self._windows.values()
        figures.windows = len(windows)
        figures.window_bytes = sum(window.size for window in windows)

    def _ended(self, follower: Follower) -> None:
        """It is made to leave, and stays known as such as long as it asks."""
        if window := self._windows.get(follower.slug):
            window.unfollow(follower.lease)
            window.heed()
        follower.lease.end()

    def _forget(self, follower: Follower) -> None:
        self._followers.remove(follower)
        if window := self._windows.get(follower.slug):
            window.unfollow(follower.lease)
        follower.lease.dropped = True
        follower.lease.end()

    def _look_from_now_on(self) -> None:
        if self._looks is None:
            self._looks = Repeating(self.look, LOOK_EVERY)
