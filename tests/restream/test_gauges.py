"""Figures of a hub that are read from time to time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kptv.metrics.counters import ChannelCounters
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.gauges import Gauges
from kptv.restream.lease import Lease
from kptv.restream.output import Output
from kptv.splice.stats import Stats


class Broken(Output):
    """An output whose upstream has so many continuity errors."""

    errors = 0

    @property
    def stats(self) -> Stats:
        return replace(super().stats, continuity_errors=self.errors)


class Rig:
    def __init__(self) -> None:
        self.output = Broken(ChunkBuffer(1 << 20, Budget(1 << 20)), b"", 0.0, lambda: None)
        self.counters = ChannelCounters("News")
        self.gauges = Gauges(self.output, self.counters, 0.0)

    def errors(self, seen: int) -> int:
        """Those that are counted after the upstream has ``seen`` so many."""
        self.output.errors = seen
        self.gauges.count_errors()
        return self.counters.continuity_errors


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_metrics_find_the_rate_the_buffer_and_the_source(rig: Rig) -> None:
    for half_second in range(1, 11):
        rig.counters.bytes_received += 500_000
        rig.gauges.read(half_second / 2, 2)
    assert rig.counters.bit_rate == pytest.approx(8e6)
    assert rig.counters.buffer_bytes == 0
    assert rig.counters.source == 2


def test_errors_are_counted_once(rig: Rig) -> None:
    assert [rig.errors(seen) for seen in (0, 3, 3, 5)] == [0, 3, 3, 5]


def test_errors_of_the_next_upstream_are_counted_from_none(rig: Rig) -> None:
    assert rig.errors(3) == 3
    rig.gauges.begin()
    assert rig.errors(4) == 7


def test_errors_are_counted_from_none_when_the_splicer_begins_anew(rig: Rig) -> None:
    assert rig.errors(3) == 3
    assert rig.errors(1) == 4


def test_whoever_has_no_place_in_the_buffer_is_not_behind(rig: Rig) -> None:
    assert rig.gauges.behind(Lease(), 100.0) == 0.0
