"""Answers of `/stream/…` that cannot be given: nothing of them may stay open."""

from __future__ import annotations

import gevent
import pytest
from flask import Flask

from kptv.channels.model import Channel
from kptv.errors import IsFile
from kptv.web.stream import stream_blueprint
from tests.restream.test_hub import NEWS, SOURCES, FakeFile, Rig, until


class OneChannel:
    """A catalog that has NEWS."""

    def find(self, identifier: str) -> Channel | None:
        return NEWS if identifier == NEWS.slug else None


class Unsendable(FakeFile):
    headers = {"Content-Type": "video/mp4", "ETag": "a\r\nb"}  # noqa: RUF012


def test_a_header_that_cannot_be_sent_leaves_no_slot_taken() -> None:
    rig, file = Rig(), Unsendable()

    def is_file(stream: object) -> None:
        raise IsFile(file)

    rig.upstreams.opening = is_file
    app = Flask(__name__)
    app.testing = True
    catalog = OneChannel()
    app.register_blueprint(stream_blueprint(lambda: catalog, rig.hubs))  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match="newline"), gevent.Timeout(10):
        app.test_client().get("/stream/news")
    assert file.closed == 1
    until(lambda: not any(map(rig.hubs.limits.in_use, SOURCES)))
    rig.hubs.close()
