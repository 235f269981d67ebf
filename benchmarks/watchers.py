"""Viewers of many channels, who notice how long each waits: a process for the benchmark `breadth`.

    python -m benchmarks.watchers PORT PATH

``{}`` in PATH stands for a channel's number. For each line on stdin, which is a number, viewers are
added until there are so many (0: none), one each of the channels 0, 1, …; then a line is printed
about the time since the line before:

    playing ended bytes longest late

the viewers that have got media so far, those whose connection has ended, the bytes of all, the
longest time in seconds that one of those that play waited, and the longest between two looks of
this process: if that is long, the figures are not the proxy's. Media is thrown away unread.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from dataclasses import dataclass

NAP = 0.002  # seconds: to wake a reader costs the server, and real viewers are elsewhere
AT_ONCE = 16  # viewers that wait for their first media at a time
_READ = 1 << 20


@dataclass(slots=True, eq=False)
class Watcher:
    """One viewer."""

    socket: socket.socket
    heard_at: float = 0.0  # when media last came; 0: none came yet


class Watchers:
    """All of them, in one thread."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self._poller = selectors.DefaultSelector()
        self._poller.register(sys.stdin, selectors.EVENT_READ)
        self._watching: list[Watcher] = []
        self._buffer = bytearray(_READ)
        self._wanted = 0
        self._playing = self._ended = self._bytes = 0
        self._longest = self._late = 0.0

    def run(self) -> None:
        now = time.monotonic()
        while True:
            time.sleep(NAP)
            before, now = now, time.monotonic()
            self._late = max(self._late, now - before)
            for key, _ in self._poller.select(0):
                if key.fileobj is not sys.stdin:
                    self._read(key.data, now)
                elif line := sys.stdin.readline():
                    self._report(now)
                    self._wanted = max(self._wanted, int(line))
                else:
                    return
            while len(self._watching) < min(self._wanted, self._playing + self._ended + AT_ONCE):
                self._add()

    def _add(self) -> None:
        connected = socket.create_connection(("127.0.0.1", self._port))
        path = self._path.format(len(self._watching))
        connected.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        watcher = Watcher(connected)
        self._watching.append(watcher)
        self._poller.register(connected, selectors.EVENT_READ, watcher)

    def _read(self, watcher: Watcher, now: float) -> None:
        try:
            size = watcher.socket.recv_into(self._buffer, _READ, socket.MSG_TRUNC)
        except OSError:
            size = 0
        self._bytes += size
        if not size:
            self._poller.unregister(watcher.socket)
            watcher.socket.close()
            self._ended += 1
            self._playing -= watcher.heard_at > 0
            watcher.heard_at = 0.0
            return
        if watcher.heard_at:
            self._longest = max(self._longest, now - watcher.heard_at)
        else:
            self._playing += 1
        watcher.heard_at = now

    def _report(self, now: float) -> None:
        waits = [now - watcher.heard_at for watcher in self._watching if watcher.heard_at]
        longest = max([self._longest, *waits])
        figures = self._playing, self._ended, self._bytes, f"{longest:.3f}", f"{self._late:.3f}"
        print(*figures, flush=True)
        self._bytes, self._longest, self._late = 0, 0.0, 0.0


if __name__ == "__main__":
    Watchers(int(sys.argv[1]), sys.argv[2]).run()
