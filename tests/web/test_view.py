"""What people are shown of a channel that plays."""

from __future__ import annotations

from time import monotonic

from kptv.web.page.hub_view import media_of
from tests.restream.test_hub import NEWS, ONE, Rig, hub_of


def test_while_viewers_get_the_slate_nothing_is_said_of_its_codecs() -> None:
    rig = Rig()
    rig.upstreams.feed(ONE, b"a")
    assert rig.viewer(NEWS).next() == b"a"
    output = hub_of(rig).output
    assert media_of(output)["codecs"] == ["aac"]
    now = monotonic()
    output.close(now)
    output.tick(now + 60)
    assert media_of(output) == {"slate": True}
    rig.hubs.close()
