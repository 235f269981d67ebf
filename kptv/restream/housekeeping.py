"""What is done twice a second for all that plays."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic, thread_time

from kptv.restream.films import Films
from kptv.restream.hub import Hub
from kptv.restream.lease import Lease, LeaseKind
from kptv.restream.shared import Shared
from kptv.vitals.load import Load
from kptv.vitals.repeating import Repeating

log = logging.getLogger(__name__)

TICK = 0.5  # seconds between two looks


class Housekeeping:
    """Runs in a greenlet of its own from its making until ``close``."""

    def __init__(self, hubs: Callable[[], list[Hub]], films: Films, shared: Shared) -> None:
        """``hubs`` gives those that play."""
        self._hubs = hubs
        self._films = films
        self._slots = shared.slots
        self._metrics = shared.metrics
        self._linger = shared.config.stream_linger  # seconds
        self.load = Load(monotonic(), thread_time())  # of this thread, which runs the event loop
        self._rounds = Repeating(self._look, TICK)

    def __repr__(self) -> str:
        return f"<Housekeeping alive={self.alive}>"

    @property
    def alive(self) -> bool:
        """Whether it still runs, and is not stuck."""
        return self._rounds.alive

    def close(self) -> None:
        """Look no more; may come twice."""
        self._rounds.close()

    def _look(self) -> None:
        now = monotonic()
        self.load.sample(now, thread_time())
        for hub in self._hubs():
            try:
                self._look_after(hub, now)
                if not hub.ended:  # or its last figures would stand as those of now
                    standby = hub.standby.stream.source.number if hub.standby else None
                    hub.gauges.read(now, hub.source_number, standby)
            except Exception:  # of one hub: the others need this round
                log.exception("%s: housekeeping failed", hub.channel.slug)
        try:
            self._films.look_after()
        except Exception:
            log.exception("housekeeping of films failed")
        self._metrics.forget(now)

    def _look_after(self, hub: Hub, now: float) -> None:
        if not hub.leases:
            if now - hub.audience.idle_since >= self._linger or self._is_wanted(hub):
                hub.close()
            return
        hub.heed()
        hub.output.tick(now)
        hub.look_ahead(now)
        hub.bound(now)
        _let_the_departed_go(hub, now)

    def _is_wanted(self, hub: Hub) -> bool:
        """Somebody waits for its connection."""
        return hub.source_number is not None and self._slots.waiting(hub.source_number) > 0


def _let_the_departed_go(hub: Hub, now: float) -> None:
    """Drop the leases whose viewers have left, or whose time is over."""
    silent = now - hub.output.media_at >= TICK
    departed = [lease for lease in hub.leases if _must_ask(lease, silent) and lease.departed()]
    for lease in departed:
        lease.drop()
    if departed:
        hub.audience.wake()


def _must_ask(lease: Lease, silent: bool) -> bool:
    """Whether nothing else would show that it has departed."""
    # A viewer whose body waits for more is sent that: if it has left, the send fails. One that does
    # not wait has no room for more.
    return silent or not lease.waiting or lease.kind is not LeaseKind.BODY
