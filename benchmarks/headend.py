"""Many channels at little cost: a provider in a process of its own, for the benchmark `breadth`.

    python -m benchmarks.headend CHANNELS BITRATE

It makes one stream, and sends that to whoever asks, each from its beginning and as fast as it
plays; a channel of HLS gives it in segments. It prints its port, and ends when stdin ends. Its list
names `Channel 0`, `Channel 1`, …, at ``/live/N``, and `Segments 0`, …, at ``/hls/N.m3u8``.
"""

from __future__ import annotations

import re
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

from benchmarks.transport_stream import channel
from kptv.formats.mpegts import PACKET_SIZE

SECONDS = 120  # of the stream; a connection ends with it
ROUND = 0.01  # seconds between two sends to one connection
BURST = 1.0  # seconds of media at once when a connection begins
SEGMENT = 4  # seconds
WINDOW = 4  # segments in a playlist
_PID = 0x100
_TABLES = re.compile(rb"G\x40\x00.{185}G\x50\x00.{185}G\x41\x00[\x30-\x3f].\x50", re.DOTALL)


@dataclass(slots=True, eq=False)
class Connection:
    """Somebody who asks, and what is to be sent."""

    socket: socket.socket
    asked: bytes = b""
    begun: float = 0.0  # 0: it is no endless one
    sent: int = 0  # bytes of the stream
    answer: memoryview = field(default_factory=lambda: memoryview(b""))


class Headend:
    """Serves from one thread until its stdin ends."""

    def __init__(self, channels: int, bitrate: int) -> None:
        self._channels = channels
        self._stream = channel(900_000, _PID, SECONDS, bitrate // 8)
        self._rate = len(self._stream) / SECONDS
        keys = [match.start() for match in _TABLES.finditer(self._stream)]
        starts = [at for at in keys if at % PACKET_SIZE == 0][:: SEGMENT // 2]
        self._segments = [
            self._stream[a:b] for a, b in zip(starts, [*starts[1:], len(self._stream)], strict=True)
        ]
        self._begun = time.monotonic()
        self._endless: set[Connection] = set()
        self._poller = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._poller.register(self._listener, selectors.EVENT_READ)
        self._poller.register(sys.stdin, selectors.EVENT_READ)
        self.port = self._listener.getsockname()[1]

    def run(self) -> None:
        due = time.monotonic()
        while True:
            for key, events in self._poller.select(max(0.0, due - time.monotonic())):
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._serve(key.data, events)
            now = time.monotonic()
            if now >= due:
                due = now + ROUND
                for connection in list(self._endless):
                    self._send_due(connection, now)

    def _accept(self) -> None:
        accepted, _ = self._listener.accept()
        accepted.setblocking(False)
        self._poller.register(accepted, selectors.EVENT_READ, Connection(accepted))

    def _serve(self, connection: Connection, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                data = connection.socket.recv(65536)
                if not data:
                    self._close(connection)
                    return
                connection.asked += data
                if b"\r\n\r\n" in connection.asked:
                    path, connection.asked = connection.asked.split(b" ", 2)[1].decode(), b""
                    self._begin(connection, path)
            if connection.answer:
                self._go_on(connection)
        except OSError:
            self._close(connection)

    def _begin(self, connection: Connection, path: str) -> None:
        if path.startswith("/live/"):
            connection.socket.send(
                b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n"
            )
            connection.begun = time.monotonic() - BURST
            self._endless.add(connection)
            return
        body = self._body(path.partition("?")[0])
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.answer = memoryview(head.encode() + body)
        self._poller.modify(
            connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection
        )

    def _body(self, path: str) -> bytes:
        if match := re.fullmatch(r"/hls/(\d+)\.m3u8", path):
            return self._playlist(int(match[1]))
        if match := re.fullmatch(r"/hls/\d+/(\d+)\.ts", path):
            return self._segments[int(match[1])]
        names = [("Channel", "/live/{}"), ("Segments", "/hls/{}.m3u8")]
        base = f"http://127.0.0.1:{self.port}"
        return "\n".join(
            ["#EXTM3U"]
            + [
                f"#EXTINF:-1,{name} {number}\n{base}{form.format(number)}"
                for name, form in names
                for number in range(self._channels)
            ]
        ).encode()

    def _playlist(self, number: int) -> bytes:
        """Its segments are made at other times than those of other channels."""
        elapsed = time.monotonic() - self._begun + number * 0.618 % 1 * SEGMENT
        last = min(int(elapsed / SEGMENT) + WINDOW, len(self._segments)) - 1
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SEGMENT}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{last - WINDOW + 1}")
        for segment in range(last - WINDOW + 1, last + 1):
            lines += [f"#EXTINF:{SEGMENT}.0,", f"{number}/{segment}.ts"]
        return "\n".join([*lines, ""]).encode()

    def _send_due(self, connection: Connection, now: float) -> None:
        due = min(int((now - connection.begun) * self._rate), len(self._stream))
        try:
            if due > connection.sent:
                part = memoryview(self._stream)[connection.sent : due]
                connection.sent += connection.socket.send(part)
            if connection.sent == len(self._stream):
                self._close(connection)
        except BlockingIOError:
            return
        except OSError:
            self._close(connection)

    def _go_on(self, connection: Connection) -> None:
        try:
            sent = connection.socket.send(connection.answer)
        except BlockingIOError:
            return
        connection.answer = connection.answer[sent:]
        if not connection.answer:
            self._poller.modify(connection.socket, selectors.EVENT_READ, connection)

    def _close(self, connection: Connection) -> None:
        self._endless.discard(connection)
        self._poller.unregister(connection.socket)
        connection.socket.close()


if __name__ == "__main__":
    headend = Headend(int(sys.argv[1]), int(sys.argv[2]))
    print(headend.port, flush=True)
    headend.run()
