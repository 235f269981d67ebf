"""How an upstream ends: played to its end, failed, or a film that somebody must close."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from kptv.errors import Reason, UpstreamError
from kptv.ports import Piece, Upstream
from kptv.upstream.opened import OpenedUpstream, Pieces
from tests.upstreams import film_of, upstream_of

PIECE = Piece(b"G" * 188)


class Film:
    status = 200
    headers = {"Content-Type": "video/mp4"}  # noqa: RUF012

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"film"

    def close(self) -> None:
        self.closed += 1


def test_a_recording_ends_without_a_film() -> None:
    upstream: Upstream = upstream_of(PIECE, PIECE)
    assert list(upstream) == [PIECE, PIECE]
    assert next(upstream, None) is None
    assert upstream.film is upstream.take_film() is None
    upstream.close()


def test_a_film_is_taken_once_and_then_closed_by_whoever_has_it() -> None:
    film = Film()
    upstream = upstream_of(film=film)
    assert upstream.film is None, "nobody has asked yet"
    assert film_of(upstream) is film
    assert upstream.take_film() is None
    upstream.close()
    assert film.closed == 0


def test_a_film_that_nobody_takes_is_closed_with_its_upstream_once() -> None:
    film = Film()
    upstream = upstream_of(film=film)
    for _ in range(2):  # however often it is asked
        assert next(upstream, None) is None
        assert upstream.film is film
    upstream.close()
    upstream.close()
    assert film.closed == 1
    assert upstream.film is None


def test_a_film_is_closed_also_if_the_connection_cannot_be_closed() -> None:
    class Stuck:
        def __next__(self) -> Piece:
            raise StopIteration(film)

        def close(self) -> None:
            raise OSError

    film = Film()
    upstream = OpenedUpstream(Stuck())  # type: ignore[arg-type]
    assert next(upstream, None) is None
    with pytest.raises(OSError):  # noqa: PT011
        upstream.close()
    assert film.closed == 1


def test_what_ends_it_is_raised_and_leaves_no_film() -> None:
    def failing() -> Pieces:
        yield PIECE
        raise UpstreamError(Reason.RESET)

    upstream = OpenedUpstream(failing())
    assert next(upstream) == PIECE
    with pytest.raises(UpstreamError) as caught:
        next(upstream)
    assert caught.value.reason is Reason.RESET
    assert upstream.film is None
    assert next(upstream, None) is None


@pytest.mark.parametrize("begun", [False, True])
def test_nothing_is_connected_before_the_first_piece_and_close_ends_what_is(begun: bool) -> None:
    events = []

    def connecting() -> Pieces:
        events.append("connected")
        try:
            while True:
                yield PIECE
        finally:
            events.append("closed")

    upstream = OpenedUpstream(connecting())
    if begun:
        next(upstream)
    upstream.close()
    upstream.close()
    assert events == (["connected", "closed"] if begun else [])


def test_who_is_killed_while_a_piece_is_waited_for_leaves_nothing_open() -> None:
    events = []

    def waiting() -> Pieces:
        try:
            gevent.sleep(10)
            yield PIECE
        finally:
            events.append("closed")
        return None

    upstream = OpenedUpstream(waiting())
    greenlet = gevent.spawn(next, upstream)
    gevent.sleep(0)
    greenlet.kill()
    assert events == ["closed"]
    upstream.close()
