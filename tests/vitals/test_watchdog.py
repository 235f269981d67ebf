"""Who holds up the event loop is found and told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from time import monotonic

import gevent
import pytest

from kptv.metrics.counters import Metrics
from kptv.vitals import watchdog
from kptv.vitals.process import Vitals
from kptv.vitals.watchdog import to_stderr


def hold_everybody_up(until: Callable[[], bool]) -> None:
    """Never switches."""
    deadline = monotonic() + 20
    while not until():
        assert monotonic() < deadline


@pytest.fixture
def shouts() -> list[str]:
    return []


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def vitals(metrics: Metrics, shouts: list[str]) -> Iterator[Vitals]:
    vitals = Vitals(metrics, shouts.append)
    gevent.sleep(0)
    yield vitals
    vitals.close()


def test_the_log_says_where_the_loop_stood_still(
    vitals: Vitals, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    dog = vitals._watchdog
    hold_everybody_up(lambda: dog._seen is not None)
    with gevent.Timeout(10):
        while not metrics.loop_blocks:
            gevent.sleep(0.05)
    (line,) = caplog.messages
    assert "the event loop stood still for" in line
    assert "hold_everybody_up (test_watchdog.py:" in line
    hold_everybody_up(lambda: dog._seen is not None)
    with gevent.Timeout(10):
        while metrics.loop_blocks < 2:
            gevent.sleep(0.05)
    assert len(caplog.messages) == 1  # one a minute


def test_a_loop_that_does_not_come_back_is_told_of_all_the_same(
    vitals: Vitals, shouts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "DESPERATE", 1.1)
    hold_everybody_up(lambda: bool(shouts))
    (line,) = shouts
    assert "hold_everybody_up" in line


def test_the_last_line_is_json_where_all_are(capfd: pytest.CaptureFixture[str]) -> None:
    to_stderr("json")('it stands at "x"')
    to_stderr("text")("it stands")
    first, second = capfd.readouterr().err.splitlines()
    assert json.loads(first)["message"] == 'it stands at "x"'
    assert second.endswith("CRITICAL kptv.vitals.watchdog: it stands")
