"""The figures of a hub that are read from time to time, not counted as things happen."""

from __future__ import annotations

from kptv.metrics.counters import ChannelCounters
from kptv.restream.lease import Lease
from kptv.restream.output import Output
from kptv.vitals.meter import Meter


class Gauges:
    """Reads them, and puts them where metrics find them."""

    def __init__(self, output: Output, counters: ChannelCounters, now: float) -> None:
        self.meter = Meter(now)
        self._output = output
        self._counters = counters
        self._errors_seen = 0  # continuity errors of the upstream that is open

    def __repr__(self) -> str:
        return f"<Gauges {self.meter!r}>"

    def read(self, now: float, source_number: int | None, standby: int | None = None) -> None:
        """Called twice a second, with the numbers of the sources that play and stand by."""
        counters, buffer = self._counters, self._output.buffer
        self.meter.sample(now, counters.bytes_received, buffer.end)
        counters.bit_rate = self.meter.bit_rate()
        counters.buffer_bytes = buffer.size
        counters.source, counters.standby = source_number, standby
        self.count_errors()

    def behind(self, lease: Lease, now: float) -> float:
        """Seconds of media that the holder of ``lease`` was not given yet."""
        return 0.0 if lease.place is None else self.meter.behind(lease.place, now)

    def begin(self) -> None:
        """Another upstream is open: its errors are counted from none."""
        self._errors_seen = 0

    def count_errors(self) -> None:
        """Count the continuity errors since the last time; also before an upstream is closed."""
        errors = self._output.stats.continuity_errors
        if errors < self._errors_seen:  # HLS began anew
            self._errors_seen = 0
        self._counters.continuity_errors += errors - self._errors_seen
        self._errors_seen = errors
