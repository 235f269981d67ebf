"""The way from a stream's URL to a media playlist: through a channel list, variants, redirects."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from gevent.hub import get_hub

from kptv.channels.model import Stream
from kptv.config import Config
from kptv.errors import KptvError, Reason, UpstreamError
from kptv.formats.hls.parse import MAX_BYTES, parse, what_is
from kptv.formats.hls.playlist import (
    BadPlaylist,
    MediaPlaylist,
    MultivariantPlaylist,
    PlaylistKind,
    Variant,
)
from kptv.formats.hls.variants import order, separate_audio
from kptv.upstream.hls.requester import FetchedBody, Requester, entry_of

log = logging.getLogger(__name__)

MOST_TRIED = 16  # variants of one opening; the others would hold up the next source
_MOST_TOLD = 8  # of them, in the log
_LARGE, _MANY_LINES = 32 * 1024, 300  # of a playlist; to parse more takes 5 ms and longer
_RECALL = 0.4  # of STREAM_TIMEOUT, for a remembered address: the stream's own must have its turn


class Outdated(KptvError):
    """The remembered address of a stream leads nowhere any more; nothing was played."""


@dataclass(frozen=True, slots=True)
class Media:
    """The media playlist that a stream led to, and what is needed to play it."""

    playlist: MediaPlaylist
    asked_at: float
    variant: Variant | None = None
    audio: str | None = field(default=None, repr=False)  # URL of sound that is apart
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # that it may import


@dataclass(frozen=True, slots=True)
class _Offer:
    """A variant to play, and the playlist that lists it."""

    variant: Variant
    listed_in: MultivariantPlaylist
    variables: Mapping[str, str]
    nested: bool = False  # that playlist was itself a variant of another


class Way:
    """Goes the way, and remembers which variants have not been tried."""

    def __init__(self, http: Requester, config: Config, stream: Stream) -> None:
        self._http = http
        self._config = config
        self._stream = stream
        self._left: list[_Offer] = []  # not tried yet
        self._tries = 0  # variants that were asked for, since it was entered

    @property
    def forks(self) -> bool:
        """True if there is another variant to try."""
        return bool(self._left) and self._tries < MOST_TRIED

    def recall(self, url: str, variables: Mapping[str, str]) -> Media:
        """The media playlist at a remembered address. Raises Outdated."""
        try:
            answer = self._http.read(url, MAX_BYTES, _RECALL)
            playlist = parsed(answer, variables)
        except UpstreamError as error:  # most likely its token is over
            raise Outdated(str(error)) from None
        if not isinstance(playlist, MediaPlaylist) or (playlist.ended and not playlist.is_vod):
            raise Outdated("another playlist, or one that has ended")
        return Media(playlist, answer.asked_at, variables=variables)

    def enter(self, opening: FetchedBody | None = None, like: Variant | None = None) -> Media:
        """The media playlist that the stream's URL leads to; ``opening`` is its answer, if known.

        ``like``: of several variants, the same as before if it is still there.
        """
        answer = opening or self._read(self._stream.url)
        playlist = parsed(answer)
        if isinstance(playlist, MediaPlaylist):
            self._left = []
            return Media(playlist, answer.asked_at)
        self._left, self._tries = self._offers(playlist, like), 0
        if like is None:
            self._tell_variants()
        return self.next_variant(UpstreamError(Reason.NOT_MEDIA, "no variant"), like)

    def _read(self, url: str) -> FetchedBody:
        """The playlist at ``url``, or at the first entry of a channel list that is there."""
        answer = self._http.read(url, MAX_BYTES)
        if what_is(answer.body) is PlaylistKind.CHANNEL_LIST:
            answer = self._http.read(entry_of(answer), MAX_BYTES)
        return answer

    def _tell_variants(self) -> None:
        told = [_told(offer.variant) for offer in self._left[:_MOST_TOLD]]
        more = ["…"] if len(self._left) > _MOST_TOLD else []
        log.info("%s: %d variants: %s", self._name, len(self._left), ", ".join(told + more))

    def _offers(
        self, playlist: MultivariantPlaylist, like: Variant | None, above: _Offer | None = None
    ) -> list[_Offer]:
        """The variants in the order to try them; ``above``: the playlist was a variant itself."""
        variants = order(playlist, self._config.variant_selection)
        variables = {**(above.variables if above else {}), **playlist.variables}
        chosen = [v for v in variants if like and alike(v, like)] or variants
        return [_Offer(variant, playlist, variables, above is not None) for variant in chosen]

    def next_variant(self, error: UpstreamError, like: Variant | None = None) -> Media:
        """The next variant that can be played. Raises ``error``, or that of the last one."""
        while self.forks:
            self._tries += 1
            offer = self._left.pop(0)
            variant = offer.variant
            try:
                answer = self._read(variant.uri)
                playlist = parsed(answer, offer.variables)
                if isinstance(playlist, MultivariantPlaylist):
                    if offer.nested:  # one level: a loop of them would never end
                        raise UpstreamError(Reason.NOT_MEDIA, "variants of variants of variants")
                    self._left[:0] = self._offers(playlist, like, offer)
                    continue
            except UpstreamError as failure:
                log.warning("%s: variant %s: %s", self._name, _told(variant), failure)
                error = failure
                continue
            audio = separate_audio(offer.listed_in, variant)
            log.info("%s: plays variant %s", self._name, _told(variant))
            uri = audio.uri if audio else None
            return Media(playlist, answer.asked_at, variant, uri, offer.variables)
        raise error

    @property
    def _name(self) -> str:
        return self._stream.label


def parsed(
    answer: FetchedBody, variables: Mapping[str, str] | None = None
) -> MultivariantPlaylist | MediaPlaylist:
    """The playlist in an answer. Raises UpstreamError."""
    try:
        body = answer.body
        if len(body) < _LARGE and body.count(b"\n") + body.count(b"\r") < _MANY_LINES:
            return parse(answer.body, answer.url, variables)
        # A thread gives way to the event loop every few milliseconds.
        parsed: MultivariantPlaylist | MediaPlaylist = get_hub().threadpool.apply(
            parse, (answer.body, answer.url, variables)
        )
    except BadPlaylist as error:
        raise UpstreamError(Reason.NOT_MEDIA, f"playlist: {error}") from None
    return parsed


def alike(one: Variant, other: Variant) -> bool:
    """Whether two playlists mean the same variant."""
    return (one.bandwidth, one.height, one.codecs) == (other.bandwidth, other.height, other.codecs)


def _told(variant: Variant) -> str:
    """A variant as the log tells it."""
    size = f" {variant.width}x{variant.height}" if variant.height else ""
    return f"{variant.bandwidth // 1000} kbit/s{size}"
