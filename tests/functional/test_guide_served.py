"""The guide as players get it: named by the list, with its ids, through gunicorn."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
from collections.abc import Callable
from xml.etree import ElementTree as ET

from tests.functional.harness import Proxy, eventually
from tests.guide.made import guide_xml
from tests.provider import Provider
from tests.web.test_guide import JELLYFIN

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


def test_list_and_guide_fit_from_the_provider_to_the_player(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News", tvg_id="News.uk")
    one.add_channel("Films", tvg_id="same")
    one.add_channel("More Films", tvg_id="SAME")
    now = int(time.time())
    told = guide_xml({"News.uk": "News", "same": "Films", "nobody": "Nobody"}, now)
    guide = one.add_file("/sesame/guide.xml", told, "text/xml")
    one.list.head = f'#EXTM3U x-tvg-url="{guide.url}"'
    proxy = start_proxy((one, 1))
    eventually(lambda: proxy.get("/epg.xml.gz").status == 200)

    packed = proxy.get("/epg.xml.gz", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Type"] == "application/gzip"
    assert packed.headers["Content-Encoding"] is None
    assert int(packed.headers["Content-Length"]) == len(packed.body)
    xml = gzip.decompress(packed.body)
    assert proxy.get("/epg.xml", headers={"Accept-Encoding": "identity"}).body == xml
    dressed = proxy.get("/epg.xml", headers={"Accept-Encoding": "gzip"})
    assert (dressed.headers["Content-Encoding"], dressed.body) == ("gzip", packed.body)
    again = {"If-None-Match": packed.headers["ETag"]}
    assert proxy.get("/epg.xml.gz", headers=again).status == 304
    head = proxy.get("/epg.xml.gz", method="HEAD")
    assert (head.headers["Content-Length"], head.body) == (str(len(packed.body)), b"")

    served = proxy.get("/playlist.m3u8").text
    url = f"http://localhost:{proxy.port}/epg.xml.gz"
    assert served.startswith(f'#EXTM3U x-tvg-url="{url}" url-tvg="{url}"\n')
    in_list = re.findall(r'tvg-id="([^"]*)"', served)
    tree = ET.fromstring(xml)
    in_guide = [channel.attrib["id"] for channel in tree.iter("channel")]
    assert in_list == in_guide
    assert len({one.casefold() for one in in_list}) == 3
    shows = list(tree.iter("programme"))
    assert {"News.uk"} <= {show.attrib["channel"] for show in shows} <= set(in_list)
    times = [show.attrib[name] for show in shows for name in ("start", "stop")]
    assert all(JELLYFIN.match(each) for each in times)

    asked = "/player_api.php?action=get_"
    by_xtream = json.loads(proxy.get(f"{asked}live_streams").text)
    assert [channel["epg_channel_id"] for channel in by_xtream] == in_list
    [news] = [channel["stream_id"] for channel in by_xtream if channel["name"] == "News"]
    first, *_ = json.loads(proxy.get(f"{asked}short_epg&stream_id={news}").text)["epg_listings"]
    assert base64.b64decode(first["title"]) == b"Show 1 of News.uk"
    assert first["channel_id"] == "News.uk"
    [on] = json.loads(proxy.get("/api/guide/now?channels=news").text)["channels"]
    assert on["now"]["title"] == "Show 1 of News.uk"
    for text in (served, xml.decode(), proxy.get("/api/guide/joins").text, proxy.log):
        assert "sesame" not in text
        assert "nobody" not in text
