"""The limit of streams per user: which ones are open after what was asked for, at which time.

Whoever counts, a process alone or several together (``_made``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import ClassVar

import pytest

from kptv.channels.users.streams import (
    GRACE,
    TAKE_OVER_EVERY,
    Claim,
    Limit,
    LocalStreamCounts,
    StreamCounts,
    Verdict,
)
from kptv.web.players.shared_counts import SharedStreamCounts
from tests.instances.conftest import valkey  # noqa: F401  # a fixture
from tests.instances.near_server import NearMember, NearServer

ANNA, BERT = 1, 2
TV = ("192.0.2.1", "TV")
PHONE = ("198.51.100.7", "Phone")
LONG = 10**9  # ms


class Flat:
    """A household: what its streams are, by channel, and the most that were open at a time."""

    made: ClassVar[Callable[[Flat], StreamCounts]]

    def __init__(self, most: int, *, refuses: bool = False) -> None:
        self.limit = Limit(most, refuses)
        self.now = 1000.0
        self.open: dict[int, Claim] = {}
        self.gone: set[int] = set()
        self.most_open = 0
        self._last = 0
        self.counts = Flat.made(self)

    def ask(self, channel: str, client: tuple[str, str] = TV, user: int = ANNA) -> Verdict:
        self._last += 1
        claim = Claim(self._last, channel, *client)
        verdict = self.counts.ask(user, claim, self.limit, self.gone.__contains__, self.now)
        self.end(verdict.ends)
        if verdict.admitted:
            self.open[claim.number] = claim
        self.most_open = max(self.most_open, len({claim.seat for claim in self.open.values()}))
        return verdict

    def close(self, channel: str) -> None:
        """Its viewer closes it, and that is noticed."""
        for number in self._numbers(channel):
            del self.open[number]
            self.counts.leave(ANNA, number)

    def vanish(self, channel: str) -> None:
        """Its viewer has left, and only a look at its socket would tell."""
        self.gone.update(self._numbers(channel))

    def wait(self, seconds: float) -> None:
        """Time goes by, with a look each half second."""
        until = self.now + seconds
        while self.now < until:
            self.now += 0.5
            self.end(self.counts.look(ANNA, self.limit, self.gone.__contains__, self.now))

    @property
    def channels(self) -> list[str]:
        """Those that are open; each once per stream."""
        return [claim.channel for claim in self.open.values()]

    def _numbers(self, channel: str) -> list[int]:
        return [number for number, claim in self.open.items() if claim.channel == channel]

    def end(self, numbers: Iterable[int]) -> None:
        """They have to; some are told by the answer, and at once."""
        for number in numbers:
            self.open.pop(number, None)


def _local(flat: Flat) -> StreamCounts:
    return LocalStreamCounts()


def _shared(server: NearServer, flat: Flat) -> StreamCounts:
    class Member(NearMember):
        def tell(self, *said: object, **given: object) -> None:
            server.now = flat.now
            super().tell(*said, **given)  # type: ignore[arg-type]

    counts = SharedStreamCounts(Member(server, "a"), b"key", clock=lambda: flat.now)
    counts.watch(flat.end)
    return counts


@pytest.fixture(
    params=["local", pytest.param("shared", marks=pytest.mark.requires("redis-server"))],
    autouse=True,
)
def _made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "local":
        monkeypatch.setattr(Flat, "made", _local, raising=False)
        yield
        return
    server = NearServer(request.getfixturevalue("valkey"), lease=LONG)
    monkeypatch.setattr(Flat, "made", partial(_shared, server), raising=False)
    yield
    server.close()


def test_without_a_limit_all_are_admitted() -> None:
    flat = Flat(0)
    assert all(flat.ask(f"c{n}").admitted for n in range(50))
    flat.wait(10)
    assert len(flat.channels) == 50


def test_up_to_the_limit_nothing_ends() -> None:
    flat = Flat(2)
    flat.ask("a")
    flat.ask("b", PHONE)
    flat.wait(60)
    assert flat.channels == ["a", "b"]


def test_one_over_the_limit_ends_the_oldest_after_the_grace() -> None:
    flat = Flat(1)
    flat.ask("a")
    flat.wait(60)
    assert flat.ask("b") == Verdict(True)
    flat.wait(GRACE - 0.5)
    assert flat.channels == ["a", "b"]
    flat.wait(0.5)
    assert flat.channels == ["b"]


def test_one_over_the_limit_ends_nothing_if_one_is_closed_in_time() -> None:
    flat = Flat(2)
    flat.ask("a", PHONE)
    flat.ask("b")
    flat.ask("c")
    flat.wait(1)
    flat.close("b")
    flat.wait(60)
    assert flat.channels == ["a", "c"]


def test_a_tolerance_that_was_not_used_up_does_not_shorten_the_next_one() -> None:
    flat = Flat(1)
    flat.ask("a")
    flat.ask("b")
    flat.wait(GRACE - 0.5)
    flat.close("a")
    flat.ask("c")
    flat.wait(GRACE - 0.5)
    assert flat.channels == ["b", "c"]


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("seconds", [0, 0.5, 1, 2.5, 4])
def test_zapping_thirty_times_is_never_refused_nor_more_than_one_over(
    limit: int, seconds: float
) -> None:
    flat = Flat(limit)
    for number in range(30):
        assert flat.ask(f"c{number}").admitted
        assert flat.channels[-1] == f"c{number}"
        assert flat.most_open <= limit + 1
        flat.wait(seconds)
    flat.wait(GRACE + 0.5)
    assert len(flat.channels) == limit
    assert flat.channels[-1] == "c29"


def test_zapping_that_closes_what_it_leaves_ends_nobody_elses() -> None:
    flat = Flat(2)
    flat.ask("films", PHONE)
    flat.ask("c0")
    for number in range(30):
        flat.ask(f"c{number + 1}")
        flat.close(f"c{number}")
        flat.wait(0.5)
    assert flat.channels == ["films", "c30"]


def test_zapping_that_leaves_all_open_ends_its_own() -> None:
    flat = Flat(2)
    flat.ask("films", PHONE)
    for number in range(30):
        flat.ask(f"c{number}")
        flat.wait(0.5)
    flat.wait(GRACE)
    assert flat.channels == ["films", "c29"]


def test_kodi_opens_a_channel_four_times_and_cuts_three() -> None:
    flat = Flat(1)  # its two HEADs are not asked about at all
    for _ in range(4):
        assert flat.ask("news") == Verdict(True)
        flat.wait(0.5)
    for number in (1, 2, 3):
        del flat.open[number]
        flat.counts.leave(ANNA, number)
    flat.wait(60)
    assert flat.channels == ["news"]


def test_two_tvs_behind_one_address_on_one_channel_count_once_and_end_none() -> None:
    flat = Flat(1)
    flat.ask("news")
    flat.ask("news")
    flat.ask("news", (TV[0], "another application"))
    flat.wait(60)
    assert flat.channels == ["news"] * 3


def test_a_channel_is_open_eight_times_at_one_address_and_no_more() -> None:
    """A film that is read in ranges has a connection to its provider for each."""
    flat = Flat(1)
    verdicts = [flat.ask("film", (TV[0], f"App {number}")) for number in range(20)]
    assert [verdict.admitted for verdict in verdicts] == [True] * 8 + [False] * 12
    assert verdicts[-1] == Verdict(False, retry_after=GRACE)
    assert flat.channels == ["film"] * 8
    flat.vanish("film")
    assert flat.ask("film").admitted
    without_limit = Flat(0)
    assert all(without_limit.ask("film").admitted for _ in range(20))


def test_two_tvs_behind_one_address_on_two_channels_count_twice() -> None:
    flat = Flat(2)
    flat.ask("news")
    flat.ask("sport")
    flat.wait(60)
    assert flat.channels == ["news", "sport"]
    flat.limit = Limit(1)
    flat.wait(GRACE + 1)
    assert flat.channels == ["sport"]


def test_one_channel_at_two_addresses_counts_twice() -> None:
    flat = Flat(1)
    flat.ask("news")
    flat.ask("news", PHONE)
    flat.wait(GRACE)
    assert [claim.client for claim in flat.open.values()] == [PHONE]


def test_a_place_that_ends_ends_with_all_its_streams() -> None:
    flat = Flat(1)
    flat.ask("news")
    flat.ask("news")
    flat.ask("sport")
    flat.wait(GRACE)
    assert flat.channels == ["sport"]


def test_two_devices_throw_each_other_out_once_in_five_seconds_at_most() -> None:
    flat = Flat(1)
    flat.ask("a", TV)
    changes, owner = 0, TV
    for _ in range(240):  # two minutes; whichever has nothing asks each half second
        other = PHONE if owner == TV else TV
        if not any(claim.client == other for claim in flat.open.values()):
            verdict = flat.ask("b" if other == PHONE else "a", other)
            if verdict.admitted:
                changes, owner = changes + 1, other
            else:
                assert 0 < verdict.retry_after <= TAKE_OVER_EVERY
        flat.wait(0.5)
    assert changes == 120 / TAKE_OVER_EVERY
    assert flat.most_open == 2


def test_whoever_was_refused_is_let_in_after_the_time_that_it_was_told() -> None:
    flat = Flat(1)
    flat.ask("a", TV)
    flat.ask("b", PHONE)
    flat.wait(GRACE)
    refused = flat.ask("a", TV)
    assert not refused.admitted
    flat.wait(refused.retry_after)
    assert flat.ask("a", TV).admitted


def test_zapping_of_the_one_that_gives_way_does_not_turn_the_tables() -> None:
    flat = Flat(1)
    flat.ask("a", TV)
    flat.ask("b", PHONE)
    flat.wait(1)
    assert flat.ask("a2", TV).admitted
    flat.wait(GRACE)
    assert flat.channels == ["b"]


def test_whoever_takes_over_gives_the_others_their_time() -> None:
    flat = Flat(1)
    flat.ask("a")
    flat.ask("b")
    flat.wait(GRACE - 0.5)
    flat.ask("c", PHONE)
    assert flat.channels == ["b", "c"]
    flat.wait(GRACE - 0.5)
    assert flat.channels == ["b", "c"]
    flat.wait(0.5)
    assert flat.channels == ["c"]


def test_a_device_ends_its_own_stream_before_an_older_one_of_another() -> None:
    flat = Flat(2)
    flat.ask("films", PHONE)
    flat.ask("news")
    flat.ask("sport")
    flat.wait(GRACE)
    assert flat.channels == ["films", "sport"]


def test_a_third_device_ends_the_oldest() -> None:
    flat = Flat(2)
    flat.ask("films", PHONE)
    flat.ask("news")
    flat.ask("sport", ("203.0.113.5", "Box"))
    flat.wait(GRACE)
    assert flat.channels == ["news", "sport"]


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_leaked_link_does_not_open_ten(limit: int) -> None:
    flat = Flat(limit)
    for number in range(limit):
        flat.ask(f"mine{number}")
    verdicts = [flat.ask(f"c{n}", (f"203.0.113.{n}", "Leak")) for n in range(10)]
    assert [verdict.admitted for verdict in verdicts] == [True] + [False] * 9
    assert flat.most_open == limit + 1
    for _ in range(120):  # and not if all try again and again
        for n in range(10):
            flat.ask(f"c{n}", (f"203.0.113.{n}", "Leak"))
        flat.wait(0.5)
    assert flat.most_open == limit + 1


@pytest.mark.parametrize("agent", ["TV", "Leak"])
def test_ten_at_once_from_one_address_leave_one_more_than_allowed(agent: str) -> None:
    flat = Flat(1)
    for number in range(10):
        flat.ask(f"c{number}", (TV[0], agent))
    assert flat.most_open == 2
    assert flat.channels == ["c0", "c9"]
    flat.wait(GRACE)
    assert flat.channels == ["c9"]


def test_one_who_refuses_lets_nobody_in_until_there_is_room() -> None:
    flat = Flat(1, refuses=True)
    flat.ask("a")
    assert flat.ask("b") == Verdict(False, (), GRACE)
    assert flat.ask("b", PHONE) == Verdict(False, (), GRACE)
    assert flat.ask("a").admitted  # no stream more
    flat.wait(60)
    flat.close("a")
    assert flat.ask("b").admitted
    assert flat.most_open == 1


def test_the_departed_do_not_count_and_are_ended() -> None:
    flat = Flat(1, refuses=True)
    flat.ask("a")
    flat.vanish("a")
    assert flat.ask("b") == Verdict(True, (1,))
    assert flat.channels == ["b"]


def test_the_departed_give_way_before_others() -> None:
    flat = Flat(2)
    flat.ask("a")
    flat.ask("b", PHONE)
    flat.ask("c", ("203.0.113.5", "Box"))
    flat.vanish("b")
    flat.wait(GRACE)
    assert flat.channels == ["a", "c"]


def test_a_half_closed_connection_opens_no_stream_more() -> None:
    """One that has left so as not to be counted is let go, whatever its socket still takes."""
    flat = Flat(1)
    for number in range(20):
        flat.ask(f"c{number}", (f"203.0.113.{number}", "Leak"))
        flat.vanish(f"c{number}")
    assert flat.channels == ["c19"]


def test_a_limit_that_is_lowered_ends_the_oldest() -> None:
    flat = Flat(4)
    for number in range(4):
        flat.ask(f"c{number}")
    flat.limit = Limit(2)
    flat.wait(0.5)
    assert flat.channels == ["c1", "c2", "c3"]  # more than one over is not tolerated
    flat.wait(GRACE)
    assert flat.channels == ["c2", "c3"]


def test_a_limit_that_is_lowered_counts_with_the_next_stream() -> None:
    flat = Flat(4)
    for number in range(4):
        flat.ask(f"c{number}")
    flat.limit = Limit(1)
    flat.ask("c4")
    assert len(flat.channels) == 2


def test_a_limit_that_is_raised_ends_nothing() -> None:
    flat = Flat(1)
    flat.ask("a")
    flat.ask("b")
    flat.limit = Limit(2)
    flat.wait(60)
    assert flat.channels == ["a", "b"]


def test_users_do_not_count_together() -> None:
    flat = Flat(1)
    flat.ask("a")
    assert flat.ask("b", user=BERT).admitted
    flat.wait(GRACE)
    assert flat.channels == ["a", "b"]


def test_only_the_differences_of_the_times_that_are_told_count() -> None:
    """They are a monotonic clock's, which no change of the date moves."""
    flat = Flat(1)
    flat.now = -5000.0
    flat.ask("a")
    flat.ask("b", PHONE)
    flat.wait(GRACE)
    assert flat.channels == ["b"]


def test_what_was_never_admitted_may_be_left() -> None:
    flat = Flat(1)
    flat.counts.leave(ANNA, 99)
    flat.ask("a")
    flat.counts.leave(ANNA, 99)
    assert flat.channels == ["a"]


def test_a_user_without_streams_is_forgotten() -> None:
    flat = Flat(1)
    flat.ask("a")
    flat.close("a")
    assert " users=0" in repr(flat.counts)
