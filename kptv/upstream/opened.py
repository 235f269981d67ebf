"""An upstream whose pieces are made by a generator."""

from __future__ import annotations

from collections.abc import Generator

from kptv.ports import FilmBody, Piece

# What the generator returns is the film that the stream turned out to be, instead of any piece.
Pieces = Generator[Piece, None, FilmBody | None]


class OpenedUpstream:
    """The upstream (see ``ports.Upstream``) that a generator plays; connects at the first piece."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self.film: FilmBody | None = None

    def take_film(self) -> FilmBody | None:
        """The film, once: from now on the caller closes it."""
        film, self.film = self.film, None
        return film

    def __iter__(self) -> OpenedUpstream:
        return self

    def __next__(self) -> Piece:
        try:
            return next(self._pieces)
        except StopIteration as end:
            self.film = end.value or self.film  # asked once more, it has none to give
            raise

    def close(self) -> None:
        """Close the connection, and a film that nobody took. May wait; may come twice."""
        try:
            self._pieces.close()
        finally:
            if film := self.take_film():
                film.close()
