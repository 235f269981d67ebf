"""Work that is repeated goes on whatever one time of it raises."""

from __future__ import annotations

import gevent
import pytest

from kptv.vitals.repeating import Repeating


def test_an_exception_of_one_time_is_logged_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    times: list[int] = []

    def work() -> None:
        times.append(len(times))
        if len(times) == 1:
            raise ValueError("a fault")

    repeating = Repeating(work, every=0.01)
    with gevent.Timeout(5):
        while len(times) < 3:
            gevent.sleep(0.01)
    assert repeating.alive
    repeating.close()
    repeating.close()
    gevent.idle()
    assert not repeating.alive
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info
