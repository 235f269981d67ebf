"""Whose a secret is: at the same cost whoever asks, and never on the event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from kptv.channels.users.model import User
from kptv.users.checking import Busy, Checker
from kptv.users.current import CurrentUsers
from kptv.users.hashing import slow_digest_of
from kptv.users.store import MadeSecret, UsersFile

TYPED = "correct-horse"


def new_user(name: str, **fields: object) -> User:
    return User(id=0, name=name, **fields)  # type: ignore[arg-type]


@pytest.fixture
def current(tmp_path: Path) -> Iterator[CurrentUsers]:
    users = CurrentUsers(tmp_path)
    users.start()
    yield users
    users.close()


@pytest.fixture
def anna(current: CurrentUsers) -> MadeSecret:
    return current.changed_by(lambda file: file.add(new_user("anna")))


@pytest.fixture
def bob(current: CurrentUsers) -> MadeSecret:
    return current.changed_by(lambda file: file.add(new_user("bob"), typed=TYPED))


class Slow:
    """The slow digest, counted."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, typed: str, salt: bytes) -> bytes:
        self.calls += 1
        return slow_digest_of(typed, salt)


def change(current: CurrentUsers, what: Callable[[UsersFile], object]) -> None:
    current.changed_by(what)


def test_a_made_secret_is_found_alone_and_beside_its_own_name_only(
    current: CurrentUsers, anna: MadeSecret, bob: MadeSecret
) -> None:
    slow = Slow()
    checker = Checker(current, slow)
    found = (anna.user, anna.secret)
    assert checker.made(anna.text) == found
    assert checker.login("Anna", anna.text) == found
    assert checker.login("bob", anna.text) is None
    assert checker.made(anna.text[:-1] + ("z" if anna.text[-1] != "z" else "y")) is None
    assert slow.calls == 0


def test_a_typed_secret_is_good_beside_its_name_in_any_case_and_never_alone(
    current: CurrentUsers, bob: MadeSecret
) -> None:
    checker = Checker(current)
    assert checker.login("bOb", TYPED) == (bob.user, bob.secret)
    assert checker.login("anna", TYPED) is None
    assert checker.login("bob", TYPED.upper()) is None
    assert checker.made(TYPED) is None


@pytest.mark.parametrize(
    "name",
    ["anna", "bob", "nobody", "x" * 32, ""],
    ids=["made", "typed", "unknown", "long", "empty"],
)
def test_a_wrong_secret_takes_one_slow_digest_whoever_is_named(
    current: CurrentUsers, anna: MadeSecret, bob: MadeSecret, name: str
) -> None:
    slow = Slow()
    checker = Checker(current, slow)
    assert checker.login(name, "wrong-secret") is None
    assert slow.calls == 1
    assert checker.login(name, "wrong-secret") is None  # what is wrong is not remembered
    assert slow.calls == 2
    for odd in ("", "short", "x" * 65, "né-né-né-né", "a b c d e f", "\udcff" * 9, "h" * 20):
        assert checker.login(name, odd) is None
    assert slow.calls == 2


def test_several_typed_secrets_of_a_user_take_one_slow_digest(
    current: CurrentUsers, bob: MadeSecret
) -> None:
    more = current.changed_by(lambda file: file.new_secret("bob", "tv", "another-secret"))
    slow = Slow()
    checker = Checker(current, slow)
    assert checker.login("bob", "another-secret") == (more.user, more.secret)
    assert checker.login("bob", TYPED) is not None
    assert checker.login("bob", "a-wrong-secret") is None
    assert slow.calls == 3


def test_what_was_good_is_remembered_until_the_users_change(
    current: CurrentUsers, bob: MadeSecret
) -> None:
    slow = Slow()
    checker = Checker(current, slow)
    for _ in range(3):
        assert checker.login("bob", TYPED) is not None
    assert slow.calls == 1
    change(current, lambda file: file.change("bob", max_streams=2))
    found = checker.login("bob", TYPED)
    assert found is not None
    assert found[0].max_streams == 2
    assert slow.calls == 2
    change(current, lambda file: file.revoke("bob", bob.secret.number))
    assert checker.login("bob", TYPED) is None
    assert slow.calls == 3


def test_nothing_that_was_typed_is_remembered_in_clear(
    current: CurrentUsers, bob: MadeSecret
) -> None:
    checker = Checker(current)
    assert checker.login("bob", TYPED) is not None
    assert TYPED.encode() not in b"".join(checker._known)
    assert TYPED not in repr((checker, current, bob, list(current.table)))


def test_a_secret_that_is_revoked_while_it_is_checked_is_not_good(
    current: CurrentUsers, bob: MadeSecret
) -> None:
    begun = Event()
    loop = gevent.get_hub().loop

    def slow(typed: str, salt: bytes) -> bytes:
        loop.run_callback_threadsafe(begun.set)
        return slow_digest_of(typed, salt)

    checker = Checker(current, slow)
    asked = gevent.spawn(checker.login, "bob", TYPED)
    assert begun.wait(5)
    current._take(10**6, type(current._seen)(is_on=True))  # nobody is left
    assert asked.get(timeout=10) is None
    assert not checker._known


def test_the_same_secret_asked_for_at_once_is_worked_on_once(
    current: CurrentUsers, bob: MadeSecret
) -> None:
    slow = Slow()
    checker = Checker(current, slow)
    asked = [gevent.spawn(checker.login, "bob", TYPED) for _ in range(20)]
    gevent.joinall(asked, timeout=20, raise_error=True)
    assert all(each.value == (bob.user, bob.secret) for each in asked)
    assert slow.calls == 1


def test_the_loop_turns_while_secrets_are_checked(current: CurrentUsers, bob: MadeSecret) -> None:
    """A slow digest takes some 50 ms; ten at once must not keep the loop from its turns."""
    checker = Checker(current)
    turns, is_over = 0, Event()

    def heartbeat() -> None:
        nonlocal turns
        while not is_over.is_set():
            turns += 1
            gevent.sleep(0.001)

    beating = gevent.spawn(heartbeat)
    asked = [gevent.spawn(checker.login, "bob", f"wrong-secret-{n}") for n in range(10)]
    gevent.joinall(asked, timeout=20, raise_error=True)
    is_over.set()
    beating.join(5)
    assert turns > 20  # on the loop there would be one between two of them, at most


def test_too_many_at_once_are_refused_and_a_slow_one_has_a_deadline(
    current: CurrentUsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kptv.users.checking._MOST_AT_ONCE", 2)
    checker = Checker(current, within=0.01)
    asked = [gevent.spawn(checker.login, "bob", f"wrong-secret-{n}") for n in range(3)]
    gevent.joinall(asked, timeout=20)
    assert [type(each.exception) for each in asked] == [Busy] * 3
