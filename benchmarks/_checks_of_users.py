"""What it costs to find the user who asks.

A request's check is measured with 1,000 users, by CPU time: by its secret alone, by name and made
secret, and by name and typed secret that was good before.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

from benchmarks.figures import Figure, at_most
from kptv.channels.users.model import SecretKind, User, UserSecret
from kptv.channels.users.names import LONGEST_NAME
from kptv.channels.users.table import UserTable
from kptv.users.checking import Checker
from kptv.users.current import CurrentUsers
from kptv.users.hashing import digest_of, new_secret
from kptv.users.store import UsersFile

USERS = 1_000
TIMES, ROUNDS = 2_000, 5
MOST = 50.0  # µs
_TYPED = "correct-horse"


def run() -> list[Figure]:
    """The figures, and what they should be."""
    with tempfile.TemporaryDirectory() as folder:
        UsersFile(Path(folder)).add(User(id=0, name="typed"), typed=_TYPED)
        current = CurrentUsers(Path(folder), every=3600)
        current.start()
        try:
            return list(map(_figure, *zip(*_ways(current), strict=True)))
        finally:
            current.close()


def _ways(current: CurrentUsers) -> list[tuple[str, Callable[[], object]]]:
    """What a request may show, and its check."""
    secrets = [new_secret() for _ in range(USERS)]
    table = UserTable([*current.table, *map(_user, range(USERS), secrets)])
    name, secret = "u" * (LONGEST_NAME - 4) + "0500", secrets[500]
    checker = Checker(current)
    assert checker.login("typed", _TYPED) is not None
    current._seen = type(current._seen)(True, table)
    assert checker.login(name, secret) is not None
    return [
        ("by its digest", lambda: table.by_digest(digest_of(secret))),
        ("by name", lambda: table.by_name(name)),
        ("by secret", lambda: checker.made(secret)),
        ("by name and secret", lambda: checker.login(name, secret)),
        ("by name and typed secret, again", lambda: checker.login("typed", _TYPED)),
        ("nobody's secret", lambda: checker.made("abcdefghjkmnpqrstuvw")),
    ]


def _user(number: int, secret: str) -> User:
    kept = UserSecret(number + 10, SecretKind.MADE, "", 0, digest=digest_of(secret))
    name = "u" * (LONGEST_NAME - 4) + f"{number:04}"
    return User(id=number + 10, name=name, secrets=(kept,))


def _figure(what: str, check: Callable[[], object]) -> Figure:
    cost = min(_cost(check) for _ in range(ROUNDS))
    return Figure(f"{USERS:,} users: the one who asks, {what}", cost, "µs", at_most(MOST))


def _cost(check: Callable[[], object]) -> float:
    """CPU of one, in µs."""
    gc.collect()
    began = process_time()
    for _ in range(TIMES):
        check()
    return (process_time() - began) / TIMES * 1e6
