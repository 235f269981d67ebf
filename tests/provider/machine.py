"""The provider's machine: its port, its accounts, what it has seen."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from tests.provider.connection import Connection
from tests.provider.gate import Gate
from tests.provider.http import Reply, Request
from tests.provider.resources import Bad, ChannelList, File, Resource, Stream

T = TypeVar("T")


@dataclass(slots=True)
class Account:
    """The open stream connections of one user, as the provider counts them."""

    name: str
    connections: int = 0
    max_connections_seen: int = 0  # counts those too that were turned away
    turned_away: int = 0


class Provider:
    """One provider machine on a loopback port of its own."""

    _numbers = itertools.count()

    def __init__(
        self,
        name: str = "one",
        *,
        limit: int = 0,
        limit_answer: int | Reply = 403,
        bitrate: float = 1_500_000,
        user: str = "",
    ) -> None:
        self.number = next(self._numbers)
        self.name = name
        self.limit = limit  # connections of one account; 0: any number
        self.limit_answer = limit_answer
        self.bitrate = bitrate
        self.user = user or f"user-{name}"
        self.password = f"sesame-{name}"
        self.requests: list[Request] = []
        self.history: list[tuple[float, str, int]] = []  # time, "+ path" or "- path", account's now
        self.accounts: dict[str, Account] = {}
        self.bytes_sent = 0
        self.faults: list[BaseException] = []  # of the simulator itself: stop() raises the first
        self.started = time.monotonic()
        query = f"username={self.user}&password={self.password}&type=m3u_plus&output=ts"
        self.list = ChannelList(self, f"/get.php?{query}")
        self._resources: dict[str, Resource] = {"/get.php": self.list}
        self.clients: set[Connection] = set()
        self.accepted = 0  # TCP connections so far
        self.serials = itertools.count(1)
        self.tokened: set[str] = set()
        self.gate: Gate | None = None  # asks for a digest before anything else
        self.max_sockets_seen = 0  # when a request came
        self._tokens: dict[str, Stream] = {}
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._held = _bound_socket(0)  # keeps the port ours while nobody listens on it
        self.port: int = self._held.getsockname()[1]
        self._unused = _bound_socket(0)  # bound, never listening: connections are refused
        self._server: asyncio.Server | None = None

    # --- life ---

    def __enter__(self) -> Provider:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Provider:
        self._thread.start()
        self.revive()
        return self

    def stop(self) -> None:
        """End everything; harmless when it comes twice."""
        if self._loop.is_closed():
            return
        self.kill()
        asyncio.run_coroutine_threadsafe(_finish_tasks(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._held.close()
        self._unused.close()
        if self.faults:
            raise self.faults[0]

    def kill(self) -> None:
        """The machine dies: the port is closed, all connections are reset."""
        self.in_loop(self._kill)

    def revive(self) -> None:
        """It is back, on the same port."""

        async def listen() -> asyncio.Server:
            listening = _bound_socket(self.port)
            return await self._loop.create_server(
                lambda: Connection(self), sock=listening, backlog=1024
            )

        if self._server is None:
            self._server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)

    def _kill(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.clients):
            connection.reset()

    # --- what it offers ---

    @property
    def list_url(self) -> str:
        return self.list.url

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not leak."""
        return self.user, self.password, f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def refused_url(self, path: str = "/") -> str:
        """An address whose port refuses connections."""
        return f"http://127.0.0.1:{self._unused.getsockname()[1]}{path}"

    def add_channel(self, name: str, *, path: str = "", url: str = "", **attributes: str) -> Stream:
        """A channel in the list and its stream; ``tvg_id="x"`` becomes ``tvg-id="x"``.

        ``url`` puts another address than the stream's own into the list.
        """
        stream = self.stream(path or f"/live/{self.user}/{self.password}/{len(self._resources)}.ts")
        stream.name = name
        written = "".join(f' {key.replace("_", "-")}="{v}"' for key, v in attributes.items())
        self.list.entries += (f"#EXTINF:-1{written},{name}", url or stream.url)
        self.list.modified = time.time()
        return stream

    def stream(self, path: str) -> Stream:
        """The stream at ``path``, made if it is not there."""
        if path not in self._resources:
            pid = 0x100 + 0x10 * (self.number % 100)
            self._resources[path] = Stream(self, path, path.rsplit("/", 1)[-1], pid)
        found = self._resources[path]
        assert isinstance(found, Stream)
        return found

    def add(self, resource: Resource) -> None:
        """Offer it on its path; an ``x.m3u8`` also on every ``x-….ts``."""
        self._resources[resource.path] = resource

    def add_file(self, path: str, data: bytes, content_type: str = "video/mp4") -> File:
        self._resources[path] = File(self, path, data, content_type)
        return self._resources[path]  # type: ignore[return-value]

    # --- what it sees ---

    @property
    def connections(self) -> int:
        """Stream connections open now, of all accounts."""
        return sum(account.connections for account in list(self.accounts.values()))

    @property
    def max_connections_seen(self) -> int:
        """The most that one account had at once, those turned away counted too."""
        return max((a.max_connections_seen for a in list(self.accounts.values())), default=0)

    @property
    def turned_away(self) -> int:
        return sum(account.turned_away for account in list(self.accounts.values()))

    @property
    def sockets(self) -> int:
        """TCP connections open now, of any kind."""
        return len(self.clients)

    def account(self, name: str = "") -> Account:
        return self.accounts.setdefault(name or self.user, Account(name or self.user))

    def requests_to(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def wait(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait until ``condition()``; AssertionError after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"not within {timeout} s; {self!r}"
                self._changed.wait(min(left, 0.05))

    def break_stream(self, path: str, how: Bad) -> int:
        """End the running connections to ``path`` in this way; how many these were."""
        return self.in_loop(
            lambda: sum(c.break_with(how) for c in list(self.clients) if c.plays(path))
        )

    def __repr__(self) -> str:
        return (
            f"<Provider {self.name!r} connections={self.connections}"
            f" max_seen={self.max_connections_seen} sockets={self.sockets}"
            f" requests={len(self.requests)}>"
        )

    # --- inside ---

    def in_loop(self, act: Callable[[], T]) -> T:
        """Do it in the loop and wait for it."""

        async def call() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    def notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def note_sockets(self) -> None:
        self.max_sockets_seen = max(self.max_sockets_seen, len(self.clients))

    def find(self, request: Request) -> Resource | None:
        return (
            self._tokens.pop(request.path, None)
            or self._resources.get(request.path)
            or self._resources.get(f"{request.path.rpartition('-')[0]}.m3u8")
        )

    def account_of(self, request: Request) -> Account:
        if user := re.match(r"/(?:live|movie|series)/([^/]+)/[^/]+/", request.path):
            return self.account(user[1])
        return self.account(*parse_qs(urlsplit(request.target).query).get("username", [])[:1])

    def new_token(self, stream: Stream) -> str:
        path = f"/live/{self.user}/{self.password}/token-{len(self.requests)}.ts"
        self._tokens[path] = stream
        return path


def _bound_socket(port: int) -> socket.socket:
    """Bound, not listening. Several may share a port so long as one of them at most listens."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


async def _finish_tasks() -> None:
    """Cancel what still runs and let the closed transports go."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(5):
        await asyncio.sleep(0)
