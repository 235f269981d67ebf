"""Who sees in the chaos whether there was one connection too many, and whose fault that may be."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
from gevent.server import StreamServer

_PERIOD = 0.1  # seconds between two looks
# One each, whatever was there; and what whoever joins next forgets, where a word to join came late.
_STAYS = ("run", "grace", "numbers", "clock", "instances", "links", "sources", "limits")
_START, _STARTING = 2.0, " (starting)"  # seconds in which a process as a rule holds nothing yet
_JUDGE = "the judge itself"


@dataclass(frozen=True, slots=True)
class Excess:
    """More connections to a provider than it allows."""

    at: float  # monotonic
    found: int
    limit: int


@dataclass(slots=True)
class Outcome:
    """What a seed came to."""

    seed: int
    mix: str = ""
    opened: int = 0
    done: dict[str, int] = field(default_factory=dict)
    over: list[str] = field(default_factory=list)
    worst: int = 0  # connections too many at a time
    waited: float = 0.0  # seconds that an instance had no core, at most, in the time of a lease
    left: dict[str, int] = field(default_factory=dict)  # at the server, after all instances left

    @property
    def grown(self) -> list[str]:
        """What the server still keeps of instances that have gone."""
        return [
            f"{n} left in {key}"
            for key, n in self.left.items()
            if key.partition(":")[0] not in _STAYS
        ]

    def __str__(self) -> str:
        done = ", ".join(f"{n} {what}" for what, n in sorted(self.done.items()))
        return (
            f"seed {self.seed} ({self.mix}): {self.opened} connections; {done or 'no fault'};"
            f" longest without a core {self.waited:.2f} s; {len(self.over)} too many, worst excess"
            f" {self.worst}"
        )


class Provider:
    """Counts its open connections as the kernel knows them, whenever one more comes."""

    def __init__(self, address: str, limit: int, tell: Callable[[Excess | None], None]) -> None:
        """``tell`` hears of each connection, with the excess if it is one too many."""
        self._limit, self._tell = limit, tell
        self._open: set[Any] = set()
        self._server = StreamServer((address, 0), self._serve)
        self._server.start()
        self.port: int = self._server.server_port

    def close(self) -> None:
        self._server.stop()

    def _serve(self, connection: Any, address: object) -> None:
        self._open = {each for each in self._open if not _hung_up(each)}
        if not _hung_up(connection):
            self._open.add(connection)
        found = len(self._open)
        is_excess = found > self._limit
        self._tell(Excess(monotonic(), found, self._limit) if is_excess else None)
        with suppress(OSError):
            connection.recv(1)
        self._open.discard(connection)


def _hung_up(connection: Any) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


class Cores:
    """How long each process was kept from working: it had no core, or was stopped.

    The promise holds for processes that are not kept longer than the margin. The kernel counts how
    long each was ready and had no core; what we stop ourselves, we count.
    """

    def __init__(self, processes: Callable[[], dict[str, int]]) -> None:
        """``processes``: by name, the id of each that lives."""
        self._processes = processes
        self._known: dict[int, float] = {}  # by id, seconds without a core so far
        self._since: dict[int, float] = {}  # by id, when it was first seen
        self._kept: list[tuple[float, str, float]] = []  # until when, who, how long
        self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        self._greenlet.kill()

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """It is, meanwhile."""
        since = monotonic()
        yield
        self._kept.append((monotonic(), name, monotonic() - since))

    def longest(self, lease: float) -> float:
        """The most that a process was kept in the time of one lease."""
        most = 0.0
        for at, name, _ in self._kept:
            if name != _JUDGE and _STARTING not in name:
                most = max(most, self.near(at, lease, 0.0).get(name, 0.0))
        return most

    def near(self, at: float, before: float, behind: float) -> dict[str, float]:
        """Seconds for which each was kept around that time."""
        found: dict[str, float] = {}
        for until, name, seconds in self._kept:
            if at - before <= until <= at + behind:
                found[name] = found.get(name, 0.0) + seconds
        return found

    def _run(self) -> None:
        while True:
            due = monotonic() + _PERIOD
            gevent.sleep(_PERIOD)
            if (late := monotonic() - due) > _PERIOD:  # all of the machine, or only we
                self._kept.append((monotonic(), _JUDGE, late))
            now = monotonic()
            for name, pid in self._processes().items():
                if (so_far := _without_a_core(pid)) is None:
                    continue
                more = so_far - self._known.get(pid, 0.0)
                self._known[pid] = so_far
                if now - self._since.setdefault(pid, now) < _START:
                    name += _STARTING
                if more > 0.001:
                    self._kept.append((now, name, more))


def _without_a_core(pid: int) -> float | None:
    """Seconds for which its first thread was ready and had none; None: nobody knows."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return None
