"""What answers HLS as the proxy's worker does; it counts requests, and may hold answers back."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler

from tests.functional.web_servers import WebServer

SEGMENT = bytes(range(256)) * 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: HTTPMessage


class Worker(WebServer):
    """Has any list (each is another) or segment, except what is called gone, busy or film."""

    def __init__(self) -> None:
        super().__init__(_Answering)
        self.is_closed = False  # a login is needed
        self.asked: list[Asked] = []
        self.goes_on = threading.Event()  # answers wait for it
        self.goes_on.set()
        self._lists = 0
        self._lock = threading.Lock()

    def to(self, path: str) -> list[Asked]:
        """The requests for a path, with any query and below any /u/SECRET."""
        return [each for each in list(self.asked) if each.path.partition("?")[0].endswith(path)]

    def next_list(self) -> int:
        with self._lock:
            self._lists += 1
            return self._lists

    @property
    def lists(self) -> int:
        """How many it has answered."""
        return self._lists

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile no answer goes out."""
        self.goes_on.clear()
        try:
            yield
        finally:
            self.goes_on.set()

    def __enter__(self) -> Worker:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """It answers nobody any more; may come twice."""
        self.goes_on.set()
        super().close()


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Worker

    def do_GET(self) -> None:
        self.server.asked.append(Asked(self.command, self.path, self.headers))
        assert self.server.goes_on.wait(10)
        path = self.path.partition("?")[0]
        for name, status in (("gone", 404), ("busy", 503), ("film", 302)):
            if name in path:
                return self._answer(status, "max-age=60", b"", Location="/stream/film")
        is_own = self.server.is_closed or path.startswith("/u/")
        if not path.endswith(".m3u8"):
            who = "private" if is_own else "public"
            return self._answer(200, f"{who}, max-age=60, immutable", SEGMENT)
        text = f"#EXTM3U\n# list {self.server.next_list()}\n".encode()
        coding = {"Vary": "Accept-Encoding"}
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            coding["Content-Encoding"], text = "gzip", gzip.compress(text)
        control = "private, no-cache" if is_own else "public, max-age=1"
        return self._answer(200, control, text, **coding)

    do_HEAD = do_GET

    def _answer(self, status: int, control: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Cache-Control": control} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: requests are kept."""
