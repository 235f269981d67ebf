"""The script where the server's clock jumps; it is told the time, and nobody waits.

An instance hangs up by its own clock: LEASE - MARGIN after it has sent its last renewal.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kptv.instances.link import SCRIPT
from kptv.instances.term import Times
from tests.instances.test_script import Instance, Server
from tests.instances.valkey import Valkey

pytestmark = pytest.mark.requires("redis-server")

TIMES = Times()
LEASE, MARGIN = round(TIMES.lease * 1000), round(TIMES.margin * 1000)  # ms
TERM = LEASE - MARGIN  # after that long an instance has hung up
ASKED = "redis.call('TIME')"


class Clocked(Server):
    """A server whose clock is set."""

    script = SCRIPT.replace(ASKED, "{ ARGV[7], ARGV[8] }")
    passed = 0  # ms of real time
    ahead = 0  # ms, of its clock

    @property
    def clock(self) -> tuple[int, ...]:  # type: ignore[override]
        now = 1_800_000_000_000 + self.passed + self.ahead
        return now // 1000, now % 1000 * 1000


@pytest.fixture
def server(valkey: Valkey) -> Iterator[Clocked]:
    assert SCRIPT.count(ASKED) == 1
    server = Clocked(valkey)
    Instance(server, "first", lease=1).join()
    server.passed += 1  # the grace is over
    yield server
    server.told.close()
    server.client.close()


def pair(server: Clocked) -> tuple[Instance, Instance]:
    """One that is cut off as soon as it holds the only slot, and one that wants it."""
    a, b = Instance(server, "a", lease=LEASE), Instance(server, "b", lease=10 * LEASE)
    a.join()
    b.join()
    assert a.reserve("x") == "one"
    server.passed = 0
    a.renew()
    return a, b


def given_after(server: Clocked, b: Instance, times: tuple[int, ...]) -> int | None:
    """After how many of these milliseconds the other one is given the slot."""
    for passed in times:
        server.passed = passed
        if b.reserve("y") == "one":
            return passed
    return None


MOMENTS = (1, TERM // 2, TERM - 1, TERM, TERM + 1, LEASE - 1, LEASE, LEASE + 1, 2 * LEASE)


def test_what_an_instance_held_is_given_on_when_its_lease_ends(server: Clocked) -> None:
    _, b = pair(server)
    assert given_after(server, b, MOMENTS) == LEASE


@pytest.mark.parametrize("jump", [1, MARGIN // 2, MARGIN - 1, MARGIN])
def test_a_jump_forward_of_no_more_than_the_margin_gives_nothing_before_it_has_hung_up(
    server: Clocked, jump: int
) -> None:
    _, b = pair(server)
    server.ahead = jump
    after = given_after(server, b, MOMENTS)
    assert after is not None
    assert TERM <= after <= LEASE


def test_a_jump_of_more_than_the_margin_does_so_that_is_the_promise_s_second_condition(
    server: Clocked,
) -> None:
    _, b = pair(server)
    server.ahead = MARGIN + 1
    assert given_after(server, b, MOMENTS) == TERM - 1


@pytest.mark.parametrize("jump", [0, MARGIN - 1, MARGIN])
def test_nor_does_it_in_the_grace_of_a_server_that_began_anew(server: Clocked, jump: int) -> None:
    _, b = pair(server)
    b.lease = LEASE
    server.restart()
    b.join()
    b.reserve("z", wait=10 * LEASE)
    server.ahead = jump
    for passed in (1, TERM // 2, TERM - 1):
        server.passed = passed
        assert b.granted() == []
        assert b.reserve("y") == "full"
    server.passed = LEASE
    b.join()
    assert b.granted() == [["z", "one"]]


@pytest.mark.parametrize("jump", [1, MARGIN, 3_600_000])
def test_a_jump_backward_gives_nothing_sooner_and_what_lives_goes_on(
    server: Clocked, jump: int
) -> None:
    a, b = pair(server)
    server.ahead = -jump
    server.passed = TERM // 2
    assert a.renew()["is"] == "renewed"
    server.passed += LEASE - 1
    assert b.reserve("y") == "full"
    assert a.renew()["is"] == "renewed"
    a.release("x")
    assert b.reserve("y") == "one"
    assert a.reserve("z", wait=LEASE) == "waits"
    b.release("y")
    assert a.granted() == [["z", "one"]]


@pytest.mark.parametrize("jump", [1, MARGIN, 3_600_000])
def test_nor_does_it_keep_what_the_dead_held_or_the_grace_longer(
    server: Clocked, jump: int
) -> None:
    _, b = pair(server)
    server.ahead = -jump
    assert given_after(server, b, (0, *MOMENTS)) == LEASE
    b.lease = LEASE
    server.restart()
    assert b.join()["grace"] == LEASE
    server.ahead -= jump
    assert b.renew()["grace"] == LEASE
    server.passed += LEASE
    assert b.join()["grace"] == 0
    assert b.reserve("y") == "one"
