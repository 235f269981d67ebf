"""A live HLS channel at a provider that counts connections: steady, restarting, or frozen."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from tests.numbered_ts import NumberedStream
from tests.provider import Computed, Reply, Request

if TYPE_CHECKING:
    from tests.provider import Provider

SECONDS = 1.0  # of a segment
LISTED, KEPT = 6, 9  # segments
PACKETS = 150


class LiveHls(Computed):
    """``anew``: continuity counters start at 0 in each segment, as packagers without state do."""

    def __init__(self, provider: Provider, path: str, name: str, *, anew: bool) -> None:
        super().__init__(provider, path, "application/vnd.apple.mpegurl")
        self.name = name
        self.anew = anew
        self.frozen = False
        self.begun = time.monotonic() - LISTED * SECONDS
        self._first = 0  # number of the oldest segment kept
        self._segments: deque[bytes] = deque()
        self._line: NumberedStream | None = None
        self._frozen_at = 0

    def freeze(self, frozen: bool) -> None:
        """Make no more segments, or go on where the clock is."""
        self.frozen, self._frozen_at = frozen, self._newest()

    def restart(self) -> None:
        """A new encoder: numbers and clocks from 0."""
        self.begun = time.monotonic() - LISTED * SECONDS
        self._first, self._line = 0, None
        self._segments.clear()

    def reply(self, request: Request) -> Reply:
        self._make()
        if request.path == self.path:
            return Reply(200, {"Content-Type": self.content_type}, self._playlist().encode())
        number = request.path.rpartition("-")[2].partition(".")[0]
        at = int(number) - self._first if number.isdecimal() else -1
        if not 0 <= at < len(self._segments):
            return Reply(404, body=b"not there")
        return Reply(200, {"Content-Type": "video/mp2t"}, self._segments[at])

    def _newest(self) -> int:
        return int((time.monotonic() - self.begun) / SECONDS)

    def _make(self) -> None:
        newest = self._frozen_at if self.frozen else self._newest()
        start = self._first + len(self._segments)
        if newest - start > KEPT:  # nobody has asked for a while
            self._segments.clear()
            self._line = None
            start = self._first = newest - KEPT
        for number in range(start, newest):
            self._segments.append(self._segment(number))
        while len(self._segments) > KEPT:
            self._segments.popleft()
            self._first += 1

    def _segment(self, number: int) -> bytes:
        line = self._line
        if line is None or self.anew:
            line = self._line = NumberedStream(
                self.provider.name,
                self.name,
                number,
                bitrate=PACKETS * 188 * 8 / SECONDS,
                clock_base=90_000 * 100 + int(number * SECONDS * 90_000),
            )
        return line.packets(PACKETS, time.monotonic())

    def _playlist(self) -> str:
        listed = list(islice(self._segments, max(0, len(self._segments) - LISTED), None))
        first = self._first + len(self._segments) - len(listed)
        stem = self.path.rpartition("/")[2].removesuffix(".m3u8")
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SECONDS:.0f}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
        for offset in range(len(listed)):
            lines += [f"#EXTINF:{SECONDS:.3f},", f"{stem}-{first + offset}.ts"]
        return "\n".join((*lines, ""))
