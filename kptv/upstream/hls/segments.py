"""Fetches one segment: resumed where it broke, decrypted and handed on as it comes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

import gevent
from cachetools import LRUCache

from kptv.errors import KptvError, Reason, UpstreamError
from kptv.formats.gzipped import BadGzip, Gunzip
from kptv.formats.hls.aes import KEY_SIZE, BadCipher, SegmentDecryptor
from kptv.formats.hls.container import JUNK_LIMIT, Container, segment_start
from kptv.formats.hls.pacing import retry_delay
from kptv.formats.hls.playlist import EncryptionKey, Map, MediaSegment
from kptv.formats.mpegts.playtime import Playtime
from kptv.upstream.answers import hang_up
from kptv.upstream.hls.body import body_of, size_of
from kptv.upstream.hls.maps import Maps
from kptv.upstream.hls.pipe import Pipe
from kptv.upstream.hls.refusals import REFUSED, Word, ask, asked_instead
from kptv.upstream.hls.requester import Requester

_LONGEST = 3.0  # target durations that one segment may take to be read
_SILENT = 0.75  # target durations of silence; then there is time for another attempt
_KEYS = 32  # kept; they rotate, and a forgotten one is asked for again


class Expired(KptvError):
    """An address is no longer valid; ``error`` is what the server answered."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(str(error))
        self.error = error


class SegmentLost(KptvError):
    """A segment could not be fetched in time; ``error`` is the last failure."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(str(error))
        self.error = error


class NeedsRemux(KptvError):
    """The media is in a container that is not MPEG-TS."""


@dataclass(slots=True)
class _Job:
    """A segment being fetched, over all its attempts."""

    segment: MediaSegment
    decryptor: SegmentDecryptor | None = None
    gunzip: Gunzip = field(default_factory=Gunzip)
    taken: int = 0  # bytes of its body that were read
    size: int = 0  # bytes of media that were handed on
    seconds: float = 0.0  # of media that were handed on
    tables: bytes = b""  # from the Media Initialization Section
    junk: int = 0  # bytes before its media
    sniffed: bool = False  # it is known where its media begins
    fresh: bool = False  # its token is new


class SegmentFetcher:
    """Fetches segments of one stream into its pipe."""

    def __init__(self, http: Requester, pipe: Pipe) -> None:
        self._http = http
        self._pipe = pipe
        self._keys: LRUCache[str | None, bytes] = LRUCache(_KEYS)
        self._maps = Maps(http)
        self._job: _Job | None = None
        self._had = -1  # the number of the last segment that came whole
        self._asks_key = False  # a key is being asked for
        self._rate = 0.0  # bytes per second of media, of the last segment
        self._playtime = Playtime()
        self.any_media = False  # bytes of a transport stream were handed on

    def splice(self) -> None:
        """The next segment does not go on where the last one ended."""
        self._pipe.splice()
        self._playtime.splice()

    @property
    def partial(self) -> int | None:
        """The number of the segment that was handed on in part; None: there is none."""
        job = self._job
        return job.segment.media_sequence if job and job.sniffed else None

    def fetch(
        self,
        segment: MediaSegment,
        target_duration: float,
        neighbours: Sequence[MediaSegment] = (),
        *,
        patient: bool,
        fresh: bool = False,
    ) -> float | None:
        """Hand on the whole segment. Returns how many seconds it lasts by its own clock, if known.

        ``patient``: try again as long as there is time. ``neighbours``: the segments listed before
        it in the same answer. ``fresh``: its token is new.
        Raises Expired (the next call for the same number resumes it), SegmentLost, NeedsRemux,
        and UpstreamError if it can never be played.
        """
        job = self._resumed(segment)
        job.fresh = fresh
        started = monotonic()
        attempt = 0
        while True:
            try:
                seconds = self._attempt(job, target_duration)
            except UpstreamError as error:
                if error.reason is Reason.UNSUPPORTED:
                    raise
                if error.status in REFUSED:
                    word = self._ask(neighbours, segment, target_duration)
                    if word is Word.OVER or (word is Word.NONE and not fresh):
                        raise Expired(error) from None
                    patient = True
                elapsed = monotonic() - started
                in_hand = self._pipe.seconds
                delay = retry_delay(attempt, elapsed, target_duration, in_hand) if patient else None
                if delay is None:
                    self.give_up()
                    raise SegmentLost(error) from None
                attempt += 1
                gevent.sleep(delay)
            else:
                self._job = None
                self._had = segment.media_sequence
                return seconds

    def _ask(
        self, neighbours: Sequence[MediaSegment], segment: MediaSegment, target: float
    ) -> Word:
        url, start = asked_instead(neighbours, segment, self._had, of_key=self._asks_key)
        return ask(self._http, url, start, max(_SILENT * target, 1.0))

    def _resumed(self, segment: MediaSegment) -> _Job:
        job = self._job
        if job is None or job.segment.media_sequence != segment.media_sequence:
            self.give_up()
            job = self._job = _Job(segment)
        job.segment = segment  # its address may be new
        return job

    def give_up(self) -> None:
        """Stop fetching the segment that was being fetched, if there was one."""
        if self._job and self._job.sniffed:
            self._pipe.break_off()
        self._job = None

    def _attempt(self, job: _Job, target_duration: float) -> float | None:
        segment = job.segment
        if segment.map and not job.sniffed:
            job.tables = self._tables(segment.map)
        if segment.key and job.decryptor is None:
            self._asks_key = True
            with _broken():
                job.decryptor = SegmentDecryptor(self._key(segment.key), segment.iv)
        self._asks_key = False
        part = segment.byte_range
        start = (part.start if part else 0) + job.taken
        end = part.start + part.length if part else None
        silence = max(_SILENT * target_duration, 1.0)
        # Once media has come with the cookies, a refusal means the address: its token is over. If
        # a new token is refused as well, it means the cookies after all.
        again = job.fresh or not self.any_media
        response = self._http.get(segment.uri, start=start, end=end, silence=silence, again=again)
        try:
            size = size_of(response, start, end)
            total = None if size is None else size + job.taken
            return self._hand_on(
                job, body_of(response, start, end, _LONGEST * target_duration), total
            )
        except BaseException as error:
            hang_up(response)
            if not job.sniffed:  # nothing of the segment was handed on
                job.taken, job.decryptor, job.gunzip = 0, None, Gunzip()
                if segment.key and getattr(error, "reason", None) is Reason.NOT_MEDIA:
                    self._keys.pop(segment.key.uri, None)  # there may be another key by now
            raise

    def _hand_on(self, job: _Job, body: Iterator[bytes], total: int | None) -> float | None:
        head = b""
        for data in _media(job, body):
            if not job.sniffed:
                head += data
                if not self._begins(job, head):
                    continue
                data = head[job.junk :]
            self._put(job, data, self._rate_of(job, total))
        if not job.sniffed:
            if not self._begins(job, head, final=True):
                raise UpstreamError(Reason.NOT_MEDIA, "a segment that is no transport stream")
            self._put(job, head[job.junk :], self._rate_of(job, total))
        self._rate = job.size / job.segment.duration
        seconds = self._playtime.end()
        self._pipe.pad((seconds or job.segment.duration) - job.seconds)
        self._pipe.end_segment()
        return seconds

    def _begins(self, job: _Job, head: bytes, *, final: bool = False) -> bool:
        """Whether ``head`` has a transport stream in it, maybe behind junk; False: not known yet.

        Raises NeedsRemux for another container, UpstreamError for too much junk.
        """
        start = segment_start(head, final=final)
        if isinstance(start, Container) and not self.any_media:
            raise NeedsRemux(start)
        if not isinstance(start, int):
            if len(head) > JUNK_LIMIT:
                raise UpstreamError(Reason.NOT_MEDIA, "a segment that is no transport stream")
            return False
        job.junk = start
        job.sniffed = self.any_media = True
        self._playtime.begin()
        if job.tables:
            self._pipe.put(job.tables, 0.0)
            self._pipe.end_part()
        return True

    def _tables(self, section: Map) -> bytes:
        """The tables in a Media Initialization Section. Raises NeedsRemux."""
        tables = self._maps.tables(section)
        if tables is None:
            raise NeedsRemux(Container.FMP4)
        return tables

    def _rate_of(self, job: _Job, total: int | None) -> float:
        """Bytes per second of its media, by its duration in the playlist; 0: nobody knows."""
        if job.gunzip.packed:
            return 0.0
        return (total - job.junk) / job.segment.duration if total else self._rate

    def _put(self, job: _Job, data: bytes, rate: float) -> None:
        """Hand on media; ``rate`` (bytes per second) tells how long it lasts if it has no clock."""
        if data:
            seconds = self._playtime.feed(data)
            if seconds is None:
                left = max(job.segment.duration - job.seconds, 0.0)
                seconds = min(len(data) / rate, left) if rate else 0.0
            job.seconds += seconds
            job.size += len(data)
            self._pipe.put(data, seconds)

    def _key(self, key: EncryptionKey) -> bytes:
        if not key.usable or key.uri is None:
            raise UpstreamError(Reason.UNSUPPORTED, f"encrypted: {_method(key)}")
        if key.uri not in self._keys:
            value = self._http.read(key.uri, 1024).body
            if len(value) != KEY_SIZE:  # an error page; the next answer may be a key
                raise UpstreamError(Reason.NOT_MEDIA, f"a key of {len(value)} bytes")
            self._keys[key.uri] = value
        return self._keys[key.uri]


def _media(job: _Job, body: Iterator[bytes]) -> Iterator[bytes]:
    """The media in a segment's body, unpacked and decrypted."""
    with _broken():
        for data in body:
            job.taken += len(data)
            for part in job.gunzip.feed(data):
                yield job.decryptor.feed(part) if job.decryptor else part
        rest = job.gunzip.finish()
        if job.decryptor:
            rest = job.decryptor.feed(rest) + job.decryptor.finish()
        yield rest


@contextmanager
def _broken() -> Iterator[None]:
    """Turns BadCipher and BadGzip into UpstreamError."""
    try:
        yield
    except (BadCipher, BadGzip) as error:
        raise UpstreamError(Reason.NOT_MEDIA, str(error)) from None


def _method(key: EncryptionKey) -> str:
    """A key as the log tells it: the provider's words, with plain letters only."""
    words = f"{key.method} {key.key_format}"
    return re.sub(r"[^A-Za-z0-9 .-]", "", words)[:60]
