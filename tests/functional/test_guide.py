"""The guide that a list names: fetched, built by a child, kept over a restart."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from kptv.guide.reading import Generation, GuideBroken
from kptv.guide.schema import finished_in
from tests.functional.harness import Proxy, eventually
from tests.guide.made import guide_xml
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


def generation(proxy: Proxy) -> Generation | None:
    for path in finished_in(Path(proxy.settings["DATA_DIR"]) / "guide"):
        try:
            return Generation.open(path)
        except GuideBroken:
            return None
    return None


def test_a_guide_that_a_list_names_is_there_and_survives_a_restart_and_a_page_in_its_place(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News", tvg_id="News.uk")
    one.add_channel("Films", tvg_id="nobody")
    now = int(time.time())
    guide = one.add_file("/sesame/guide.xml", guide_xml({"News.uk": "News"}, now), "text/xml")
    one.list.head = f'#EXTM3U x-tvg-url="{guide.url}, file:///etc/passwd"'
    proxy = start_proxy((one, 1))
    eventually(lambda: generation(proxy) is not None)
    made = generation(proxy)
    assert made is not None
    assert made.report.joined == {"id": 1}
    told = made.now(["news"], now)["news"]
    assert told.now is not None
    assert told.now.title == "Show 1 of News.uk"
    [films] = made.joins("none")
    assert (films.name, films.why) == ("Films", "no guide knows its id or its name")
    eventually(lambda: proxy.metrics().value("iptv_proxy_guide_channels", rule="id") == 1)
    proxy.stop()

    guide.data = b"<!DOCTYPE html><html><body>no such account</body></html>"
    proxy.settings["GUIDE_REFRESH_INTERVAL"] = "1m"
    for path in (Path(proxy.settings["DATA_DIR"]) / "guide").glob("*.json"):
        path.write_text(path.read_text().replace('"fetched": 1', '"fetched": 0.1'))
    proxy.start()
    assert proxy.metrics().value("iptv_proxy_guide_shows") == made.report.shows
    eventually(lambda: "a page, not a guide; the one before stays" in proxy.log)
    again = generation(proxy)
    assert again is not None
    assert again.now(["news"], now)["news"] == told
    for text in (proxy.log, proxy.metrics().text):
        assert "sesame" not in text
        assert "Traceback" not in text


def test_a_child_ends_with_its_worker(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News", tvg_id="News.uk")
    proxy = start_proxy((one, 1))
    proxy.stop()
    pipe = Path(proxy.settings["DATA_DIR"]).parent / "guide.xml"
    pipe.write_bytes(guide_xml({f"{number}.uk": "Some" for number in range(2000)}, 0, shows=200))
    proxy.settings["GUIDES"] = str(pipe)
    proxy.start()
    eventually(lambda: children(proxy.worker_pid) != [])
    [child] = children(proxy.worker_pid)
    os.kill(proxy.worker_pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{child}/cmdline").exists() or not cmdline(child))


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in text.split() if b"kptv.guide.build" in cmdline(int(each))]


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
