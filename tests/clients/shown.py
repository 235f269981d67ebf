"""Kodi shows and plays what we serve: `make clients`. Needs kodi, kodi-pvr-iptvsimple and xvfb
(`apt install --no-install-recommends` is enough).

First it reads what `formats.xmltv.writing` writes, then the proxy's own list and guide.
"""

from __future__ import annotations

import gzip
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import kptv.demo
from kptv.formats.xmltv.writing import FOOTER, HEADER, channel, programme, title_xml
from tests.clients.kodi import Kodi, Show
from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

pytestmark = pytest.mark.timeout(300)

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

HOUR = 3600
SHOWS = 30  # of an hour, the first one before now
MORE = (
    b"<sub-title>Its &lt;name&gt;</sub-title><desc>What &amp; who</desc>"
    b"<category>News</category><category>Local</category><episode-num>S2E5</episode-num>"
)
NAMES = {"News.uk": "News", "films & more": 'Films "& more" <1>', "kino.рф": "Кино 📺"}


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    """A proof that is skipped proves nothing."""
    missing = [name for name in ("kodi", "Xvfb") if shutil.which(name) is None]
    assert not missing, f"not installed: {missing}"


@pytest.fixture
def first() -> int:
    """When the show before the present one began, which goes on for half an hour."""
    return int(time.time()) // 60 * 60 - HOUR * 3 // 2


def guide(names: Mapping[str, str], first: int) -> bytes:
    parts = [HEADER, *(channel(guide_id, [name]) for guide_id, name in names.items())]
    for guide_id, name in names.items():
        for number in range(SHOWS):
            start, xml = first + number * HOUR, title_xml(f"{number} of {name}") + MORE
            parts.append(programme(guide_id, start, start + HOUR, xml))
    return b"".join([*parts, FOOTER])


def show(number: int, name: str, first: int) -> Show:
    """What Kodi should tell of it."""
    start = first + number * HOUR
    return Show(
        title=f"{number} of {name}",
        start=start,
        stop=start + HOUR,
        plot="What & who",
        episode="Its <name>",
        number=5,
        genres=("News", "Local"),
    )


def test_kodi_reads_every_show_that_is_written(
    start_provider: StartProvider, tmp_path: Path, first: int
) -> None:
    one = start_provider("one")
    packed = gzip.compress(guide(NAMES, first))
    address = one.add_file("/epg.xml.gz", packed, "application/gzip").url
    lines = [f'#EXTM3U x-tvg-url="{address}" url-tvg="{address}"']
    for number, (guide_id, name) in enumerate(NAMES.items(), 7):
        lines += (f'#EXTINF:-1 tvg-id="{guide_id}" tvg-chno="{number * 10}",{name}', one.list_url)
    played = one.add_file("/list.m3u8", "\n".join([*lines, ""]).encode(), "audio/x-mpegurl")
    with Kodi(tmp_path, played.url) as kodi:
        found = kodi.wait_for_shows(NAMES.values())
        assert {name: each.number for name, each in found.items()} == {
            name: number * 10 for number, name in enumerate(NAMES.values(), 7)
        }
        for name, each in found.items():
            assert each.now == show(1, name, first)
            assert each.next == show(2, name, first)
            shows = [show(number, name, first) for number in range(SHOWS)]
            assert kodi.shows(each) == shows


# As providers write: not the names and ids of the guide, whose shows have another zone and no stop.
LIST = (
    ("UK: News HD", "News.UK", "News"),
    ("Films & More", "", "Films"),
    ("Quiet", "nobody", "News"),
    ("Twin A", "twin", "News"),
    ("Twin B", "twin", "News"),
)
RULES = """
[names]
clean = ["prefixes", "quality"]
[numbers]
News = 200
[channel."Films & More"]
number = 7
"""
JOINED = {"News": "news.uk", "Films & More": "4711", "Twin A": "twin", "Twin B": "twin"}
NUMBERS = {"Films & More": 7, "News": 200, "Quiet": 201, "Twin A": 202, "Twin B": 203}
WRITTEN = """<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE tv SYSTEM "xmltv.dtd">
<tv><channel id="news.uk"><display-name>News</display-name></channel>
<channel id="4711"><display-name>Films &amp; More HD</display-name></channel>
<channel id="twin"><display-name>Twin</display-name></channel>
{shows}</tv>
"""
ZONE = HOUR  # by which the guide's times are ahead


def in_zone(seconds: int) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(seconds + ZONE)) + " +0100"


def wild_guide(first: int) -> bytes:
    """Of this Kodi by itself would read nothing: no show has a stop, and one is broken."""
    shows = [
        f'<programme start="{in_zone(first + number * HOUR)}" channel="{guide_id}">'
        f"<title>{number} à {guide_id}</title><episode-num>S1E{number}</episode-num></programme>"
        for guide_id in ("news.uk", "4711", "twin")
        for number in range(SHOWS)
    ]
    broken = f'<programme start="{in_zone(first)}" channel="4711"><title>Bad & worse</programme>'
    shows.insert(SHOWS // 2, broken)
    return WRITTEN.format(shows="\n".join(shows)).encode("latin-1")


def test_kodi_shows_and_plays_what_is_on_from_the_proxys_own_list(
    start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path, first: int
) -> None:
    one = start_provider("one", limit=1)
    for name, tvg_id, group in LIST:
        stream = one.add_channel(name, tvg_id=tvg_id, group_title=group)
        stream.play_clip(Path(kptv.demo.__file__).parent / "data" / "one-card.ts")
    named = one.add_file("/guide", wild_guide(first), "application/octet-stream")
    one.list.head = f'#EXTM3U x-tvg-url="{named.url}"'
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    proxy = start_proxy((one, 1), RULES=str(rules))
    eventually(lambda: proxy.metrics().value("iptv_proxy_guide_shows") == 4 * SHOWS, 30)
    with Kodi(tmp_path / "kodi", proxy.url("/playlist.m3u8")) as kodi:
        found = kodi.wait_for_shows(JOINED)
        assert {name: each.number for name, each in found.items()} == NUMBERS
        for name, guide_id in JOINED.items():
            assert [(each.title, each.start, each.stop) for each in kodi.shows(found[name])] == [
                (f"{number} à {guide_id}", start, start + HOUR)
                for number, start in enumerate(range(first, first + SHOWS * HOUR, HOUR))
            ]
        assert found["News"].now is not None
        assert found["News"].now.number == 1  # of the episode
        assert kodi.shows(found["Quiet"]) == []

        kodi.play(found["News"])
        kodi.wait(lambda: kodi.seconds_played() >= 3)
        assert kodi.label("VideoPlayer.VideoCodec") == "h264"
        assert kodi.label("Player.Title") == "1 à news.uk"
        assert kodi.label("VideoPlayer.NextTitle") == "2 à news.uk"
        assert one.connections == 1
    eventually(lambda: proxy.metrics().value("iptv_proxy_clients_connected") == 0)
    assert "Traceback" not in proxy.log


def test_kodi_plays_hls_from_a_list_that_leads_to_it(
    start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News").play_clip(Path(kptv.demo.__file__).parent / "data" / "one-card.ts")
    proxy = start_proxy((one, 1))
    with Kodi(tmp_path / "kodi", proxy.url("/playlist.m3u8?output=hls")) as kodi:
        kodi.wait(lambda: "News" in kodi.channels())
        kodi.play(kodi.channels()["News"])
        kodi.wait(lambda: kodi.seconds_played() >= 6)
        assert kodi.label("VideoPlayer.VideoCodec") == "h264"
        assert one.connections == 1
        figures = proxy.metrics()
        assert figures.value("iptv_proxy_hls_windows") == 1
        assert figures.value("iptv_proxy_hls_segment_requests_total", outcome="answered") >= 3
    eventually(lambda: proxy.metrics().value("iptv_proxy_clients_connected") == 0, 30)
    assert "Traceback" not in proxy.log
