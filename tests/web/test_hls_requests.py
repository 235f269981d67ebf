"""What requests for HLS ask for, and how many of them may wait."""

from __future__ import annotations

from contextlib import ExitStack
from urllib.parse import urljoin

import pytest

from kptv.web.credentials import in_live_path
from kptv.web.players.hls_requests import (
    AskedSegment,
    BadDirective,
    awaited_in,
    segment_in,
    shows_in_path,
    way_up,
)
from kptv.web.players.holds import MOST_MORE, MOST_OF_ADDRESS, MOST_OF_VIEWER, Holds
from kptv.web.players.segment_keys import SegmentKeys

KEY = "0123456789abcdef0123"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("news/1764180000.ts", AskedSegment("news", "", 1764180000)),
        (f"news/{KEY}/7.ts", AskedSegment("news", KEY, 7)),
        ("bbc-one-1~0a1b2c/7.ts", AskedSegment("bbc-one-1~0a1b2c", "", 7)),
        ("news.m3u8", None),
        ("news/-7.ts", None),
        ("news/+7.ts", None),
        ("news/7", None),
        ("news/7.ts\n", None),
        ("news/\u0667.ts", None),  # seven, in Arabic
        ("news/7.ts/", None),
        ("/7.ts", None),
        ("news/" + "7" * 200 + ".ts", None),
        (f"news/{KEY[1:]}/7.ts", None),
        (f"news/{KEY.upper()}/7.ts", None),
        (f"news/{KEY}/{KEY}/7.ts", None),
        ("top/more/7.ts", None),
        ("", None),
    ],
)
def test_an_address_names_a_segment_or_none(path: str, asked: AskedSegment | None) -> None:
    assert segment_in(path) == asked


def test_a_segments_address_is_no_login() -> None:
    """As ``/NAME/SECRET/ID.ts`` is one, in Xtream's protocol."""
    assert in_live_path("/hls/news/1764180000.ts") is None
    assert in_live_path(f"/hls/news/{KEY}/1764180000.ts") is None


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({}, None),
        ({"_HLS_msn": "12"}, 12),
        ({"_HLS_msn": "12", "_HLS_part": "3"}, 12),
        ({"_HLS_msn": "0", "_HLS_skip": "YES"}, 0),
        ({"other": "x"}, None),
    ],
    ids=str,
)
def test_a_query_says_what_a_playlist_is_to_have(query: dict[str, str], number: object) -> None:
    assert awaited_in(query) == number


@pytest.mark.parametrize(
    "text", ["", " 1", "-1", "+1", "1.0", "x", "\u0667", "0x10", "1e3", "7" * 200, "7" * 21]
)
def test_a_query_that_asks_for_no_number_is_bad(text: str) -> None:
    with pytest.raises(BadDirective):
        awaited_in({"_HLS_msn": text})


def test_a_part_of_no_segment_is_bad() -> None:
    with pytest.raises(BadDirective):
        awaited_in({"_HLS_part": "1"})


@pytest.mark.parametrize(
    ("address", "path", "root"),
    [
        ("/hls/news.m3u8", "/hls/", "/"),
        ("/hls/news.m3u8?a=/b/c", "/hls/", "/"),
        ("/hls/Top/24.m3u8", "/hls/", "/"),
        ("/hls/Top%2F24.m3u8", "/hls/", "/"),
        ("/hls/Top%2F24.m3u8/", "/hls/", "/"),
        ("/HLS/news.m3u8", "/hls/", "/"),
        ("/u/SECRET/hls/news.m3u8", "/hls/", "/u/SECRET/"),
        ("/iptv/u/SECRET/hls/a/b/c.m3u8", "/hls/", "/iptv/u/SECRET/"),
        ("/stream/news.m3u8", "/stream/", "/"),
        ("http://tv.example/iptv/stream/hls/x.m3u8", "/stream/", "/iptv/"),
        ("/hls//news.m3u8", "/hls/", "/"),
        ("/h%6cs/news.m3u8", "/hls/", "/"),
    ],
)
def test_the_way_up_leads_from_an_address_as_clients_see_it(
    address: str, path: str, root: str
) -> None:
    playlist = urljoin("http://tv.example/", address)
    assert urljoin(playlist, way_up(address, path)) == f"http://tv.example{root}"


@pytest.mark.parametrize(
    ("address", "is_shown"),
    [
        ("/u/SECRET/hls/news.m3u8", True),
        ("/iptv/u//SECRET/hls/news.m3u8", True),
        ("/u/anna:SECRET/live/a/b/1.m3u8", True),
        ("/u/anna%3ASECRET/hls/news.m3u8", True),
        ("/live/anna/SECRET/1.m3u8", False),
        ("/hls/news.m3u8?username=u&password=/u/SECRET", False),
        ("/u/OTHER/hls/news.m3u8", False),
    ],
)
def test_a_secret_that_links_of_the_same_folder_have_is_known(address: str, is_shown: bool) -> None:
    assert shows_in_path(address, "SECRET") is is_shown


def test_keys_are_there_while_a_login_is_needed_and_change_every_ten_minutes() -> None:
    needed = True
    keys = SegmentKeys(lambda: needed, b"secret")
    assert keys.of("news", 600.0) == keys.of("news", 1199.9)
    different = {keys.of("news", 600.0), keys.of("news", 1200.0), keys.of("sport", 600.0)}
    assert len(different) == 3
    assert all(segment_in(f"news/{key}/1.ts") for key in different)
    assert keys.of("news", 600.0) != SegmentKeys(lambda: True).of("news", 600.0)
    needed = False
    assert keys.of("news", 600.0) == ""


def test_so_many_may_wait_of_one_viewer_and_of_one_address() -> None:
    holds = Holds()
    with ExitStack() as waiting:
        for number in range(500):
            may_wait = waiting.enter_context(holds.one("anna", "192.0.2.1"))
            assert may_wait is (number < MOST_OF_VIEWER)
        assert len(holds) == MOST_OF_VIEWER
        others = [waiting.enter_context(holds.one(n, "192.0.2.1")) for n in range(500)]
        assert sum(others) == MOST_OF_ADDRESS - MOST_OF_VIEWER
        assert waiting.enter_context(holds.one("bert", "192.0.2.2"))
    assert len(holds) == 0
    assert repr(Holds()) == repr(holds)


def test_each_viewer_may_wait_once_however_many_wait_more_often() -> None:
    holds = Holds()
    with ExitStack() as waiting:
        held = [
            waiting.enter_context(holds.one(viewer, f"192.0.2.{viewer}"))
            for viewer in range(MOST_MORE)
            for _ in range(MOST_OF_VIEWER)
        ]
        assert sum(held) == 2 * MOST_MORE
    assert len(holds) == 0
    with pytest.raises(ZeroDivisionError), holds.one("anna", "192.0.2.1"):
        _ = 1 / 0
    assert len(holds) == 0
