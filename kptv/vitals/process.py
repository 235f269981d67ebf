"""How the process itself fares: the lag of its event loop, what goes in and out in all."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from time import monotonic

import gevent
from gevent.greenlet import Greenlet

from kptv.metrics.counters import Metrics
from kptv.vitals.heartbeat import Heartbeat
from kptv.vitals.meter import Meter
from kptv.vitals.watchdog import Watchdog

log = logging.getLogger(__name__)

INTERVAL = 0.25  # seconds between two looks
_RECENT = 40  # looks: 10 s
_TELL_EVERY = 60.0  # seconds between two lines about a loop that was held up


class Vitals:
    """Measures from its making until ``close``."""

    def __init__(
        self, metrics: Metrics, shout: Callable[[str], object] = lambda line: None
    ) -> None:
        """``shout`` is called in another thread, if the event loop does not come back."""
        now = monotonic()
        self.received, self.sent = Meter(now), Meter(now)
        self._metrics = metrics
        self._lags: deque[float] = deque(maxlen=_RECENT)
        self._due = now + INTERVAL
        self._told_at = now - _TELL_EVERY
        self._watchdog = Watchdog(lambda: monotonic() - self._due, shout)
        self._heartbeat = Heartbeat(now)
        self._greenlet: Greenlet = gevent.spawn(self._run)

    def __repr__(self) -> str:
        return f"<Vitals lag={self.lag:.4f}>"

    @property
    def alive(self) -> bool:
        """Whether it still measures, and is not stuck."""
        return not self._greenlet.ready() and self._heartbeat.alive(monotonic())

    @property
    def lag(self) -> float:
        """Seconds: the worst of the last 10 s, what is late right now included."""
        return max(max(self._lags, default=0.0), monotonic() - self._due, 0.0)

    def close(self) -> None:
        """Measure no more; may come twice."""
        self._watchdog.close()
        self._greenlet.kill(block=False)

    def _run(self) -> None:
        beat = 0
        while True:
            self._due = monotonic() + INTERVAL
            gevent.sleep(INTERVAL)
            now = monotonic()
            self._heartbeat.beat(now)
            lag = max(now - self._due, 0.0)
            self._lags.append(lag)
            self._metrics.loop_lag.observe(lag)
            self._tell_where_it_stood(now)
            beat += 1
            if beat % 2 == 0:
                self.received.sample(now, self._metrics.bytes_received, 0)
                self.sent.sample(now, self._metrics.bytes_sent, 0)

    def _tell_where_it_stood(self, now: float) -> None:
        seen = self._watchdog.take()
        if seen is None:
            return
        late, stack = seen
        self._metrics.loop_blocks += 1
        if now - self._told_at >= _TELL_EVERY:
            self._told_at = now
            log.warning("the event loop stood still for %.1f s or more at %s", late, stack)
