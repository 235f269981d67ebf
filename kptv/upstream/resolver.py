"""Looks names up so that the names of one source do not hold up those of another.

The system's lookup blocks a thread, for half a minute if a name server is silent, and gevent has
ten threads for all lookups. Here each source has some threads of its own, each wait has a deadline,
and if no answer comes the last good one is used: providers' addresses change less often than name
servers fail.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import gevent
from cachetools import TTLCache
from gevent.greenlet import Greenlet
from gevent.lock import BoundedSemaphore
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from kptv.channels.model import Source
from kptv.channels.reach import Address, parse_address

log = logging.getLogger(__name__)

LOOKUP_TIMEOUT = 5.0  # seconds; the system's own asks each server twice for as long
KNOWN_PATIENCE = 1.5  # seconds, if there is a last good answer
AT_A_TIME = 3  # threads per source
MOST_KNOWN, KEPT_FOR = 2000, 86400.0  # names, seconds
_MOST_ADDRESSES = 16  # per name

_getaddrinfo = get_original("socket", "getaddrinfo")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to connect to, as a socket wants it."""

    family: int
    address: Address
    scope: str = ""  # of a link-local IPv6 address

    @property
    def host(self) -> str:
        """The address as figures."""
        return f"{self.address}%{self.scope}" if self.scope else str(self.address)


def ask_system(name: str) -> list[Endpoint]:
    """The system's answer for a name; blocks its thread. Raises OSError."""
    endpoints = []
    for family, _, _, _, where in _getaddrinfo(name, None, type=socket.SOCK_STREAM):
        host, _, scope = where[0].partition("%")
        address = parse_address(host)
        if address is not None:
            endpoints.append(Endpoint(family, address, scope))
    return endpoints


class Resolver:
    """Addresses of names, for all sources of this process."""

    def __init__(self, ask: Callable[[str], list[Endpoint]] = ask_system) -> None:
        """``ask`` is called in a thread of the system, and may block for long."""
        self._ask = ask
        self._pools: dict[int, tuple[ThreadPool, BoundedSemaphore]] = {}
        self._running: dict[tuple[int, str], Greenlet] = {}
        self._known: TTLCache[str, tuple[Endpoint, ...]] = TTLCache(MOST_KNOWN, KEPT_FOR)
        self._troubled: set[int] = set()
        self.stale: Counter[int] = Counter()
        """By source: lookups without an answer, for which an earlier one was used."""

    def __repr__(self) -> str:
        return f"<Resolver running={len(self._running)} known={len(self._known)}>"

    def look_up(self, source: Source, name: str, timeout: float) -> tuple[Endpoint, ...]:
        """The addresses of a name, within ``timeout`` seconds; ``name`` may be an address itself.

        Raises socket.gaierror if there is none, TimeoutError if none comes in time.
        """
        if (address := parse_address(name)) is not None:
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            return (Endpoint(family, address, name.strip("[]").partition("%")[2]),)
        key = (source.number, name)
        asking = self._running.get(key)
        if asking is None:
            asking = self._running[key] = gevent.spawn(self._look_up, source, name)
        known = self._known.get(name)
        patience = KNOWN_PATIENCE if known else LOOKUP_TIMEOUT
        asking.join(timeout=min(patience, timeout))
        found = asking.value if asking.ready() else TimeoutError("no answer of a name server")
        if isinstance(found, tuple):
            self._troubled.discard(source.number)
            return found
        if known:
            self._tell_stale(source)
            return known
        raise found

    def close(self) -> None:
        """Stop waiting for lookups; may come twice."""
        for asking in list(self._running.values()):
            asking.kill(block=False)
        for pool, _ in self._pools.values():
            pool.kill()
        self._pools.clear()

    def _look_up(self, source: Source, name: str) -> tuple[Endpoint, ...] | OSError:
        """Never raises: the error is a value, since perhaps nobody waits for it any more."""
        until = monotonic() + LOOKUP_TIMEOUT
        pool, places = self._of(source)
        try:
            if not places.acquire(timeout=until - monotonic()):
                return TimeoutError("no answer of a name server")
            # The place is free only when the thread is, even if nobody waits for it any more.
            thread = pool.spawn(self._answer, name)
            thread.rawlink(lambda _: places.release())
            answer: tuple[Endpoint, ...] | OSError = thread.get()
            if isinstance(answer, tuple):
                self._known[name] = answer
            return answer
        finally:
            self._running.pop((source.number, name), None)

    def _answer(self, name: str) -> tuple[Endpoint, ...] | OSError:
        """Runs in a thread."""
        try:
            endpoints = tuple(dict.fromkeys(self._ask(name)))[:_MOST_ADDRESSES]
        except (OSError, UnicodeError) as error:  # UnicodeError: it cannot be a name
            return error if isinstance(error, OSError) else socket.gaierror(str(error))
        return endpoints or socket.gaierror("no address")

    def _of(self, source: Source) -> tuple[ThreadPool, BoundedSemaphore]:
        if source.number not in self._pools:
            pool = ThreadPool(AT_A_TIME)
            self._pools[source.number] = (pool, BoundedSemaphore(AT_A_TIME))
        return self._pools[source.number]

    def _tell_stale(self, source: Source) -> None:
        self.stale[source.number] += 1
        if source.number not in self._troubled:
            self._troubled.add(source.number)
            log.warning(
                "%s: a name could not be looked up; the address it had before is taken", source.tag
            )
