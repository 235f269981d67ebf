"""Which instance looks whether a rest is over, and how often all of them ask: in a told time."""

from __future__ import annotations

import pytest

from kptv.channels.failover import Failover, Try, Wait
from kptv.channels.health import Policy
from kptv.channels.model import Source, Stream
from kptv.errors import Reason, UpstreamError
from kptv.restream.shared_rests import TURN
from tests.instances.street import NEWS, ONE, SPORT, Instance, Street, pair, stream

pytestmark = pytest.mark.requires("redis-server")


def test_instances_look_in_turn_and_whoever_was_asked_first_looks_first(street: Street) -> None:
    names = "abcdefgh"
    all_of_them = [street.instance(name, ONE) for name in names]
    all_of_them[2].refused(NEWS, 60)
    turns = [(each.rests_for(NEWS) - 60) / TURN for each in all_of_them]
    assert turns == [5, 5, 0, 1, 2, 3, 4, 5]


def test_those_refused_side_by_side_agree_who_looks_first(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    street.pass_time(0.4)
    b.refused(SPORT, 60)
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (60, 60 + TURN)
    for _ in range(20):
        b.refused(SPORT, 60)
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (60, 60 + TURN)


def test_another_looks_if_nobody_watches_at_the_first_and_is_the_first_then(
    street: Street,
) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    street.pass_time(60 + TURN)
    b.refused(NEWS, 60)
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (60 + TURN, 60)


def test_one_whose_first_has_died_looks_in_its_place(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    a.leave()
    street.pass_time(20)
    assert b.rests_for(NEWS) == 40


class Account:
    """It refuses all that is opened, for a minute, until it lets all in."""

    def __init__(self, street: Street, limit: int) -> None:
        self.street, self.limit = street, limit
        self.asked: list[tuple[float, str]] = []  # when, by which instance
        self.open = False


class Hub:
    """A channel that played, whose stream has broken."""

    def __init__(self, account: Account, instance: Instance, stream: Stream) -> None:
        self.account, self.instance = account, instance
        policy = Policy(give_up=600)
        now = account.street.now
        self.failover = Failover((stream,), instance.health, policy, now, lambda: 1.0)
        self.failover.opened(stream, now - 100)
        self.failover.started(now - 90)
        self.failover.failed(UpstreamError(Reason.ENDED), now, now, busy=False)
        self.plays = False

    def turn(self, full: frozenset[int]) -> bool:
        """Whether it has asked the account."""
        now = self.account.street.now
        step = self.failover.next(now, full)
        if self.plays or not isinstance(step, Try):
            assert self.plays or isinstance(step, Wait)
            return False
        self.failover.opened(step.stream, now)
        self.account.asked.append((now, self.instance.name))
        return True

    def hears(self) -> None:
        now = self.account.street.now
        if self.account.open:
            self.plays = True
            self.failover.started(now)
        else:
            answer = UpstreamError(Reason.RATE_LIMITED, "", status=429, retry_after=60)
            self.failover.failed(answer, now, now, busy=True)


def requests_of_each_look(street: Street, limit: int, lonely: bool = False) -> list[list[str]]:
    """Who asks an account that refuses for ten minutes, at its looks; of four with 100 channels."""
    source = Source(1, ONE.url, limit, ONE.host)
    instances = [street.instance(name, source) for name in "abcd"]
    account = Account(street, limit)
    hubs = [Hub(account, instances[i % 4], stream(str(i), source)) for i in range(100)]
    for instance in instances if lonely else ():
        instance.leave()
    street.pass_time(1)
    looks: list[list[str]] = []
    while street.now < 1200:
        asked: list[Hub] = []
        for hub in hubs:  # answers take a moment, so those that may ask at once ask side by side
            full = frozenset([1]) if limit and len(asked) >= limit else frozenset[int]()
            if hub.turn(full):
                asked.append(hub)
        for hub in asked:
            hub.hears()
        if asked:
            looks.append([hub.instance.name for hub in asked])
        street.pass_time(0.25)
    return looks


@pytest.mark.parametrize(("limit", "side_by_side"), [(1, 1), (4, 4), (0, 25)])
def test_four_instances_with_a_hundred_channels_ask_as_one_does(
    street: Street, limit: int, side_by_side: int
) -> None:
    _, *looks = requests_of_each_look(street, limit)
    assert len(looks) == 3, "one a minute"
    assert [(len(look), set(look)) for look in looks] == [(side_by_side, {"a"})] * 3


def test_alone_each_of_them_would_ask(street: Street) -> None:
    _, *looks = requests_of_each_look(street, 0, lonely=True)
    assert [len(look) for look in looks] == [100] * 3
