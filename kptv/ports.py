"""The values and types that cross from talking to providers to sharing streams.

``kptv.upstream`` makes these things, ``kptv.restream`` and ``kptv.splice`` use them, and neither
side knows the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Seam:
    """The border between two pieces that were made apart, as HLS segments are."""

    goes_on: bool  # it follows without a gap: the same clock, the same pictures
    whole: bool = True  # the piece before came to its end


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole packets of one upstream, at least one."""

    data: bytes = field(repr=False)
    seam: Seam | None = None  # before ``data``; None: it goes on where the last piece ended
    flushed: bool = False  # given because the upstream is over: no sign of life
    bytes_dropped: int = 0  # since the upstream began: bytes that were in no whole packet
    sync_losses: int = 0  # since the upstream began: places where packets stopped in mid-stream

    def split(self, size: int) -> tuple[Piece, Piece | None]:
        """The first ``size`` bytes (whole packets), and the rest if there is any."""
        if len(self.data) <= size:
            return self, None
        counts = self.flushed, self.bytes_dropped, self.sync_losses
        return Piece(self.data[:size], self.seam, *counts), Piece(self.data[size:], None, *counts)


class FilmBody(Protocol):
    """An open answer whose body is a film, to be sent on to a viewer."""

    @property
    def status(self) -> int:
        """200, 206 or 416."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What to say of the entity: type, length, range, validators."""
        ...

    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None:
        """Close the connection; may come twice."""
        ...


class Upstream(Protocol):
    """One connection to a stream, from the first ``next`` until ``close``.

    Iterating waits for the next piece, and ends in one of three ways. It raises UpstreamError if
    the upstream cannot go on. It stops, with a ``film``, if the stream turns out to be one: no
    piece came before. It stops without one if a recording was played to its end.
    """

    @property
    def film(self) -> FilmBody | None:
        """The film that the stream turned out to be, until somebody takes it."""
        ...

    def take_film(self) -> FilmBody | None:
        """The ``film``, once: from now on the caller closes it."""
        ...

    def __iter__(self) -> Iterator[Piece]: ...

    def __next__(self) -> Piece: ...

    def close(self) -> None:
        """Close the connection, and a film that nobody took. May wait; may come twice."""
        ...


StreamT = TypeVar("StreamT", contravariant=True)


class StreamOpener(Protocol[StreamT]):
    """Gives the upstream of a stream, not connected yet."""

    def __call__(self, stream: StreamT, /) -> Upstream: ...


class OpenFilm(Protocol[StreamT]):
    """Gives the open answer to a request of a film, or of one ``Range`` of it.

    Raises UpstreamError, and IsLive if the stream is no film.
    """

    def __call__(self, stream: StreamT, byte_range: str | None, /) -> FilmBody: ...
