"""Players of one HLS channel that cost little: a process for the benchmark `hls_output`.

    python -m benchmarks.hls_players PORT PATH COUNT

Each has an address, an application and a connection of its own. They ask for the playlist every
target duration (after half of one if there is nothing new), then once for each segment that they
do not have; the first time for the last three, where players start. They begin one after the other
within a target duration, and stay so. For each line on stdin, a line about the time since the line
before is printed:

    playing failed lists segments bytes least most list segment longest late

the players that have had a segment, and those that got anything but a good answer; the playlists,
segments and bytes of all, the segments of the player that got least, and of the one that got most;
99% of the playlists came within ``list`` seconds, of the segments within ``segment``, and all of
both within ``longest``; and the longest time between two looks of this process: if that is long,
the figures are not the proxy's. Media is thrown away unread.
"""

from __future__ import annotations

import gzip
import heapq
import re
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urljoin

from benchmarks.rig import percentile

NAP = 0.002  # seconds: to wake a reader costs the server, and real viewers are elsewhere
START = 3  # segments from the end
TARGET = 2.0  # seconds; until a playlist says more
_READ = 1 << 20  # bytes at once
_HEAD = 1 << 14  # bytes that hold an answer's head
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_DURATION = re.compile(r"^#EXT-X-TARGETDURATION:(\d+)", re.MULTILINE)


class Failed(Exception):
    """An answer that no player can use."""


@dataclass(slots=True)
class Seen:
    """What all players have seen since the last report."""

    lists: list[float] = field(default_factory=list)  # seconds that each took
    segments: list[float] = field(default_factory=list)
    bytes: int = 0
    late: float = 0.0  # seconds between two looks


class Player:
    """Asks for one thing after the other."""

    def __init__(self, number: int, port: int, path: str, seen: Seen) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10, (_address(number), 0))
        self.socket.setblocking(False)
        self.due = 0.0  # when it asks for the playlist next; counts if it waits for nothing
        self.segments = 0  # since the last report
        self.is_playing = False
        self._agent = f"player/{number}"
        self._list = path
        self._seen = seen
        self._last = 0  # number of the last segment
        self._wanted: list[str] = []  # paths of segments
        self._asked: str | None = None
        self._asked_at = 0.0
        self._body = bytearray()  # of a playlist
        self._left: int | None = None  # bytes of the answer's body to come; None: its head, too

    def ask_for_list(self) -> None:
        """Begin with the playlist anew."""
        self._ask(self._list)

    def read(self, buffer: bytearray) -> bool:
        """Take what has come; whether it waits for nothing more. Raises Failed."""
        while True:
            try:
                got = self._read(buffer)
            except BlockingIOError:
                return False
            if got == 0:
                raise Failed("it hung up")
            if self._left == 0:
                self._have()
                if self._asked is None:
                    return True

    def _ask(self, path: str) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {self._agent}\r\n"
        self.socket.sendall(f"{head}Accept-Encoding: gzip\r\n\r\n".encode())
        self._asked, self._asked_at, self._left = path, time.monotonic(), None
        self._body.clear()

    def _read(self, buffer: bytearray) -> int:
        if self._left is None:
            data = self.socket.recv(_HEAD)
            self._left = self._begin(data) if data else None
            return len(data)
        if self._asked == self._list:
            data = self.socket.recv(self._left)
            self._body += data
            got = len(data)
        else:
            size = min(self._left, len(buffer))
            got = self.socket.recv_into(buffer, size, socket.MSG_TRUNC)  # the kernel throws it away
        self._left -= got
        return got

    def _begin(self, data: bytes) -> int:
        """Bytes of the body that are still to come."""
        head, end, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or length is None or not head.startswith(b"HTTP/1.1 200 "):
            raise Failed(f"{self._asked}: {head[:200]!r}")
        self._body += body
        self._seen.bytes += int(length[1])
        return int(length[1]) - len(body)

    def _have(self) -> None:
        """It has what it asked for, and goes on with the next."""
        taken, was_list = time.monotonic() - self._asked_at, self._asked == self._list
        (self._seen.lists if was_list else self._seen.segments).append(taken)
        if was_list:
            self._plan(_text(bytes(self._body)))
        else:
            self.segments += 1
            self.is_playing = True
        self._asked = None
        if self._wanted:
            self._ask(self._wanted.pop(0))

    def _plan(self, playlist: str) -> None:
        target = float(match[1]) if (match := _DURATION.search(playlist)) else TARGET
        paths = [line for line in playlist.splitlines() if line and line[0] != "#"]
        new = [path for path in paths[-START:] if _number(path) > self._last]
        self.due = self._asked_at + (target if new else target / 2)
        self._wanted = [urljoin(self._list, path) for path in new]
        self._last = max(self._last, _number(paths[-1]))


class Players:
    """All of them."""

    def __init__(self, port: int, path: str, count: int) -> None:
        self.seen = Seen()
        self.failed = 0
        self._players = [Player(number, port, path, self.seen) for number in range(count)]
        self._selector = selectors.EpollSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        begun = time.monotonic()
        self._due = [(begun + n * TARGET / count, n) for n in range(count)]  # a heap
        for number, player in enumerate(self._players):
            self._selector.register(player.socket, selectors.EVENT_READ, number)

    def watch(self) -> None:
        """Play until stdin ends."""
        buffer, looked = bytearray(_READ), time.monotonic()
        while True:
            now = time.monotonic()
            self.seen.late, looked = max(self.seen.late, now - looked), now
            while self._due and self._due[0][0] <= now:
                self._players[heapq.heappop(self._due)[1]].ask_for_list()
            for key, _ in self._selector.select(0):
                if key.data is not None:
                    self._read(key.data, buffer)
                elif not sys.stdin.readline():
                    return
                else:
                    self._report()
            time.sleep(NAP)

    def _read(self, number: int, buffer: bytearray) -> None:
        player = self._players[number]
        try:
            if player.read(buffer):
                heapq.heappush(self._due, (player.due, number))
        except (Failed, OSError) as error:
            print(f"player {number}: {error}", file=sys.stderr)
            self.failed += 1
            self._selector.unregister(player.socket)
            player.socket.close()

    def _report(self) -> None:
        seen, counts = self.seen, [player.segments for player in self._players]
        playing = sum(player.is_playing for player in self._players)
        times = [_p99(seen.lists), _p99(seen.segments), max([*seen.lists, *seen.segments, 0.0])]
        whole = playing, self.failed, len(seen.lists), len(seen.segments), seen.bytes
        print(*whole, min(counts), max(counts), *times, seen.late, flush=True)
        seen.lists.clear()
        seen.segments.clear()
        seen.bytes, seen.late = 0, 0.0
        for player in self._players:
            player.segments = 0


def _p99(values: list[float]) -> float:
    return percentile(values, 0.99) if values else 0.0


def _address(number: int) -> str:
    return f"127.1.{number // 250}.{number % 250 + 1}"


def _text(body: bytes) -> str:
    return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode()


def _number(path: str) -> int:
    return int(path.rpartition("/")[2].removesuffix(".ts"))


if __name__ == "__main__":
    Players(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])).watch()
