"""A connection to the server that the instances share. The only importer of ``redis``."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic_ns
from typing import Any, Protocol

import gevent
from redis import exceptions
from redis.backoff import NoBackoff
from redis.connection import Connection, parse_url
from redis.retry import Retry

log = logging.getLogger(__name__)

_LUA = Path(__file__).with_name("lua")
# One script, as a server carries one out at a time; each part knows those before it.
_PARTS = ("common", "rests", "counting", "idle", "slots", "members", "streams", "carry_out")
SCRIPT = "\n".join((_LUA / f"{part}.lua").read_text() for part in _PARTS)
_BOARD = (_LUA / "board.lua").read_text()
BASE = "{kptv}"  # of all keys: one slot, if it is a cluster
_QUIET = 10.0  # seconds without a message; then the subscription is tried

Answer = dict[str, Any]


class LinkError(Exception):
    """The server cannot be used now; says why, for people, and no secret."""


@dataclass(frozen=True, slots=True)
class Request:
    """An operation of the script, as ``owner``."""

    op: str
    owner: str
    given: str  # JSON


class Link(Protocol):
    """A connection to the server."""

    def exchange(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers, in order. Raises LinkError; some may have been carried out."""
        ...

    def close(self) -> None:
        """Hang up; may come twice."""
        ...


class RedisLink:
    """A connection by RESP 2, made at once; whoever opens or uses it waits ``timeout`` at most."""

    def __init__(self, url: str, lease: float, timeout: float) -> None:
        self._lease = round(lease * 1000)
        self._timeout = timeout
        # Greater than that of any earlier connection from this machine, also of a former process.
        self._number = monotonic_ns() // 1000
        self._connection = _connection(url, timeout)
        with _explained(self._connection, timeout):
            self._connection.connect()
            self._run = _run_of(_ask(self._connection, "INFO", "server"))
            if _throws_away(_ask(self._connection, "INFO", "memory")):
                _warn_once()
            self._script = _ask(self._connection, "SCRIPT", "LOAD", SCRIPT)

    def exchange(self, requests: Sequence[Request]) -> list[Answer]:
        of_all = (self._lease, self._number)
        commands = [
            ("EVALSHA", self._script, 1, BASE, r.op, self._run, r.owner, *of_all, r.given)
            for r in requests
        ]
        connection = self._connection
        with _explained(connection, self._timeout):
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            answers = [json.loads(connection.read_response()) for _ in requests]
            if any(answer["is"] == "stale" for answer in answers):
                raise LinkError("has heard from a later connection of this instance")
            return answers

    def close(self) -> None:
        self._connection.disconnect()


class RedisMessages:
    """What the script publishes for ``place``, on a connection of its own."""

    def __init__(self, url: str, place: str, timeout: float) -> None:
        self._timeout = timeout
        self._connection = _connection(url, timeout)
        with _explained(self._connection, timeout):
            self._connection.connect()
            _ask(self._connection, "SUBSCRIBE", f"{BASE}:to:{place}")

    def next(self) -> Answer | None:
        """The next message; None: none came for a while, and the connection works."""
        connection = self._connection
        with _explained(connection, _QUIET + self._timeout):
            try:
                reply = connection.read_response(timeout=_QUIET, disconnect_on_error=False)
            except exceptions.TimeoutError:
                return self._tried()
        return _message(reply)

    def close(self) -> None:
        """Hang up; may come twice."""
        self._connection.disconnect()

    def _tried(self) -> Answer | None:
        self._connection.send_command("PING", check_health=False)
        return _message(self._connection.read_response(timeout=self._timeout))


class RedisBoard:
    """Where each instance puts up what it shows of itself, on a connection of its own."""

    def __init__(self, url: str, timeout: float) -> None:
        self._timeout = timeout
        self._connection = _connection(url, timeout)
        with _explained(self._connection, timeout):
            self._connection.connect()
            self._script = _ask(self._connection, "SCRIPT", "LOAD", _BOARD)

    def put_up(self, place: str, text: str, keep: float) -> list[tuple[str, float, str]]:
        given = (place, text, str(round(keep * 1000)))
        with _explained(self._connection, self._timeout):
            found = _ask(self._connection, "EVALSHA", self._script, "1", BASE, *given)
            rows = zip(found[::3], found[1::3], found[2::3], strict=True)
            return [(of.decode(), age / 1000, text.decode()) for of, age, text in rows]

    def close(self) -> None:
        self._connection.disconnect()


def _message(reply: Any) -> Answer | None:
    if reply[0] != b"message":
        return None
    told: Answer = json.loads(reply[2])
    return told


def _connection(url: str, timeout: float) -> Any:
    settings = dict(parse_url(url))  # type: ignore[no-untyped-call]
    make = settings.pop("connection_class", Connection)
    return make(
        **settings,
        protocol=2,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )


def _ask(connection: Any, *command: str) -> Any:
    connection.send_command(*command, check_health=False)
    return connection.read_response()


def _run_of(info: bytes) -> str:
    for line in info.decode("utf-8", "replace").splitlines():
        if line.startswith("run_id:"):
            return line.removeprefix("run_id:").strip()
    raise LinkError("does not say its run id")


def _throws_away(info: bytes) -> bool:
    """Whether keys that last may go when memory is short; what is not said, is not so."""
    said = dict(
        line.split(":", 1) for line in info.decode("utf-8", "replace").split() if ":" in line
    )
    return said.get("maxmemory", "0") != "0" and said.get("maxmemory_policy", "").startswith(
        "allkeys"
    )


@cache
def _warn_once() -> None:
    log.warning(
        "Valkey (LEASES_URL) throws keys away when its memory is full, and would forget connections"
        " that are open: set its maxmemory-policy to noeviction, or accounts may get too many"
    )


@contextmanager
def _explained(connection: Any, timeout: float) -> Iterator[None]:
    """Bounds what is done with a connection, and turns all that can go wrong into LinkError.

    The connection is closed then: what it would answer next belongs to what was asked before.
    """
    limit = gevent.Timeout.start_new(timeout)
    try:
        yield
    except BaseException as error:
        connection.disconnect()
        if error is limit or isinstance(error, exceptions.TimeoutError):
            raise LinkError("does not answer in time") from None
        if isinstance(error, (exceptions.RedisError, OSError, ValueError)):
            raise LinkError(_why(error)) from None
        raise
    finally:
        limit.close()


def _why(error: Exception) -> str:
    """What went wrong, in words that hold nothing of the server's or of the setting's."""
    if isinstance(error, exceptions.AuthenticationError):
        return "refuses the user or the password"
    if isinstance(error, exceptions.NoPermissionError):
        return "does not allow what is needed"
    if isinstance(error, exceptions.ReadOnlyError):
        return "is a replica"
    if isinstance(error, exceptions.BusyLoadingError):
        return "is starting"
    if isinstance(error, (exceptions.ConnectionError, OSError)):
        return "cannot be reached"
    if isinstance(error, exceptions.ResponseError):
        return "refuses a command"
    return f"cannot be used ({type(error).__name__})"
