"""Films: passed through, each viewer on a connection and a slot of its own.

A viewer that leaves is noticed by a failing send. If nothing can be sent, because the film has not
begun or the viewer's window is closed, the housekeeping notices it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import monotonic

import gevent
from cachetools import TTLCache

from kptv.channels.failover import Failover
from kptv.channels.model import Channel, Stream
from kptv.config import Config
from kptv.errors import IsLive, Reason, Unavailable, UpstreamError
from kptv.metrics.counters import SLOT_LOST, STOPPED, Metrics
from kptv.ports import FilmBody, OpenFilm
from kptv.restream.attempts import Attempt, next_attempt
from kptv.restream.feed import settling
from kptv.restream.film import Film, FoundFilm
from kptv.restream.lease import Lease
from kptv.restream.slots import Slot, SlotLost, Slots
from kptv.restream.waiting import Waiting

log = logging.getLogger(__name__)

_REMEMBERED = 10_000  # channels
_ENDED = "the film was ended"


class NotAFilm(Unavailable):
    """A channel that was known as a film is live: whoever asks again gets it as such."""


class Films:
    """All films being sent, and which channels are known to be one."""

    def __init__(
        self,
        config: Config,
        metrics: Metrics,
        slots: Slots,
        failover_of: Callable[[Channel], Failover],
        open_film: OpenFilm[Stream],
    ) -> None:
        self._metrics = metrics
        self._slots = slots
        self._failover_of = failover_of
        self._open_film = open_film
        # Channels that are known to be films, by slug: what to say of them without asking again.
        self._known: TTLCache[str, Mapping[str, str]] = TTLCache(
            _REMEMBERED, config.cache_duration if config.cache_enabled else 0, monotonic
        )
        self._sent: set[Film] = set()
        self._asked_for: dict[Waiting, Lease] = {}

    def __repr__(self) -> str:
        return f"<Films sent={len(self._sent)} asked_for={len(self._asked_for)}>"

    @property
    def viewers(self) -> int:
        """How many get a film or wait for one."""
        return len(self._sent) + len(self._asked_for)

    def headers(self, channel: Channel) -> Mapping[str, str] | None:
        """The headers of the film that ``channel`` is; None: it is live, or not known yet."""
        return self._known.get(channel.slug)

    def open(self, channel: Channel, byte_range: str | None, lease: Lease) -> Film:
        """A film, or one range of it, on a slot of its own.

        Raises Unavailable; NotAFilm, which blames no stream, if it is live by now.
        """
        if lease.dropped:
            raise Unavailable(_ENDED, 1.0)
        waiting = Waiting()
        self._asked_for[waiting] = lease
        try:
            with waiting:
                found = self._opened(channel, byte_range)
        finally:
            del self._asked_for[waiting]
        film = found.take(lease)
        assert film is not None
        return film

    def found(self, channel: Channel, body: FilmBody, slot: Slot) -> FoundFilm:
        """An open answer that is a film, for whoever takes it."""
        if body.status == 200:
            self._known[channel.slug] = body.headers
        headers = body.headers
        if body.status == 206 and (known := self._known.get(channel.slug)):
            # The type that its first bytes showed, whatever the provider says.
            headers = {**headers, "Content-Type": known["Content-Type"]}
        counters = self._metrics.open(channel.name)
        counters.upstreams += 1

        def over(film: Film) -> None:
            self._sent.discard(film)
            self._metrics.close(counters, monotonic())

        def film_for(lease: Lease) -> Film:
            film = Film(body, slot, lease, headers, counters, over)
            self._sent.add(film)
            return film

        return FoundFilm(film_for)

    def forget(self) -> None:
        """Forget which channels are films: each is looked at anew."""
        self._known.clear()

    def let_go(self, lease: Lease) -> None:
        """End the film of ``lease``, or the wait for it; never waits."""
        for film in [film for film in self._sent if film.lease is lease]:
            film.let_go()
        for waiting in [w for w, asking in self._asked_for.items() if asking is lease]:
            waiting.leave(Unavailable(_ENDED, 1.0))

    def look_after(self) -> None:
        """Called twice per second: let viewers go that have left, though no send has failed."""
        for film in [film for film in self._sent if film.lease.departed()]:
            film.lease.drop()
        for waiting in [w for w, lease in self._asked_for.items() if lease.departed()]:
            waiting.leave(Unavailable("the viewer has left", 1.0))

    def _opened(self, channel: Channel, byte_range: str | None) -> FoundFilm:
        failover = self._failover_of(channel)
        counters = self._metrics.open(channel.name)
        try:
            while True:
                attempt = next_attempt(failover, self._slots)
                source = attempt.stream.source
                failover.opened(attempt.stream, monotonic())
                counters.tried(source.number)
                outcome, kept = STOPPED, False
                try:
                    body = self._answer(attempt, byte_range)
                    failover.started(monotonic())
                    kept = True
                    return self.found(channel, body, attempt.slot)
                except IsLive:
                    self._known.pop(channel.slug, None)
                    raise NotAFilm("a film that is live by now", 1.0) from None
                except SlotLost:
                    outcome = SLOT_LOST
                    failover.lost(monotonic())
                except UpstreamError as error:
                    outcome = error.reason
                    if error.reason is Reason.NOT_MEDIA:
                        self._known.pop(channel.slug, None)  # it may be live now: look again
                    counters.errors[error.reason] += 1
                    now = monotonic()
                    failover.failed(error, now, now, attempt.slot.others > 0)
                    log.warning("%s: %s: %s", channel.slug, source.tag, error)
                finally:
                    if not kept:
                        attempt.slot.close(settling(outcome))
                        counters.ended(source.number, outcome)
        finally:
            self._metrics.close(counters, monotonic())

    def _answer(self, attempt: Attempt, byte_range: str | None) -> FilmBody:
        """The open answer; raises UpstreamError, IsLive, SlotLost."""
        waiting = Waiting()
        attempt.slot.on_lost(lambda: waiting.leave(SlotLost()))
        late = UpstreamError(Reason.TIMEOUT, f"no answer within {attempt.timeout:.1f} s")
        with gevent.Timeout(attempt.timeout, late), waiting:
            return self._open_film(attempt.stream, byte_range)
