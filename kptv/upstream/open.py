"""Opens a stream and gives its packets, or says what is wrong with it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from time import monotonic

import gevent
import requests

from kptv.channels.model import Stream
from kptv.channels.reach import addresses_in, headers_for
from kptv.channels.rhythm import Rhythms
from kptv.config import Config
from kptv.errors import IsLive, Reason, UpstreamError
from kptv.formats import gzipped
from kptv.formats.addresses import scheme_of
from kptv.formats.dash import is_dash_film
from kptv.formats.hls.parse import MAX_BYTES, first_link
from kptv.formats.hls.parse import what_is as what_playlist
from kptv.formats.hls.playlist import PlaylistKind
from kptv.formats.icy import METADATA_INTERVAL, metadata_interval, without_metadata
from kptv.formats.identify import ENOUGH, FILE_TYPES, SOUND, Identity, What, identify
from kptv.formats.mpegts.aligner import PROBE_SIZE
from kptv.formats.patience import LONGEST_PATIENCE
from kptv.ports import FilmBody, Piece
from kptv.upstream.aligned import whole_packets
from kptv.upstream.answers import answers_whole, hang_up, read_some
from kptv.upstream.client import HttpClient, OtherScheme
from kptv.upstream.ffmpeg import DEMUXERS, ONLY_BY_REMUX, Input
from kptv.upstream.hls.play import HlsUpstream
from kptv.upstream.hls.request import Answer
from kptv.upstream.hls.way import Outdated
from kptv.upstream.opened import Opened, Pieces
from kptv.upstream.progressive import END_OF_BODY, read_body
from kptv.upstream.remuxer import Remuxer

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

_LIVE = frozenset((What.TRANSPORT_STREAM, What.HLS, What.CHANNEL_LIST, What.DASH))
_LOOK_AGAIN = 1.25  # times as many bytes; to look at each is what a slow body would cost


@dataclass(frozen=True, slots=True)
class _Body:
    """An open answer, what its first bytes are, and those and the rest as they come."""

    response: requests.Response
    found: Identity
    head: bytes
    rest: Iterator[bytes]
    packed: bool  # and nobody said so

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        yield from self.rest

    @property
    def has_end(self) -> bool:
        """The answer says how long it is, or that parts of it may be asked for."""
        told = self.response.headers
        is_file = told.get("Accept-Ranges", "").strip().lower() == "bytes"
        is_radio = any(name in told for name in ("icy-name", "icy-br", METADATA_INTERVAL))
        length = told.get("Content-Length")
        return (length is not None or is_file or "Content-Range" in told) and not is_radio

    @property
    def is_film(self) -> bool:
        """It is sent as it is: a file, or what ffmpeg could make nothing of."""
        lasts = self.found.endless and not self.has_end and not self.found.foreign_picture
        return self.found.what in FILE_TYPES and not lasts

    @property
    def is_read(self) -> bool:
        """All that was announced has come."""
        return self.has_end and not self.response.raw.length_remaining


class Opener:
    """Opens streams by what their bytes are; remembers of each only whether it is HLS."""

    def __init__(self, config: Config, client: HttpClient, rhythms: Rhythms) -> None:
        """``rhythms``: what is known of the streams' pauses, learned by who plays them."""
        self._config = config
        self._client = client
        self._rhythms = rhythms
        self._hls = HlsUpstream(config, client, self._rhythms)
        self._remuxer = Remuxer(config, self._rhythms)
        self._silence = max(config.stall_timeout, config.stream_timeout)

    def open_stream(self, stream: Stream) -> Opened:
        """The upstream of a stream; its first piece comes with MIN_DATA_SIZE bytes of media."""
        return Opened(self._pieces(stream))

    def _pieces(self, stream: Stream) -> Pieces:
        given = False
        try:
            with closing(Opened(self._by_http(stream))) as opened:
                for piece in opened:
                    given = True
                    yield piece
                return opened.take_film()
        except OtherScheme as moved:
            if given or scheme_of(moved.url) not in ONLY_BY_REMUX:
                raise
            url = moved.url
        yield from self._remux(stream, url)
        return None

    def _by_http(self, stream: Stream) -> Pieces:
        if self._hls.knows(stream):
            try:
                yield from self._hls.recall(stream)
                return None
            except Outdated as outdated:
                log.info("%s: %s: from the list's URL again", stream.source.tag, outdated)
        return (yield from self._open(stream, stream.url))

    def forget(self) -> None:
        """Find out of each stream anew what it is."""
        self._hls.forget()

    def _open(self, stream: Stream, url: str, *, is_entry: bool = False) -> Pieces:
        """What is at ``url``; ``is_entry``: of a channel list that the stream turned out to be."""
        asked_at = monotonic()
        response = self._get_patiently(stream, url)
        try:
            body = self._identified(response, self._read_body(response, stream))
            what = body.found.what
            if what in (What.HLS, What.CHANNEL_LIST):
                playlist = _whole(body)
                hang_up(response)  # before the next one opens
                answer = Answer(playlist, response.url, asked_at)
                yield from self._follow(stream, answer, is_entry=is_entry)
            elif what is What.DASH:
                manifest = _whole(body)
                hang_up(response)
                leads_to = addresses_in(manifest)
                # Live too: ffmpeg's reader would ask at the live edge hundreds of times a second.
                yield from self._remux(
                    stream, url, leads_to, paced=True, is_film=is_dash_film(body.head)
                )
            elif what is What.TRANSPORT_STREAM:
                yield from whole_packets(iter(body), self._config)
            elif body.is_film and not is_entry:  # its ranges would be asked of the list
                return _File(response, FILE_TYPES[what], body.head)
            elif what in DEMUXERS and not body.is_film:
                yield from self._feed(stream, body)
            else:
                raise UpstreamError(Reason.NOT_MEDIA, str(what))
            hang_up(response)
            return None
        except BaseException:  # GeneratorExit too: an endless body ends in no other way
            hang_up(response)
            raise

    def _follow(self, stream: Stream, answer: Answer, *, is_entry: bool) -> Iterator[Piece]:
        """What a playlist, or a channel list, leads to."""
        if what_playlist(answer.body) is not PlaylistKind.CHANNEL_LIST:
            yield from self._hls.play(stream, answer)
            return
        link = first_link(answer.body, answer.url)
        if is_entry or link is None:  # followed once, its first entry
            raise UpstreamError(Reason.NOT_MEDIA, "a channel list that leads nowhere")
        yield from self._open(stream, link, is_entry=True)

    def _identified(self, response: requests.Response, pieces: Iterator[bytes]) -> _Body:
        if interval := metadata_interval(response.headers.get(METADATA_INTERVAL)):
            pieces = without_metadata(pieces, interval)  # nobody asked for it
        layer = gzipped.Gunzip()
        pieces = _unpacked(pieces, layer)
        head, found = _read_head(pieces)
        return _Body(response, found, head, pieces, packed=layer.packed)

    def open_film(self, stream: Stream, byte_range: str | None) -> FilmBody:
        """The open answer to a request of a file, or of one ``Range`` of it (RFC 9110, 14.2).

        Raises IsLive, and UpstreamError, also where a whole body is no file: an error page with
        status 200.
        """
        try:
            response = self._get(stream, {"Range": byte_range} if byte_range else {})
        except OtherScheme as moved:
            if scheme_of(moved.url) in ONLY_BY_REMUX:
                raise IsLive from None
            raise
        if response.status_code == 206 and is_packed(response):
            hang_up(response)  # a part of what is packed cannot be unpacked: all of it
            response = self._get(stream, {})
        if response.status_code in _OF_A_RANGE:
            return _File(response)  # from its middle a file cannot be told from anything else
        try:
            config = self._config
            pieces = read_body(response, config.stream_timeout, config.stall_timeout)
            body = self._identified(response, pieces)
            what = body.found.what
            if not body.is_film:
                is_live = what in _LIVE or what in DEMUXERS
                raise IsLive if is_live else UpstreamError(Reason.NOT_MEDIA, str(what))
        except BaseException:  # a deadline of the caller's too
            hang_up(response)
            raise
        return _File(response, FILE_TYPES[body.found.what], body.head)

    def _feed(self, stream: Stream, body: _Body) -> Iterator[Piece]:
        """What ffmpeg makes of the very answer that was looked at."""
        found = body.found
        if found.foreign_picture:
            raise UpstreamError(
                Reason.UNSUPPORTED, f"{found.what}: a picture that no transport stream can hold"
            )
        source = Input(
            demuxer=DEMUXERS[found.what],
            only_sound=found.what in SOUND,
            encode_sound=found.foreign_sound,
            paced=body.has_end,
        )
        try:
            yield from self._remuxer.packets(stream, source, self._silence, iter(body))
        except UpstreamError as error:
            if not (error.reason is Reason.ENDED and body.is_read):
                raise

    def _remux(
        self,
        stream: Stream,
        url: str,
        leads_to: Sequence[str] = (),
        *,
        paced: bool = False,
        is_film: bool = False,
    ) -> Iterator[Piece]:
        """What ffmpeg makes of ``url``, which ``leads_to`` other addresses."""
        self._client.roads.to(stream.source).check(url, *leads_to)
        source = Input(
            url,
            headers=self._client.headers(headers_for(stream, url, *leads_to)),
            cookies=self._client.cookies(stream.source, url),
            paced=paced,
            program=stream.program,
        )
        try:
            yield from self._remuxer.packets(stream, source, self._silence)
        except UpstreamError as error:
            if not (is_film and error.reason is Reason.ENDED):
                raise

    def _get_patiently(self, stream: Stream, url: str) -> requests.Response:
        """The answer, whose body may pause for as long as anybody would wait for it."""
        late = UpstreamError(Reason.TIMEOUT, "no answer in time")
        with gevent.Timeout(self._silence, late):
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


def _read_head(body: Iterator[bytes]) -> tuple[bytes, Identity]:
    """As much of the body as tells what it is, and what that is."""
    head = b""
    looked_at = 0.0
    while True:
        try:
            head += next(body)
        except UpstreamError as error:
            if error.reason is not Reason.ENDED:
                raise
            if not head:
                raise UpstreamError(Reason.EMPTY, "empty body") from None
            found = identify(head, final=True)  # a short body: what there is must do
            assert found is not None
            return head, found
        if len(head) < looked_at * _LOOK_AGAIN and len(head) < ENOUGH:
            continue
        if found := identify(head):
            return head, found
        looked_at = len(head) if len(head) >= PROBE_SIZE else 0.0


def _whole(body: _Body) -> bytes:
    """All of a playlist. Raises UpstreamError where it breaks, or is longer than any."""
    parts = [body.head]
    try:
        for data in body.rest:
            parts.append(data)
            if sum(map(len, parts)) > MAX_BYTES:
                raise UpstreamError(Reason.NOT_MEDIA, f"a playlist of more than {MAX_BYTES} bytes")
    except UpstreamError as error:
        if error.detail != END_OF_BODY:
            raise
    return b"".join(parts)


def _unpacked(body: Iterator[bytes], layer: gzipped.Gunzip) -> Iterator[bytes]:
    try:
        for data in body:
            yield from layer.feed(data)
    except gzipped.BadGzip as error:
        raise UpstreamError(Reason.NOT_MEDIA, str(error)) from None


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
    """An open answer whose body is a film (see ports.FilmBody)."""

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
            data = read_some(self._response, _FILE_READ_SIZE, unpack=self._is_packed)
            if not data:
                return
            yield data

    def close(self) -> None:
        """Close the connection; may come twice."""
        hang_up(self._response)
