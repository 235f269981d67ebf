"""A page that is open costs little, with a thousand viewers too."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gevent
import pytest

from kptv.restream.lease import Client, Lease
from kptv.web.page.events import WHOLE_EVERY, message
from tests.web.status_rig import MARK, StatusRig

VIEWERS = 1000
SHARE = 0.02  # of a core


@pytest.fixture
def rig() -> Iterator[StatusRig]:
    rig = StatusRig()
    with gevent.Timeout(60):
        yield rig
    rig.close()


def test_the_page_takes_less_than_two_percent_of_a_core(rig: StatusRig) -> None:
    assert rig.play("News")() == MARK
    (hub,) = rig.hubs.all()
    client = Client("192.0.2.9", "VLC/3.0.18 LibVLC/3.0.18")
    viewers = [Lease(client=client) for _ in range(VIEWERS)]
    for viewer in viewers:
        hub.join(viewer)
    for _ in range(120):
        hub.gauges.read(time.monotonic(), hub.source_number)
    message("status", rig.view.status())  # what is remembered of the texts is remembered now
    begun = time.process_time()
    message("status", rig.view.status())
    for _ in range(round(WHOLE_EVERY)):
        rig.view.signature()
        message("figures", rig.view.figures())
    spent = time.process_time() - begun
    assert spent / WHOLE_EVERY < SHARE
    for viewer in viewers:
        hub.leave(viewer, time.monotonic())
