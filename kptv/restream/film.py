"""A film on its way to one viewer: the open answer, its slot, and the lease of the viewer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from kptv.errors import UpstreamError
from kptv.metrics.counters import SLOT_LOST, STOPPED, ChannelCounters
from kptv.pace import Pace
from kptv.ports import FilmBody
from kptv.restream.lease import Lease
from kptv.restream.slots import SETTLE, Slot, SlotLost
from kptv.restream.waiting import Waiting

log = logging.getLogger(__name__)


class _LetGo(Exception):
    """The viewer may have it no more."""


class Film:
    """A film being sent to one viewer. A body: iterate for the data, ``close`` it."""

    def __init__(
        self,
        body: FilmBody,
        slot: Slot,
        lease: Lease,
        headers: Mapping[str, str],
        counters: ChannelCounters,
        on_close: Callable[[Film], None],
    ) -> None:
        """``slot`` is this film's from now on; ``counters`` has counted its upstream as open."""
        self.lease = lease
        self.status = body.status
        self.headers = headers
        self._body = body
        self._slot = slot
        self._counters = counters
        self._on_close = on_close
        self._is_open = True
        self._outcome: str = STOPPED
        self._waiting = Waiting()  # for data of the provider
        counters.viewers += lease.is_viewer
        slot.on_lost(self._slot_lost)

    def __repr__(self) -> str:
        return f"<Film {self._slot.source.tag} status={self.status}>"

    def __iter__(self) -> Iterator[bytes]:
        """The body. It ends early if it breaks: the player asks for the rest with a Range."""
        pace = Pace()  # a fast body and a fast viewer never wait
        pieces = iter(self._body)
        while (data := self._next(pieces)) is not None:
            pace()
            self._counters.bytes_sent += len(data)
            yield data

    def close(self) -> None:
        """Close the connection, then give the slot back; may come twice."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._body.close()
        finally:
            self._slot.close(SETTLE)
            self._counters.upstreams -= 1
            self._counters.ended(self._slot.source.number, self._outcome)
            self._counters.viewers -= self.lease.is_viewer
            self._on_close(self)
            self.lease.end()

    def let_go(self) -> None:
        """End it: its viewer may have it no more. Does not wait."""
        self.lease.drop()
        if self._waiting.on:
            self._waiting.leave(_LetGo())

    def _next(self, pieces: Iterator[bytes]) -> bytes | None:
        if self._slot.lost or self.lease.dropped:
            return None
        try:
            with self._waiting:
                return next(pieces, None)
        except (SlotLost, _LetGo):
            return None
        except UpstreamError as error:
            self._counters.errors[error.reason] += 1
            self._outcome = error.reason
            log.warning("%s: %s: %s", self._counters.name, self._slot.source.tag, error)
            return None

    def _slot_lost(self) -> None:
        self._outcome = SLOT_LOST
        if self._waiting.on:
            self._waiting.leave(SlotLost())
        else:
            self.lease.drop()  # the viewer takes its time: end the send


class FoundFilm:
    """A film that is open and nobody's yet: whoever asks first gets it."""

    def __init__(self, film_for: Callable[[Lease], Film]) -> None:
        self._film_for: Callable[[Lease], Film] | None = film_for

    def __repr__(self) -> str:
        return f"<FoundFilm {'taken' if self._film_for is None else 'open'}>"

    def take(self, lease: Lease) -> Film | None:
        """The film, once, for the holder of ``lease``, who closes it."""
        film_for, self._film_for = self._film_for, None
        return film_for(lease) if film_for else None

    def close(self) -> None:
        """Close it, if nobody has taken it."""
        if film := self.take(Lease()):
            film.close()
