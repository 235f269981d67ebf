"""The demo's two providers: HTTP servers on loopback that broadcast clips, and break on command."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import socket
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from kptv.demo.guide import guide
from kptv.demo.playout import CLOCK, Clip, Playout

CLIPS = Path(__file__).parent / "data"
CLIP_SECONDS = 8.0  # kptv/demo/make_clips.sh
TICK = 0.04  # seconds between two writes: one picture
MAX_REQUEST = 8192  # bytes
REQUEST_TIMEOUT = 10.0
MAX_BEHIND = 10.0  # seconds; a client further back is cut, as providers do

# file, name, attributes
CHANNELS = (
    ("card", "Demo Test Card", 'tvg-id="card.demo" tvg-chno="1" group-title="Pictures"'),
    ("bars", "Demo Colour Bars", 'tvg-id="bars.demo" tvg-chno="2" group-title="Pictures"'),
    ("clock", "Demo Clock", 'tvg-id="clock.demo" tvg-chno="3" group-title="Pictures"'),
    ("radio", "Demo Radio", 'tvg-id="radio.demo" tvg-chno="4" group-title="Sound"'),
)
UNWANTED = ("card", "Demo Shopping", 'group-title="Pictures"')  # the rules drop it
RULES = CLIPS / "rules.toml"  # by which the channels of both are one


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """One of the two providers: where it differs from the other."""

    name: str  # its files begin with it
    limit: int  # connections
    clock_base: int  # its clocks at the start, in ticks: far from the other's
    called: str = "{}"  # how it writes the name of a channel


ACCOUNTS = (
    DemoAccount("one", 2, 3600 * CLOCK),
    DemoAccount("two", 4, 50_000 * CLOCK, "UK: {} HD"),
)


@functools.cache
def clip(file: str) -> Clip:
    """A shipped clip, read once."""
    return Clip.parse((CLIPS / f"{file}.ts").read_bytes(), CLIP_SECONDS)


class DemoProvider:
    """A provider on a free port of 127.0.0.1.

    ``POST /break`` cuts its viewers and refuses new ones until ``POST /mend``.
    """

    def __init__(self, account: DemoAccount) -> None:
        self.account = account
        self.port = 0  # until start()
        self.broken = False
        self._began = time.monotonic()
        self._server: asyncio.Server | None = None
        self._viewers: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def source(self) -> str:
        """Its entry in SOURCES."""
        return f"{self.url}/list.m3u|{self.account.limit}"

    async def start(self) -> None:
        """Listen, from now on, on a port of the system's choice."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_REQUEST)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def break_down(self) -> None:
        """Reset all viewers, take no new ones."""
        self.broken = True
        for viewer in self._viewers:
            _reset(viewer)

    def mend(self) -> None:
        self.broken = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._answer(*_request_line(head), reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the client left, or does not speak HTTP
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._clients.discard(task)
            writer.close()

    async def _answer(
        self, method: str, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if method == "POST" and path == "/break":
            self.break_down()
            _reply(writer, 200, f"Provider {self.account.name} is broken.\n")
        elif method == "POST" and path == "/mend":
            self.mend()
            _reply(writer, 200, f"Provider {self.account.name} works again.\n")
        elif self.broken:
            _reset(writer)
        elif path == "/list.m3u":
            _reply(writer, 200, self._list(), "audio/x-mpegurl")
        elif path == "/guide.xml":
            _reply(writer, 200, guide(time.time(), _NAMES), "application/xml")
        elif (file := path.removeprefix("/live/").removesuffix(".ts")) in _FILES:
            await self._play(file, reader, writer)
        else:
            _reply(writer, 404, "Not here.\n")

    def _list(self) -> str:
        lines = [f'#EXTM3U x-tvg-url="{self.url}/guide.xml"']
        for file, name, attributes in (*CHANNELS, UNWANTED):
            called = self.account.called.format(name)
            lines += [f"#EXTINF:-1 {attributes},{called}", f"{self.url}/live/{file}.ts"]
        return "\n".join((*lines, ""))

    async def _play(
        self, file: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if len(self._viewers) >= self.account.limit:
            _reply(writer, 403, "Too many connections.\n")
            return
        writer.write(_head(200, "video/mp2t"))
        playout = Playout(clip(f"{self.account.name}-{file}"), self.account.clock_base)
        playout.start(self._position)
        self._viewers.add(writer)
        left = asyncio.ensure_future(reader.read())  # done when the client closes
        try:
            while not left.done():
                writer.write(playout.due(self._position))
                async with asyncio.timeout(MAX_BEHIND):
                    await writer.drain()
                await asyncio.wait((left,), timeout=TICK)
        finally:
            self._viewers.discard(writer)
            left.cancel()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await left

    @property
    def _position(self) -> float:
        return time.monotonic() - self._began


@contextlib.asynccontextmanager
async def both_providers() -> AsyncIterator[list[DemoProvider]]:
    """The two of them, started; stopped at the end."""
    providers = [DemoProvider(account) for account in ACCOUNTS]
    try:
        for provider in providers:
            await provider.start()
        yield providers
    finally:
        for provider in providers:
            await provider.stop()


async def until_told_to_stop() -> None:
    """Return at SIGINT (Ctrl-C), SIGTERM or SIGHUP (the terminal closed)."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


_FILES = frozenset(file for file, _, _ in CHANNELS)
_NAMES = {f"{file}.demo": name for file, name, _ in CHANNELS}  # by tvg-id


def _request_line(head: bytes) -> tuple[str, str]:
    """Method and path; ValueError if it is no request line."""
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return method, target.partition("?")[0]


def _head(status: int, content_type: str, length: int | None = None) -> bytes:
    reason = {200: "OK", 403: "Forbidden", 404: "Not Found"}[status]
    size = "" if length is None else f"Content-Length: {length}\r\n"
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\n{size}"
        "Connection: close\r\n\r\n"
    ).encode()


def _reply(
    writer: asyncio.StreamWriter, status: int, text: str, content_type: str = "text/plain"
) -> None:
    body = text.encode()
    writer.write(_head(status, content_type, len(body)) + body)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a machine does whose program has died."""
    with contextlib.suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
