"""Lists for players of HLS: which link each channel has."""

from __future__ import annotations

import pytest

from kptv.channels.hls_links import hls_link, is_film
from kptv.channels.served import PIECE, render
from tests.channels.test_served import catalog_of

BASE = "http://proxy/iptv"


def links_of(*lists: str) -> list[str]:
    text = b"".join(render(catalog_of(*lists), BASE, link=hls_link(BASE))).decode()
    return text.splitlines()[2::2]


@pytest.mark.parametrize(
    "url",
    [
        "http://a/1",
        "http://a/live/u/p/1.ts",
        "http://a/u/p/1",
        "http://a/x.m3u8?file=film.mp4",
        "http://a/radio.mp3",
        "http://a/radio.aac",
        "http://a/live.flv",
        "http://a/film.mp4/index.m3u8",
        "http://a/movie/index",
        "http://a/movie/u/p/1.m3u8",
        "http://a/series/u/p/1.ts?token=1",
        "http://a/movie/u/p/channel",
        "rtsp://a/movie",
        "udp://@239.0.0.1:1234",
        "mp4",
    ],
)
def test_a_live_channel_and_radio_lead_to_a_playlist(url: str) -> None:
    assert links_of(f'#EXTINF:-1 group-title="UK",BBC One\n{url}') == [f"{BASE}/hls/bbc-one.m3u8"]


@pytest.mark.parametrize(
    "url",
    [
        "http://a/film.mp4",
        "http://a/Film.MKV?token=1",
        "http://a/x.avi",
        "http://a/x.mov",
        "http://a/x.m4v",
        "http://a/x.wmv",
        "http://a/movie/u/p/1.mpg",
        "http://a:8080/panel/series/u/p/123?x=/live/",
    ],
)
def test_a_film_leads_to_its_file(url: str) -> None:
    assert links_of(f"#EXTINF:-1,BBC One\n{url}") == [f"{BASE}/stream/bbc-one"]


def test_a_channel_that_is_called_as_lists_are_keeps_a_link_that_is_its_own() -> None:
    assert links_of("#EXTINF:-1,Playlist\nhttp://a/1") == [f"{BASE}/stream/playlist"]


def test_a_channel_is_a_film_if_all_its_streams_are() -> None:
    film, live = "#EXTINF:-1,A\nhttp://a/1.mp4", "#EXTINF:-1,A\nhttp://b/1.ts"
    assert links_of(film, film.replace("mp4", "mkv")) == [f"{BASE}/stream/a"]
    for both in (film, live), (live, film):
        assert links_of(*both) == [f"{BASE}/hls/a.m3u8"]
        [row] = catalog_of(*both).blocks()[0].rows
        assert not is_film(row)


def test_nothing_but_the_links_is_another() -> None:
    text = "".join(
        f'#EXTINF:-1 tvg-id="i{n}" tvg-logo="http://a/{n}.png" x="/stream/",CH {n}\n'
        f"http://a/{n}{'.mp4' if n % 7 == 0 else ''}\n"
        for n in range(3 * PIECE + 5)
    )
    catalog = catalog_of(text)
    some = [*range(len(catalog) - 1, 0, -3)]
    for positions, numbers in (None, None), (some, range(len(some))):
        usual, other = (
            b"".join(render(catalog, BASE, positions, numbers, "http://guide", link=link))
            .decode()
            .splitlines()
            for link in (None, hls_link(BASE))
        )
        assert other[:1] + other[1::2] == usual[:1] + usual[1::2]
        expected = [
            line
            if int(line.rpartition("-")[2]) % 7 == 0
            else f"{line.replace('/stream/', '/hls/')}.m3u8"
            for line in usual[2::2]
        ]
        assert other[2::2] == expected
