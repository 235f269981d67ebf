"""What one instance was asked to leave alone, all leave alone: the real script, in a told time."""

from __future__ import annotations

from time import monotonic
from typing import Any

import pytest

from kptv.channels.health import Policy
from kptv.channels.local_health import LocalHealth
from kptv.channels.model import Source
from kptv.errors import Reason, UpstreamError
from kptv.instances.term import Times
from kptv.restream.shared_rests import TURN
from kptv.restream.shared_server import name_of
from tests.instances.house import House, until
from tests.instances.street import (
    BESIDE_IT,
    ELSEWHERE,
    FREE,
    NEWS,
    ONE,
    SPORT,
    TWO,
    Street,
    pair,
    stream,
)

pytestmark = pytest.mark.requires("redis-server")


# --- What is told ---


def test_what_one_was_asked_the_other_keeps_to_at_once_and_looks_behind_it(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    assert a.rests_for(SPORT) == 60
    assert b.rests_for(SPORT) == 60 + TURN
    assert b.rests_for(stream("news", TWO)) == 0
    street.pass_time(61)
    assert (a.rests_for(SPORT), b.rests_for(SPORT)) == (0, 1)


def test_what_was_asked_is_said_to_viewers_and_looked_at_each_minute(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 3600)
    assert b.rests_for(SPORT) == 60 + TURN
    assert b.health.asked_until(SPORT) == street.now + 3600


def test_it_says_why_and_where(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60, status=458)
    (rest,) = b.health.rests(street.now)
    assert (rest.scope, rest.key, rest.name) == ("account", (1, ""), "")
    assert (rest.since, rest.look_at) == (street.now, street.now + 60 + TURN)
    assert str(rest.why) == "rate_limited (HTTP 458 to another instance)"
    (own,) = a.health.rests(street.now)
    assert (own.name, str(own.why)) == ("news", "rate_limited (HTTP 458)")


def test_a_source_has_other_numbers_elsewhere(street: Street) -> None:
    a, b = street.instance("a", ONE), street.instance("b", FREE, Source(9, ONE.url, 4, ONE.host))
    a.refused(NEWS, 60)
    assert b.rests_for(stream("news", Source(9, ONE.url, 4, ONE.host))) == 60 + TURN


def test_a_host_rests_everywhere_and_the_account_nowhere(street: Street) -> None:
    a, b = pair(street)
    a.refused(ELSEWHERE, 60)
    assert b.rests_for(BESIDE_IT) == 60 + TURN
    assert b.rests_for(NEWS) == a.rests_for(NEWS) == 0
    b.health.answered(BESIDE_IT)
    assert a.rests_for(ELSEWHERE) == 0


@pytest.mark.parametrize(
    "error",
    [
        UpstreamError(Reason.PROXY, "it refuses the password"),
        UpstreamError(Reason.RATE_LIMITED, "HTTP 503", status=503, retry_after=60),
    ],
    ids=["its own way there", "of a stream alone"],
)
def test_what_concerns_one_instance_or_one_stream_is_not_told(
    street: Street, error: UpstreamError
) -> None:
    a, b = pair(street)
    a.health.refused(NEWS, error, street.now, busy=False)
    assert a.rests_for(NEWS) > 0
    assert b.rests_for(NEWS) == 0


def test_nothing_of_an_account_is_told(street: Street) -> None:
    a, _ = pair(street)
    a.refused(NEWS, 60)
    a.refused(ELSEWHERE, 60)
    a.refused(SPORT, 60, status=500)  # which concerns that stream alone
    told = street.kept()
    assert name_of(ONE) in told
    for secret in ("dave", "pass123", "example", "news", "http:"):
        assert secret not in told.lower()


def test_a_message_tells_it_at_once() -> None:
    with House() as house:
        for name in "ab":
            house.instance(name, [ONE])
        house.heard()
        a, b = (LocalHealth(Policy(), house.rests[name]) for name in "ab")
        began = monotonic()
        a.refused(NEWS, UpstreamError(Reason.RATE_LIMITED, status=429), began, busy=False)
        until(lambda: b.ready_at(NEWS) > began + 5)
        b.answered(SPORT)
        until(lambda: not a.ready_at(NEWS))
        assert monotonic() - began < Times().renewal / 2


def test_renewals_tell_what_no_message_told(street: Street) -> None:
    a, b = pair(street)
    b.deaf = True
    a.refused(NEWS, 60)
    assert b.rests_for(NEWS) == 0
    street.pass_time(2)
    assert b.rests_for(NEWS) == 58 + TURN
    a.health.answered(NEWS)
    street.pass_time(2)
    assert b.rests_for(NEWS) == 0


def test_renewals_change_nothing_of_what_was_heard(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    street.pass_time(40)
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (20, 20 + TURN)


def test_who_gets_a_slot_hears_of_the_rest_with_it(street: Street) -> None:
    a, b = pair(street)
    street.pass_time(20)  # the server gives slots
    b.deaf = True
    a.refused(NEWS, 60)
    rests_then = []
    b.tell(
        "reserve",
        lambda answer: rests_then.append((answer["is"], b.rests_for(NEWS))),
        token="t",
        sources=[name_of(ONE)],
        wait=0,
    )
    assert rests_then == [("granted", 60 + TURN)]


def test_what_they_say_side_by_side_is_told_once(street: Street) -> None:
    a, b = pair(street)
    before = b.messages
    for _ in range(20):
        a.refused(NEWS, 60)
        street.pass_time(0.01)
    assert b.messages - before == 1


def test_a_longer_rest_that_is_not_told_yet_holds(street: Street) -> None:
    a, b = pair(street)
    b.hold_back()
    b.refused(NEWS, 60)
    a.refused(NEWS, 30)
    b.renew()
    assert b.rests_for(NEWS) == 60 + TURN
    b.go_on()
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (60, 60 + TURN)


# --- Its end ---


def test_media_at_any_instance_ends_it_everywhere(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    b.health.answered(SPORT)
    assert a.rests_for(NEWS) == b.rests_for(NEWS) == 0
    a.refused(NEWS, 60)
    a.health.answered(SPORT)
    street.pass_time(4)
    assert a.rests_for(NEWS) == b.rests_for(NEWS) == 0


def test_an_end_that_is_not_told_yet_holds(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    b.hold_back()
    b.health.answered(NEWS)
    b.renew()
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (60, 0)
    b.go_on()
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (0, 0)
    b.hold_back()
    b.refused(NEWS, 60)
    b.health.answered(NEWS)
    b.say_one()
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (60 + TURN, 0)
    b.go_on()
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (0, 0)


def test_a_refusal_that_is_not_told_yet_outlives_the_media_of_another(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    b.hold_back()
    b.refused(NEWS, 60)
    a.health.answered(NEWS)
    b.renew()
    assert b.rests_for(NEWS) == 60
    b.go_on()
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (60 + TURN, 60)


def test_a_refusal_that_is_newer_than_the_media_holds(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 30)
    b.leave()
    b.health.answered(NEWS)
    street.pass_time(31)
    a.refused(NEWS, 30)
    b.join()
    assert a.rests_for(NEWS) == 30
    assert b.rests_for(NEWS) == 30 + TURN


def test_the_next_rest_in_a_row_is_longer_whoever_looked(street: Street) -> None:
    a, b = pair(street)
    waited = []
    for looks in (a, b, a, b):
        looks.refused(NEWS)
        waited.append(looks.rests_for(NEWS))
        street.pass_time(looks.rests_for(NEWS) + 2 * TURN)
    assert waited == [5, 10, 20, 40]


# --- A server that is away, and one that begins anew ---


def test_one_that_is_alone_goes_by_its_own_and_by_what_it_heard_last(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    b.leave()
    b.refused(ELSEWHERE, 60)
    assert (b.rests_for(NEWS), b.rests_for(ELSEWHERE)) == (60 + TURN, 60 + TURN)
    assert a.rests_for(BESIDE_IT) == 60, "only its account rests"
    a.refused(stream("z", TWO), 60)
    assert b.rests_for(stream("z", TWO)) == 0


def test_one_that_comes_back_tells_what_it_was_asked_and_hears_what_ended(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    b.leave()
    b.refused(ELSEWHERE, 60)
    a.health.answered(NEWS)
    street.pass_time(10)
    b.join()
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (0, 0)
    assert (a.rests_for(BESIDE_IT), b.rests_for(BESIDE_IT)) == (50 + TURN, 50)


def test_one_that_was_let_in_while_it_was_alone_tells_it_then(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    b.leave()
    b.health.answered(NEWS)
    street.pass_time(5)
    assert a.rests_for(NEWS) == 55
    b.join()
    assert a.rests_for(NEWS) == b.rests_for(NEWS) == 0


def test_a_server_that_began_anew_is_told_again_what_still_rests(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    b.refused(stream("news", TWO), 5)
    street.pass_time(20)
    street.restart()
    street.pass_time(4)
    late = street.instance("c", ONE, TWO)
    assert (a.rests_for(NEWS), b.rests_for(NEWS), late.rests_for(NEWS)) == (36, 38, 40)
    assert late.rests_for(stream("news", TWO)) == 0
    late.health.answered(NEWS)
    assert a.rests_for(NEWS) == b.rests_for(NEWS) == 0
    street.restart()
    street.pass_time(4)
    assert not any(each.rests_for(NEWS) for each in (a, b, late)), "it was ended"


def test_what_a_former_server_counted_says_nothing_of_the_next(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    b.leave()
    b.health.answered(NEWS)
    street.pass_time(1)
    street.restart()
    street.pass_time(4)
    b.join()
    assert (a.rests_for(NEWS), b.rests_for(NEWS)) == (55, 55 + TURN)


# --- What others may do ---


def test_what_is_over_is_forgotten_by_the_server(street: Street) -> None:
    a, b = pair(street)
    a.refused(NEWS, 60)
    street.pass_time(119)
    assert name_of(ONE) in street.kept()
    street.pass_time(4)
    assert name_of(ONE) not in street.kept()
    b.refused(NEWS)
    assert a.rests_for(NEWS) == 10 + TURN, "it is the second in a row"
    assert street.lasting() == []


def test_an_import_that_ends_the_rest_of_a_host_ends_it_for_good(street: Street) -> None:
    a, b = pair(street)
    a.refused(ELSEWHERE, 60)
    b.health.imported(street.now)
    street.pass_time(10)
    assert (a.rests_for(ELSEWHERE), b.rests_for(ELSEWHERE)) == (50, 0)


def test_the_hosts_of_a_source_are_bounded_and_what_ends_makes_room(street: Street) -> None:
    a, b = pair(street)
    links = [stream("x", host=f"{n}.example") for n in range(70)]
    for link in links:
        a.refused(link, 60)
    assert [b.rests_for(link) > 0 for link in links] == [True] * 64 + [False] * 6
    assert all(a.rests_for(link) for link in links), "it was asked itself"
    street.pass_time(124)
    a.refused(links[-1], 60)
    assert b.rests_for(links[-1]) > 0


def test_nobody_tells_of_a_source_that_it_does_not_have(street: Street) -> None:
    a, b = pair(street)
    words: dict[str, Any] = {
        "look": 60_000,
        "ends": 60_000,
        "times": 1,
        "reason": "x",
        "status": None,
    }
    a.tell("rest", source=name_of(FREE), host="", **words)
    assert name_of(FREE) not in street.kept()
    a.tell("rest", source=name_of(ONE), host="", **words)
    assert b.rests_for(NEWS) == 60 + TURN
    assert [str(rest.why) for rest in b.health.rests(street.now)] == [
        "rate_limited (a refusal to another instance)"
    ]


def test_nonsense_of_another_is_bounded(street: Street) -> None:
    a, b = pair(street)
    words: dict[str, Any] = {"times": 10**9, "reason": "http_error", "status": 503}
    a.tell("rest", source=name_of(ONE), host="", look=10**12, ends=10**12, **words)
    assert b.rests_for(NEWS) == 60 + TURN
    assert b.health.asked_until(NEWS) == street.now + 86400
    street.pass_time(60 + TURN)
    b.refused(NEWS)
    assert b.rests_for(NEWS) <= 60
    told = {"source": name_of(ONE), "host": "", "number": 10**6, "turn": 10**6, "ago": 0}
    b.shared.told({"since": "another", "all": [told | words | {"look": 10**12, "ends": 10**12}]})
    assert b.rests_for(NEWS) == 60 + 5 * TURN
