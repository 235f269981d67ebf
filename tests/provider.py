"""A provider on loopback: channel lists, live streams, files, a connection limit, every bad ending.

The ground truth of the functional tests. It counts as a provider counts: a connection to a stream
is open from the moment its request is read until the provider sees the client's close, and it sees
that at once, not at its next write. It runs on a thread of its own with its own asyncio loop, so
nothing in the test process can hold it up.

    with Provider("one", limit=1) as provider:
        news = provider.add_channel("News")
        ...                                     # SOURCES=f"{provider.list_url}|1"
        news.break_now(Bad.RESET)               # the running connections, in mid-stream
        news.fail_with(404)                     # the next requests
        news.recover()
        provider.kill(); provider.revive()      # the whole machine; the port stays its own
        provider.wait(lambda: provider.connections == 0)
        assert provider.max_connections_seen == 1

What a test asks for is read by the loop at the next request; what acts on running connections
(break_now, kill, …) has happened when the call returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import random
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from gzip import compress as gzipped
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

from kptv.demo.playout import Clip, Playout
from tests.numbered_ts import NumberedStream

T = TypeVar("T")
TICK = 0.01  # seconds between two writes of a paced stream
_HTML = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body>No such thing</body></html>"
_REASONS = {200: "OK", 206: "Partial Content", 302: "Found", 304: "Not Modified", 404: "Not Found"}


class Bad(StrEnum):
    """How an answer goes wrong, as the first thing or (those marked +) in mid-stream."""

    NO_ANSWER = "closed without an answer"
    RESET = "reset"  # + RST
    HANG = "no answer, open"
    HANG_AFTER_HEADERS = "headers, then nothing, open"
    DRIP_HEADERS = "a byte of the headers every 100 ms, without end"
    HTML = "HTML"  # + with status 200
    EMPTY = "empty body"
    SHORT_BODY = "closed before Content-Length or the last chunk"  # +
    END = "clean end of body"  # +
    SILENCE = "open but silent"  # +
    GARBAGE = "bytes that hold no transport stream, without end"  # +
    REDIRECT_LOOP = "redirected to itself"


@dataclass(frozen=True, slots=True)
class Reply:
    """Any complete answer: for redirects, playlists, odd headers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


How = Bad | int | Reply


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    at: float  # time.monotonic()
    method: str
    target: str  # path and query
    headers: Mapping[str, str]  # names in lower case

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass(slots=True)
class Account:
    """The open stream connections of one user, as the provider counts them."""

    name: str
    connections: int = 0
    max_connections_seen: int = 0  # counts those too that were turned away
    turned_away: int = 0


@dataclass
class _Failure:
    how: How
    times: int | None  # None: until recover()
    after_packets: int
    retry_after: float | None


class Resource:
    """What answers on one path. Plain attributes: set them as the test needs."""

    def __init__(self, provider: Provider, path: str, content_type: str) -> None:
        self.provider = provider
        self.path = path
        self.content_type = content_type
        self.chunked = False
        self.extra_headers: dict[str, str] = {}
        self.bytes_sent = 0
        self._failure: _Failure | None = None

    @property
    def url(self) -> str:
        return self.provider.url(self.path)

    @property
    def requests(self) -> list[Request]:
        """The GET requests for it so far, those turned away too."""
        path = urlsplit(self.path).path
        return [r for r in self.provider.requests if r.path == path and r.method == "GET"]

    def fail_with(
        self,
        how: How,
        *,
        times: int | None = None,
        after_packets: int = 0,
        retry_after: float | None = None,
    ) -> None:
        """Answer the next requests (``times`` of them, or all) in this way.

        ``after_packets`` lets a stream play that long first: the failure is then in mid-stream.
        """
        self._failure = _Failure(how, times, after_packets, retry_after)

    def recover(self) -> None:
        self._failure = None

    def _next_failure(self) -> _Failure | None:
        failure = self._failure
        if failure and failure.times is not None:
            failure.times -= 1
            if failure.times <= 0:
                self._failure = None
        return failure


class ChannelList(Resource):
    """The account's M3U: of the channels added, unless ``body`` is set."""

    def __init__(self, provider: Provider, path: str) -> None:
        super().__init__(provider, path, "audio/x-mpegurl")
        self.entries: list[str] = []
        self.head = "#EXTM3U"
        self.body: bytes | None = None
        self.conditional = True  # ETag and Last-Modified
        self.gzip = ""  # "header": told in Content-Encoding; "body": not told; "stored": a .gz file
        self.seconds = 0.0  # time over which the body is spread
        self.modified = time.time()

    def set(self, text: str | bytes) -> None:
        self.body = text.encode() if isinstance(text, str) else text
        self.modified = time.time()

    def content(self) -> bytes:
        if self.body is None:
            return "\n".join((self.head, *self.entries, "")).encode()
        return self.body


class Stream(Resource):
    """A live stream of numbered packets, or of real media when ``clip`` is set."""

    def __init__(self, provider: Provider, path: str, name: str, pid: int) -> None:
        super().__init__(provider, path, "video/mp2t")
        self.name = name
        self.pid = pid
        self.bitrate = provider.bitrate
        self.burst = 0.0  # seconds of media sent at once at the start
        self.junk = b""  # sent before the first packet
        self.content_length: int | None = None
        self.content_encoding = ""  # the header …
        self.compressed = False  # … and whether the body really is gzip
        self.delay = 0.0  # seconds before the headers
        self.delay_body = 0.0  # seconds between headers and body
        self.clip: Clip | None = None
        self.clock_base = 90_000 * 3600 * (provider.number % 20)

    def play_clip(self, file: Path, seconds: float = 8.0) -> None:
        """Real media from now on: this file, looped, with clocks that go on."""
        self.clip = Clip.parse(file.read_bytes(), seconds)

    def break_now(self, how: Bad) -> int:
        """End its running connections in this way; how many these were."""
        return self.provider.break_stream(self.path, how)

    def redirect_to(self, location: str, status: int = 302) -> None:
        """Answer requests with a redirect: absolute URL, ``/path`` or relative path."""
        self.fail_with(Reply(status, {"Location": location}))

    def redirect_to_token(self) -> None:
        """Answer each request with a redirect to an address of its own that works once."""
        self.provider._call(lambda: self.provider._tokened.add(self.path))

    @property
    def connections(self) -> int:
        return sum(c.resource is self and c.account is not None for c in list(self.provider._open))

    def _source(self, serial: int, now: float) -> _Paced:
        if self.clip is None:
            return self._numbered(serial)
        return _PacedClip(self.clip, self.clock_base, now - self.provider.started, self.burst)

    def _numbered(self, serial: int) -> NumberedStream:
        return NumberedStream(
            self.provider.name,
            self.name,
            serial,
            pid=self.pid,
            bitrate=self.bitrate,
            burst=self.burst,
            clock_base=self.clock_base,
        )


class File(Resource):
    """A film: finite, with Range."""

    def __init__(self, provider: Provider, path: str, data: bytes, content_type: str) -> None:
        super().__init__(provider, path, content_type)
        self.data = data
        self.ranges = True


class _Paced(Protocol):
    def due(self, elapsed: float, now: float) -> bytes: ...


class _PacedClip:
    """A looped clip as a live broadcast: who connects later starts later in it."""

    def __init__(self, clip: Clip, clock_base: int, position: float, burst: float) -> None:
        self._playout = Playout(clip, clock_base)
        self._playout.start(position - burst)
        self._position = position

    def due(self, elapsed: float, now: float) -> bytes:
        return self._playout.due(self._position + elapsed)


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
        self._open: set[_Connection] = set()
        self._serials = itertools.count(1)
        self._tokened: set[str] = set()
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
        self._call(self._kill)

    def revive(self) -> None:
        """It is back, on the same port."""

        async def listen() -> asyncio.Server:
            listening = _bound_socket(self.port)
            return await self._loop.create_server(
                lambda: _Connection(self), sock=listening, backlog=1024
            )

        if self._server is None:
            self._server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)

    def _kill(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._open):
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
        return len(self._open)

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
        return self._call(lambda: sum(c.break_with(how) for c in list(self._open) if c.plays(path)))

    def __repr__(self) -> str:
        return (
            f"<Provider {self.name!r} connections={self.connections}"
            f" max_seen={self.max_connections_seen} sockets={self.sockets}"
            f" requests={len(self.requests)}>"
        )

    # --- inside ---

    def _call(self, act: Callable[[], T]) -> T:
        """Do it in the loop and wait for it."""

        async def call() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _find(self, request: Request) -> Resource | None:
        return self._tokens.pop(request.path, None) or self._resources.get(request.path)

    def _account_of(self, request: Request) -> Account:
        if user := re.match(r"/(?:live|movie|series)/([^/]+)/[^/]+/", request.path):
            return self.account(user[1])
        return self.account(*parse_qs(urlsplit(request.target).query).get("username", [])[:1])

    def _new_token(self, stream: Stream) -> str:
        path = f"/live/{self.user}/{self.password}/token-{len(self.requests)}.ts"
        self._tokens[path] = stream
        return path


class _Connection(asyncio.Protocol):
    """One client's TCP connection: reads requests, answers them one after the other."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.account: Account | None = None  # set while the provider counts this connection
        self.resource: Resource | None = None
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.chunked = False
        self._received = b""
        self._answering: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._compressor: zlib._Compress | None = None

    # --- asyncio calls these ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.provider._open.add(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._answer_next()

    def eof_received(self) -> None:
        self._leave()  # seen in the very callback that reads it
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._leave()
        if self._answering:
            self._answering.cancel()
        self.provider._open.discard(self)
        self.provider._notify()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # --- commands of the test ---

    def plays(self, path: str) -> bool:
        return self.account is not None and self.resource is not None and self.resource.path == path

    def break_with(self, how: Bad) -> bool:
        """End the answer that runs; in the loop, at once where no time is needed."""
        assert self._answering is not None
        self._answering.cancel()
        if not self._ended_at_once(how):
            self._begin(self._linger(how))
        return True

    def reset(self) -> None:
        """RST instead of FIN."""
        self._leave()
        connected: socket.socket = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            on, seconds = 1, 0
            connected.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, seconds)
            )
        self.transport.abort()

    # --- counting ---

    def _enter(self, account: Account) -> bool:
        """Count this connection; False, and not counted any more, when it is one too many."""
        account.connections += 1
        account.max_connections_seen = max(account.max_connections_seen, account.connections)
        self.account = account
        self._note("+")
        if self.provider.limit and account.connections > self.provider.limit:
            account.turned_away += 1
            self._leave()
            return False
        return True

    def _leave(self) -> None:
        if self.account is not None:
            self.account.connections -= 1
            self._note("-")
            self.account = None

    def _note(self, sign: str) -> None:
        assert self.account is not None
        path = self.resource.path if self.resource else ""
        entry = (time.monotonic(), f"{sign} {path}", self.account.connections)
        self.provider.history.append(entry)
        self.provider._notify()

    # --- answering ---

    def _answer_next(self) -> None:
        if b"\r\n\r\n" not in self._received or self._answering:
            return
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        request = _parse_request(head)
        self.provider.requests.append(request)
        self.provider._notify()
        self._begin(self._answer(request))

    def _begin(self, answer: Coroutine[object, object, None]) -> None:
        task = self._answering = asyncio.get_running_loop().create_task(answer)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self.provider.faults.append(error)
        if task is self._answering:
            self._answering = None
            if not self.transport.is_closing():
                self._answer_next()

    async def _answer(self, request: Request) -> None:
        self.chunked = False
        self._compressor = None
        # A close that reached this machine before this request is seen before it: let the loop
        # finish the round of events that brought the request, and that of the resets in it.
        for _ in range(3):
            await asyncio.sleep(0)
        resource = self.resource = self.provider._find(request)
        if resource is None:
            self._reply(request, Reply(404, body=b"not found"))
        elif isinstance(resource, ChannelList):
            await self._answer_list(request, resource)
        else:
            await self._answer_stream(request, resource)

    async def _answer_list(self, request: Request, channels: ChannelList) -> None:
        if failure := channels._next_failure():
            await self._fail(request, channels, failure)
            return
        body = channels.content()
        headers = {"Content-Type": channels.content_type, **channels.extra_headers}
        if channels.conditional:
            etag = f'"{hashlib.sha1(body).hexdigest()}"'
            modified = formatdate(channels.modified, usegmt=True)
            headers |= {"ETag": etag, "Last-Modified": modified}
            if _unchanged(request, etag, modified):
                self._reply(request, Reply(304, headers))
                return
        if channels.gzip:
            body = gzipped(body)
        if channels.gzip == "header":
            headers["Content-Encoding"] = "gzip"
        self._head(200, headers, None if channels.chunked else len(body), channels)
        steps = max(1, int(channels.seconds / TICK))
        size = max(1, -(-len(body) // steps))
        for at in range(0, len(body) if request.method != "HEAD" else 0, size):
            await self._body(body[at : at + size])
            if steps > 1:
                await asyncio.sleep(TICK)
        self._end_body(keep=_keeps_alive(request))

    async def _answer_stream(self, request: Request, resource: Resource) -> None:
        if request.method == "HEAD":
            self._head(200, {"Content-Type": resource.content_type}, None, resource)
            self._end_body()
            return
        if not self._enter(self.provider._account_of(request)):
            answer = self.provider.limit_answer
            self._reply(request, answer if isinstance(answer, Reply) else Reply(answer))
            return
        if resource.path in self.provider._tokened and request.path == resource.path:
            assert isinstance(resource, Stream)
            location = self.provider._new_token(resource)
            self._reply(request, Reply(302, {"Location": location}))
            return
        if failure := resource._next_failure():
            await self._fail(request, resource, failure)
        elif isinstance(resource, File):
            await self._send_file(request, resource)
        else:
            assert isinstance(resource, Stream)
            await self._play(resource)

    async def _play(self, stream: Stream) -> None:
        await asyncio.sleep(stream.delay)
        self._stream_head(stream, stream.content_length)
        await asyncio.sleep(stream.delay_body)
        await self._body(stream.junk)
        begun = time.monotonic()
        source = stream._source(next(self.provider._serials), begun)
        while True:
            now = time.monotonic()
            await self._body(source.due(now - begun, now))
            await asyncio.sleep(TICK)

    async def _send_file(self, request: Request, file: File) -> None:
        headers = {"Content-Type": file.content_type, **file.extra_headers}
        status, start, stop = 200, 0, len(file.data)
        if file.ranges:
            headers["Accept-Ranges"] = "bytes"
            if wanted := _range(request, len(file.data)):
                status, (start, stop) = 206, wanted
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(file.data)}"
            if start >= stop:
                headers = {"Content-Range": f"bytes */{len(file.data)}"}
                self._reply(request, Reply(416, headers))
                return
        self._head(status, headers, stop - start, file)
        for at in range(start, stop, 65536):
            await self._body(file.data[at : min(at + 65536, stop)])
        self._end_body()

    # --- going wrong ---

    async def _fail(self, request: Request, resource: Resource, failure: _Failure) -> None:
        how = failure.how
        if isinstance(how, int):
            how = Reply(how, {"Content-Type": "text/html"}, _HTML)
        if isinstance(how, Reply):
            headers = dict(how.headers)
            if failure.retry_after is not None:
                headers["Retry-After"] = f"{failure.retry_after:g}"
            self._reply(request, Reply(how.status, headers, how.body))
        elif failure.after_packets:
            await self._begin_body_then(how, resource, failure.after_packets)
        elif how is Bad.REDIRECT_LOOP:
            self._reply(request, Reply(302, {"Location": request.target}))
        elif how is Bad.HTML:
            self._reply(request, Reply(200, {"Content-Type": "text/html"}, _HTML))
        elif how is Bad.EMPTY:
            self._reply(request, Reply(200, {"Content-Type": resource.content_type}))
        elif how is Bad.DRIP_HEADERS:
            await self._drip_headers()
        elif how in (Bad.HANG, Bad.RESET, Bad.NO_ANSWER):
            await self._end(how)
        else:
            await self._begin_body_then(how, resource, 0)

    async def _begin_body_then(self, how: Bad, resource: Resource, packets: int) -> None:
        """Headers, the beginning of a good body, then the bad ending."""
        length = 10_000_000 if how is Bad.SHORT_BODY and not resource.chunked else None
        self._stream_head(resource, length)
        if isinstance(resource, Stream):
            serial = next(self.provider._serials)
            now = time.monotonic()
            await self._body(resource._numbered(serial).packets(packets, now))
        elif isinstance(resource, ChannelList):
            content = resource.content()
            await self._body(content[: len(content) // 2])
        await self._end(how)

    async def _end(self, how: Bad) -> None:
        if not self._ended_at_once(how):
            await self._linger(how)

    def _ended_at_once(self, how: Bad) -> bool:
        """End the running body in this way; False where that way takes time."""
        if how is Bad.RESET:
            self.reset()
        elif how is Bad.END:
            self._end_body()
        elif how in (Bad.SHORT_BODY, Bad.NO_ANSWER):
            self._close()
        elif how is Bad.HTML:
            self._write_body(_HTML)
            self._end_body()
        else:
            return False
        return True

    async def _linger(self, how: Bad) -> None:
        """Keep the connection open until the client closes it."""
        noise = random.Random(7)
        while True:
            if how is Bad.GARBAGE:
                await self._body(noise.randbytes(2500).replace(b"G", b"g"))
            await asyncio.sleep(TICK)

    async def _drip_headers(self) -> None:
        head = b"HTTP/1.1 200 OK\r\n" + b"X-Padding: 0\r\n" * 10_000
        for at in range(len(head)):
            self.transport.write(head[at : at + 1])
            await asyncio.sleep(0.1)

    # --- writing ---

    def _stream_head(self, resource: Resource, length: int | None) -> None:
        headers = {"Content-Type": resource.content_type, **resource.extra_headers}
        if isinstance(resource, Stream):
            if resource.content_encoding:
                headers["Content-Encoding"] = resource.content_encoding
            if resource.compressed:
                self._compressor = zlib.compressobj(wbits=31)
        self._head(200, headers, length, resource)

    def _head(
        self, status: int, headers: Mapping[str, str], length: int | None, resource: Resource
    ) -> None:
        self.chunked = resource.chunked and length is None
        framing = {"Transfer-Encoding": "chunked"} if self.chunked else {}
        if length is not None:
            framing["Content-Length"] = str(length)
        if isinstance(resource, Stream | File) or not framing:
            framing["Connection"] = "close"
        self.transport.write(_head_bytes(status, {**headers, **framing}))

    def _reply(self, request: Request, reply: Reply) -> None:
        """A whole answer; the connection is not counted from here on."""
        self._leave()
        empty = request.method == "HEAD" or reply.status in (204, 304)
        length = {} if reply.status == 304 else {"Content-Length": str(len(reply.body))}
        self.transport.write(
            _head_bytes(reply.status, {**length, **reply.headers}) + (b"" if empty else reply.body)
        )
        if not _keeps_alive(request):
            self.transport.close()

    async def _body(self, data: bytes) -> None:
        self._write_body(data)
        await self._writable.wait()

    def _write_body(self, data: bytes) -> None:
        if not data or self.transport.is_closing():
            return
        assert self.resource is not None
        self.resource.bytes_sent += len(data)
        self.provider.bytes_sent += len(data)
        if self._compressor:
            data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        if self.chunked:
            data = f"{len(data):x}\r\n".encode() + data + b"\r\n"
        self.transport.write(data)

    def _end_body(self, keep: bool = False) -> None:
        if self.chunked:
            self.transport.write(b"0\r\n\r\n")
        if keep:
            self._leave()
        else:
            self._close()

    def _close(self) -> None:
        self._leave()
        self.transport.close()


def _parse_request(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(time.monotonic(), method, target, headers)


def _head_bytes(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def _keeps_alive(request: Request) -> bool:
    return request.headers.get("connection", "").lower() != "close"


def _unchanged(request: Request, etag: str, modified: str) -> bool:
    """RFC 9110, section 13.2.2: If-None-Match first, If-Modified-Since only without it."""
    if (tags := request.headers.get("if-none-match")) is not None:
        return etag in tags
    return request.headers.get("if-modified-since") == modified


def _range(request: Request, size: int) -> tuple[int, int] | None:
    """Start and stop of a single byte range (RFC 9110, section 14.1.2); start >= stop: none."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not match or not any(match.groups()):
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    return int(match[1]), min(size, int(match[2]) + 1) if match[2] else size


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
