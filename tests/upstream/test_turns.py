"""What is there at once is read without a wait: others have their turn all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from kptv.channels.model import Source
from kptv.metrics.counters import Metrics
from kptv.ports import FilmBody
from kptv.restream.film import Film
from kptv.restream.lease import Lease
from kptv.restream.slots import LocalSlots
from kptv.upstream.channel_list import channel_list
from kptv.upstream.documents import Edition, read_document
from kptv.upstream.hls.requester import read_all

CHUNKS = 60_000  # of a byte: 0.1 s of work


class Body:
    """A body in chunks of a byte that are all there."""

    status = 200
    headers = {"Content-Type": "video/mp4"}  # noqa: RUF012

    def __init__(self) -> None:
        self._left = CHUNKS
        self.raw = self

    def read1(self, _: int, **__: object) -> bytes:
        self._left -= 1
        return b"#" if self._left >= 0 else b""

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read1(1), b"")

    def close(self) -> None:
        pass


def _playlist() -> None:
    read_all(cast(Any, Body()), CHUNKS)


def _list() -> None:
    source = Source(1, "http://a.example/", 1)
    read_document(channel_list(source), Edition(source.url), iter((b"#EXTM3U", *Body())))


def _film() -> None:
    source = Source(1, "http://a.example/", 0)
    slot = LocalSlots([source]).try_acquire(source)
    assert slot is not None
    counters = Metrics().open("film")
    film = Film(cast(FilmBody, Body()), slot, Lease(), {}, counters, on_close=lambda film: None)
    for _ in film:
        pass
    film.close()


@pytest.mark.parametrize("read", [_playlist, _list, _film])
def test_a_body_in_chunks_of_a_byte_gives_turns(read: Callable[[], None]) -> None:
    turns = SimpleNamespace(count=0)

    def others() -> None:
        while True:
            gevent.sleep(0.001)
            turns.count += 1

    greenlet = gevent.spawn(others)
    gevent.sleep(0.01)
    turns.count = 0
    read()
    greenlet.kill()
    assert turns.count >= 5
