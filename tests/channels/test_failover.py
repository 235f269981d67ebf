"""What is tried next, and when: told the time, so an hour passes in no time."""

from __future__ import annotations

import pytest

from kptv.channels.failover import Failover, GiveUp, Step, Try, Wait
from kptv.channels.health import Health, Policy
from kptv.channels.local_health import LocalHealth
from kptv.channels.model import Source, Stream
from kptv.channels.resting import account_of
from kptv.errors import Reason, UpstreamError

POLICY = Policy(
    max_retries=3, retry_delay=5, max_failures_before_block=5, stream_timeout=10, give_up=120
)
ENDED = UpstreamError(Reason.ENDED)
REFUSED = UpstreamError(Reason.REFUSED)
NONE_FULL: frozenset[int] = frozenset()


def stream(number: int, limit: int = 1, path: str = "1.ts") -> Stream:
    return Stream(Source(number, f"http://p{number}/list.m3u", limit), f"http://p{number}/{path}")


A, B, C = stream(1), stream(2), stream(3)


class Play:
    """A failover with its clock: what a hub does with it, without a hub."""

    def __init__(self, *streams: Stream, policy: Policy = POLICY, health: Health | None = None):
        self.now = 1000.0
        self.health = health or LocalHealth(policy)
        self.failover = Failover(streams, self.health, policy, self.now, jitter=lambda: 1.0)

    def next(self, full: frozenset[int] = NONE_FULL) -> Step:
        return self.failover.next(self.now, full)

    def open(self) -> Stream:
        """The stream that is tried now."""
        step = self.next()
        assert isinstance(step, Try), step
        self.failover.opened(step.stream, self.now)
        return step.stream

    def play(self, seconds: float) -> Stream:
        """Open the next stream and let it give media for some seconds."""
        opened = self.open()
        self.failover.started(self.now)
        self.now += seconds
        return opened

    def fail(self, error: UpstreamError = ENDED, busy: bool = False) -> str:
        return self.failover.failed(error, self.now, self.now, busy)

    def wait(self) -> float:
        """Seconds until failover wants to be asked again; they pass."""
        step = self.next()
        assert isinstance(step, Wait), step
        waited = step.until - self.now
        self.now = step.until
        return waited


def test_a_lost_slot_is_no_failure_and_the_next_stream_is_tried() -> None:
    play = Play(A, B)
    play.play(3.0)
    play.failover.lost(play.now)
    assert play.open() == B
    assert play.health.failures(A) == 0
    assert all(candidate.failures == 0 for candidate in play.failover.candidates(play.now, ()))


def test_a_stream_whose_slot_was_lost_is_not_opened_again_and_again() -> None:
    play = Play(A)
    for _ in range(10):
        play.open()
        play.failover.lost(play.now)
        assert play.wait() == 1.0
    assert play.open() == A, "ten times nothing is no failure either"


def test_a_slot_that_is_refused_again_and_again_is_waited_for_ten_seconds_in_all() -> None:
    play = Play(A)
    for _ in range(10):
        assert isinstance(play.next(), Try), "it looks free"
        assert isinstance(play.next(frozenset({1})), Wait), "but it was refused"
        play.now += 1.0
    assert isinstance(play.next(frozenset({1})), GiveUp)


def test_a_cold_start_takes_the_first_candidate() -> None:
    assert Play(A, B).open() == A


def test_a_failure_moves_on_at_once_while_another_candidate_is_left() -> None:
    play = Play(A, B, C)
    tried = []
    for _ in range(3):
        tried.append(play.open())
        play.fail(REFUSED)
    assert tried == [A, B, C]
    assert play.now == 1000


def test_after_the_last_it_goes_round_again_after_the_retry_delay() -> None:
    play = Play(A, B)
    for _ in range(2):
        play.open()
        play.fail(REFUSED)
    assert play.wait() == 5
    assert play.open() == A


def test_a_cold_start_is_given_up_after_twenty_seconds() -> None:
    play = Play(A, B)
    while not isinstance(step := play.next(), GiveUp):
        if isinstance(step, Try):
            play.open()
            play.fail(REFUSED)
        else:
            play.wait()
    assert play.now - 1000 <= 20
    assert step.retry_after >= 1


def test_candidates_that_hang_leave_time_for_those_behind_them() -> None:
    play = Play(A, B, C)
    for expected in (20 / 3, 20 / 3):
        step = play.next()
        assert isinstance(step, Try)
        assert step.timeout == pytest.approx(expected)
        play.open()
        play.now += step.timeout
        play.fail(UpstreamError(Reason.TIMEOUT))
    assert play.open() == C
    assert play.now < 1014


def test_a_cold_start_makes_max_retries_rounds_and_no_more() -> None:
    policy = Policy(max_retries=2, retry_delay=0.1)
    play = Play(A, policy=policy)
    opens = 0
    while not isinstance(step := play.next(), GiveUp):
        if isinstance(step, Try):
            play.open()
            opens += 1
            play.fail(REFUSED)
        else:
            play.wait()
    assert opens == 3


def test_the_last_try_of_a_cold_start_gets_no_more_time_than_is_left() -> None:
    play = Play(A, B, C)
    for _ in range(2):
        step = play.next()
        assert isinstance(step, Try)
        play.open()
        play.now += 8
        play.fail(UpstreamError(Reason.TIMEOUT))
    step = play.next()
    assert isinstance(step, Try)
    assert step.timeout == 4


def test_a_stall_uses_up_one_candidate_only() -> None:
    play = Play(A, B, C)
    assert play.play(600) == A
    play.fail(UpstreamError(Reason.STALLED))
    assert play.play(1) == B
    play.fail(UpstreamError(Reason.STALLED))
    assert play.open() == C


def test_a_stream_that_played_long_is_opened_again_at_once() -> None:
    play = Play(A)
    for _ in range(20):
        assert play.play(31) == A
        play.fail()


def test_delays_between_retries_double_to_a_minute() -> None:
    play = Play(A, policy=Policy(max_failures_before_block=100, give_up=1e6))
    play.play(1)
    play.fail(REFUSED)
    delays = []
    for _ in range(6):
        play.open()
        play.fail(REFUSED)
        delays.append(play.wait())
    assert delays == [5, 10, 20, 40, 60, 60]


def test_two_streams_that_break_after_seconds_take_turns_without_a_pause() -> None:
    play = Play(A, B, policy=Policy(max_failures_before_block=100))
    played = []
    for _ in range(10):
        played.append(play.play(2))
        play.fail()
    assert played == [A, B] * 5


def test_a_stream_that_breaks_at_once_is_opened_once_a_second() -> None:
    play = Play(A, policy=Policy(max_failures_before_block=100))
    for _ in range(3):
        play.play(0)
        play.fail()
        assert play.wait() == 1


def test_thirty_seconds_of_good_media_wipe_out_earlier_failures() -> None:
    play = Play(A, policy=Policy(max_failures_before_block=3))
    for _ in range(10):
        play.play(30)
        assert play.fail() == ""
        play.play(1)
        assert play.fail() == ""


def test_a_connection_that_gave_media_for_ten_seconds_is_no_failure_in_a_row() -> None:
    play = Play(A, B, policy=Policy(max_failures_before_block=1))
    for _ in range(5):
        play.play(10)
        assert play.fail() == ""
    assert play.health.failures(A) == play.health.failures(B) == 0
    play.play(9)
    assert play.fail() == "stream blocked"


def test_silence_before_a_stream_is_given_up_is_no_media() -> None:
    play = Play(A, B, policy=Policy(max_failures_before_block=1))
    play.play(6)
    last_media, play.now = play.now, play.now + 5
    stalled = UpstreamError(Reason.STALLED)
    assert play.failover.failed(stalled, play.now, last_media, False) == "stream blocked"


@pytest.mark.parametrize("reason", [Reason.STALLED, Reason.ENDED, Reason.RESET, Reason.DRIP])
def test_the_only_stream_is_not_blocked_for_breaking_after_it_gave_media(reason: Reason) -> None:
    play = Play(A, policy=Policy(max_failures_before_block=2))
    for _ in range(6):
        play.play(5)
        assert play.fail(UpstreamError(reason)) == ""
    assert play.health.failures(A) == 6
    assert play.open() == A


def test_nor_is_the_last_that_is_not_blocked() -> None:
    play = Play(A, B, policy=Policy(max_failures_before_block=2))
    said = []
    for _ in range(8):
        play.play(5)
        said.append(play.fail(UpstreamError(Reason.STALLED)))
    assert said.count("stream blocked") == 1
    assert len(play.health.blocks(play.now)) == 1


@pytest.mark.parametrize("reason", [Reason.LOOP, Reason.SCRAMBLED, Reason.NOT_MEDIA])
def test_the_only_stream_is_blocked_for_rubbish(reason: Reason) -> None:
    play = Play(A, policy=Policy(max_failures_before_block=2))
    play.play(5)
    play.fail(UpstreamError(reason))
    play.play(5)
    assert play.fail(UpstreamError(reason)) == "stream blocked"


def test_several_connections_to_a_stream_that_break_at_once_double_its_block_once() -> None:
    health = LocalHealth(Policy(max_failures_before_block=2))
    assert [health.fail(A, 10.0 + n / 10) for n in range(6)] == [False, True, *[False] * 4]
    assert health.blocks(11.0) == [(A.key, A.name, pytest.approx(70.1))]
    assert [health.fail(A, 71.0 + n / 10) for n in range(3)] == [True, False, False]
    assert health.blocks(72.0) == [(A.key, A.name, pytest.approx(191.0))]


def test_failures_in_a_row_block_a_stream_for_a_minute_then_longer() -> None:
    health = LocalHealth(Policy(max_failures_before_block=2))
    blocked = []
    now = 0.0
    for _ in range(9):
        while not health.fail(A, now):
            pass
        blocked.append(health.ready_at(A) - now)
        now = health.ready_at(A)
    assert blocked == [60, 120, 240, 480, 960, 1800, 1800, 1800, 1800]


def test_a_blocked_stream_is_not_tried_in_its_cool_down() -> None:
    health = LocalHealth(Policy(max_failures_before_block=1))
    health.fail(A, 1000)
    assert Play(A, B, health=health).open() == B
    step = Play(A, health=health).next()
    assert isinstance(step, GiveUp)
    assert step.retry_after == 60


def test_an_import_gives_a_blocked_stream_one_chance() -> None:
    health = LocalHealth(Policy(max_failures_before_block=2))
    health.fail(A, 1000)
    assert health.fail(A, 1000)
    health.imported(1001)
    assert health.ready_at(A) <= 1001
    assert health.fail(A, 1001), "one more failure blocks it again"


def test_a_source_with_too_many_connections_is_left_alone_and_no_stream_blamed() -> None:
    other = stream(1, path="2.ts")
    play = Play(A, other, B)
    play.open()
    play.fail(UpstreamError(Reason.RATE_LIMITED, retry_after=7))
    assert play.open() == B, "the other stream of that source has to wait too"
    play.fail(REFUSED)
    play.now += 4.9
    assert isinstance(play.next(), Wait)
    assert len(play.health.blocks(play.now)) == 0
    play.now = 1007
    assert play.open() in (A, other)


def cool(health: Health, retry_after: float | None, now: float = 0.0) -> float:
    """Seconds for which the source of A is left alone after it asked for that."""
    error = UpstreamError(Reason.RATE_LIMITED, retry_after=retry_after)
    assert health.refused(A, error, now, busy=False)
    rest = health.rest_of(A, now)
    assert rest is not None
    assert rest.party == account_of(A.source)
    return rest.seconds


def test_a_source_that_names_no_time_is_left_alone_for_five_seconds_doubling_to_sixty() -> None:
    health = LocalHealth(POLICY)
    asked_at = (0, 5, 15, 35, 75, 135)  # each as the rest before is over
    assert [cool(health, None, now) for now in asked_at] == [5, 10, 20, 40, 60, 60]
    health.answered(A)
    assert cool(health, None, 195) == 5


@pytest.mark.parametrize("status", [403, 503])
def test_a_403_or_503_beside_other_connections_means_too_many_of_them(status: int) -> None:
    play = Play(A, policy=Policy(max_failures_before_block=1))
    play.open()
    play.fail(UpstreamError(Reason.HTTP_ERROR, status=status), busy=True)
    assert len(play.health.blocks(play.now)) == 0
    assert play.wait() == 5


def test_a_403_alone_is_the_streams_failure() -> None:
    play = Play(A, policy=Policy(max_failures_before_block=1))
    play.open()
    assert play.fail(UpstreamError(Reason.HTTP_ERROR, status=403)) == "stream blocked"


def test_a_full_source_costs_nothing_and_another_with_room_is_taken() -> None:
    play = Play(A, B)
    step = play.next(full=frozenset({1}))
    assert isinstance(step, Try)
    assert step.stream == B


def test_with_all_sources_full_a_viewer_waits_ten_seconds_for_a_slot() -> None:
    play = Play(A, B)
    full = frozenset({1, 2})
    step = play.next(full)
    assert step == Wait(1010, (A, B))
    play.now = 1010
    assert isinstance(play.next(full), GiveUp)
    assert len(play.health.blocks(play.now)) == 0


def test_viewers_are_held_as_long_as_stream_give_up_says() -> None:
    play = Play(A, policy=Policy(give_up=120))
    play.play(100)
    play.fail()
    broke = play.now
    while not isinstance(step := play.next(), GiveUp):
        if isinstance(step, Try):
            play.open()
            play.fail(REFUSED)
        else:
            play.wait()
    assert play.now - broke == 120


def test_a_held_viewer_gets_the_candidates_of_a_new_import() -> None:
    play = Play(A)
    play.play(10)
    play.fail()
    play.open()
    play.fail(REFUSED)
    assert isinstance(play.next(), Wait)
    play.failover.replace([A, B])
    assert play.open() == B


def test_without_a_hold_each_other_candidate_is_still_tried_once() -> None:
    play = Play(A, B, policy=Policy(give_up=0))
    play.play(100)
    play.fail()
    assert play.open() == B


def test_an_answer_that_asks_for_no_pause_gets_one_all_the_same() -> None:
    health = LocalHealth(POLICY)
    cool(health, 0.0, now=1000)
    assert health.ready_at(A) >= 1001


# --- a standby ---


def test_a_standby_that_fails_rests_longer_each_time_and_is_never_blocked() -> None:
    play = Play(A, B)
    play.play(3.0)
    for rest in (5.0, 10.0, 20.0, 40.0, 60.0, 60.0):
        assert play.failover.spare(play.now, NONE_FULL) == B
        assert play.failover.standby_failed(B, ENDED, play.now, play.now, busy=False) == ""
        play.now += rest - 0.1
        assert play.failover.spare(play.now, NONE_FULL) is None
        play.now += 0.2
    assert play.health.failures(B) == 0


def test_a_standby_that_stood_for_a_while_rests_as_for_the_first_time() -> None:
    play = Play(A, B)
    play.play(3.0)
    for _ in range(3):
        opened_at = play.now
        play.now += 60.0
        play.failover.standby_failed(B, ENDED, opened_at, play.now, busy=False)
        assert play.failover.spare(play.now, NONE_FULL) == B


def test_an_account_that_refuses_a_standby_is_left_alone() -> None:
    play = Play(A, B)
    play.play(3.0)
    full = UpstreamError(Reason.RATE_LIMITED, status=458)
    assert play.failover.standby_failed(B, full, play.now, play.now, busy=False)
    assert play.failover.spare(play.now, NONE_FULL) is None
