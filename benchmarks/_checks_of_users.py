"""What it costs to find the user who asks, and all that the gate does before any route.

A request's check is measured with 1,000 users, by CPU time: by its secret alone, by name and made
secret, and by name and typed secret that was good before.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time

from flask import Response
from werkzeug.test import EnvironBuilder

from benchmarks.figures import Figure, at_most
from kptv.channels.users.model import SecretKind, User, UserSecret
from kptv.channels.users.names import LONGEST_NAME
from kptv.channels.users.table import UserTable
from kptv.config.settings import LOOPBACK
from kptv.logs.redaction import Redactor
from kptv.users.checking import Checker
from kptv.users.current import CurrentUsers
from kptv.users.hashing import digest_of, new_secret
from kptv.users.store import UsersFile
from kptv.web.access import Gate, Openings, Parties
from kptv.web.clients import Clients
from kptv.web.page.admin import Admin
from kptv.web.players.links import meant_path
from kptv.web.tries import Tries

USERS, GROUPS = 1_000, 200
TIMES, ROUNDS = 2_000, 5
MOST = 50.0  # µs
_TYPED = "correct-horse"
_NOBODYS = "abcdefghjkmnpqrstuvw"


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
    narrowed = replace(_user(0, secret), groups=tuple(f"Group | {at}" for at in range(GROUPS)))
    gate = _gate(current, checker)
    both, typed = {"username": name, "password": secret}, {"username": "typed", "password": _TYPED}
    return [
        ("by its digest", lambda: table.by_digest(digest_of(secret))),
        ("by name", lambda: table.by_name(name)),
        ("by secret", lambda: checker.made(secret)),
        ("by name and secret", lambda: checker.login(name, secret)),
        ("by name and typed secret, again", lambda: checker.login("typed", _TYPED)),
        (f"and what may be seen, of {GROUPS} groups", lambda: narrowed.rights),
        ("nobody's secret", lambda: checker.made(_NOBODYS)),
        ("all of the gate: a secret in the path", _decision(gate, f"/u/{secret}/playlist.m3u8")),
        ("all of the gate: name and secret", _decision(gate, f"/live/{name}/{secret}/1234567.ts")),
        ("all of the gate: name and secret in a query", _decision(gate, "/get.php", both)),
        ("all of the gate: name and typed secret, again", _decision(gate, "/get.php", typed)),
        (
            "all of the gate: a wrong secret, again",
            _decision(gate, f"/u/{_NOBODYS}/playlist.m3u8", lets_in=False),
        ),
    ]


def _gate(current: CurrentUsers, checker: Checker) -> Gate:
    """As the application has it."""
    clients = Clients(LOOPBACK)
    redactor = Redactor((), "http://tv.example")
    redactor.know_users(lambda word: checker.made(word) is not None)
    parties = Parties(current, Tries(current, checker), Admin("", clients), clients)
    return Gate(parties, Openings(), learn=redactor.learn_of_user)


def _decision(
    gate: Gate, path: str, query: dict[str, str] | None = None, *, lets_in: bool = True
) -> Callable[[], object]:
    """What is done for each request before its route is looked for; it was done once before."""
    headers = {"User-Agent": "VLC/3.0.18 LibVLC/3.0.18", "X-Forwarded-For": "198.51.100.7"}
    asked = EnvironBuilder(path, query_string=query, headers=headers).get_environ()
    asked["REMOTE_ADDR"] = "127.0.0.1"

    def decide() -> Response | None:
        environ = asked.copy()
        shown = gate.read(environ)
        environ["PATH_INFO"] = meant_path(environ["PATH_INFO"])
        return gate.refusal(environ, shown)

    assert (decide() is None) is lets_in
    return decide


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
