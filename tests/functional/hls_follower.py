"""A player of a live HLS playlist that shows nothing: it keeps each list and each segment.

with Follower(proxy, "/hls/news.m3u8") as follower:
    follower.wait(lambda: len(follower.segments) >= 3)
    assert broken(follower.served()) == []
"""

from __future__ import annotations

import gzip
import http.client
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol
from urllib.parse import urljoin

from tests.formats.hls_rules import Entry, Fetched, Load, Served
from tests.functional.harness import Answer


class Server(Protocol):
    """A proxy, or what is in front of several."""

    port: int


class Follower:
    """Asks for a list again and again, on a thread, and for each segment once."""

    def __init__(self, server: Server, path: str) -> None:
        self._path = path
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self._news = threading.Condition()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.loads: list[Load] = []  # times are time.monotonic()
        self.fetched: list[Fetched] = []
        self.entries: dict[int, Entry] = {}  # all that were listed, by their numbers
        self.segments: dict[int, bytes] = {}
        self.refusals: list[tuple[int, str]] = []  # status and path of what was not answered well
        self.trouble: BaseException | None = None

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._thread.join(40)
        self._connection.close()

    def wait(self, condition: Callable[[], bool], timeout: float = 30.0) -> Follower:
        """Wait until it is so, asked again with each answer; AssertionError where it is not."""
        deadline = time.monotonic() + timeout
        with self._news:
            while not condition():
                if self.trouble is not None:
                    raise self.trouble
                left = deadline - time.monotonic()
                assert left > 0, f"not within {timeout} s: {self!r}"
                self._news.wait(min(left, 0.5))
        return self

    @property
    def listed(self) -> float:
        """Seconds of media in the list."""
        return self.loads[-1].seconds if self.loads else 0.0

    def served(self, late: float = 0.0) -> Served:
        """All of it, for the rules; ``late``: seconds for which nothing could be listed."""
        return Served(tuple(self.loads), tuple(self.fetched), late=late)

    def __repr__(self) -> str:
        return f"<Follower of {len(self.loads)} lists, {len(self.segments)} segments>"

    def _run(self) -> None:
        try:
            while not self._left.is_set():
                self._load()
                with self._news:
                    self._news.notify_all()
        except BaseException as error:  # noqa: BLE001 - wait() raises it
            self.trouble = error

    def _load(self) -> None:
        """A list, which the server holds back until there is a new segment, and that segment."""
        query = f"?_HLS_msn={max(self.segments) + 1}" if self.segments else ""
        answer = self._get(self._path + query)
        if answer.status != 200:
            self._left.wait(0.5)
            return
        load = Load(time.monotonic(), answer.text, _lowered(answer))
        self.loads.append(load)
        for entry in load.entries:
            if self.entries.setdefault(entry.number, entry) is entry:
                self._fetch(entry)

    def _fetch(self, entry: Entry) -> None:
        answer = self._get(urljoin(self._path, entry.uri))
        now = time.monotonic()
        self.fetched.append(
            Fetched(entry.number, answer.body, now, _lowered(answer), answer.status)
        )
        if answer.status == 200:
            self.segments[entry.number] = answer.body

    def _get(self, path: str) -> Answer:
        self._connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            self.refusals.append((response.status, path))
        if response.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        return Answer(response.status, response.headers, body)


def _lowered(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}
