"""Whom a refusal concerns: told the time and the answers, so a minute passes in no time."""

from __future__ import annotations

import pytest

from kptv.channels.failover import GiveUp, Try, Wait
from kptv.channels.health import Health, Policy, StreamStanding
from kptv.channels.local_health import LocalHealth
from kptv.channels.model import Source, Stream
from kptv.channels.resting import Rest, Rests, Scope, account_of
from kptv.errors import Reason, UpstreamError
from tests.channels.test_failover import Play

BLOCKS_AT_ONCE = Policy(max_failures_before_block=1)
LIMITS = (429, 456, 458, 509)


def stream(path: str, host: str = "most.example", most: str | None = "most.example") -> Stream:
    source = Source(1, "http://list.example/get.php", 0, most)
    return Stream(source, f"http://{host}/{path}", path)


A, B, C, D = (stream(path) for path in "abcd")
ELSEWHERE, BESIDE_IT = stream("e", "other.example"), stream("f", "Other.example:80")


def answer(status: int, retry_after: float | None = None) -> UpstreamError:
    limited = status in LIMITS or retry_after is not None
    reason = Reason.RATE_LIMITED if limited else Reason.HTTP_ERROR
    return UpstreamError(reason, f"HTTP {status}", status=status, retry_after=retry_after)


def ready(health: Health, now: float, *streams: Stream) -> list[bool]:
    return [health.ready_at(stream) <= now for stream in streams]


@pytest.mark.parametrize("status", LIMITS)
def test_a_limit_at_the_host_of_most_links_is_the_accounts(status: int) -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    assert health.refused(A, answer(status), 0, busy=False) == "leaving the source alone for 5 s"
    assert ready(health, 4.9, A, B, ELSEWHERE) == [False, False, False]
    assert ready(health, 5, A, B, ELSEWHERE) == [True, True, True]
    assert len(health.blocks(0)) == 0


@pytest.mark.parametrize(("first", "others"), [(A, (B, C, A)), (ELSEWHERE, (BESIDE_IT, BESIDE_IT))])
def test_those_refused_side_by_side_double_a_rest_once(
    first: Stream, others: tuple[Stream, ...]
) -> None:
    health, now = LocalHealth(BLOCKS_AT_ONCE), 0.0
    for rest in (5, 10, 20, 40, 60, 60):
        health.refused(first, answer(429), now, busy=False)
        for other in others:  # opened as the last rest was over too, answered a moment later
            health.refused(other, answer(429), now + 0.5, busy=False)
        assert ready(health, now + rest - 0.1, first, *others) == [False] * (1 + len(others))
        assert health.ready_at(first) <= now + rest + 0.5
        now = health.ready_at(first)


@pytest.mark.parametrize("status", LIMITS)
def test_a_limit_at_another_host_is_that_hosts(status: int) -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    told = health.refused(ELSEWHERE, answer(status, 3600), 0, busy=True)
    assert told == "leaving the host alone for 60 s"
    assert ready(health, 59, A, ELSEWHERE, BESIDE_IT) == [True, False, False]
    assert health.standing(BESIDE_IT, 59) == (StreamStanding.HOST_COOLING, 60)
    assert ready(health, 60, ELSEWHERE, BESIDE_IT) == [True, True]


def test_where_links_lead_to_many_hosts_each_speaks_for_itself() -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    one, two = (stream("x", host, most="") for host in ("one.example", "two.example"))
    health.refused(one, answer(429), 0, busy=False)
    assert ready(health, 0, one, two) == [False, True]


def test_before_an_import_a_limit_is_the_accounts() -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    one, two = (stream("x", host, most=None) for host in ("one.example", "two.example"))
    health.refused(one, answer(429), 0, busy=False)
    assert ready(health, 0, one, two) == [False, False]


def test_an_account_that_asks_for_an_hour_is_looked_at_each_minute() -> None:
    play = Play(A, policy=Policy(give_up=600))
    play.play(1)
    looks = []
    for _ in range(3):
        play.fail(answer(429, 3600))
        play.wait()
        looks.append(play.now - 1001)
        play.open()
    assert looks == [60, 120, 180]
    cold = Play(A, health=play.health)
    play.fail(answer(429, 3600))
    cold.now = play.now
    step = cold.next()
    assert isinstance(step, GiveUp)
    assert step.retry_after == 3600, "who asks us is told what the provider told"


@pytest.mark.parametrize("status", [403, 503, 401, 404, 500])
def test_any_other_answer_with_a_pause_rests_the_stream_which_has_not_failed(status: int) -> None:
    play = Play(A, policy=BLOCKS_AT_ONCE)
    play.open()
    assert play.fail(answer(status, 3600)) == "leaving the stream alone for 600 s"
    health = play.health
    assert len(health.blocks(play.now)) == health.failures(A) == 0
    assert ready(health, play.now + 599, A, B, ELSEWHERE) == [False, True, True]
    (candidate,) = play.failover.candidates(play.now, ())
    assert (candidate.standing, candidate.until) == (StreamStanding.RESTING, play.now + 600)
    assert candidate.error is not None
    assert candidate.error.detail == f"HTTP {status}"
    assert ready(health, play.now + 600, A) == [True]


def test_a_pause_that_names_no_time_is_no_failure_either() -> None:
    play = Play(A, policy=BLOCKS_AT_ONCE)
    play.open()
    play.fail(UpstreamError(Reason.RATE_LIMITED, status=503))
    assert play.health.failures(A) == 0
    assert play.wait() == 5
    play.open()
    play.fail(UpstreamError(Reason.RATE_LIMITED, status=503))
    assert play.wait() == 10


def test_an_import_of_its_source_ends_the_rest_of_a_stream_and_of_a_host() -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    health.refused(A, answer(503, 3600), 0, busy=False)
    health.refused(ELSEWHERE, answer(429, 3600), 0, busy=False)
    health.imported(1, numbers={2})
    assert ready(health, 1, A, ELSEWHERE) == [False, False]
    health.imported(1, numbers={1})
    assert ready(health, 1, A, ELSEWHERE) == [True, True]


def test_an_import_unblocks_only_streams_of_the_sources_that_were_imported() -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    health.fail(A, 0)
    health.imported(1, numbers={2})
    assert len(health.blocks(1)) == 1
    health.imported(1, numbers={1})
    assert len(health.blocks(1)) == 0


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("retry_after", [None, 3600])
def test_three_streams_that_are_refused_within_ten_seconds_speak_for_the_account(
    status: int, retry_after: float | None
) -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    for at, refused in enumerate((A, A, B, B)):
        if not health.refused(refused, answer(status, retry_after), at, busy=False):
            health.fail(refused, at)
    assert ready(health, 4, C, D) == [True, True]
    told = health.refused(C, answer(status, retry_after), 9, busy=False)
    assert told.startswith("leaving the source alone")
    assert ready(health, 10, D, ELSEWHERE) == [False, False]
    assert len(health.blocks(10)) == 0, "it was the account's, so nothing is held against A and B"
    assert ready(health, 70, A, B, C, D) == [True] * 4


def test_three_streams_of_another_host_speak_for_that_host() -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    for path in "xyz":
        health.refused(stream(path, "other.example"), answer(403), 0, busy=False)
    assert ready(health, 0, A, ELSEWHERE) == [True, False]


def test_refusals_further_apart_and_those_of_a_host_that_lets_others_in_speak_for_themselves() -> (
    None
):
    health = LocalHealth(BLOCKS_AT_ONCE)
    for at, refused in ((0, A), (6, B), (11, C)):
        assert not health.refused(refused, answer(403), at, busy=False)
    health.answered(D)
    assert not health.refused(A, answer(403), 12, busy=False)
    assert ready(health, 12, A, B, C, D) == [True] * 4


def test_a_stream_that_is_let_in_ends_the_rest_of_its_host_but_not_that_of_the_account() -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    health.refused(A, answer(429), 0, busy=False)
    health.refused(ELSEWHERE, answer(429), 0, busy=False)
    health.answered(BESIDE_IT)
    assert {rest.scope for rest in health.rests(0)} == {"account"}
    health.answered(B)
    assert health.rests(0) == []


def test_what_others_were_asked_holds_here_and_they_have_the_first_look() -> None:
    rests = Rests()
    health = LocalHealth(BLOCKS_AT_ONCE, rests)
    told = Rest(account_of(A.source), "", answer(429), 0, 60, 3600, times=3, behind=2)
    rests.take(told, 0)
    assert (health.ready_at(B), health.asked_until(B)) == (62, 3600)
    assert health.standing(B, 0) == (StreamStanding.COOLING, 62)
    health.refused(A, answer(429), 62, busy=False)
    assert health.ready_at(A) == 62 + 40, "the fourth refusal in a row"


def test_of_two_rests_the_later_end_holds_whoever_was_asked_for_it() -> None:
    for ours, theirs in ((30, 60), (60, 30)):
        rests = Rests()
        health = LocalHealth(BLOCKS_AT_ONCE, rests)
        health.refused(A, answer(429, ours), 0, busy=False)
        told = rests.take(Rest(account_of(A.source), "", answer(429), 0, theirs, theirs), 0)
        assert health.ready_at(A) == health.asked_until(A) == 60
        health.refused(A, answer(429, 10), 1, busy=False)
        assert not rests.drop(told), "it was refused again"
        assert health.ready_at(A) == 60


def test_what_was_asked_of_us_and_its_end_are_heard() -> None:
    heard: list[object] = []
    rests = Rests(lambda rest: heard.append(rest.party), heard.append, lambda _, host: "a digest")
    health = LocalHealth(BLOCKS_AT_ONCE, rests)
    health.refused(ELSEWHERE, answer(429), 0, busy=False)
    health.answered(B)
    health.answered(BESIDE_IT)
    health.answered(BESIDE_IT)
    assert heard == [(Scope.HOST, 1, "a digest")] * 2
    rests.take(Rest(account_of(A.source), "", answer(429), 0, 60, 60, behind=2), 0)
    assert len(heard) == 2, "what others told is not told again"


def test_a_rest_that_is_ended_by_hand_is_over() -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    health.refused(A, answer(503, 600), 0, busy=False)
    assert A.key in health.known()
    assert health.unblock(A.key)
    assert ready(health, 0, A) == [True]
    assert not health.unblock(A.key)


def test_a_channel_goes_on_with_a_candidate_of_another_host_of_the_same_source() -> None:
    play = Play(ELSEWHERE, A, policy=BLOCKS_AT_ONCE)
    play.open()
    play.fail(answer(429, 60))
    step = play.next()
    assert isinstance(step, Try)
    assert step.stream == A
    play.open()
    play.fail(answer(429, 7))
    assert play.wait() == 7
    assert isinstance(play.next(), Try)


def test_what_is_remembered_of_refusals_is_bounded() -> None:
    health = LocalHealth(BLOCKS_AT_ONCE)
    for number in range(5000):
        health.refused(stream(str(number)), answer(503, 5), number, busy=False)
    assert len(health.known()) <= 4096


def test_a_held_channel_waits_for_the_look_not_for_what_was_asked() -> None:
    play = Play(A, policy=Policy(give_up=120))
    play.play(1)
    play.fail(answer(458, 3600))
    step = play.next()
    assert isinstance(step, Wait)
    assert step.until == play.now + 60
