"""A user's streams at several instances: what the limit is there, and what is told of whom."""

from __future__ import annotations

import json
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

import gevent
import pytest

from kptv.channels.users.streams import GRACE, Claim, Limit, LocalStreamCounts, Verdict
from kptv.web.players.shared_counts import SharedStreamCounts
from tests.instances.conftest import valkey  # noqa: F401  # a fixture
from tests.instances.near_server import NearMember, NearServer
from tests.instances.valkey import Valkey

pytestmark = pytest.mark.requires("redis-server")

ANNA = 1
TV, PHONE, BOX = ("192.0.2.1", "TV"), ("198.51.100.7", "Phone"), ("203.0.113.5", "Box")
LIMIT = 10.0  # seconds; what hangs, fails
ONE = Limit(1)


class Instance:
    """What plays there, and what it is told to end."""

    def __init__(self, member: NearMember, numbers: Iterator[int]) -> None:
        self.member = member
        self.server = member.server
        self.open: dict[int, Claim] = {}
        self.gone: set[int] = set()
        self._numbers = numbers
        self.start()

    def start(self) -> None:
        self.counts = SharedStreamCounts(self.member, b"key", clock=lambda: self.server.now)
        self.counts.watch(self.end)

    def ask(
        self, channel: str, client: tuple[str, str] = TV, limit: Limit = ONE, user: int = ANNA
    ) -> Verdict:
        claim = Claim(next(self._numbers), channel, *client)
        verdict = self.counts.ask(user, claim, limit, self.has_left, self.server.now)
        self.end(verdict.ends)
        if verdict.admitted:
            self.open[claim.number] = claim
        return verdict

    def has_left(self, number: int) -> bool:
        return number not in self.open or number in self.gone

    def leave(self, channel: str, user: int = ANNA) -> None:
        for number in [n for n, claim in self.open.items() if claim.channel == channel]:
            del self.open[number]
            self.counts.leave(user, number)

    def look(self, limit: Limit = ONE) -> None:
        self.end(self.counts.look(ANNA, limit, self.has_left, self.server.now))

    def renew(self) -> None:
        """As it does all two seconds."""
        self.counts.told(self.member.renew()["streams"])

    def end(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.open.pop(number, None)

    def crash(self) -> None:
        self.open.clear()
        self.member.live_again()
        self.start()

    @property
    def channels(self) -> list[str]:
        return [claim.channel for claim in self.open.values()]


class Town:
    """Some instances, and the time, which goes by for all."""

    def __init__(self, server: NearServer) -> None:
        self.server = server
        self._numbers = count(1)

    def instance(self, name: str, member: type[NearMember] = NearMember) -> Instance:
        return Instance(member(self.server, name), self._numbers)

    def wait(self, seconds: float, *instances: Instance, limit: Limit = ONE) -> None:
        """With a look each half second, and what is told by then."""
        until = self.server.now + seconds
        while self.server.now < until:
            self.server.now += 0.5
            for instance in instances:
                instance.renew()
                instance.look(limit)
            settle(*instances)
            for instance in instances:
                instance.renew()
            settle(*instances)


@pytest.fixture
def town(valkey: Valkey) -> Iterator[Town]:  # noqa: F811
    server = NearServer(valkey)
    server.now = 1000.0
    yield Town(server)
    server.close()


def test_zapping_from_one_instance_to_the_other_ends_what_it_left(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    assert a.ask("news") == Verdict(True)
    town.wait(60, a, b)
    assert b.ask("sport") == Verdict(True)
    town.wait(GRACE - 0.5, a, b)
    assert (a.channels, b.channels) == (["news"], ["sport"])
    town.wait(0.5, a, b)
    assert (a.channels, b.channels) == ([], ["sport"])


def test_the_same_channel_at_another_instance_is_no_stream_more(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    refuses = Limit(1, refuses=True)
    assert a.ask("news", limit=refuses).admitted
    assert b.ask("news", limit=refuses).admitted
    assert not b.ask("news", PHONE, limit=refuses).admitted
    a.leave("news")
    assert not a.ask("sport", limit=refuses).admitted
    b.leave("news")
    assert a.ask("sport", limit=refuses).admitted


def test_two_devices_take_over_over_instances_as_at_one(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    a.ask("news", TV)
    b.ask("sport", PHONE)
    town.wait(GRACE, a, b)
    refused = a.ask("news", TV)
    assert not refused.admitted
    assert refused.retry_after == 5.0 - GRACE
    town.wait(refused.retry_after, a, b)
    assert a.ask("news", TV).admitted


def test_a_second_zap_ends_the_first_at_the_other_instance_at_once(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    told = town.server.messages("b")
    a.ask("news")
    b.ask("sport")
    assert a.ask("kids").admitted
    (message,) = told()
    b.counts.told(message["streams"])
    assert (a.channels, b.channels) == (["news", "kids"], [])


def test_what_a_message_did_not_tell_renewals_tell_until_it_was_heard(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    a.ask("news")
    b.ask("sport")
    a.ask("kids")
    lost = b.member.renew()["streams"]
    assert lost == b.member.renew()["streams"]
    b.renew()
    assert b.channels == []
    assert not b.member.renew()["streams"]
    b.counts.told(lost)  # late, and again


def test_what_another_instance_ended_is_known_by_any_answer(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    a.ask("news")
    b.ask("sport")
    a.ask("kids")
    b.ask("films")
    assert b.channels == ["films"]


def test_a_limit_that_is_lowered_ends_the_oldest_wherever_it_is(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    for number in range(2):
        a.ask(f"a{number}", limit=Limit(4))
        b.ask(f"b{number}", limit=Limit(4))
    town.wait(0.5, a, b, limit=Limit(2))
    assert len(a.open) + len(b.open) == 3
    town.wait(GRACE + 0.5, a, b, limit=Limit(2))
    assert (a.channels, b.channels) == (["a1"], ["b1"])


def test_streams_of_a_user_without_a_limit_are_never_told(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    for number in range(3):
        a.ask(f"a{number}", limit=Limit(0))
        b.ask(f"b{number}", limit=Limit(0))
    town.wait(5, a, b, limit=Limit(0))
    a.leave("a0")
    assert a.member.calls == b.member.calls == []
    town.wait(1, a, b, limit=Limit(1))  # until they get one
    assert len(a.open) + len(b.open) == 2


def test_what_an_instance_had_that_died_counts_until_its_lease_has_ended(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    refuses = Limit(1, refuses=True)
    a.ask("news", limit=refuses)
    town.wait(14, b)
    assert not b.ask("sport", limit=refuses).admitted
    town.wait(1, b)
    assert b.ask("sport", limit=refuses).admitted


def test_and_is_free_at_once_if_it_is_back(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    refuses = Limit(1, refuses=True)
    a.ask("news", limit=refuses)
    a.crash()
    assert b.ask("sport", limit=refuses).admitted


def test_a_server_that_began_anew_is_told_again_without_a_grace(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    a.ask("news", limit=Limit(2))
    b.ask("sport", limit=Limit(2))
    town.server.begin_anew()
    for each in a, b:
        each.member.join()
        each.counts.joined()
    refuses = Limit(2, refuses=True)
    for each in a, b:
        each.look(refuses)
    assert not a.ask("kids", limit=refuses).admitted
    assert (a.channels, b.channels) == (["news"], ["sport"])


def test_and_a_user_may_open_one_before_all_have_told(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    a.ask("news")
    town.server.begin_anew()
    for each in a, b:
        each.member.join()
        each.counts.joined()
    assert b.ask("sport", PHONE).admitted
    town.wait(GRACE + 0.5, a, b)
    assert len(a.open) + len(b.open) == 1


def test_while_the_server_is_away_each_counts_alone_and_says_so_once(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    a, b = town.instance("a"), town.instance("b")
    a.ask("news")
    for each in a, b:
        each.member.lose_sight("Valkey (LEASES_URL) cannot be reached")
    assert a.ask("sport").admitted
    assert b.ask("kids", PHONE).admitted  # the limit is at each
    assert a.ask("films", PHONE).admitted
    assert not a.ask("films", BOX).admitted
    town.wait(GRACE, limit=ONE)
    for each in a, b:
        each.look()
    assert (a.channels, b.channels) == (["films"], ["kids"])
    alone = (
        "users' streams are counted by this instance alone: Valkey (LEASES_URL) cannot be reached"
    )
    assert caplog.messages == [alone, alone]
    for each in a, b:
        each.member.come_back()
    town.wait(GRACE + 1, a, b)
    assert len(a.open) + len(b.open) == 1
    assert caplog.messages[2:] == ["users' streams are counted over all instances again"] * 2
    for each in a, b:
        for channel in each.channels:
            each.leave(channel)
    assert a.ask("news", limit=Limit(1, refuses=True)).admitted, "what one ended alone counts"


def test_what_one_ends_while_it_counts_alone_counts_nowhere_afterwards(town: Town) -> None:
    a = town.instance("a")
    a.ask("news")
    a.ask("sport")
    a.member.lose_sight("gone")
    town.server.now += GRACE
    a.look()
    a.member.come_back()
    a.look()
    assert a.channels == ["sport"]
    assert len(json.loads(town.server.read("streams:1"))["claims"]) == 1


def test_after_a_lapse_it_tells_all_as_another_life(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    a.ask("news")
    a.counts.lapsed()
    a.member.live_again()
    a.counts.joined()
    a.look()
    refuses = Limit(1, refuses=True)
    assert not b.ask("sport", limit=refuses).admitted
    a.leave("news")
    assert b.ask("sport", limit=refuses).admitted


def test_nothing_at_the_server_tells_who_watches_what_where(town: Town) -> None:
    a, b = town.instance("a"), town.instance("b")
    a.ask("news", limit=Limit(5))
    b.ask("news", limit=Limit(5))
    b.ask("news", limit=Limit(5), user=2)
    held = town.server.all_that_it_holds()
    assert b"streams:1" in held
    assert not any(word.encode() in held for word in ("news", "anna", *TV))
    seats = [json.loads(town.server.read(f"streams:{user}"))["claims"][0][2] for user in (ANNA, 2)]
    assert seats[0] != seats[1], "two who are at one place cannot be told to be"


def test_an_answer_that_got_lost_leaves_one_claim(town: Town) -> None:
    class Twice(NearMember):
        def tell(
            self, op: str, answered: Callable[[Any], object] = lambda _: None, **given: Any
        ) -> None:
            super().tell(op, **given)
            super().tell(op, answered, **given)

    a, b = town.instance("a", Twice), town.instance("b")
    a.ask("news")
    assert a.ask("sport").admitted
    assert a.ask("kids").admitted
    assert a.channels == ["news", "kids"]
    assert len(json.loads(town.server.read("streams:1"))["claims"]) == 2
    assert all(a.ask("kids").admitted for _ in range(7))  # as often as a seat may have
    for channel in "news", "kids":
        a.leave(channel)
    assert b.ask("films", limit=Limit(1, refuses=True)).admitted
    b.leave("films")
    assert b"claims" not in town.server.all_that_it_holds()


# --- With a way to it ---


class FarMember(NearMember):
    """What it tells is on its way until ``turn``; answers come in order."""

    def __init__(self, *args: Any) -> None:
        self.waiting: deque[tuple[str, Callable[[Any], object], dict[str, Any]]] = deque()
        super().__init__(*args)

    def tell(
        self, op: str, answered: Callable[[Any], object] = lambda _: None, **given: Any
    ) -> None:
        self.waiting.append((op, answered, given))

    def turn(self) -> None:
        if self.waiting:
            op, answered, given = self.waiting.popleft()
            super().tell(op, answered, **given)


def settle(*instances: Instance) -> None:
    """Until nothing is on its way."""
    members = [each.member for each in instances if isinstance(each.member, FarMember)]
    with gevent.Timeout(LIMIT):
        gevent.idle()
        while any(member.waiting for member in members):
            for member in members:
                member.turn()
            gevent.idle()


def test_two_that_ask_at_once_are_judged_one_by_one(town: Town) -> None:
    a, b = town.instance("a", FarMember), town.instance("b", FarMember)
    refuses = Limit(1, refuses=True)
    asks = [gevent.spawn(each.ask, "news", PHONE, refuses) for each in (a,)]
    asks.append(gevent.spawn(b.ask, "sport", TV, refuses))
    settle(a, b)
    assert sorted(ask.get(timeout=LIMIT).admitted for ask in asks) == [False, True]


def test_ten_that_ask_at_once_at_one_instance_are_each_told_once(town: Town) -> None:
    a = town.instance("a", FarMember)
    asks = [gevent.spawn(a.ask, f"c{n}", TV, Limit(20)) for n in range(10)]
    settle(a)
    assert all(ask.get(timeout=LIMIT).admitted for ask in asks)
    assert a.member.calls == ["claim"] * 10


@pytest.mark.parametrize("turns", range(3))
def test_whoever_is_killed_while_asking_has_no_claim(town: Town, turns: int) -> None:
    a, b = town.instance("a", FarMember), town.instance("b")
    b.ask("news", limit=Limit(2))
    asking = gevent.spawn(a.ask, "sport", PHONE, Limit(2))
    gevent.idle()
    asking.kill(block=False)  # it is told so after what comes now
    for _ in range(turns):
        a.member.turn()  # type: ignore[attr-defined]
    settle(a)
    assert not a.channels
    assert b.ask("kids", limit=Limit(2, refuses=True)).admitted
    assert " users=0 " in repr(a.counts)


def test_an_answer_that_does_not_come_in_time_is_not_waited_for(town: Town) -> None:
    a, b = town.instance("a", FarMember), town.instance("b")
    a.counts._call = 0.01
    b.ask("news", limit=ONE)
    assert a.ask("sport", PHONE).admitted
    assert a.counts.is_alone
    settle(a)
    assert not a.counts.is_alone
    town.wait(GRACE + 0.5, a, b)
    settle(a)
    b.renew()
    assert (a.channels, b.channels) == (["sport"], [])


def test_what_it_refused_alone_meanwhile_does_not_count_though_it_was_told(town: Town) -> None:
    a, b = town.instance("a", FarMember), town.instance("b")
    a.counts._call, refuses = 0.05, Limit(1, refuses=True)
    asking = gevent.spawn(a.ask, "news", TV, refuses)
    gevent.idle()
    a.member.reachable = False
    assert a.ask("sport", TV, refuses).admitted
    assert not asking.get(timeout=LIMIT).admitted
    a.member.reachable = True
    a.look(refuses)
    settle(a)
    assert b.ask("sport", TV, refuses).admitted
    assert not b.ask("news", TV, refuses).admitted
    a.leave("sport")
    b.leave("sport")
    settle(a)
    assert b.ask("kids", TV, refuses).admitted


def test_whoever_asks_while_it_lapses_is_judged_alone_at_once(town: Town) -> None:
    a = town.instance("a", FarMember)
    asks = [gevent.spawn(a.ask, channel, TV, Limit(5)) for channel in ("news", "sport")]
    gevent.idle()
    a.member.waiting.clear()  # type: ignore[attr-defined]
    a.counts.lapsed()
    assert all(ask.get(timeout=0.5).admitted for ask in asks)


def test_one_that_is_ended_before_it_hears_that_it_may_begin_is_refused(town: Town) -> None:
    a, b = town.instance("a", FarMember), town.instance("b")
    asking = gevent.spawn(a.ask, "news")
    gevent.idle()
    op, answered, given = a.member.waiting.popleft()  # type: ignore[attr-defined]
    answer = a.server.call(a.member.owner, op, given)
    b.ask("sport")
    town.server.now += GRACE
    b.look()
    told = a.member.renew()["streams"]
    answered(answer)  # from here on nothing waits, or who asks might begin in between
    a.counts.told(told)
    settle(a)
    assert asking.get(timeout=LIMIT) == Verdict(False, (), GRACE)
    assert b.channels == ["sport"]


# --- At random ---


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most", [1, 2])
def test_two_instances_decide_as_one_would(town: Town, seed: int, most: int) -> None:
    """All that is asked for at two is asked of one in memory, too."""
    dice, limit = random.Random(seed), Limit(most, refuses=seed % 4 == 3)
    pair = [town.instance(name) for name in "ab"]
    one, at_one, numbers = LocalStreamCounts(), dict[int, Claim](), count(1)
    for _ in range(150):
        what = dice.random()
        if what < 0.4:
            channel, client = dice.choice("vwxyz"), dice.choice((TV, PHONE, BOX))
            claim = Claim(next(numbers), channel, *client)
            expected = one.ask(ANNA, claim, limit, lambda _: False, town.server.now)
            for number in expected.ends:
                del at_one[number]
            if expected.admitted:
                at_one[claim.number] = claim
            verdict = dice.choice(pair).ask(channel, client, limit)
            assert verdict.admitted == expected.admitted
            assert verdict.retry_after == expected.retry_after
            for each in pair:
                each.renew()
        elif what < 0.6 and at_one:
            channel = dice.choice(list(at_one.values())).channel
            for number in [n for n, claim in at_one.items() if claim.channel == channel]:
                del at_one[number]
                one.leave(ANNA, number)
            for each in pair:
                each.leave(channel)
        else:
            town.wait(0.5, *pair, limit=limit)
            for number in one.look(ANNA, limit, lambda _: False, town.server.now):
                del at_one[number]
        found = sorted(claim.seat for each in pair for claim in each.open.values())
        assert found == sorted(claim.seat for claim in at_one.values())


class Crowd:
    """Asks, leaves, and dies at two instances, while calls of both are on their way."""

    def __init__(self, town: Town, dice: random.Random, limit: Limit) -> None:
        self._town = town
        self._dice = dice
        self._limit = limit
        self.pair = [town.instance(name, FarMember) for name in "ab"]
        self._asking: list[tuple[Instance, gevent.Greenlet]] = []

    def step(self) -> None:
        each, what = self._dice.choice(self.pair), self._dice.random()
        if what < 0.4:
            client = self._dice.choice((TV, PHONE, BOX))
            ask = gevent.spawn(each.ask, self._dice.choice("vwxyz"), client, self._limit)
            self._asking.append((each, ask))
        elif what < 0.5 and self._asking:
            self._asking.pop(self._dice.randrange(len(self._asking)))[1].kill()
        elif what < 0.65 and each.open:
            each.leave(self._dice.choice(each.channels))
        elif what < 0.67:
            for ask in [ask for at, ask in self._asking if at is each]:
                ask.kill()
            each.member.waiting.clear()  # type: ignore[attr-defined]
            each.crash()
        else:
            each.member.turn()  # type: ignore[attr-defined]
        gevent.idle()

    def pause(self) -> int:
        """How many seats there are half a second later."""
        settle(*self.pair)
        self._town.wait(0.5, *self.pair, limit=self._limit)
        return len({claim.seat for each in self.pair for claim in each.open.values()})

    def go(self) -> None:
        settle(*self.pair)
        for each in self.pair:
            for channel in set(each.channels):
                each.leave(channel)
        settle(*self.pair)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_between_one_more_is_open_at_most_and_nothing_leaks(
    town: Town, seed: int
) -> None:
    dice = random.Random(seed)
    limit = Limit(dice.choice((1, 2)))
    crowd, over_since = Crowd(town, dice, limit), town.server.now
    for _ in range(40):
        for _ in range(dice.randrange(12)):
            crowd.step()
        seats = crowd.pause()
        assert seats <= limit.most + 1
        if seats <= limit.most:
            over_since = town.server.now
        # Whoever takes over while one is over gives the others their time.
        assert town.server.now - over_since <= 2 * GRACE
    crowd.go()
    assert all(" users=0 " in repr(each.counts) for each in crowd.pair)
    town.wait(10)
    ask = town.instance("c").ask  # nobody's claims are left, whose owners live
    assert ask("news", limit=Limit(1, refuses=True)).admitted
