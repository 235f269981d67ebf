"""Sessions of the page: what a cookie says, who believes it, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kptv.web.page.sessions import MOST_ENDED, SESSION_SECONDS, SKEW, Sessions, keys_of

KEY = b"k" * 32
NOW = 1_700_000_000.0


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_all_that_have_the_key_know_a_session_until_it_is_over(clock: Clock) -> None:
    one, two = Sessions(KEY, clock), Sessions(KEY, clock)
    begun = one.begin()
    assert one.of(begun.cookie) == two.of(begun.cookie) == begun
    clock.now += SESSION_SECONDS - 1
    assert two.of(begun.cookie)
    clock.now += 1
    assert two.of(begun.cookie) is None
    assert Sessions(b"x" * 32, Clock()).of(begun.cookie) is None


def test_no_two_sessions_are_alike_and_none_tells_its_second_secret(clock: Clock) -> None:
    sessions = Sessions(KEY, clock)
    one, two = sessions.begin(), sessions.begin()
    assert one.name != two.name
    assert one.csrf != two.csrf
    assert one.csrf not in one.cookie
    for secret in (one.cookie, one.csrf, one.cookie.rpartition(".")[2]):
        assert secret not in repr(one) + repr(sessions)


def test_a_cookie_that_was_changed_is_nobodys(clock: Clock) -> None:
    sessions = Sessions(KEY, clock)
    begun = sessions.begin()
    expires, name, mac = begun.cookie.split(".")
    for changed in (
        f"{int(expires) + 1}.{name}.{mac}",
        f"{expires}.{name}x.{mac}",
        f"{expires}.{name}.{mac[:-1]}",
        f"{expires}.{name}.{begun.csrf}",
        f"{expires}.{name}.",
        f"{expires}.{mac}",
        f".{name}.{mac}",
        "",
        "..",
        "é.ü.ñ",
        "\ud800.x.y",
        begun.cookie + "." * 200,
    ):
        assert sessions.of(changed) is None, changed


def test_a_session_that_ended_is_over_and_the_others_go_on(clock: Clock) -> None:
    sessions = Sessions(KEY, clock)
    one, two = sessions.begin(), sessions.begin()
    sessions.end(one.name, one.expires)
    assert sessions.of(one.cookie) is None
    assert sessions.of(two.cookie) == two
    clock.now += 10 * SESSION_SECONDS  # it is forgotten
    sessions.end("x", int(clock.now) + 1)
    assert repr(sessions) == "<Sessions ended=1>"


def test_of_too_many_that_ended_none_is_good_again(clock: Clock) -> None:
    sessions = Sessions(KEY, clock)
    first = sessions.begin()
    sessions.end(first.name, first.expires)
    clock.now += 60
    later = sessions.begin()
    for number in range(MOST_ENDED):
        sessions.end(f"{number}", later.expires)
    assert sessions.of(first.cookie) is None
    assert sessions.of(later.cookie) == later
    assert repr(sessions) == f"<Sessions ended={MOST_ENDED}>"


def test_a_clock_that_was_set_back_makes_no_session_long(clock: Clock) -> None:
    sessions = Sessions(KEY, clock)
    begun = sessions.begin()
    clock.now -= SKEW
    assert sessions.of(begun.cookie) == begun, "another machine's clock may be behind"
    clock.now -= 1
    assert sessions.of(begun.cookie) is None


def test_what_cannot_be_a_session_is_not_remembered(clock: Clock) -> None:
    sessions = Sessions(KEY, clock)
    sessions.end("x", int(NOW) + 2 * SESSION_SECONDS)
    sessions.end("x", int(NOW))
    assert repr(sessions) == "<Sessions ended=0>"


def test_instances_with_one_token_have_the_same_keys_and_no_others_do() -> None:
    shared = keys_of("open-sesame", are_shared=True)
    assert shared == keys_of("open-sesame", are_shared=True)
    assert shared.sessions != shared.ids
    assert shared != keys_of("open-sesame!", are_shared=True)
    with_lists = keys_of("open-sesame", ["http://one.example/l"], are_shared=True)
    assert with_lists.sessions == shared.sessions
    assert with_lists.ids != shared.ids, "who knows a stream could try tokens"
    assert keys_of("open-sesame", are_shared=False) != keys_of("open-sesame", are_shared=False)
    assert keys_of("", are_shared=True) != keys_of("", are_shared=True), "anyone could make them"
    assert repr(shared) == "PageKeys()"
