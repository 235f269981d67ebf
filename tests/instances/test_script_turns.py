"""The script's guards, each by what would go wrong without it (see test_script)."""

from __future__ import annotations

import random
from time import sleep

import pytest

from kptv.instances.link import SCRIPT
from tests.instances.test_script import LEASE, LONG, Instance, Server, begun, pair, server

__all__ = ["begun", "server"]  # fixtures
pytestmark = pytest.mark.requires("redis-server")


OPS = ["join", "renew", "reserve", "took", "release", "cancel", "idle", "used", "pump", "leave"]


def settled() -> None:
    sleep(2 * LEASE / 1000)


def test_who_waits_is_not_kept_from_a_slot_by_itself_and_leaves_the_queue(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("y", wait=LONG)
    a.release("x", settle=LEASE)
    settled()
    assert b.reserve("y", wait=LONG) == "one"
    assert a.waiters("one") == 0
    b.release("y")
    assert a.reserve("n") == "one"


def test_who_waits_for_one_source_keeps_nobody_from_another(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("y", wait=LONG)
    assert a.reserve("n", "two") == "two"


def test_who_waits_for_several_gets_one_where_several_are_free_at_once(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    a.reserve("y", "two")
    a.reserve("z", "two")
    b.reserve("w", "one", "two", wait=LONG)
    a.release("x", settle=LEASE)
    a.release("y", "two", settle=LEASE)
    settled()
    assert b.granted() == [["w", "one"]]
    assert a.reserve("n", "two") == "two"


def test_who_asks_again_keeps_its_place_in_the_queue(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("1", wait=LONG)
    a.reserve("2", wait=LONG)
    b.reserve("1", wait=LONG)
    a.release("x")
    assert (a.granted(), b.granted()) == ([], [["1", "one"]])


def test_only_slots_of_a_source_that_is_waited_for_are_asked_of_their_holder(
    begun: Server,
) -> None:
    a, b = pair(begun)
    a.reserve("x")
    a.reserve("y", "two")
    a.idle("y", "two")
    b.reserve("z", wait=LONG)
    assert a.asked() == []
    a.idle("x")
    assert (a.asked(), b.asked()) == (["x"], [])


def test_two_who_wait_ask_two_slots(begun: Server) -> None:
    a, b = pair(begun)
    for token in "x", "y":
        a.reserve(token, "two")
        a.idle(token, "two")
    for token in "z", "w":
        b.reserve(token, "two", wait=LONG)
    assert sorted(a.asked()) == ["x", "y"]


def test_nothing_is_asked_to_give_way_in_grace(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    begun.restart()
    a.join(("x", "one"))
    b.join()
    a.idle("x")
    b.reserve("y", wait=LONG)
    assert a.asked() == []


def test_what_becomes_idle_or_is_declined_is_told_at_once(begun: Server) -> None:
    a, b = pair(begun)
    told = begun.messages("a")
    for token in "x", "y":
        a.reserve(token, "two")
    b.reserve("z", "two", wait=LONG)
    a.idle("x", "two")
    assert told() == [{"asked": "x"}]
    a.idle("y", "two")
    a("used", token="x")
    assert told() == [{"asked": "y"}]


def test_a_grant_that_nobody_wants_any_more_goes_to_the_next_at_once(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("y", wait=LONG)
    a.reserve("z", wait=LONG)
    a.release("x")
    told = begun.messages("a")
    b("cancel", token="y", sources=["one"])
    assert told() == [{"granted": "z", "source": "one"}]


def test_what_others_hold_stays_theirs_as_one_is_buried(begun: Server) -> None:
    a, b = pair(begun)
    a.reserve("x")
    b.reserve("y", "two")
    again = Instance(begun, "a", life=2)
    again.join()
    sleep(0.15)  # what its former life held settles
    assert [again.reserve(token, "two") for token in "zw"] == ["two", "full"]


@pytest.mark.parametrize("seed", range(4))
def test_no_order_of_operations_and_lives_ends_the_grace_sooner(begun: Server, seed: int) -> None:
    """There is no way to skip it; an operator's switch was one, said again by a later life."""
    dice = random.Random(seed)
    pair(begun)
    begun.restart()
    for life in range(1, 60):
        instance = Instance(begun, dice.choice("ab"), life=dice.choice((1, life)))
        for op in ("join", *dice.choices(OPS, k=4)):
            answer = instance(
                op,
                token=dice.choice("xyz"),
                source="one",
                sources=["one", "two"],
                wait=dice.choice((0, LONG)),
                settle=dice.choice((0, LEASE)),
                standby=dice.random() < 0.5,
                limits=[("one", 1), ("two", 2)],
                tokens=[],
            )
            assert answer["is"] != "granted"
            assert not answer.get("granted")
            assert answer["grace"] > LONG / 2
    assert begun.client.keys("{t}:slots:*") == []
    assert all(f"function ops.{op}()" in SCRIPT for op in OPS)
