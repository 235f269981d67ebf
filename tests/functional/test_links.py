"""Links in the forms that applications make of them: served as they are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.functional.harness import Proxy
from tests.provider import Provider


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    proxy: Proxy


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[Stage]:
    one = share_provider("one")
    one.add_channel("Sky News HD", group_title="UK News")
    one.add_channel("x.ts", group_title="UK/More")
    one.add_channel("Top/24")
    one.add_channel("/odd")
    one.add_channel("a b.ts")
    one.add_channel("a+b")
    yield Stage(one, share_proxy((one, 0), BASE_URL="http://tv.example/iptv", STREAM_LINGER="0"))
    assert one.max_connections_seen <= 1


LINKS = [
    "/stream/sky-news-hd.ts",
    "/stream/sky-news-hd/",
    "/stream/SKY-NEWS-HD.TS",
    "/stream/Sky+News+HD",
    "/stream/Sky%2520News%2520HD.ts/",
    "/stream/sky-news-hd%3Ftoken=1",
    "/stream/sky-news-hd.ts?utc=1&lutc=2",
    "/stream/sky-news-hd#t=1",
    "/stream/sky-news-hd%23t",
    "/stream//sky-news-hd",
    "//stream/sky-news-hd",
    "/Stream/sky-news-hd",
    "/stream/x.ts",
    "/stream/X.TS/",
    "/stream/x.ts.ts",
    "/stream/Top%2F24",
    "/stream/Top%252F24.ts",
    "/stream/%2Fodd",
    "/stream/a+b",
]


@pytest.mark.parametrize("link", LINKS)
def test_head_knows_a_link_in_each_form(stage: Stage, link: str) -> None:
    answer = stage.proxy.get(link, method="HEAD")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "video/mp2t")


@pytest.mark.parametrize(
    "link", ["/stream/sky-news-hd.ts", "//stream//SKY+NEWS+HD/?x", "/STREAM/x.ts", "/stream/%2Fodd"]
)
def test_a_link_in_each_form_plays(stage: Stage, link: str) -> None:
    with stage.proxy.viewer(link) as viewer:
        viewer.wait_for_source("one")
        assert viewer.status == 200
        assert viewer.headers["Transfer-Encoding"] is None  # it is a stream like any other
    stage.proxy.wait_idle()


PLAYLISTS = [
    "/hls/sky-news-hd.m3u8",
    "/HLS/SKY-NEWS-HD.M3U8/",
    "//hls//Sky+News+HD.m3u",
    "/hls/sky-news-hd.m3u8%3Ftoken=1",
    "/hls/Top%2F24.m3u8",
    "/hls/sky-news-hd",
    "/stream/sky-news-hd.m3u8",
    "/stream/Sky+News+HD.m3u8/",
    "/stream/x.ts.m3u8",
]


@pytest.mark.parametrize("link", PLAYLISTS)
def test_head_knows_a_playlist_in_each_form(stage: Stage, link: str) -> None:
    answer = stage.proxy.get(link, method="HEAD")
    media_type = "application/vnd.apple.mpegurl"
    assert (answer.status, answer.headers["Content-Type"]) == (200, media_type)


LISTS = [
    "/playlist.m3u8/",
    "/playlist/",
    "//playlist.m3u8",
    "/PLAYLIST.m3u",
    "/playlist.m3u8%3Ftype=m3u_plus",
    "/playlist.m3u8?type=m3u_plus&output=ts",
    "/playlist.m3u8#x",
]


@pytest.mark.parametrize("path", LISTS)
def test_the_list_is_found_in_each_form_of_its_address(stage: Stage, path: str) -> None:
    whole = stage.proxy.get("/playlist.m3u8")
    answer = stage.proxy.get(path)
    assert (answer.status, answer.body) == (200, whole.body)
    head = stage.proxy.get(path, method="HEAD")
    assert (head.status, head.headers["ETag"]) == (200, whole.headers["ETag"])


@pytest.mark.parametrize(
    "path",
    [
        "/UK+News/playlist.m3u8",
        "/uk+news/playlist.m3u8/",
        "/UK-NEWS/playlist.m3u8",
        "/UK%2520News/playlist",
        "/uk-news/playlist.m3u",
        "//UK%20News//playlist.m3u8",
    ],
)
def test_a_group_is_found_in_each_form_of_its_address(stage: Stage, path: str) -> None:
    assert list(stage.proxy.playlist(path)) == ["Sky News HD"]
    assert list(stage.proxy.playlist("/UK%252FMore/playlist.m3u8")) == ["x.ts"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/stream/a+b.ts", "Which channel? Ask for /stream/a-b~"),
        ("/stream/nothing.m3u8", "No such channel; /playlist.m3u8 lists all there are."),
        ("/hls/nothing.m3u8", "No such channel; /playlist.m3u8 lists all there are."),
        ("/hls/a+b.ts", "Which channel? Ask for /hls/a-b~"),
        ("/stream/nothing.ts", "No such channel; /playlist.m3u8 lists all there are."),
        ("/stream/", "No such channel; /playlist.m3u8 lists all there are."),
        ("/nothing/playlist.m3u8/", "No such group; /playlist.m3u8 lists all channels."),
    ],
)
def test_what_cannot_be_served_is_told_what_to_ask_for(stage: Stage, path: str, told: str) -> None:
    answer = stage.proxy.get(path)
    assert answer.status == 404
    assert told in answer.text
    assert len(answer.text.splitlines()) == 1
    assert stage.proxy.get(path, method="HEAD").status == 404
