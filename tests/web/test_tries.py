"""Trying is slow for whoever tries, and for nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from kptv.channels.users.model import SecretKind, User, UserSecret
from kptv.users.checking import Busy
from kptv.web.credentials import ShownSecret
from kptv.web.throttle import Throttle, TooManyTries
from kptv.web.tries import Tries
from tests.restream.test_hub import until

MADE, OTHER_MADE = "abcdefghjkmnpqrstuvw", "zzzzzzzzzzzzzzzzzzzz"
ANNA = User(id=1, name="anna")
BERT = User(id=2, name="bert")
GOOD = {("anna", "anna-s-word"): ANNA, ("bert", "bert-s-word"): BERT, ("", MADE): ANNA}
SECRET = UserSecret(1, SecretKind.TYPED, "", 0)
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"
LIMIT = 10.0


class Users:
    """Users that change when a test says so."""

    def __init__(self) -> None:
        self.trouble = ""
        self.changed: list[Callable[[], object]] = []
        self.watch = self.changed.append


class Checker:
    """Knows GOOD; each check of a name can be held up."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on: Event | None = None
        self.is_busy = False

    def login(self, name: str, secret: str) -> Any:
        self.asked.append(name)
        if self.is_busy:
            raise Busy
        if self.go_on is not None:
            self.go_on.wait()
        user = GOOD.get((name.lower(), secret))
        return None if user is None else (user, SECRET)

    def made(self, secret: str) -> Any:
        return self.login("", secret)


class Rig:
    def __init__(self) -> None:
        self.now = 0.0
        self.held: list[float] = []
        self.users, self.checker = Users(), Checker()
        self.tries = Tries(
            self.users,  # type: ignore[arg-type]
            self.checker,  # type: ignore[arg-type]
            lambda: self.now,
            self.held.append,
        )

    def ask(self, name: str, secret: str, place: str = HOME) -> str | None:
        found = self.tries.user_of(place, ShownSecret(secret, name))
        return None if found is None else found[0].name

    def guess(self, times: int, name: str = "anna", place: str = ELSEWHERE, start: int = 0) -> None:
        for number in range(start, start + times):
            assert self.ask(name, f"guess-number-{number}", place) is None


@pytest.fixture
def rig() -> Iterator[Rig]:
    with gevent.Timeout(LIMIT):
        yield Rig()


def test_after_five_guesses_each_further_one_waits_longer_right_or_wrong_alike(rig: Rig) -> None:
    rig.guess(10, "anna")
    assert rig.held == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert rig.ask("anna", "anna-s-word", ELSEWHERE) == "anna"
    assert rig.held[5:] == [8.0]


def test_secrets_without_a_name_are_guesses_too(rig: Rig) -> None:
    for number in range(6):
        assert rig.ask("", f"{number}" * 20) is None
    assert rig.held == [1.0]
    assert rig.ask("", MADE) == "anna"
    assert rig.held == [1.0, 2.0]


def test_whoever_guesses_a_name_from_many_places_waits_and_other_names_do_not(rig: Rig) -> None:
    for number in range(8):
        rig.guess(1, "anna", f"198.51.100.{number}")
    assert rig.held == [1.0, 2.0, 4.0]
    assert rig.ask("bert", "bert-s-word") == "bert"
    assert rig.held == [1.0, 2.0, 4.0]


def test_names_that_nobody_has_are_slowed_as_those_that_somebody_has(rig: Rig) -> None:
    for number in range(7):
        rig.guess(1, "nobody", f"198.51.100.{number}")
    assert rig.held == [1.0, 2.0]


def test_a_household_that_watches_is_not_delayed_by_guesses_from_elsewhere(rig: Rig) -> None:
    assert rig.ask("anna", "anna-s-word") == "anna"
    rig.guess(20, "anna", ELSEWHERE)
    rig.held.clear()
    assert rig.ask("ANNA", "anna-s-word") == "anna"
    assert rig.held == []


def test_nor_by_somebody_behind_the_same_address_who_guesses_other_names(rig: Rig) -> None:
    assert rig.ask("anna", "anna-s-word") == "anna"
    assert rig.ask("", MADE) == "anna"
    rig.guess(20, "bert", HOME)
    rig.held.clear()
    assert rig.ask("anna", "anna-s-word") == "anna"
    assert rig.ask("", MADE) == "anna"
    assert rig.held == []
    assert rig.ask("bert", "bert-s-word") == "bert", "slow, as it is new here"
    assert rig.held == [8.0]


def test_a_made_secret_is_not_delayed_by_guesses_of_its_users_name_at_the_same_address(
    rig: Rig,
) -> None:
    assert rig.ask("", MADE) == "anna"
    rig.guess(20, "anna", HOME)
    rig.held.clear()
    assert rig.ask("", MADE) == "anna"
    assert rig.held == []


def test_guesses_of_a_known_name_at_its_own_address_wait_as_well_so_nothing_is_told(
    rig: Rig,
) -> None:
    assert rig.ask("anna", "anna-s-word") == "anna"
    rig.guess(6, "anna", HOME)
    assert rig.held == [1.0]
    assert rig.ask("anna", "anna-s-word") == "anna"
    assert rig.held == [1.0, 2.0]


def test_nor_is_it_refused_while_as_many_guesses_as_may_wait_come_from_its_address(
    rig: Rig,
) -> None:
    assert rig.ask("anna", "anna-s-word") == "anna"
    rig.guess(6, "bert", HOME)
    go_on = Event()
    rig.tries._throttle._sleep = lambda seconds: go_on.wait()
    held = [gevent.spawn(rig.ask, "bert", f"another-{n}") for n in range(64)]
    until(lambda: rig.tries._throttle._held_in_all == 64)
    with pytest.raises(TooManyTries):
        rig.ask("bert", "bert-s-word")
    rig.guess(5, "anna", HOME)
    last = gevent.spawn(rig.ask, "anna", "anna-s-word")
    until(lambda: rig.tries._throttle._held_in_all == 65)
    go_on.set()
    gevent.joinall([*held, last])
    assert last.value == "anna"


def test_the_same_wrong_secret_again_is_no_new_try_and_asks_nobody(rig: Rig) -> None:
    for _ in range(50):
        assert rig.ask("anna", "an-old-word") is None
        assert rig.ask("", OTHER_MADE) is None
    assert rig.held == []
    assert len(rig.checker.asked) == 2
    rig.guess(3, "bert", HOME)
    assert rig.held == [], "a television with a revoked link delays nobody at home"


def test_a_secret_that_was_wrong_is_right_as_soon_as_users_have_changed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rig.ask("anna", "a-new-word") is None
    monkeypatch.setitem(GOOD, ("anna", "a-new-word"), ANNA)
    assert rig.ask("anna", "a-new-word") is None
    for listener in rig.users.changed:
        listener()
    assert rig.ask("anna", "a-new-word") == "anna"


def test_nor_is_what_was_wrong_while_they_changed_remembered(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.checker.go_on = Event()
    monkeypatch.setattr(rig.checker, "login", wrong_after_all(rig.checker.go_on))
    trying = gevent.spawn(rig.ask, "anna", "anna-s-word")
    gevent.sleep(0)
    for listener in rig.users.changed:
        listener()
    rig.checker.go_on.set()
    assert trying.get() is None
    monkeypatch.undo()
    assert rig.ask("anna", "anna-s-word") == "anna"


def wrong_after_all(go_on: Event) -> Callable[[str, str], None]:
    def login(name: str, secret: str) -> None:
        go_on.wait()

    return login


def test_while_the_users_cannot_be_read_nothing_counts_as_a_guess(rig: Rig) -> None:
    rig.users.trouble = "users.db: it is gone"
    assert rig.ask("anna", "anna-s-word") is None
    rig.guess(20, "anna", HOME)
    rig.users.trouble = ""
    assert rig.ask("anna", "anna-s-word") == "anna"
    assert rig.held == []


def test_failures_are_forgotten_after_ten_minutes_without_one(rig: Rig) -> None:
    rig.guess(5)
    rig.now += 599
    rig.guess(1, start=100)
    assert rig.held == [1.0]
    rig.now += 601
    rig.guess(1, start=200)
    assert rig.held == [1.0]


def test_as_many_as_are_checked_at_once_count_before_they_have_failed(rig: Rig) -> None:
    rig.checker.go_on = Event()
    tries = [gevent.spawn(rig.ask, "anna", f"guess-{n}", ELSEWHERE) for n in range(8)]
    until(lambda: len(rig.held) == 3)
    rig.checker.go_on.set()
    gevent.joinall(tries)
    assert rig.held == [1.0, 2.0, 4.0]


def test_the_same_wrong_secret_many_times_at_once_is_one_try(rig: Rig) -> None:
    rig.checker.go_on = Event()
    tries = [gevent.spawn(rig.ask, "anna", "an-old-word") for _ in range(4)]
    until(lambda: len(rig.checker.asked) == 4)
    rig.checker.go_on.set()
    gevent.joinall(tries)
    rig.guess(4, "anna", HOME)
    assert rig.held == []


def test_a_try_that_nobody_had_time_for_was_none(rig: Rig) -> None:
    rig.checker.is_busy = True
    for number in range(10):
        with pytest.raises(TooManyTries):
            rig.ask("anna", f"guess-{number}")
    rig.checker.is_busy = False
    assert rig.ask("anna", "anna-s-word") == "anna"
    assert rig.held == []


def test_what_is_remembered_is_bounded_however_long_names_are(rig: Rig) -> None:
    for number in range(12_000):
        rig.tries.user_of(
            f"2001:db8:{number:x}::/64", ShownSecret("wrong-word", f"{number}{'x' * 5000}")
        )
    for failures in (rig.tries._by_place, rig.tries._by_name, rig.tries._by_lane):
        assert len(failures._counts) == 10_000
    assert max(len(key) for key in rig.tries._by_name._counts) <= 33  # type: ignore[arg-type]
    assert len(rig.tries._wrong) == 10_000


def test_no_more_than_sixty_four_of_one_origin_are_held_nor_too_many_in_all() -> None:
    go_on = Event()
    throttle = Throttle(lambda seconds: go_on.wait())
    held = [gevent.spawn(throttle.hold_back, f"{o}", 6) for o in range(4) for _ in range(64)]
    with gevent.Timeout(LIMIT):
        until(lambda: throttle._held_in_all == 256)
        for origin in ("0", "another"):
            with pytest.raises(TooManyTries):
                throttle.hold_back(origin, 6)
        throttle.hold_back("another", 4)
        go_on.set()
        gevent.joinall(held, raise_error=True)
        throttle.hold_back("0", 6)
    assert (throttle._held, throttle._held_in_all) == ({}, 0)


def test_one_origin_holds_up_no_other() -> None:
    go_on = Event()
    throttle = Throttle(lambda seconds: go_on.wait())
    held = [gevent.spawn(throttle.hold_back, "one", 6) for _ in range(64)]
    with gevent.Timeout(LIMIT):
        until(lambda: throttle._held_in_all == 64)
        with pytest.raises(TooManyTries):
            throttle.hold_back("one", 6)
        other = gevent.spawn(throttle.hold_back, "two", 6)
        until(lambda: throttle._held_in_all == 65)
        go_on.set()
        gevent.joinall([*held, other], raise_error=True)
