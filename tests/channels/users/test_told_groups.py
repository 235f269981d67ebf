"""A list for somebody who may see some groups names no others."""

from __future__ import annotations

import pytest

from kptv.channels.served import render
from kptv.channels.users.told_groups import only_groups
from tests.web.test_playlist import catalog_of

LIST = """#EXTM3U
#EXTINF:-1 tvg-id="n" group-title="News;Adult",One
http://a/1
#EXTINF:-1 group-title="NEWS",Two
http://a/2
#EXTINF:-1,Three
http://a/3
"""


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "in pieces"])
def test_only_the_groups_that_are_allowed_are_named(cut: bool) -> None:
    text = b"".join(render(catalog_of(LIST), "http://tv.example"))
    pieces = [line + b"\n" for line in text.splitlines()] if cut else [text]
    told = b"".join(only_groups(iter(pieces), {"news"})).decode()
    assert told == text.decode().replace("News;Adult", "News")
    assert "Adult" in text.decode()


def test_a_channel_in_none_of_them_names_none() -> None:
    text = b'#EXTINF:-1 tvg-id="n" group-title="Adult" x="1",One\n'
    assert b"".join(only_groups(iter([text]), {"news"})) == b'#EXTINF:-1 tvg-id="n" x="1",One\n'
