"""Our links as applications write them."""

from __future__ import annotations

import time
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.grouping import slug_of
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source
from kptv.channels.packing import pack
from kptv.formats.m3u import ListParser
from kptv.pace import drive
from kptv.web.players.links import Ambiguous, meant, meant_path, without_playlist

NAMES = ["News", "Sky News HD", "BBC One +1", "x", "x.ts", "a+b", "Top/24", "100% Hits", "A B"]
NAMES += ["Canal+ Sport HD", "Channel #1", "What?"]


def catalog_of(*names: str) -> Catalog:
    lines = [line for name in names for line in (f"#EXTINF:-1,{name}", f"http://a/{name}")]
    records = [pack(1, entry) for entry in ListParser().feed(lines)]
    return drive(build_catalog([Listing(Source(1, "http://a/list", 1), [records])]))


CATALOG = catalog_of(*NAMES)


def name_of(text: str, catalog: Catalog = CATALOG) -> str:
    channel = meant(text, catalog.find)
    return channel.name if channel else ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("news.ts", "News"),
        ("News.TS", "News"),
        ("news.ts/", "News"),
        ("news/.ts", "News"),
        ("news/", "News"),
        ("/news", "News"),
        ("//news//", "News"),
        ("news.mkv", "News"),
        ("NEWS.mpegts", "News"),
        ("sky-news-hd.ts", "Sky News HD"),
        ("SKY-NEWS-HD", "Sky News HD"),
        ("Sky-News-HD.ts", "Sky News HD"),
        ("Sky+News+HD", "Sky News HD"),
        ("sky+news+hd.ts", "Sky News HD"),
        ("Sky%20News%20HD", "Sky News HD"),
        ("Sky%2520News%2520HD.ts", "Sky News HD"),
        ("news?token=1", "News"),
        ("news.ts?a=b", "News"),
        ("news#t=10", "News"),
        ("news.ts#", "News"),
        ("news&utc=1&lutc=2", "News"),
        ("news;jsessionid=1", "News"),
        ("news|User-Agent=VLC", "News"),
        ("news%3Fa=b", "News"),
        ("Top/24", "Top/24"),
        ("Top%2F24.ts", "Top/24"),
        ("Top%252F24", "Top/24"),
        ("Top//24", "Top/24"),
        ("100% Hits.ts", "100% Hits"),
        ("100%25 Hits", "100% Hits"),
        ("BBC One +1.ts", "BBC One +1"),
        ("BBC%20One%20%2B1", "BBC One +1"),
        ("x", "x"),
        ("x.ts", "x.ts"),
        ("X.TS", "x.ts"),
        ("x.ts.ts", "x.ts"),
        ("sky-news-hd.ts.ts", "Sky News HD"),
        ("sky-news-hd ", "Sky News HD"),
        ("sky-news-hd.ts%20", "Sky News HD"),
        ("sky-news-hd/ ?a=b", "Sky News HD"),
        ("a+b", "a+b"),
        ("a+b.ts", "a+b"),
        ("a b", "A B"),
        ("Canal++Sport+HD", "Canal+ Sport HD"),  # %2B, as the server decodes it
        ("canal++sport+hd.ts", "Canal+ Sport HD"),
        ("BBC+One++1.ts", "BBC One +1"),
        ("Channel #1.ts", "Channel #1"),
        ("Channel+#1.TS/", "Channel #1"),
        ("What?.ts", "What?"),
        ("What?.ts?a=b", ""),
        ("nothing.ts", ""),
        ("", ""),
        ("/", ""),
        (".ts", ""),
        ("?", ""),
    ],
)
def test_a_link_is_read_as_it_is_meant(text: str, name: str) -> None:
    assert name_of(text) == name


@pytest.mark.parametrize("suffix", ["", ".ts", "/", ".ts/", "?a=1", "#x", "&a=1", ".TS?a=b"])
@pytest.mark.parametrize(
    "name", [name for name in NAMES if name != "x"]
)  # x.ts is the name of another one
def test_a_slug_may_have_anything_appended_and_be_in_upper_case(name: str, suffix: str) -> None:
    for slug in (slug_of(name), slug_of(name).upper()):
        assert name_of(slug + suffix) == name
        assert name_of(quote(slug + suffix, safe="")) == name


def test_the_link_of_a_channel_wins_over_what_another_ones_may_mean() -> None:
    catalog = catalog_of("News", "News.ts", "News/", "news?a=1", "News%20", "a b", "a+b")
    for name in ("News", "News.ts", "News/", "news?a=1", "News%20", "a b", "a+b"):
        assert name_of(name, catalog) == name
        assert name_of(slug_of(name), catalog) == name


def test_a_name_that_may_be_two_channels_is_none() -> None:
    catalog = catalog_of("a b.ts", "a+b")
    with pytest.raises(Ambiguous) as told:
        meant("a+b.ts", catalog.find)
    assert [channel.name for channel in told.value.found] == ["a+b", "a b.ts"]  # type: ignore[attr-defined]
    assert name_of("a+b", catalog) == "a+b"


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("news.m3u8", "news"),
        ("News.M3U8", "News"),
        ("news.m3u", "news"),
        ("news.m3u8/", "news"),
        ("news.m3u8?a=b", "news"),
        ("news.ts", None),
        (".m3u8", None),
        ("news", None),
    ],
)
def test_a_client_that_appends_m3u8_wants_hls(text: str, stem: str | None) -> None:
    assert without_playlist(text) == stem


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("/playlist.m3u8", "/playlist.m3u8"),
        ("/playlist.m3u8/", "/playlist.m3u8"),
        ("/playlist/", "/playlist.m3u8"),
        ("/playlist.m3u//", "/playlist.m3u8"),
        ("//playlist.m3u8", "/playlist.m3u8"),
        ("/PLAYLIST.M3U8", "/playlist.m3u8"),
        ("/playlist.m3u8?type=m3u_plus", "/playlist.m3u8"),
        ("/playlist.m3u8#x", "/playlist.m3u8"),
        ("/playlist.m3u8&type=m3u", "/playlist.m3u8"),
        ("/UK+News/playlist.m3u8/", "/UK+News/playlist.m3u8"),
        ("/UK//playlist", "/UK//playlist.m3u8"),
        ("/a/b/playlist.m3u", "/a/b/playlist.m3u8"),
        ("//stream//news", "/stream//news"),
        ("/Stream/news", "/stream/news"),
        ("/stream/playlist/", "/stream/playlist/"),
        ("/stream/a/playlist.m3u8/", "/stream/a/playlist.m3u8/"),
        ("/api/playlist", "/api/playlist"),
        ("/playlists", "/playlists"),
        ("/my-playlist.m3u8", "/my-playlist.m3u8"),
        ("/playlist.m3u8x", "/playlist.m3u8x"),
        ("/", "/"),
        ("", "/"),
        ("metrics", "/metrics"),
        ("stream/news", "/stream/news"),
        ("playlist", "/playlist.m3u8"),
        ("/streams/news", "/streams/news"),
    ],
)
def test_a_path_is_read_as_it_is_meant(path: str, meaning: str) -> None:
    assert meant_path(path) == meaning
    assert meant_path(meaning) == meaning


@given(st.text(alphabet="ab/.ts+%2F?#&=|\u0130~ ", max_size=40))
def test_no_text_is_too_odd(text: str) -> None:
    with suppress(Ambiguous):
        meant(text, CATALOG.find)
    meant_path(f"/{text}")
    without_playlist(text)


@pytest.mark.parametrize(
    "text", ["%25" * 330, "a+" * 490, "/playlist" * 900, "\u0130?+%2541/.ts" * 60, "x" * 8000]
)
def test_a_long_text_costs_little(text: str) -> None:
    begun = time.process_time()
    for _ in range(10):
        meant(text, CATALOG.find)
        meant_path(f"/{text}x")
    assert time.process_time() - begun < 3
