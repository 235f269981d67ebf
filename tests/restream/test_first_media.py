"""The first media of a channel goes out as soon as viewers can make a picture of it."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from kptv.channels.model import Channel, Source, Stream
from kptv.config import Config
from kptv.ports import FilmBody, Piece
from kptv.restream import gathering
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Lease
from kptv.restream.playing import Playing
from kptv.upstream.opened import OpenedUpstream, Pieces
from tests.formats.ts_maker import Maker
from tests.shared import shared

SOURCE = Source(1, "http://one/", 1)
NEWS = Channel("news", "News", (Stream(SOURCE, "http://one/1.ts"),))
PACKET = 188


def no_film(stream: Stream, byte_range: str | None) -> FilmBody:
    raise AssertionError


def test_a_keyframe_that_comes_in_parts_is_not_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SMALL_TICK", "LARGE_TICK"):
        monkeypatch.setattr(gathering, name, 1000.0)  # seconds
    maker = Maker(audio=None, size=4000)
    begins = len(maker.tables()) + PACKET  # the tables, and the keyframe's first packet
    media = maker.pictures(2)

    def pieces() -> Pieces:
        yield Piece(media[:begins])
        for at in range(begins, len(media), PACKET):
            yield Piece(media[at : at + PACKET])
        Event().wait()
        return None

    hubs = Hubs(shared(Config(sources=(SOURCE,))), lambda stream: OpenedUpstream(pieces()), no_film)
    with gevent.Timeout(10):
        playing = hubs.start(NEWS, Lease())
        assert isinstance(playing, Playing)
        first = next(iter(playing))
    playing.close()
    hubs.close()
    picture = [at for at in range(0, len(first), PACKET) if first[at + 1] & 0x1F == 1]
    assert len(picture) * 184 > 4000  # all of the keyframe
