"""Slots that are refused although they looked free, or lost while held: nobody is to blame."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from kptv.channels.model import Channel, Source
from kptv.errors import AllInUse
from kptv.restream.hub import State
from kptv.restream.journal import EventKind
from kptv.restream.slots import Slot
from tests.restream.far_slots import FarSlots
from tests.restream.test_hub import LIMIT, NEWS, ONE, SOURCES, TWO, Rig, hub_of, until

ALONE = Channel("alone", "Alone", (ONE,))


@pytest.fixture
def slots() -> FarSlots:
    return FarSlots(SOURCES)


@pytest.fixture
def rig(slots: FarSlots) -> Iterator[Rig]:
    rig = Rig(slots)
    yield rig
    rig.hubs.close()
    until(lambda: not any(map(slots.held, SOURCES)))
    until(lambda: rig.upstreams.open_now == 0)
    assert not rig.hubs.health.known(), "nothing is held against any stream"


def test_a_source_that_looked_free_and_refuses_costs_the_viewer_nothing(
    rig: Rig, slots: FarSlots
) -> None:
    slots.elsewhere[1] = 1
    rig.upstreams.feed(TWO, b"b")
    assert rig.viewer(NEWS).next() == b"b"
    assert rig.upstreams.opened == [TWO.url]
    assert not rig.metrics.open("News").errors


def test_where_all_sources_refuse_the_viewer_waits_and_plays_from_the_first_that_gets_free(
    rig: Rig, slots: FarSlots
) -> None:
    slots.elsewhere.update({1: 1, 2: 1})
    coming = gevent.spawn(rig.viewer, NEWS)
    until(lambda: slots.waiting(1) == slots.waiting(2) == 1)
    rig.upstreams.feed(TWO, b"b")
    slots.free(SOURCES[1])
    assert coming.get(timeout=LIMIT).next() == b"b"


def test_a_source_that_refuses_to_the_end_is_told_as_full_not_as_failed(
    rig: Rig, slots: FarSlots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.channels.failover.SLOT_WAIT", 0.05)
    slots.elsewhere.update({1: 1, 2: 1})
    with pytest.raises(AllInUse, match="in use"):
        rig.play(NEWS)
    assert not rig.metrics.open("News").errors


def test_a_lost_slot_moves_its_viewers_to_another_source(rig: Rig, slots: FarSlots) -> None:
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(NEWS)
    assert viewer.next() == b"a"
    slots.lose(SOURCES[0])
    rig.upstreams.feed(TWO, b"b")
    assert viewer.next() == b"b"
    assert rig.upstreams.opened == [ONE.url, TWO.url]
    assert rig.upstreams.most_open == 1, "the first hung up before"
    assert not rig.metrics.open("News").errors
    assert rig.metrics.totals.outcomes == {(1, "slot_lost"): 1}
    assert rig.metrics.totals.failovers == {"slot_lost": 1}
    told = [(event.kind, event.source) for event in rig.hubs.journal.events]
    assert (EventKind.SLOT_LOST, 1) in told
    assert EventKind.FAILED not in [kind for kind, _ in told]


def test_without_another_source_its_viewers_wait_for_the_same(rig: Rig, slots: FarSlots) -> None:
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(ALONE)
    assert viewer.next() == b"a"
    slots.lose(SOURCES[0])
    until(lambda: slots.waiting(1) == 1)
    assert hub_of(rig).state is State.RECOVERING
    rig.upstreams.feed(ONE, b"later")
    slots.free(SOURCES[0])
    assert viewer.next() == b"later"
    assert rig.metrics.totals.outcomes == {(1, "slot_lost"): 1}
    assert rig.metrics.totals.retries == {"slot_lost": 1}


def test_a_slot_is_lost_before_the_first_media_and_the_viewer_sees_another_source(
    rig: Rig, slots: FarSlots
) -> None:
    coming = gevent.spawn(rig.viewer, NEWS)
    until(lambda: rig.upstreams.open_now == 1)
    slots.lose(SOURCES[0])
    rig.upstreams.feed(TWO, b"b")
    assert coming.get(timeout=LIMIT).next() == b"b"
    assert not rig.metrics.open("News").errors


def test_a_slot_that_is_lost_as_it_is_given_out_is_noticed(
    rig: Rig, slots: FarSlots, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = FarSlots.try_acquire

    def ask_and_lose(these: FarSlots, source: Source) -> Slot | None:
        slot = ask(these, source)
        if source.number == 1:
            these.lose(source)
        return slot

    monkeypatch.setattr(FarSlots, "try_acquire", ask_and_lose)
    rig.upstreams.feed(ONE, b"a")
    rig.upstreams.feed(TWO, b"b", b"c")
    viewer = rig.viewer(NEWS)
    received = [viewer.next()]
    while received[-1] != b"c":
        received.append(viewer.next())
    assert received[-2:] == [b"b", b"c"]
    assert rig.metrics.totals.outcomes == {(1, "slot_lost"): 1}


def test_a_hub_that_lingers_ends_with_its_slot(rig: Rig, slots: FarSlots) -> None:
    rig.upstreams.feed(ONE, b"a")
    rig.viewer(NEWS).leave()
    slots.lose(SOURCES[0])
    until(lambda: len(rig.hubs) == 0)
    assert rig.upstreams.opened == [ONE.url]


def test_a_slot_that_is_lost_while_its_hub_leaves_it_already_changes_nothing(
    rig: Rig, slots: FarSlots
) -> None:
    rig.upstreams.feed(ONE, b"a")
    viewer = rig.viewer(NEWS)
    assert viewer.next() == b"a"
    rig.hubs.switch("news", 2)
    slots.lose(SOURCES[0])
    rig.upstreams.feed(TWO, b"b")
    assert viewer.next() == b"b"
    assert rig.metrics.totals.outcomes == {(1, "switched"): 1}


@pytest.fixture
def silent(rig: Rig) -> Rig:
    """The first source plays and falls silent, and the second is opened beside it."""
    rig.upstreams.feed(ONE, b"a")
    assert rig.viewer(NEWS).next() == b"a"
    until(lambda: rig.upstreams.open_now == 2)
    return rig


def test_the_slot_of_what_was_opened_beside_is_lost_and_viewers_see_nothing_of_it(
    silent: Rig, slots: FarSlots
) -> None:
    slots.lose(SOURCES[1])
    until(lambda: silent.upstreams.open_now == 1)
    assert silent.metrics.totals.outcomes == {(2, "slot_lost"): 1}
    assert hub_of(silent).state is State.PLAYING


def test_it_is_lost_while_the_hub_waits_for_it(silent: Rig, slots: FarSlots) -> None:
    silent.hubs.switch("news", None)
    gevent.sleep(0.01)
    slots.lose(SOURCES[1])
    until(lambda: silent.upstreams.opened == [ONE.url, TWO.url, ONE.url])
    assert silent.metrics.totals.outcomes == {(1, "switched"): 1, (2, "slot_lost"): 1}


def test_what_is_opened_beside_is_not_opened_for_a_hub_that_ended_meanwhile(
    rig: Rig, slots: FarSlots
) -> None:
    rig.upstreams.feed(ONE, b"a")
    assert rig.viewer(NEWS).next() == b"a"
    hub = hub_of(rig)
    looking = gevent.spawn(hub._lookout.look, 0.0)
    gevent.sleep(0)
    hub.close()
    looking.join(timeout=LIMIT)
    until(lambda: rig.upstreams.open_now == 0)
    assert rig.upstreams.opened == [ONE.url]
