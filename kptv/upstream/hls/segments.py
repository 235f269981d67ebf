"""Fetches one segment: resumed where it broke, decrypted and handed on as it comes."""

from __future__ import annotations

import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

import gevent
import requests
from cachetools import LRUCache
from gevent.monkey import get_original

from kptv.errors import KptvError, Reason, UpstreamError
from kptv.formats.hls.aes import KEY_SIZE, BadCipher, SegmentDecryptor
from kptv.formats.hls.container import (
    JUNK_LIMIT,
    Container,
    foreign_container,
    tag_is_there,
    ts_behind_junk,
)
from kptv.formats.hls.pacing import retry_delay
from kptv.formats.hls.playlist import Key, Map, Segment
from kptv.formats.mpegts.aligner import sniff
from kptv.upstream.client import hang_up, mapped_errors
from kptv.upstream.hls.maps import Maps
from kptv.upstream.hls.pipe import Pipe
from kptv.upstream.hls.request import Requests

READ_SIZE = 256 * 1024  # bytes
_GATHER = 0.02  # seconds between two reads of a slow body: each costs CPU
_LONGEST = 3.0  # target durations that the reading of one segment may take
_SILENT = 0.75  # target durations of silence; then there is time for another attempt
_KEYS = 32  # kept; they rotate, and one that is gone may be asked for again
EXPIRED = frozenset((403, 410))  # statuses of an address whose token is over
_poll = get_original("select", "poll")


class Expired(KptvError):
    """An address that is no longer valid; ``error`` is what the answer was."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(str(error))
        self.error = error


class SegmentLost(KptvError):
    """A segment that could not be had in its time; ``error`` is the last failure."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(str(error))
        self.error = error


class NeedsRemux(KptvError):
    """Media in a container that is not MPEG-TS."""


@dataclass(slots=True)
class _Job:
    """A segment being fetched, over all its attempts."""

    segment: Segment
    decryptor: SegmentDecryptor | None = None
    taken: int = 0  # bytes of its body
    seconds: float = 0.0  # of media, handed on
    tables: bytes = b""  # that its playlist has in a place of their own
    junk: int = 0  # bytes before its media
    sniffed: bool = False


class SegmentFetcher:
    """Fetches segments of one stream into its pipe."""

    def __init__(self, http: Requests, pipe: Pipe) -> None:
        self._http = http
        self._pipe = pipe
        self._keys: LRUCache[str, bytes] = LRUCache(_KEYS)
        self._maps = Maps(http)
        self._job: _Job | None = None
        self._rate = 0.0  # bytes a second of media, of the last segment
        self.any_media = False  # bytes of a transport stream were handed on

    @property
    def partial(self) -> int | None:
        """The number of the segment that was handed on in part; None: there is none."""
        job = self._job
        return job.segment.media_sequence if job and job.sniffed else None

    def fetch(self, segment: Segment, target_duration: float, *, patient: bool) -> None:
        """Hand on the segment, whole. ``patient``: try again for as long as there is time.

        Raises Expired (the next call for the same number resumes it), SegmentLost, NeedsRemux,
        and UpstreamError for what can never be played.
        """
        job = self._resumed(segment)
        started = monotonic()
        attempt = 0
        while True:
            try:
                self._attempt(job, target_duration)
            except UpstreamError as error:
                if error.reason is Reason.UNSUPPORTED:
                    raise
                if error.status in EXPIRED:
                    raise Expired(error) from None
                elapsed = monotonic() - started
                delay = retry_delay(attempt, elapsed, target_duration) if patient else None
                if delay is None:
                    self.give_up()
                    raise SegmentLost(error) from None
                attempt += 1
                gevent.sleep(delay)
            else:
                self._job = None
                return

    def _resumed(self, segment: Segment) -> _Job:
        job = self._job
        if job is None or job.segment.media_sequence != segment.media_sequence:
            self.give_up()
            job = self._job = _Job(segment)
        job.segment = segment  # its address may be new
        return job

    def give_up(self) -> None:
        """No more comes of the segment that was being fetched, if there was one."""
        if self._job and self._job.sniffed:
            self._pipe.break_off()
        self._job = None

    def _attempt(self, job: _Job, target_duration: float) -> None:
        segment = job.segment
        if segment.map and not job.sniffed:
            job.tables = self._tables(segment.map)
        if segment.key and job.decryptor is None:
            with _cipher_errors():
                job.decryptor = SegmentDecryptor(self._key(segment.key), segment.iv)
        part = segment.byte_range
        start = (part.start if part else 0) + job.taken
        end = part.start + part.length if part else None
        silence = max(_SILENT * target_duration, 1.0)
        response = self._http.get(segment.uri, start=start, end=end, silence=silence)
        try:
            length = _length(response, start, end)
            total = None if length is None else length + job.taken
            self._hand_on(job, _body(response, start, end, _LONGEST * target_duration), total)
        except BaseException:
            hang_up(response)
            if not job.sniffed:  # nothing of it was handed on
                job.taken, job.decryptor = 0, None
            raise

    def _hand_on(self, job: _Job, body: Iterator[bytes], total: int | None) -> None:
        head = b""
        for data in body:
            job.taken += len(data)
            plain = job.decryptor.feed(data) if job.decryptor else data
            if not job.sniffed:
                head += plain
                if not self._begins(job, head):
                    continue
                plain = head[job.junk :]
            self._put(job, plain, self._rate_of(job, total))
        with _cipher_errors():
            rest = job.decryptor.finish() if job.decryptor else b""
        if not job.sniffed:
            head += rest
            if not self._begins(job, head, final=True):
                raise UpstreamError(Reason.NOT_MEDIA, "a segment that is no transport stream")
            rest = head[job.junk :]
        self._put(job, rest, self._rate_of(job, total))
        self._rate = (job.taken - job.junk) / job.segment.duration
        self._pipe.pad(job.segment.duration - job.seconds)
        self._pipe.end_segment()

    def _begins(self, job: _Job, head: bytes, *, final: bool = False) -> bool:
        """Whether ``head`` begins a transport stream, maybe behind junk; False: that is open yet.

        Raises NeedsRemux for another container, UpstreamError for more junk than is sat out.
        """
        begins = sniff(head, final=final)
        if begins is None:
            return False
        start = 0 if begins else ts_behind_junk(head, final=final)
        if start is None:
            container = foreign_container(head)
            if container and not self.any_media and tag_is_there(head, final=final):
                raise NeedsRemux(container)
            if len(head) > JUNK_LIMIT:
                raise UpstreamError(Reason.NOT_MEDIA, "a segment that is no transport stream")
            return False
        job.junk = start
        job.sniffed = self.any_media = True
        if job.tables:
            self._pipe.put(job.tables, 0.0)
            self._pipe.end_part()
        return True

    def _tables(self, section: Map) -> bytes:
        """What a Media Initialization Section holds of a transport stream."""
        tables = self._maps.tables(section)
        if tables is None:
            raise NeedsRemux(Container.FMP4)
        return tables

    def _rate_of(self, job: _Job, total: int | None) -> float:
        """Bytes a second of its media."""
        return (total - job.junk) / job.segment.duration if total else self._rate

    def _put(self, job: _Job, data: bytes, rate: float) -> None:
        if data:
            left = job.segment.duration - job.seconds
            seconds = min(len(data) / rate, left) if rate else 0.0
            job.seconds += seconds
            self._pipe.put(data, seconds)

    def _key(self, key: Key) -> bytes:
        if not key.usable or key.uri is None:
            raise UpstreamError(Reason.UNSUPPORTED, f"encrypted: {_method(key)}")
        if key.uri not in self._keys:
            value = self._http.read(key.uri, 1024).body
            if len(value) != KEY_SIZE:  # an error page; the next answer may be a key
                raise UpstreamError(Reason.NOT_MEDIA, f"a key of {len(value)} bytes")
            self._keys[key.uri] = value
        return self._keys[key.uri]


@contextmanager
def _cipher_errors() -> Iterator[None]:
    """Turns BadCipher into UpstreamError."""
    try:
        yield
    except BadCipher as error:
        raise UpstreamError(Reason.NOT_MEDIA, str(error)) from None


def _method(key: Key) -> str:
    """What the log says of a key: both are the provider's words, so no more than plain ones."""
    words = f"{key.method} {key.key_format}"
    return re.sub(r"[^A-Za-z0-9 .-]", "", words)[:60]


def _length(response: requests.Response, start: int, end: int | None) -> int | None:
    """Bytes of the entity from ``start`` to ``end``; None: not told."""
    if end is not None:
        return end - start
    text = response.headers.get("content-length", "")
    if not re.fullmatch(r"\d{1,15}", text):
        return None
    return int(text) - (start - _offset(response))


def _offset(response: requests.Response) -> int:
    """Where in the entity the answer's body starts."""
    if response.status_code != 206 or "Range" not in response.request.headers:
        return 0
    match = re.match(r"bytes (\d{1,15})-", response.headers.get("content-range", ""))
    if not match:
        raise UpstreamError(Reason.HTTP_ERROR, "a part without Content-Range", status=206)
    return int(match[1])


def _body(
    response: requests.Response, start: int, end: int | None, longest: float
) -> Iterator[bytes]:
    """The bytes from ``start`` to ``end`` of the entity, as they come.

    A server that does not know ranges sends all of it: what is before is dropped.
    Raises UpstreamError where the body breaks or is short.
    """
    skip = start - _offset(response)
    if skip < 0:
        raise UpstreamError(Reason.HTTP_ERROR, "another part than was asked for", status=206)
    left = None if end is None else end - start
    for data in _gathered(response, longest):
        useful = data[skip:]
        skip = max(skip - len(data), 0)
        if left is not None:
            useful = useful[:left]
            left -= len(useful)
        if useful:
            yield useful
        if left == 0 and response.status_code != 206:
            hang_up(response)  # the rest of the entity is not ours to wait for
            return
    if left or skip:
        raise UpstreamError(Reason.ENDED, "a segment shorter than its byte range")


def _gathered(response: requests.Response, longest: float) -> Iterator[bytes]:
    """What has gathered at each read. Its connection goes back to the pool at the end."""
    readable = _poll()
    readable.register(response.raw.fileno(), select.POLLIN)
    spent = 0.0  # waiting for bytes; what waits for the pipe is not the provider's fault
    first = True
    while True:
        began = monotonic()
        if not first and not readable.poll(0):
            gevent.sleep(_GATHER)
        first = False
        with mapped_errors():
            data = response.raw.read1(READ_SIZE, decode_content=True)
        spent += monotonic() - began
        if not data:
            return
        if spent > longest:
            raise UpstreamError(Reason.TIMEOUT, f"a segment not there within {longest:.0f} s")
        yield data
