"""What people are told of one channel: the same in the log, the journal and the metrics."""

from __future__ import annotations

import logging

import pytest

from kptv.channels.model import Channel, Source, Stream
from kptv.errors import Reason, UpstreamError
from kptv.metrics.counters import SLOT_LOST, SWITCHED, Histogram, Metrics
from kptv.restream.chronicle import _AFTER, Chronicle
from kptv.restream.journal import Event, EventKind

ONE, TWO = (Stream(Source(n, f"http://{n}/", 1), f"http://{n}/1.ts") for n in (1, 2))
STALLED = UpstreamError(Reason.STALLED, "silent for 2.0 s")


class Told:
    """A chronicle that has begun with the first stream, and what it told."""

    def __init__(self, *, shown: bool = True) -> None:
        metrics = Metrics()
        self.events: list[Event] = []
        self.silences = metrics.totals.silence
        counters = metrics.open("News")
        self.chronicle = Chronicle(
            Channel("news", "News", (ONE, TWO)), counters, self.events.append
        )
        if shown:
            self.chronicle.started(ONE, 100.0)


def sums(histograms: dict[str, Histogram]) -> dict[str, float]:
    return {how: histogram.sum for how, histogram in histograms.items()}


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    caplog.set_level("INFO")
    return Told()


def test_all_tell_the_time_since_viewers_last_got_media(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    told.chronicle.lost(STALLED, ONE, "", 107.0, 105.0)
    told.chronicle.started(TWO, 107.4)
    assert caplog.messages[-1] == "news: source-1 → source-2 after a stall: 2.4 s without picture"
    failed, started = told.events[-2:]
    assert (failed.kind, failed.silence) == (EventKind.FAILED, 2.0)
    assert (started.kind, started.silence, started.reason) == (EventKind.STARTED, 2.4, "stalled")
    assert list(told.chronicle.history)[-1] is started
    assert sums(told.silences) == {"failover": 2.4, "retry": 0.0}


def test_the_time_is_never_told_as_none(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.chronicle.lost(UpstreamError(Reason.RESET), ONE, "", 105.0, 105.0)
    told.chronicle.started(TWO, 105.01)
    expected = (
        "news: source-1 → source-2 after a broken connection: less than 0.1 s without picture"
    )
    assert caplog.messages[-1] == expected


def test_what_fails_on_the_way_to_the_next_picture_begins_no_new_time(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    told.chronicle.lost(UpstreamError(Reason.ENDED), ONE, "", 105.0, 105.0)
    told.chronicle.lost(UpstreamError(Reason.REFUSED), TWO, "", 107.0, 105.5)
    told.chronicle.started(ONE, 108.0)
    assert caplog.messages[-1] == "news: source-1 again after its end: 3.0 s without picture"
    assert sums(told.silences) == {"failover": 0.0, "retry": 3.0}
    assert [event.silence for event in told.events] == [None, 0.0, 2.0, 3.0]


def test_what_was_opened_beside_and_failed_cost_no_picture(told: Told) -> None:
    told.chronicle.failed(UpstreamError(Reason.NOT_MEDIA), TWO, "")
    assert told.events[-1].silence is None


@pytest.mark.parametrize("what", [SWITCHED, SLOT_LOST])
def test_a_change_on_purpose_is_measured_likewise(
    told: Told, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    leave = told.chronicle.switched if what == SWITCHED else told.chronicle.slot_lost
    leave(ONE, 105.2, 105.0)
    told.chronicle.started(TWO, 106.0)
    assert caplog.messages[-1].endswith(": 1.0 s without picture")
    assert [event.silence for event in told.events[-2:]] == [0.2, 1.0]
    assert sums(told.silences) == {"failover": 1.0, "retry": 0.0}


def test_nobody_is_without_a_picture_before_the_first(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    told = Told(shown=False)
    told.chronicle.lost(UpstreamError(Reason.REFUSED), ONE, "", 105.0, 100.0)
    told.chronicle.started(TWO, 106.0)
    assert caplog.messages[-1] == "news: source-1 → source-2 after no connection"
    assert [event.silence for event in told.events] == [None, None]
    assert sums(told.silences) == {"failover": 0.0, "retry": 0.0}


def test_each_reason_has_words() -> None:
    assert set(_AFTER) == {*Reason, SWITCHED, SLOT_LOST}


def test_a_normal_close_is_told_as_one(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.chronicle.closed("nobody watches any more")
    assert caplog.record_tuples[-1][1:] == (logging.INFO, "news: closed: nobody watches any more")
    told.chronicle.closed("")
    assert caplog.messages[-1] == "news: closed"
    assert [event.detail for event in told.events[-2:]] == ["nobody watches any more", ""]
