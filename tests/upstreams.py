"""What comes of an upstream, for tests."""

from __future__ import annotations

from collections.abc import Iterable

from kptv.ports import FilmBody, Piece, Upstream
from kptv.upstream.opened import OpenedUpstream, Pieces


def data_of(pieces: Iterable[Piece]) -> bytes:
    """All their packets."""
    return b"".join(piece.data for piece in pieces)


def film_of(upstream: Upstream) -> FilmBody:
    """The film that it turns out to be; the caller closes it."""
    assert next(upstream, None) is None
    film = upstream.take_film()
    assert film is not None
    return film


def upstream_of(*pieces: Piece, film: FilmBody | None = None) -> OpenedUpstream:
    """An upstream that gives these, and ends."""

    def give() -> Pieces:
        yield from pieces
        return film

    return OpenedUpstream(give())
