"""Streams that ffmpeg puts into a transport stream, as whole packets."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from time import monotonic

from kptv.channels.model import Stream
from kptv.channels.rhythm import Rhythms
from kptv.config import Config
from kptv.ports import Piece
from kptv.upstream.aligned import whole_packets
from kptv.upstream.ffmpeg import Input
from kptv.upstream.remux import remux


class Remuxer:
    """Plays what is no transport stream, each by a child of its own."""

    def __init__(self, config: Config, rhythms: Rhythms) -> None:
        self._config = config
        self._rhythms = rhythms

    def packets(
        self, stream: Stream, source: Input, silence: float, body: Iterator[bytes] | None = None
    ) -> Generator[Piece, None, None]:
        """What ffmpeg makes of ``source``, which may be silent for ``silence`` seconds at least.

        ``body`` and errors as for ``remux``. The child is gone when this is over, though the error
        that ended it, and with it all frames that it came through, may be kept for long.
        """
        rhythm = self._rhythms.of(stream, monotonic())
        pieces = remux(
            self._config.ffmpeg,
            source,
            stream.label,
            silence,
            lambda: rhythm.patience(monotonic()),
            body,
        )
        with rhythm.allowing() as allowance, closing(pieces):
            allowance.seconds = silence
            yield from whole_packets(pieces, self._config)
