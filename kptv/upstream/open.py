"""Opens a stream and gives its packets, or says what is wrong with it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from itertools import chain
from time import monotonic

import gevent
import requests

from kptv.channels.model import Stream
from kptv.channels.reach import headers_for
from kptv.channels.rhythm import Rhythms
from kptv.config import Config
from kptv.errors import FileBody, IsFile, IsLive, Reason, UpstreamError
from kptv.formats import gzipped
from kptv.formats.addresses import scheme_of
from kptv.formats.files import file_type
from kptv.formats.hls.playlist import Kind
from kptv.formats.hls.reader import MAX_BYTES, first_link
from kptv.formats.hls.reader import what_is as what_playlist
from kptv.formats.mpegts.aligner import PROBE_SIZE, sniff
from kptv.formats.patience import LONGEST_PATIENCE
from kptv.upstream.answers import answers_whole
from kptv.upstream.client import Client, hang_up, mapped_errors
from kptv.upstream.hls.play import HlsUpstream
from kptv.upstream.hls.request import Answer, read_all
from kptv.upstream.hls.way import Outdated
from kptv.upstream.packets import whole_packets
from kptv.upstream.progressive import read_body
from kptv.upstream.remux import ONLY_BY_REMUX, Input, remux

log = logging.getLogger(__name__)

_A_PART = frozenset((206,))  # of a live stream is as good as any
_OF_A_RANGE = frozenset((206, 416))
_PACKINGS = frozenset(("gzip", "x-gzip", "deflate", "br", "zstd"))
_FILE_READ_SIZE = 128 * 1024  # bytes; a file is sent as fast as its viewer takes it
# What an answer says of its entity and the viewer must hear (RFC 9110, 8 and 14).
_ENTITY_HEADERS = ("Content-Type", "Last-Modified")
# And what it says of the very bytes, which are others once they are unpacked.
_BYTES_HEADERS = ("Content-Range", "Accept-Ranges", "ETag")
_MEDIA_TYPE = re.compile(r"(?:video|audio)/|multipart/byteranges|application/octet-stream", re.I)

_MANIFEST_START = 16 * 1024  # bytes in which the tag of a manifest must be found
# What stands before the tag, each piece taken once: there is no way back to search anew.
_MANIFEST = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:<\?xml[^>]*+>|(?><!--.*?-->)|\s++)*+<MPD(?=[\s>])[^>]*+", re.DOTALL
)


class Opener:
    """Opens streams by what their bytes are; remembers of each only whether it is HLS."""

    def __init__(self, config: Config, client: Client, rhythms: Rhythms | None = None) -> None:
        """``rhythms``: what is known of the streams' pauses, learned by who plays them."""
        self._config = config
        self._client = client
        self._rhythms = rhythms or Rhythms(config.stall_timeout)
        self._hls = HlsUpstream(config, client, self._rhythms)

    def open_stream(self, stream: Stream) -> Iterator[bytes]:
        """Whole transport stream packets, as they come, without an end.

        Connects at the first ``next``, closes the connection when the iterator is closed.
        The first piece comes when MIN_DATA_SIZE bytes of media are there. Raises
        UpstreamError when the upstream cannot go on, IsFile when it is no live stream.
        """
        if self._hls.knows(stream):
            try:
                yield from self._hls.recall(stream)
                return
            except Outdated as outdated:
                log.info("%s: %s: from the list's URL again", stream.source.tag, outdated)
        yield from self._open(stream, stream.url)

    def forget(self) -> None:
        """Find out of each stream anew what it is."""
        self._hls.forget()

    def _open(self, stream: Stream, url: str, *, is_entry: bool = False) -> Iterator[bytes]:
        """What is at ``url``; ``is_entry``: of a channel list that the stream turned out to be."""
        if scheme_of(url) in ONLY_BY_REMUX:
            yield from self._remux(stream, url)
            return
        asked_at = monotonic()
        response = self._get_patiently(stream, url)
        try:
            body = self._read_body(response, stream)
            head = _read_head(body)
            packed = head.startswith(gzipped.MAGIC)  # and nobody said so
            start = gzipped.start(head)
            if what_playlist(start) is not Kind.OTHER:
                playlist = head + read_all(response, MAX_BYTES - len(head))
                hang_up(response)  # before the next one opens
                answer = Answer(gzipped.whole(playlist, MAX_BYTES), response.url, asked_at)
                yield from self._follow(stream, answer, is_entry=is_entry)
                return
            if is_dash(head):
                hang_up(response)
                # Live too: ffmpeg's reader would ask at the live edge hundreds of times a second.
                yield from self._remux(stream, url, paced=True, is_film=is_dash_film(head))
                return
            if packed and sniff(start, final=len(start) < PROBE_SIZE):
                yield from whole_packets(_unpacked(chain((head,), body)), self._config)
                return
            if not sniff(head, final=len(head) < PROBE_SIZE):
                content_type = file_type(head)
                if content_type and not is_entry:  # its ranges would be asked of the list
                    raise IsFile(_File(response, content_type, head))
                raise UpstreamError(Reason.NOT_MEDIA, what_is(head))
            yield from whole_packets(chain((head,), body), self._config)
        except IsFile:
            raise  # the connection now belongs to who catches this
        except BaseException:  # GeneratorExit too: an endless body ends in no other way
            hang_up(response)
            raise

    def _follow(self, stream: Stream, answer: Answer, *, is_entry: bool) -> Iterator[bytes]:
        """What a playlist, or a channel list, leads to."""
        if what_playlist(answer.body) is not Kind.CHANNEL_LIST:
            yield from self._hls.play(stream, answer)
            return
        link = first_link(answer.body, answer.url)
        if is_entry or link is None:  # followed once, its first entry
            raise UpstreamError(Reason.NOT_MEDIA, "a channel list that leads nowhere")
        yield from self._open(stream, link, is_entry=True)

    def open_file(self, stream: Stream, byte_range: str | None) -> FileBody:
        """The open answer to a request of a file, or of one ``Range`` of it (RFC 9110, 14.2).

        Raises IsLive, and UpstreamError, also where a whole body is no file: an error page with
        status 200.
        """
        response = self._get(stream, {"Range": byte_range} if byte_range else {})
        if response.status_code == 206 and is_packed(response):
            hang_up(response)  # a part of what is packed cannot be unpacked: all of it
            response = self._get(stream, {})
        if response.status_code in _OF_A_RANGE:
            return _File(response)  # from its middle a file cannot be told from anything else
        try:
            config = self._config
            head = _read_head(read_body(response, config.stream_timeout, config.stall_timeout))
            content_type = file_type(head)
            if content_type is None:
                raise IsLive if is_live(head) else UpstreamError(Reason.NOT_MEDIA, what_is(head))
        except BaseException:  # a deadline of the caller's too
            hang_up(response)
            raise
        return _File(response, content_type, head)

    def _remux(
        self, stream: Stream, url: str, *, paced: bool = False, is_film: bool = False
    ) -> Iterator[bytes]:
        source = Input(
            url,
            headers=self._client.headers(stream.headers),
            cookies=self._client.cookies(stream.source, url),
            paced=paced,
            program=stream.program,
        )
        name = f"{stream.name or 'stream'}: {stream.source.tag}"
        silence = max(self._config.stall_timeout, self._config.stream_timeout)
        rhythm = self._rhythms.of(stream, monotonic())
        rhythm.least = silence
        body = remux(
            self._config.ffmpeg, source, name, silence, lambda: rhythm.patience(monotonic())
        )
        try:
            yield from whole_packets(body, self._config)
        except UpstreamError as error:
            if not (is_film and error.reason is Reason.ENDED):
                raise
        finally:
            rhythm.least = 0.0

    def _get_patiently(self, stream: Stream, url: str) -> requests.Response:
        """The answer, whose body may pause for as long as anybody would wait for it."""
        seconds = max(self._config.stream_timeout, self._config.stall_timeout)
        late = UpstreamError(Reason.TIMEOUT, "no answer in time")
        with gevent.Timeout(seconds, late):
            return self._get(stream, {}, url, silence=LONGEST_PATIENCE + 1.0)

    def _read_body(self, response: requests.Response, stream: Stream) -> Iterator[bytes]:
        config, rhythm = self._config, self._rhythms.of(stream, monotonic())
        return read_body(
            response,
            config.stream_timeout,
            config.stall_timeout,
            lambda: rhythm.patience(monotonic()),
        )

    def _get(
        self,
        stream: Stream,
        headers: dict[str, str],
        url: str | None = None,
        silence: float = 0.0,
    ) -> requests.Response:
        config = self._config
        # Between two reads the body's own deadline (STALL_TIMEOUT) is the stricter one.
        silence = max(config.stream_timeout, config.stall_timeout, silence)
        timeout = (config.stream_timeout, silence)
        return self._client.get(
            stream.source,
            url or stream.url,
            headers={**headers_for(stream, url or stream.url), **headers},
            timeout=timeout,
            also=_OF_A_RANGE if headers else _A_PART,
        )


def _read_head(body: Iterator[bytes]) -> bytes:
    """As much of the body as tells what it is."""
    head = b""
    while len(head) < PROBE_SIZE and sniff(head) is None:
        try:
            head += next(body)
        except UpstreamError as error:
            if error.reason is Reason.ENDED and head:
                break  # a short body: what there is must do
            if error.reason is Reason.ENDED:
                raise UpstreamError(Reason.EMPTY, "empty body") from None
            raise
    return head


def _unpacked(body: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from gzipped.unpacked(body)
    except gzipped.BadGzip as error:
        raise UpstreamError(Reason.NOT_MEDIA, str(error)) from None


def is_live(head: bytes) -> bool:
    """True for the start of what is played as a stream: packets, a playlist, a manifest."""
    final = len(head) < PROBE_SIZE
    is_playlist = what_playlist(head) is not Kind.OTHER
    return is_playlist or is_dash(head) or bool(sniff(head, final=final))


def is_dash(head: bytes) -> bool:
    """True for the start of a DASH manifest (ISO/IEC 23009-1, 5.2.1)."""
    return _MANIFEST.match(head[:_MANIFEST_START]) is not None


def is_dash_film(head: bytes) -> bool:
    """True for a manifest of what is complete: ``type`` is ``static`` or left out (5.3.1.2)."""
    manifest = _MANIFEST.match(head[:_MANIFEST_START])
    return manifest is None or re.search(rb"\stype\s*+=\s*+[\"']dynamic", manifest[0]) is None


def what_is(head: bytes) -> str:
    """A word for the log on a body that is no transport stream."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith(b"#extm3u"):
        return "a playlist"
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if start.startswith((b"{", b"[")):
        return "JSON"
    return "no transport stream in it"


def is_packed(response: requests.Response) -> bool:
    """True where what is sent is not the file itself, but packed (RFC 9110, 8.4)."""
    codings = response.headers.get("Content-Encoding", "").lower().split(",")
    return any(coding.strip() in _PACKINGS for coding in codings)


def length_of(response: requests.Response) -> str | None:
    """The Content-Length that its body has (RFC 9112, 6.3); None where nothing can be told."""
    if "Transfer-Encoding" in response.headers:
        return None  # which wins, and they need not agree
    told = {text.strip() for text in response.headers.get("Content-Length", "").split(",")}
    length = told.pop()
    return length if not told and length.isascii() and length.isdecimal() else None


class _File:
    """An open answer whose body is a file (see errors.FileBody)."""

    def __init__(
        self, response: requests.Response, content_type: str = "", head: bytes = b""
    ) -> None:
        self._response = response
        self._head = head
        self._is_packed = is_packed(response)  # although we asked for identity
        whole = bool(content_type) and answers_whole(response)
        self.status = 200 if whole else response.status_code
        names = _ENTITY_HEADERS if self._is_packed else _ENTITY_HEADERS + _BYTES_HEADERS
        told = {n: response.headers[n] for n in names if n in response.headers}
        if whole:
            told.pop("Content-Range", None)  # of all of it, nobody asked for a part
        if self.status == 416:
            told["Content-Length"] = "0"  # a page of the provider, which nobody needs
        elif not self._is_packed and (length := length_of(response)):
            told["Content-Length"] = length
        # A server refuses to send a line break or control, which a provider's header may hold.
        self.headers = {n: value for n, value in told.items() if value.isprintable()}
        if not _MEDIA_TYPE.match(self.headers.get("Content-Type", "")):
            self.headers.pop("Content-Type", None)  # a page in our name could log in and act
        if content_type:  # what its bytes say, not what the provider does
            self.headers["Content-Type"] = content_type
        self.headers.setdefault("Content-Type", "application/octet-stream")

    def __iter__(self) -> Iterator[bytes]:
        """The body. Raises UpstreamError where it breaks."""
        if self.status == 416:
            return
        if self._head:
            yield self._head
        while True:
            with mapped_errors():
                data = self._response.raw.read1(_FILE_READ_SIZE, decode_content=self._is_packed)
            if not data:
                return
            yield data

    def close(self) -> None:
        """Close the connection; may come twice."""
        hang_up(self._response)
