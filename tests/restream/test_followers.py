"""Who follows a channel by HLS: which requests are of one, and how many can be told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kptv.restream import followers as module
from kptv.restream.followers import (
    MOST_OF_ADDRESS,
    MOST_PLACES,
    MOST_ZAPS,
    OVERFLOW,
    Follower,
    Followers,
    Viewer,
)
from kptv.restream.lease import Client
from tests.restream.clocks import Clock

PHONE = Viewer(Client("192.0.2.1", "Safari"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


def follower(slug: str = "one", viewer: Viewer = PHONE) -> Follower:
    return Follower(slug, viewer, lambda _: None)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (PHONE, True),
        (Viewer(Client("192.0.2.2", "Safari")), False),
        (Viewer(Client("192.0.2.1", "VLC")), False),
        (Viewer(Client("192.0.2.1", "Safari", "anna")), False),
        (Viewer(Client("192.0.2.1", "Safari"), "A1"), False),
        (Viewer(Client("192.0.2.1", "VLC"), "Safari"), True),
    ],
    ids=["itself", "address", "application", "user", "session", "session in its place"],
)
def test_address_user_and_session_or_application_tell_viewers_apart(
    other: Viewer, same: bool
) -> None:
    followers = Followers()
    followers.add(follower())
    assert (followers.find("one", other) is not None) == same
    assert followers.find("two", PHONE) is None


def test_those_of_other_channels_are_found(clock: Clock) -> None:
    followers = Followers()
    here, there = follower("one"), follower("two")
    followers.add(here)
    followers.add(there)
    assert followers.elsewhere("one", PHONE) == [there]
    assert followers.elsewhere("three", PHONE) in ([here, there], [there, here])
    followers.remove(there)
    followers.remove(there)
    assert followers.elsewhere("one", PHONE) == []
    assert len(followers) == 1


def test_a_follower_leaves_when_it_was_quiet_for_long(clock: Clock) -> None:
    followers, one = Followers(), follower()
    followers.add(one)
    clock.now += 9.9
    assert followers.quiet() == []
    one.see()
    clock.now += 9.9
    assert followers.quiet() == []
    assert not one.lease.departed()
    clock.now += 0.2
    assert followers.quiet() == [one]
    assert one.lease.departed()


def test_with_long_segments_it_may_be_quiet_for_longer(clock: Clock) -> None:
    one = follower()
    one.quiet_after = 30.0
    clock.now += 20
    assert not one.has_left


def test_of_one_address_only_so_many_are_told_apart() -> None:
    followers = Followers()
    for number in range(1000):
        viewer = Viewer(Client("192.0.2.1", f"agent {number}"))
        counted = followers.counted_as("one", viewer)
        if followers.find("one", counted) is None:
            followers.add(follower("one", counted))
    assert len(followers) == MOST_OF_ADDRESS + 1
    known = Viewer(Client("192.0.2.1", "agent 3"))
    assert followers.counted_as("one", known) is known
    assert followers.counted_as("one", replace(known, session="x")).client.agent == OVERFLOW
    assert followers.counted_as("two", known) is known
    elsewhere = Viewer(Client("192.0.2.9", "agent 2000"))
    assert followers.counted_as("one", elsewhere) is elsewhere


def follow(followers: Followers, slug: str, viewer: Viewer) -> Viewer:
    """As whom ``viewer`` follows from now on."""
    counted = followers.counted_as(slug, viewer)
    if followers.find(slug, counted) is None:
        followers.add(follower(slug, counted))
    return counted


def test_an_address_with_many_names_on_many_channels_counts_little_more_than_on_one() -> None:
    followers, slugs = Followers(), [f"channel-{number}" for number in range(20)]
    for number in range(1000):
        for slug in slugs[number % 3 :]:  # some on all, some on few
            follow(followers, slug, Viewer(Client("192.0.2.1", f"agent {number}")))
    assert len(followers) <= MOST_PLACES + len(slugs)
    assert follow(followers, "one", PHONE).client.agent == OVERFLOW
    other = replace(PHONE, client=Client("192.0.2.2", "Safari"))
    assert follow(followers, "one", other) is other


def test_a_household_whose_devices_all_zap_is_told_apart() -> None:
    followers = Followers()
    for slug in range(12):
        for number in range(10):
            device = Viewer(Client("192.0.2.1", f"device {number}"))
            assert follow(followers, str(slug), device) is device


def test_those_who_are_not_told_apart_have_left_no_channel_as_others_ask_for_another() -> None:
    followers = Followers()
    for number in range(MOST_OF_ADDRESS):
        follow(followers, "one", Viewer(Client("192.0.2.1", f"agent {number}")))
    more = follow(followers, "one", PHONE)
    other = follow(followers, "two", PHONE)
    assert (more.client, followers.elsewhere("two", other)) == (other.client, [])
    assert len(followers) == MOST_OF_ADDRESS + 2


def test_nobody_zaps_so_often_as_two_who_look_the_same(clock: Clock) -> None:
    followers, one = Followers(), follower()
    answers = []
    for _ in range(25):
        answers.append(followers.returns_too_often(one))
        clock.now += 2
    assert answers == [False] * 20 + [True] * 5
    clock.now += 60
    assert not followers.returns_too_often(one)


def test_whoever_asks_by_turns_all_the_time_is_remembered_in_a_few_numbers(clock: Clock) -> None:
    followers, one = Followers(), follower()
    assert [followers.returns_too_often(one) for _ in range(1000)][-1]
    (times,) = followers._returns.values()
    assert len(times) == MOST_ZAPS + 1


def test_nothing_is_left_of_those_who_were_removed(clock: Clock) -> None:
    followers = Followers()
    some = [follower(f"channel {n}", Viewer(Client("192.0.2.1", f"agent {n}"))) for n in range(20)]
    for each in some:
        followers.add(each)
        each.has_moved = True
        followers.returns_too_often(each)
    for each in followers:
        followers.remove(each)
    assert len(followers) == 0
    assert not followers._channels
    clock.now += 61
    assert followers.quiet() == []
    assert not followers._returns
