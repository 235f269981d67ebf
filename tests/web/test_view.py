"""What people are shown of a channel that plays."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from types import SimpleNamespace
from typing import Any

from kptv.web.page.hub_view import media_of
from tests.restream.test_hub import NEWS, ONE, Rig, hub_of


def test_while_viewers_get_the_slate_nothing_is_said_of_its_codecs() -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"a")
    assert rig.viewer(NEWS).next() == b"a"
    output = hub_of(rig).output
    assert media_of(output)["codecs"] == ["aac"]
    assert media_of(output)["remarks"] == []
    now = monotonic()
    output.close(now)
    output.tick(now + 60)
    assert media_of(output) == {"slate": True}
    rig.hubs.close()


def test_what_some_players_cannot_have_is_told_of_each_codec() -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"a")
    assert rig.viewer(NEWS).next() == b"a"
    stats = replace(hub_of(rig).output.stats, codecs=("mpeg2video", "mp2"))
    output: Any = SimpleNamespace(on_slate=False, sending=True, stats=stats)
    pictures, sound = media_of(output)["remarks"]
    assert "MPEG-2 video" in pictures
    assert "layer II" in sound
    rig.hubs.close()
