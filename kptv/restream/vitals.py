"""How the process itself fares: the lag of its event loop, what goes in and out in all."""

from __future__ import annotations

from collections import deque
from time import monotonic

import gevent
from gevent.greenlet import Greenlet

from kptv.metrics import Metrics
from kptv.restream.meter import Meter

INTERVAL = 0.25  # seconds between two looks
_RECENT = 40  # looks: 10 s


class Vitals:
    """Measures from its making until ``close``."""

    def __init__(self, metrics: Metrics) -> None:
        now = monotonic()
        self.received, self.sent = Meter(now), Meter(now)
        self._metrics = metrics
        self._lags: deque[float] = deque(maxlen=_RECENT)
        self._due = now + INTERVAL
        self._greenlet: Greenlet = gevent.spawn(self._run)

    def __repr__(self) -> str:
        return f"<Vitals lag={self.lag:.4f}>"

    @property
    def alive(self) -> bool:
        """Whether it still measures."""
        return not self._greenlet.ready()

    @property
    def lag(self) -> float:
        """Seconds: the worst of the last 10 s, what is late right now included."""
        return max(max(self._lags, default=0.0), monotonic() - self._due, 0.0)

    def close(self) -> None:
        """Measure no more; may come twice."""
        self._greenlet.kill(block=False)

    def _run(self) -> None:
        beat = 0
        while True:
            self._due = monotonic() + INTERVAL
            gevent.sleep(INTERVAL)
            now = monotonic()
            lag = max(now - self._due, 0.0)
            self._lags.append(lag)
            self._metrics.loop_lag.observe(lag)
            beat += 1
            if beat % 2 == 0:
                self.received.sample(now, self._metrics.bytes_received, 0)
                self.sent.sample(now, self._metrics.bytes_sent, 0)
