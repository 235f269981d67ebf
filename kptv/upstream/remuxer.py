"""Streams that ffmpeg puts into a transport stream, as whole packets."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from time import monotonic

from kptv.channels.model import Stream
from kptv.channels.reach import headers_for
from kptv.channels.rhythm import Rhythms
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.formats.addresses import scheme_of
from kptv.ports import Piece
from kptv.upstream.aligned import whole_packets
from kptv.upstream.client import HttpClient
from kptv.upstream.ffmpeg import Input
from kptv.upstream.remux import remux


class Remuxer:
    """Plays streams that are no transport stream, each with an ffmpeg of its own.

    It may be silent for ``silence`` seconds at least. When its packets end or are closed, it is
    gone, even if somebody keeps the error that ended it, and with that error its frames.
    """

    def __init__(self, config: Config, client: HttpClient, rhythms: Rhythms) -> None:
        self._config = config
        self._client = client
        self._rhythms = rhythms

    def from_address(
        self,
        stream: Stream,
        input_: Input,
        leads_to: Sequence[str] = (),
        *,
        silence: float,
        cookies: tuple[str, ...] | None = None,
        has_end: bool = False,
    ) -> Generator[Piece, None, None]:
        """What ffmpeg makes of an address, which ``leads_to`` others.

        ``cookies`` (None: those of the source's session) and the stream's headers go with it.
        ``has_end``: it is a recording, whose end is no error. Raises UpstreamError as ``remux``
        does, and if an address leads where this source must not, or if ffmpeg cannot be told: the
        source has a proxy, or secret headers.
        """
        is_http = scheme_of(input_.url) in ("http", "https")
        urls = [input_.url, *([input_.audio] if input_.audio else []), *leads_to]
        self._client.road(stream.source).check(*urls)
        if is_http and self._client.has_secrets_for(stream.source, *urls):
            told = "its source's headers are secret, and anybody can read ffmpeg's arguments"
            raise UpstreamError(Reason.UNSUPPORTED, f"needs ffmpeg: {told}")
        if cookies is None:
            cookies = self._client.cookies(stream.source, input_.url)
        headers = self._client.headers(stream.source, headers_for(stream, *urls), *urls)
        input_ = replace(input_, headers=headers, cookies=cookies)
        with _ending_well(lambda: has_end):
            yield from self.packets(stream, input_, silence)

    def from_body(
        self,
        stream: Stream,
        input_: Input,
        body: Iterator[bytes],
        *,
        silence: float,
        is_read: Callable[[], bool],
    ) -> Generator[Piece, None, None]:
        """What ffmpeg makes of a body; its end is no error if all of it ``is_read`` by then."""
        with _ending_well(is_read):
            yield from self.packets(stream, input_, silence, body)

    def packets(
        self, stream: Stream, input_: Input, silence: float, body: Iterator[bytes] | None = None
    ) -> Generator[Piece, None, None]:
        """What ffmpeg makes of ``input_``; ``body`` and errors as for ``remux``."""
        rhythm = self._rhythms.of(stream, monotonic())
        made = remux(
            self._config.ffmpeg,
            input_,
            stream.label,
            silence,
            lambda: rhythm.patience(monotonic()),
            body,
        )
        with rhythm.allowing() as allowance, closing(made):
            allowance.seconds = silence
            yield from whole_packets(made, self._config)


@contextmanager
def _ending_well(well: Callable[[], bool]) -> Iterator[None]:
    """Ends the block without an error if it raises ENDED, and that is ``well``."""
    try:
        yield
    except UpstreamError as error:
        if not (error.reason is Reason.ENDED and well()):
            raise
