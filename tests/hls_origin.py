"""A live HLS origin on loopback that can do what real ones do wrong.

Segments hold numbered packets (tests/numbered_ts.py), so what a viewer got tells which segments
it has, whole or not, in which order. Media is made by the clock: a segment each ``duration``.

    with HlsOrigin(duration=1.0, window=6) as origin:
        origin.url                      # of the list: what a channel list would name
        origin.faults[103] = [404, 404] # answers to the first requests of a segment
        origin.reset()                  # the encoder starts again at 0
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import re
import select
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from tests.live_media import is_closed
from tests.numbered_ts import PACKET, Mark, NumberedStream, check_ts, marks, restamped

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Made:
    """A segment: of which line, its number there, when it is complete, its media."""

    line: int
    number: int
    at: float
    data: bytes
    discontinuity: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    at: float
    path: str
    headers: dict[str, str]


@dataclass(slots=True, kw_only=True)
class HlsOrigin:
    """See the module. Attributes may be set while it runs."""

    name: str = "origin"
    duration: float = 1.0  # seconds of a segment
    told: float | str | None = None  # what EXTINF says instead; a text: instead of the tag
    sequence: str | None = None  # what EXT-X-MEDIA-SEQUENCE says instead
    told_target: float | None = None  # what EXT-X-TARGETDURATION says instead
    pcr: bool = True  # segments have PCRs
    clock_restarts: bool = False  # the clock of each segment starts anew
    window: int = 6  # segments
    start: int = 100  # number of the first segment
    packets: int = 60  # of a segment
    jitter: float = 0.0  # of a segment's time, as a part of its duration
    gzipped: bool = False  # every body but the list's redirect is, and nobody says so
    data_keys: bool = False  # keys are in the playlist itself
    nested: bool = False  # a variant leads to variants
    defined: bool = False  # addresses hold variables; the token is one that is imported
    keys_rotate: int = 0  # segments that a key holds for; 0: not encrypted
    iv_given: bool = False
    ranges: int = 0  # segments in one file, by byte ranges; 0: a file each
    variants: dict[str, int] = field(default_factory=dict)  # name: bandwidth
    heights: dict[str, int] = field(default_factory=dict)  # name of a variant: lines
    dead_variants: set[str] = field(default_factory=set)  # everything of these is 404
    token_life: float = 0.0  # seconds; the list's URL redirects to an address with a token
    edge: bool = False  # that address is on another host: 127.0.0.2
    token_of: str = "all"  # what asks for the token: all, or "segments" alone
    late: float = 0.0  # seconds in which a segment that is listed is not there yet
    late_status: int = 404  # what it answers then
    batch: int = 1  # segments that are listed at once
    closed: set[str] = field(default_factory=set)  # tokens whose playlists are 404
    two_servers: bool = False  # in turn, the second one window behind
    segment_seconds: float = 0.0  # that a segment's body takes
    unsized: bool = False  # chunked bodies
    faults: dict[int, list[Any]] = field(default_factory=dict)  # number: statuses, "short", "hang"
    playlist_faults: list[int] = field(default_factory=list)  # statuses of the next answers
    tags: str = ""  # more lines, after the header
    ended: bool = False
    frozen: bool = False  # makes no more segments
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    sockets: int = 0
    most_sockets: int = 0
    playlists: int = 0
    _line: int = 0
    _made: list[Made] = field(default_factory=list)
    _streams: dict[tuple[str, int], NumberedStream] = field(default_factory=dict)
    _bodies: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    _next_at: float = 0.0
    _tokens: dict[str, float] = field(default_factory=dict)
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _server: ThreadingHTTPServer | None = None
    _edge: ThreadingHTTPServer | None = None
    _random: random.Random = field(default_factory=lambda: random.Random(7))
    _mark: bool = False  # the next segment has a discontinuity

    def __enter__(self) -> HlsOrigin:
        self._server = self._serve("127.0.0.1")
        if self.edge:
            self._edge = self._serve("127.0.0.2")
        return self

    def _serve(self, host: str) -> _Server:
        server = _Server((host, 0), _Handler)
        server.origin = self
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server in (self._server, self._edge):
            if server is not None:
                server.shutdown()
                server.server_close()

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/channel.m3u8?user=secret"

    def reset(self, number: int = 0) -> None:
        """The encoder starts again, with other names."""
        with self._lock:
            self.produce()
            self._line += 1
            self.start = number
            self._next_at = time.monotonic()

    def thaw(self) -> None:
        """Goes on making segments, one after the other, after it was frozen."""
        with self._lock:
            self._next_at = time.monotonic()
            self.frozen = False

    def close_tokens(self) -> None:
        """The playlists behind the tokens given so far are gone; their segments are there."""
        self.closed |= self._tokens.keys()

    def splice(self) -> None:
        """The next segment is tagged as a discontinuity."""
        self._mark = True

    def requests(self, pattern: str) -> list[Asked]:
        return [asked for asked in self.asked if re.search(pattern, asked.path)]

    def produce(self) -> None:
        """Make the segments that are due; a window full of them at the first request."""
        with self._lock:
            if not self._made:
                self._next_at = time.monotonic() - self.duration * self.window
            while self._next_at <= time.monotonic() and not (self.frozen and self._is_full):
                made = [m for m in self._made if m.line == self._line]
                number = made[-1].number + 1 if made else self.start
                data = self._stream("").packets(self.packets, self._next_at)
                if self.clock_restarts or not self.pcr:
                    past = (number - self.start) * self.duration
                    data = restamped(data, -past if self.clock_restarts else 0.0, pcr=self.pcr)
                self._made.append(Made(self._line, number, self._next_at, data, self._mark))
                self._mark = False
                early_or_late = self._random.uniform(-self.jitter, self.jitter)
                self._next_at += self.duration * (1 + early_or_late)

    @property
    def _is_full(self) -> bool:
        return len(self._made) > self.window

    def _stream(self, variant: str) -> NumberedStream:
        key = (variant, self._line)
        if key not in self._streams:
            bitrate = self.packets * PACKET * 8 / self.duration  # so that its clock is true
            names = (self.name, variant or "live", self._line)
            self._streams[key] = NumberedStream(*names, bitrate=bitrate)
        return self._streams[key]

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        status, more, body = self._answer(path, headers)
        return status, more, gzip.compress(body, 1) if self.gzipped and body else body

    def _answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self.asked.append(Asked(time.monotonic(), path, headers))
            name = path.partition("?")[0]
            if name in self.files:
                return 200, {}, self.files[name]
            if name == "/channel.m3u8":
                return self._list()
            if match := re.fullmatch(r"/t/(\w+)(/.*)", name):
                if status := self._refusal(match[1], is_segment=name.endswith(".ts")):
                    return status, {}, b"token"
                name = match[2]
            if name.split("/")[1] in self.dead_variants:
                return 404, {}, b"dead"
            if match := re.fullmatch(r"/(\w*)/media\.m3u8", name):
                return self._media(match[1])
            if match := re.fullmatch(r"/(\w*)/more\.m3u8", name):
                return 200, {}, b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nmedia.m3u8?user=me\n"
            if match := re.fullmatch(r"/key/(\d+)", name):
                return 200, {}, _key(int(match[1]))
            if match := re.fullmatch(r"/(\w*)/(\d+)-(\d+)\.ts", name):
                return self._segment(match[1], int(match[2]), int(match[3]))
            return 404, {}, b"no"

    def _refusal(self, token: str, *, is_segment: bool) -> int:
        """What a request with this token is refused with; 0: it is not."""
        over = self._tokens.get(token, 0.0) < time.monotonic()
        if over and (self.token_of == "all" or is_segment):
            return 403
        return 404 if token in self.closed and not is_segment else 0

    def _list(self) -> tuple[int, dict[str, str], bytes]:
        prefix = ""
        if self.token_life:
            token = f"{len(self._tokens):08x}"
            self._tokens[token] = time.monotonic() + self.token_life
            edge = f"http://127.0.0.2:{self._edge.server_address[1]}" if self._edge else ""
            prefix = f"{edge}/t/{token}"
        if self.variants:
            lines = [
                f'#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS="avc1.4d401e,mp4a.40.2"'
                f"{self._resolution(name)}\n"
                f"{prefix}/{name}/{'more' if self.nested else 'media'}.m3u8?user=me\n"
                for name, bandwidth in self.variants.items()
            ]
            define = '#EXT-X-DEFINE:NAME="ext",VALUE="ts"\n' if self.defined else ""
            return 200, {}, ("#EXTM3U\n" + define + "".join(lines)).encode()
        return 302, {"Location": f"{prefix}/live/media.m3u8", "Set-Cookie": "seen=yes"}, b""

    def _resolution(self, variant: str) -> str:
        height = self.heights.get(variant)
        return f",RESOLUTION={height * 16 // 9}x{height}" if height else ""

    def _media(self, variant: str) -> tuple[int, dict[str, str], bytes]:
        if self.playlist_faults:
            return self.playlist_faults.pop(0), {}, b"fault"
        self.produce()
        self.playlists += 1
        behind = self.window if self.two_servers and self.playlists % 2 == 0 else 0
        made = [m for m in self._made if m.line == self._line]
        made = [m for m in made if self._listed_at(m) <= made[-1].at]
        shown = made[: len(made) - behind][-self.window :]
        first = shown[0].number if shown else self.start
        target = max(1, round(self.duration)) if self.told_target is None else self.told_target
        text = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{target:g}\n"
        text += f"#EXT-X-MEDIA-SEQUENCE:{first if self.sequence is None else self.sequence}\n"
        text += self.tags
        if self.defined:
            text += '#EXT-X-DEFINE:IMPORT="ext"\n#EXT-X-DEFINE:QUERYPARAM="user"\n'
        for segment in shown:
            text += self._entry(variant, segment)
        return 200, {}, (text + ("#EXT-X-ENDLIST\n" if self.ended else "")).encode()

    def _listed_at(self, segment: Made) -> float:
        """When the last one of its batch is made."""
        return segment.at + self.duration * (self.batch - 1 - segment.number % self.batch)

    def _entry(self, variant: str, segment: Made) -> str:
        text = "#EXT-X-DISCONTINUITY\n" if segment.discontinuity else ""
        if self.keys_rotate:
            number = segment.number // self.keys_rotate
            iv = f",IV=0x{segment.number + 7:032x}" if self.iv_given else ""
            uri = f"/key/{number}"
            if self.data_keys:
                uri = "data:;base64," + base64.b64encode(_key(number)).decode()
            text += f'#EXT-X-KEY:METHOD=AES-128,URI="{uri}"{iv}\n'
        told = self.duration if self.told is None else self.told
        text += told if isinstance(told, str) else f"#EXTINF:{told:.3f},\n"
        number = segment.number
        if self.ranges:
            number -= number % self.ranges
            size = len(self._body(variant, segment.line, segment.number))
            before = range(max(number, self.start), segment.number)
            offset = sum(len(self._body(variant, segment.line, n)) for n in before)
            text += f"#EXT-X-BYTERANGE:{size}@{offset}\n"
        extension = "{$ext}?u={$user}" if self.defined else "ts"
        return f"{text}../{variant}/{segment.line}-{number}.{extension}\n"

    def _body(self, variant: str, line: int, number: int) -> bytes:
        (made,) = [m for m in self._made if (m.line, m.number) == (line, number)]
        if not self.keys_rotate:
            return made.data
        key = (variant, line, number)
        if key not in self._bodies:
            iv = number + 7 if self.iv_given else number
            self._bodies[key] = _encrypted(made.data, _key(number // self.keys_rotate), iv)
        return self._bodies[key]

    def _segment(self, variant: str, line: int, number: int) -> tuple[int, dict[str, str], bytes]:
        (made,) = [m for m in self._made if (m.line, m.number) == (line, number)] or [None]
        if made and time.monotonic() < self._listed_at(made) + self.late:
            return self.late_status, {}, b"not yet"
        if self.faults.get(number):
            fault = self.faults[number].pop(0)
            if isinstance(fault, int):
                return fault, {}, b"fault"
            return 200, {"X-Fault": fault}, self._whole(variant, line, number)
        body = self._whole(variant, line, number)
        return (200, {}, body) if body else (404, {}, b"gone")

    def _whole(self, variant: str, line: int, number: int) -> bytes:
        known = [m.number for m in self._made if m.line == line]
        count = self.ranges or 1
        wanted = [n for n in known if number <= n < number + count]
        return b"".join(self._body(variant, line, n) for n in wanted)

    def made_marks(self, line: int, first: int, last: int) -> list[Mark]:
        """The marks of the segments of a line from one number to another."""
        data = b"".join(m.data for m in self._made if m.line == line and first <= m.number <= last)
        return marks(data)


def _key(number: int) -> bytes:
    return number.to_bytes(16, "little")


def _encrypted(data: bytes, key: bytes, iv: int) -> bytes:
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv.to_bytes(16, "big"))).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    origin: HlsOrigin

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    @property
    def origin(self) -> HlsOrigin:
        return cast(_Server, self.server).origin

    def setup(self) -> None:
        super().setup()
        with self.origin._lock:
            self.origin.sockets += 1
            self.origin._open.add(self.connection)
        # Those whose answers said so are closed by this side, and perhaps just now: a client that
        # has read all of one need not wait for that.
        for _ in range(10):
            if (still_there := self._still_there()) == 1:
                break
            time.sleep(0.005)
        with self.origin._lock:
            self.origin.most_sockets = max(self.origin.most_sockets, still_there)

    def _still_there(self) -> int:
        with self.origin._lock:
            return sum(not is_closed(other) for other in self.origin._open)

    def finish(self) -> None:
        with self.origin._lock:
            self.origin.sockets -= 1
            self.origin._open.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, more, body = self.origin.answer(self.path, headers)
        fault = more.pop("X-Fault", "")
        if status == 200 and (
            asked := re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        ):
            first, last = int(asked[1]), int(asked[2] or len(body) - 1)
            more["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            status, body = 206, body[first : last + 1]
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        media = ".ts" in self.path and status in (200, 206)
        if self.origin.unsized and media and not fault:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 4000):
                piece = body[at : at + 4000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "short":
            self.wfile.write(body[: len(body) // 2 + 50])
            self.close_connection = True
        elif fault == "hang":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            select.select([self.connection], [], [], 10.0)  # until the client has had enough
            self.close_connection = True
        else:
            self._send(body, self.origin.segment_seconds if media else 0.0)

    def _send(self, body: bytes, seconds: float) -> None:
        steps = 20 if seconds else 1
        size = len(body) // steps + 1
        for at in range(0, len(body), size):
            self.wfile.write(body[at : at + size])
            self.wfile.flush()
            time.sleep(seconds / steps)


@dataclass(frozen=True, slots=True)
class Played:
    """What a player got of a stream."""

    data: bytes
    reason: str  # why it ended; empty: it was we who stopped, "end": by itself
    detail: str
    first: float  # seconds to the first byte
    silence: float  # the longest, in seconds
    splices: int
    log: str
    left: int  # greenlets left running
    cpu: float  # seconds of CPU between the first byte and the end

    @property
    def marks(self) -> list[Mark]:
        check_ts(self.data)
        return marks(self.data)


def play(url: str, seconds: float, times: int = 1, **settings: Any) -> Played:
    """Open a stream as the hub does, in a process with gevent's sockets, for some seconds."""
    job = json.dumps({"url": url, "seconds": seconds, "times": times, "settings": settings})
    done = subprocess.run(
        [sys.executable, "-m", "tests.hls_player", job],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=seconds * times + 60,
        check=False,
    )
    log, _, last = done.stderr.decode().rstrip().rpartition("\n")
    assert done.returncode == 0, done.stderr.decode()
    return Played(done.stdout, log=log, **json.loads(last))
