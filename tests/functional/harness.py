"""What functional tests run: the proxy under real gunicorn, viewers that behave like viewers.

proxy = start_proxy((one, 1), (two, 0), STALL_TIMEOUT="1s")   # the fixture of conftest.py
with proxy.viewer("news") as viewer:
    viewer.wait_for_source("two")
proxy.metrics().value("iptv_proxy_clients_connected")
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import io
import itertools
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, urlsplit

from prometheus_client.parser import text_string_to_metric_families

from kptv.config import VARIABLES
from tests.numbered_ts import PACKET, Mark, Run, check_ts, marks, runs
from tests.provider import Provider

ROOT = Path(__file__).resolve().parents[2]
START_DEADLINE = 20.0  # seconds: two busy cores import slowly
STOP_DEADLINE = 5.0  # the proxy promises 2
_libc = ctypes.CDLL(None)


class ReservedPort:
    """A free port that stays ours: bound but not listening, so only who names it can take it."""

    def __init__(self) -> None:
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("0.0.0.0", 0))
        self.number: int = self._held.getsockname()[1]

    def release(self) -> None:
        self._held.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Metrics:
    """A scrape of /metrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples with this name and these labels (others may be there too)."""
        wanted = labels.items()
        return sum(s.value for s in self.samples if s.name == name and wanted <= s.labels.items())


class Proxy:
    """The product as it is run: gunicorn with its gevent worker, in a process of its own."""

    app = "wsgi:app"
    under: tuple[str, ...] = ()  # the command that runs it, if one does

    def __init__(self, folder: Path, sources: str, **settings: str) -> None:
        """``sources`` as in SOURCES. ``settings`` are variables; None of the developer's count."""
        self.folder = folder
        self.root = ROOT  # what is run
        self.log_file = folder / "proxy.log"
        self.sources = sources
        self._port = ReservedPort()
        self.port = self._port.number
        self.settings = {
            **dict.fromkeys(VARIABLES, ""),  # empty is unset, and wins over a .env beside wsgi.py
            "SOURCES": sources,
            "PORT": str(self.port),
            "DATA_DIR": str(folder / "data"),
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    # --- life ---

    def start(self, wait: bool = True, arguments: Sequence[str] = (), app: str = "") -> Proxy:
        """Start it; with ``wait``, return when it is ready to serve a list."""
        server = (sys.executable, "-m", "gunicorn", "-k", "gevent", *arguments)
        command = (*self.under, *server, app or self.app)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.settings,
        }
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, deadline: float = START_DEADLINE) -> None:
        eventually(self._is_ready, deadline, f"the proxy did not get ready:\n{self.log}")

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the proxy ended by itself:\n{self.log}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = self.get("/readyz")
            return answer.status == 200 or "no user is let in" in answer.text.lower()
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Signal it; the seconds that it took. AssertionError when it does not end in time."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"not out {STOP_DEADLINE} s after {how.name}:\n{self.log}"
            ) from None
        finally:
            self.kill()
        return time.monotonic() - begun

    def kill(self) -> None:
        """End it and all that it started, at once; harmless when it is not running."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def close(self) -> None:
        """Kill it and give its port back. AssertionError if it has logged a secret."""
        self.kill()
        self._port.release()
        if self.settings.get("OBFUSCATE_URLS") != "false":
            sources = self.sources
            secrets = set(re.findall(r"(?:username|password)=([^&|,]{6,})", sources))
            assert not [secret for secret in secrets if secret in self.log], "a secret was logged"

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def worker_pid(self) -> int:
        """The process that serves: gunicorn's one child."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def descriptors(self) -> int:
        """File descriptors open in the worker now."""
        return len(os.listdir(f"/proc/{self.worker_pid}/fd"))

    def memory(self) -> int:
        """Resident bytes of the worker now."""
        pages = int(Path(f"/proc/{self.worker_pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    # --- HTTP ---

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def get(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        timeout: float = 30.0,
        body: bytes | None = None,
    ) -> Answer:
        """The answer to one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                method, path, body, headers={"Connection": "close", **(headers or {})}
            )
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def metrics(self) -> Metrics:
        return Metrics(self.get("/metrics").text)

    def playlist(self, path: str = "/playlist.m3u8") -> dict[str, str]:
        """Channel name -> path of its stream, in the served order."""
        lines = self.get(path).text.splitlines()
        pairs = itertools.pairwise(lines)
        return {
            info.rpartition(",")[2]: urlsplit(url).path
            for info, url in pairs
            if info.startswith("#EXTINF")
        }

    def viewer(self, channel: str, **options: object) -> Viewer:
        """A viewer of a channel (name or slug), begun; for its options see Viewer."""
        path = channel if channel.startswith("/") else f"/stream/{quote(channel, safe='')}"
        return Viewer(self.port, path, **options).start()  # type: ignore[arg-type]

    def wait_idle(self, timeout: float = 20.0) -> None:
        """Wait until no viewer and no upstream is left, as the metrics say."""

        def idle() -> bool:
            scrape = self.metrics()
            names = ("clients_connected", "active_connections", "hls_windows", "hls_window_bytes")
            return not any(scrape.value(f"iptv_proxy_{name}") for name in names)

        eventually(idle, timeout, "viewers or upstreams are left")


class Viewer:
    """One client of a stream, on a thread: keeps what comes and when, and misbehaves on request."""

    def __init__(
        self,
        port: int,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        version: str = "1.1",
        receive_buffer: int = 0,
        keep: bool = True,
        timeout: float = 60.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``receive_buffer``: the socket's, in bytes, for slow viewers. ``keep``: the body."""
        lines = [f"GET {path} HTTP/{version}", f"Host: 127.0.0.1:{port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._request = "\r\n".join((*lines, "", "")).encode("latin-1", "surrogateescape")
        self._address = ("127.0.0.1", port)
        self._receive_buffer = receive_buffer
        self._keep = keep
        self._timeout = timeout
        self._tls = tls
        self._socket = socket.socket()
        self._reading = threading.Event()
        self._reading.set()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.asked_at = 0.0  # time.monotonic(), as all times here
        self.status = 0  # 0 until the answer's headers are there
        self.headers = http.client.HTTPMessage()
        self.body = bytearray()
        self.arrivals: list[tuple[float, int]] = []  # time, bytes of body
        self.received = 0
        self.ended: str = ""  # "end", "reset", "timeout" or "cut" (a chunked body without its end)
        self.ended_at = 0.0

    # --- what it does ---

    def start(self) -> Viewer:
        if self._receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self._socket.settimeout(self._timeout)
        self.asked_at = time.monotonic()
        self._socket.connect(self._address)
        if self._tls is not None:
            self._socket = self._tls.wrap_socket(self._socket)
        self._socket.sendall(self._request)
        self._thread.start()
        return self

    def pause(self) -> None:
        """Stop reading; the connection stays open."""
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    def leave(self) -> None:
        """Close the connection as a player does; harmless when it comes twice."""
        self._reading.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._finish()

    def vanish(self) -> None:
        """Drop the connection with RST, under a blocked recv too."""
        unspecified = bytes(16)  # a sockaddr of AF_UNSPEC: connect(2) then means disconnect
        _libc.connect(self._socket.fileno(), unspecified, len(unspecified))
        self._reading.set()
        self._finish()

    def _finish(self) -> None:
        if self._thread.is_alive():
            self._thread.join(10)
        self._socket.close()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.leave()

    # --- what it waits for ---

    def wait(self, condition: Callable[[], bool], timeout: float = 20.0) -> Viewer:
        """Wait until ``condition()``, which is asked again whenever something comes."""
        deadline = time.monotonic() + timeout
        with self._news:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"not within {timeout} s: {self!r}"
                self._news.wait(min(left, 0.1))
        return self

    def wait_for_status(self, timeout: float = 30.0) -> int:
        """The status of the answer; 0 when the connection ended without one."""
        self.wait(lambda: bool(self.status or self.ended), timeout)
        return self.status

    def wait_for_bytes(self, size: int, timeout: float = 20.0) -> Viewer:
        """Until ``size`` bytes more than now have come."""
        target = self.received + size
        return self.wait(lambda: self.received >= target, timeout)

    def wait_for_source(self, provider: str, timeout: float = 20.0) -> Viewer:
        """Until packets of the provider of this name come."""
        name = provider.encode().ljust(16, b"\0")
        seen = len(self.body)
        return self.wait(lambda: self.body.find(name, max(0, seen - PACKET)) >= 0, timeout)

    def wait_for_end(self, timeout: float = 30.0) -> str:
        """How the connection ended."""
        self.wait(lambda: bool(self.ended), timeout)
        return self.ended

    # --- what came ---

    @property
    def first_byte_at(self) -> float:
        assert self.arrivals, f"nothing came: {self!r}"
        return self.arrivals[0][0]

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def marks(self) -> list[Mark]:
        """Of all whole packets that came; the body must be aligned packets."""
        whole = bytes(self.body[: len(self.body) // PACKET * PACKET])
        check_ts(whole)
        return marks(whole)

    def runs(self) -> list[Run]:
        return runs(self.marks())

    def sources(self) -> list[str]:
        """The providers that were seen, in order, without repeats in a row."""
        return [run.provider for run in _changes(self.runs())]

    def longest_silence(self, since: float = 0.0) -> float:
        """Seconds between two arrivals at most, of those after ``since``, until now."""
        times = [at for at, _ in self.arrivals if at >= since]
        last = self.ended_at or time.monotonic()
        return max((b - a for a, b in zip(times, [*times[1:], last], strict=True)), default=0.0)

    def __repr__(self) -> str:
        return f"<Viewer status={self.status} received={self.received} ended={self.ended!r}>"

    # --- its thread ---

    def _run(self) -> None:
        ended = "reset"
        try:
            ended = self._read_answer()
        except TimeoutError:
            ended = "timeout"
        except OSError:
            pass
        finally:
            with self._news:
                self.ended_at = time.monotonic()
                self.ended = ended
                self._news.notify_all()

    def _read_answer(self) -> str:
        received = b""
        while b"\r\n\r\n" not in received:
            received += (data := self._socket.recv(65536))
            if not data:
                return "end"
        head, _, rest = received.partition(b"\r\n\r\n")
        first, _, fields = head.partition(b"\r\n")
        self.headers = _parse_headers(fields)
        chunks = _Unchunker() if self.headers.get("Transfer-Encoding") == "chunked" else None
        length = int(self.headers.get("Content-Length", 1 << 62))
        with self._news:
            self.status = int(first.split()[1])
            self._news.notify_all()
        while True:
            self._take(chunks.feed(rest) if chunks else rest)
            if self.received >= length or (chunks and chunks.ended):
                return "end"
            self._reading.wait(self._timeout)
            rest = self._socket.recv(65536)
            if not rest:
                return "cut" if chunks or length < 1 << 62 else "end"

    def _take(self, data: bytes) -> None:
        if not data:
            return
        with self._news:
            self.arrivals.append((time.monotonic(), len(data)))
            self.received += len(data)
            if self._keep:
                self.body += data
            self._news.notify_all()


class _Unchunker:
    """The data of a chunked body (RFC 9112, section 7.1), fed in any pieces."""

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0  # of the current chunk
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        found = []
        while self._buffer and not self.ended:
            if self._left:
                part = self._buffer[: self._left]
                self._buffer = self._buffer[len(part) :]
                self._left -= len(part)
                found.append(part)
            elif match := re.match(rb"(?:\r\n)?([0-9a-fA-F]+)[^\r\n]*\r\n", self._buffer):
                self._buffer = self._buffer[match.end() :]
                self._left = int(match[1], 16)
                self.ended = not self._left
            else:
                break
        return b"".join(found)


def _parse_headers(fields: bytes) -> http.client.HTTPMessage:
    return http.client.parse_headers(io.BytesIO(fields + b"\r\n\r\n"))


def _changes(found: Iterable[Run]) -> list[Run]:
    changes: list[Run] = []
    for run in found:
        if not changes or run.provider != changes[-1].provider:
            changes.append(run)
    return changes


def sources_setting(*sources: tuple[Provider, int] | str) -> str:
    """SOURCES: of (provider, limit) pairs and of texts as they are."""
    return ",".join(s if isinstance(s, str) else f"{s[0].list_url}|{s[1]}" for s in sources)


def eventually(
    condition: Callable[[], bool], timeout: float = 10.0, otherwise: str = "it did not happen"
) -> None:
    """Ask every 20 ms until it is so; AssertionError after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)  # asks another process: there is no event to wait for
