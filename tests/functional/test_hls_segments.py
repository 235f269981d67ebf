"""Segments as they are met in the field, through gunicorn: made anew, behind junk, torn."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.functional.harness import Proxy
from tests.hls_origin import HlsOrigin
from tests.live_media import WINDOW, LiveFolder, make_clip

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 300
SECONDS = int(os.environ.get("KPTV_TEST_WATCH") or 5)  # that a real viewer watches
SEGMENTS = (
    *("-f", "segment", "-segment_time", "1", "-segment_format", "mpegts"),
    *("-segment_list_type", "m3u8", "-segment_list_flags", "live"),
    *("-segment_list_size", str(WINDOW), "-segment_list", "index.m3u8"),
)
MADE_ANEW = {  # by ffmpeg's segment muxer: counters start anew, and clocks where told so
    "counters": (*SEGMENTS, "%d.ts"),
    "clocks": (*SEGMENTS, "-reset_timestamps", "1", "%d.ts"),
}


class Odd(HlsOrigin):
    """Puts junk before its segments, and cuts some short."""

    __slots__ = ("cut", "junk")

    def _segment(self, variant: str, line: int, number: int) -> tuple[int, dict[str, str], bytes]:
        status, more, body = HlsOrigin._segment(self, variant, line, number)
        cut = getattr(self, "cut", {}).get(number)
        return status, more, getattr(self, "junk", b"") + body[:cut]


def _list(folder: Path, urls: dict[str, str]) -> str:
    path = folder / "list.m3u"
    path.write_text("#EXTM3U\n" + "".join(f"#EXTINF:-1,{n}\n{u}\n" for n, u in urls.items()))
    return f"{path}|0"


@pytest.mark.requires("ffmpeg")
def test_a_real_viewer_has_nothing_to_say_of_segments_that_were_made_anew(
    tmp_path: Path, start_proxy: Callable[..., Proxy]
) -> None:
    clip = make_clip(tmp_path, SECONDS + 20)
    with ExitStack() as stack:
        urls = {}
        for name, told in MADE_ANEW.items():
            folder = tmp_path / name
            folder.mkdir()
            live = stack.enter_context(closing(LiveFolder(folder)))
            live.write(clip, *told)
            live.wait_for("index.m3u8", "#EXTINF", 4)
            urls[name] = live.url("index.m3u8")
        proxy = start_proxy(_list(tmp_path, urls))
        ffmpeg, seconds = ("ffmpeg", "-v", "warning", "-nostdin"), ("-t", str(SECONDS))
        watching = [
            subprocess.Popen(
                (*ffmpeg, "-i", proxy.url(f"/stream/{name}"), *seconds, "-f", "null", "-"),
                stderr=subprocess.PIPE,
            )
            for name in urls
        ]
        said = [viewer.communicate(timeout=SECONDS + 40)[1].decode() for viewer in watching]
        errors = proxy.metrics().value("iptv_proxy_continuity_errors_total")
    assert said == ["", ""]
    assert errors == 0


def test_junk_before_segments_loses_no_packet(
    tmp_path: Path, start_proxy: Callable[..., Proxy]
) -> None:
    sizes = (70, 1500, 70_000)
    with ExitStack() as stack:
        urls = {}
        for size in sizes:
            origin = stack.enter_context(Odd(packets=240))
            origin.junk = PNG[:size]
            urls[f"Junk {size}"] = origin.url
        proxy = start_proxy(_list(tmp_path, urls))
        viewers = [proxy.viewer(name) for name in urls]
        for viewer in viewers:
            viewer.wait_for_bytes(240 * 188 * 5).leave()
            (run,) = viewer.runs()
            assert (run.lost, run.disordered) == (0, 0)


def test_a_segment_that_broke_off_is_no_failure_and_the_next_is_whole(
    tmp_path: Path, start_proxy: Callable[..., Proxy]
) -> None:
    with Odd(packets=240) as origin:
        origin.cut = {107: 188 * 100 + 50}
        proxy = start_proxy(_list(tmp_path, {"News": origin.url}))
        with proxy.viewer("News") as viewer:
            viewer.wait(lambda: viewer.runs() and viewer.runs()[-1].last >= 240 * 9, timeout=40)
            (run,) = viewer.runs()
            assert 130 <= run.lost <= 150
        assert proxy.metrics().value("iptv_proxy_stream_errors") == 0
