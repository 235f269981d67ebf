"""hls.js in Chromium, on a page from another origin, with a record of what its viewer would notice.

with Theatre() as theatre:
    watching = theatre.watch(proxy.url("/hls/news.m3u8"))
    watching.wait_for_picture()
    watching.record().stalls
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.functional.harness import ROOT

SCRIPT = ROOT / ".venv/clients/hls/node_modules/hls.js/dist/hls.min.js"
PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True, slots=True)
class Stall:
    """The picture stood still: seconds since the page was told to play."""

    since: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """What came of it so far; see page/watching.js."""

    first: float  # seconds until the first picture; 0: none yet
    at: float  # seconds since the start
    place: float  # of the picture
    stalls: tuple[Stall, ...]
    waits: int
    seeks: int
    errors: tuple[dict[str, Any], ...]
    lists: tuple[dict[str, Any], ...]
    segments: tuple[dict[str, Any], ...]
    sizes: tuple[tuple[int, int], ...]
    buffered: tuple[tuple[float, float], ...]
    shown: int
    dropped: int
    behind: float  # seconds, as the player believes

    @classmethod
    def of(cls, told: dict[str, Any]) -> Record:
        """Read from what the page says."""
        milliseconds = ("first", "at")
        pairs = ("sizes", "buffered")
        plain = {key: value for key, value in told.items() if key not in ("stalls", *pairs)}
        lists = {key: tuple(v) for key, v in plain.items() if isinstance(v, list)}
        return cls(
            **plain
            | lists
            | {key: told[key] / 1000 for key in milliseconds}
            | {key: tuple(map(tuple, told[key])) for key in pairs},
            stalls=tuple(Stall(a / 1000, (b - a) / 1000) for a, b in told["stalls"]),
        )

    @property
    def fatal(self) -> list[dict[str, Any]]:
        return [error for error in self.errors if error["fatal"]]

    @property
    def ahead(self) -> float:
        """Seconds in the buffer behind the picture."""
        ends = [end for start, end in self.buffered if start - 0.1 <= self.place <= end]
        return max(ends, default=self.place) - self.place

    def __str__(self) -> str:
        stalls = ", ".join(f"{each.seconds:.2f} at {each.since:.1f}" for each in self.stalls)
        details = sorted({error["details"] for error in self.errors})
        return (
            f"first picture {self.first:.2f} s, {self.behind:.1f} s behind after {self.at:.1f} s,"
            f" stalls [{stalls}], waits {self.waits}, seeks {self.seeks}, shown {self.shown},"
            f" dropped {self.dropped}, ranges {len(self.buffered)}, errors {details}"
        )


class Watching:
    """A page that plays one list."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def record(self) -> Record:
        return Record.of(self.page.evaluate("record()"))

    def wait(self, condition: Callable[[Record], bool], timeout: float = 30.0) -> Record:
        """Its record, once it is so; AssertionError with what it is else."""
        deadline = time.monotonic() + timeout
        while not condition(record := self.record()):
            assert time.monotonic() < deadline, f"not within {timeout} s: {record}"
            self.page.wait_for_timeout(50)
        return record

    def wait_for_picture(self, timeout: float = 30.0) -> Record:
        return self.wait(lambda record: record.first > 0, timeout)

    def watch_on(self, seconds: float, timeout: float = 60.0) -> Record:
        """Its record after so many more seconds of what is played."""
        until = self.record().place + seconds
        return self.wait(lambda record: record.place >= until, timeout)

    def pause(self) -> None:
        self.page.evaluate("video.pause()")

    def resume(self) -> None:
        self.page.evaluate("video.play()")

    def leave(self) -> None:
        """As somebody who closes the page."""
        self.page.evaluate("leave()")
        self.page.close()


class Theatre:
    """A browser, and the server of the page: an origin that is not the proxy's."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.browser: Browser
        self.address = ""
        self.complaints: list[str] = []

    def __enter__(self) -> Theatre:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_PageServer, directory=str(PAGE)))
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.address = f"http://127.0.0.1:{server.server_address[1]}/index.html"
        playwright = self._stack.enter_context(sync_playwright())
        self.browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        self._stack.callback(self.browser.close)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def watch(self, url: str, native: bool = False, **settings: object) -> Watching:
        """A new page that plays; ``settings`` are hls.js's, ``native``: without it."""
        page = self.browser.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.address)
        page.evaluate(
            "([url, settings]) => watch(url, settings)", [url, None if native else settings]
        )
        return Watching(page)


class _PageServer(SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        return str(SCRIPT) if path.endswith("/hls.min.js") else super().translate_path(path)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
