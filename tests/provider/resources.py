"""What a provider offers on its paths, and how each of these goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from kptv.demo.playout import Clip, Playout
from tests.numbered_ts import NumberedStream
from tests.provider.http import Reply, Request

if TYPE_CHECKING:
    from tests.provider.machine import Provider


MISSED = 100  # bytes of the packet in whose middle a stream starts


class Bad(StrEnum):
    """How an answer goes wrong, as the first thing or (those marked +) in mid-stream."""

    NO_ANSWER = "closed without an answer"
    RESET = "reset"  # + RST
    HANG = "no answer, open"
    HANG_AFTER_HEADERS = "headers, then nothing, open"
    DRIP_HEADERS = "a byte of the headers every 100 ms, without end"
    HTML = "HTML"  # + with status 200
    EMPTY = "empty body"
    SHORT_BODY = "closed before Content-Length or the last chunk"  # +
    END = "clean end of body"  # +
    SILENCE = "open but silent"  # +
    GARBAGE = "bytes that hold no transport stream, without end"  # +
    REDIRECT_LOOP = "redirected to itself"


How = Bad | int | Reply


@dataclass
class Failure:
    how: How
    times: int | None  # None: until recover()
    after_packets: int
    retry_after: float | None


class Resource:
    """What answers on one path. Plain attributes: set them as the test needs."""

    def __init__(self, provider: Provider, path: str, content_type: str) -> None:
        self.provider = provider
        self.path = path
        self.content_type = content_type
        self.chunked = False
        self.extra_headers: dict[str, str] = {}
        self.bytes_sent = 0
        self._failure: Failure | None = None

    @property
    def url(self) -> str:
        return self.provider.url(self.path)

    @property
    def requests(self) -> list[Request]:
        """The GET requests for it so far, those turned away too."""
        path = urlsplit(self.path).path
        return [r for r in self.provider.requests if r.path == path and r.method == "GET"]

    def fail_with(
        self,
        how: How,
        *,
        times: int | None = None,
        after_packets: int = 0,
        retry_after: float | None = None,
    ) -> None:
        """Answer the next requests (``times`` of them, or all) in this way.

        ``after_packets`` lets a stream play that long first: the failure is then in mid-stream.
        """
        self._failure = Failure(how, times, after_packets, retry_after)

    def recover(self) -> None:
        self._failure = None

    def next_failure(self) -> Failure | None:
        failure = self._failure
        if failure and failure.times is not None:
            failure.times -= 1
            if failure.times <= 0:
                self._failure = None
        return failure


class ChannelList(Resource):
    """The account's M3U: of the channels added, unless ``body`` is set."""

    def __init__(self, provider: Provider, path: str) -> None:
        super().__init__(provider, path, "audio/x-mpegurl")
        self.entries: list[str] = []
        self.head = "#EXTM3U"
        self.body: bytes | None = None
        self.conditional = True  # ETag and Last-Modified
        self.gzip = ""  # "header": told in Content-Encoding; "body": not told, as of a .gz file
        self.seconds = 0.0  # time over which the body is spread
        self.modified = time.time()

    def set(self, text: str | bytes) -> None:
        self.body = text.encode() if isinstance(text, str) else text
        self.modified = time.time()

    def content(self) -> bytes:
        if self.body is None:
            return "\n".join((self.head, *self.entries, "")).encode()
        return self.body


class Stream(Resource):
    """A live stream of numbered packets, or of real media when ``clip`` is set."""

    def __init__(self, provider: Provider, path: str, name: str, pid: int) -> None:
        super().__init__(provider, path, "video/mp2t")
        self.name = name
        self.pid = pid
        self.bitrate = provider.bitrate
        self.burst = 0.0  # seconds of media sent at once at the start
        self.period = 0.0  # seconds whose media is sent at once, at their beginning; 0: it flows
        self.junk = b""  # sent before the first packet
        self.content_length: int | None = None
        self.content_encoding = ""  # the header …
        self.compressed = False  # … and whether the body really is gzip
        self.delay = 0.0  # seconds before the headers
        self.delay_body = 0.0  # seconds between headers and body
        self.clip: Clip | None = None
        self.from_anywhere = False  # a clip starts in mid-packet, not at a keyframe
        self.mangle: Callable[[bytes], bytes] = lambda packets: packets  # on their way out
        self.clock_base = 90_000 * 3600 * (provider.number % 20)

    def play_clip(self, file: Path, seconds: float = 8.0) -> None:
        """Real media from now on: this file, looped, with clocks that go on."""
        self.clip = Clip.parse(file.read_bytes(), seconds)

    def break_now(self, how: Bad) -> int:
        """End its running connections in this way; how many these were."""
        return self.provider.break_stream(self.path, how)

    def redirect_to(self, location: str, status: int = 302) -> None:
        """Answer requests with a redirect: absolute URL, ``/path`` or relative path."""
        self.fail_with(Reply(status, {"Location": location}))

    def redirect_to_token(self) -> None:
        """Answer each request with a redirect to an address of its own that works once."""
        self.provider.in_loop(lambda: self.provider.tokened.add(self.path))

    @property
    def connections(self) -> int:
        return sum(
            c.resource is self and c.account is not None for c in list(self.provider.clients)
        )

    def source(self, serial: int, now: float) -> Paced:
        if self.clip is None:
            return self.numbered(serial)
        return PacedClip(self, self.clip, now - self.provider.started)

    def numbered(self, serial: int) -> NumberedStream:
        return NumberedStream(
            self.provider.name,
            self.name,
            serial,
            pid=self.pid,
            bitrate=self.bitrate,
            burst=self.burst,
            clock_base=self.clock_base,
        )


class File(Resource):
    """A film: finite, with Range."""

    def __init__(self, provider: Provider, path: str, data: bytes, content_type: str) -> None:
        super().__init__(provider, path, content_type)
        self.data = data
        self.ranges = True


class Computed(Resource):
    """What is made for each request; the client may keep its connection, which counts."""

    def reply(self, request: Request) -> Reply:
        raise NotImplementedError


class Paced(Protocol):
    def due(self, elapsed: float, now: float) -> bytes: ...


class PacedClip:
    """A looped clip as a live broadcast: who connects later starts later in it."""

    def __init__(self, stream: Stream, clip: Clip, position: float) -> None:
        self._playout = Playout(clip, stream.clock_base)
        self._playout.start(position - stream.burst)
        self._mangle = stream.mangle
        self._position = position
        self._missed = b""
        if stream.from_anywhere:
            self._missed = self._playout.due(position - stream.burst)[-MISSED:]

    def due(self, elapsed: float, now: float) -> bytes:
        missed, self._missed = self._missed, b""
        return missed + self._mangle(self._playout.due(self._position + elapsed))
