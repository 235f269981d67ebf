"""HLS channels through real gunicorn: shared, bounded, failing over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.harness import Proxy, eventually
from tests.hls_origin import HlsOrigin
from tests.provider import Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


def _list(folder: Path, *origins: HlsOrigin) -> str:
    """A channel list of one channel with a stream of each origin, as a text of SOURCES."""
    text = "#EXTM3U\n" + "".join(f"#EXTINF:-1,News\n{origin.url}\n" for origin in origins)
    path = folder / "list.m3u"
    path.write_text(text)
    return f"{path}|1"


def test_many_viewers_fetch_each_segment_once(tmp_path: Path, start_proxy: StartProxy) -> None:
    with HlsOrigin(packets=400) as origin:
        proxy = start_proxy(_list(tmp_path, origin))
        viewers = [proxy.viewer("News").wait_for_bytes(1) for _ in range(30)]
        viewers[0].wait_for_bytes(400 * 188 * 6)
        for viewer in viewers:
            (run,) = viewer.runs()
            assert (run.lost, run.disordered) == (0, 0)
            viewer.leave()
        paths = [asked.path for asked in origin.requests(r"\.ts")]
        assert len(paths) == len(set(paths))
        assert origin.most_sockets == 1
        proxy.wait_idle()
        eventually(lambda: origin.sockets == 0)


def test_a_channel_that_ends_fails_over_inside_the_viewers_connection(
    tmp_path: Path, start_proxy: StartProxy
) -> None:
    with HlsOrigin(name="one", packets=400) as one, HlsOrigin(name="two", packets=400) as two:
        proxy = start_proxy(_list(tmp_path, one, two))
        with proxy.viewer("News") as viewer:
            viewer.wait_for_bytes(400 * 188 * 3)
            one.ended = one.frozen = True
            viewer.wait_for_source("two").wait_for_bytes(100_000)
            assert [(run.provider, run.lost) for run in viewer.runs()] == [("one", 0), ("two", 0)]
            assert viewer.longest_silence() < 2.0


def test_an_hls_channel_gives_way_to_a_transport_stream_and_back(
    start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    provider = start_provider("one")
    provider.add_channel("News")
    with HlsOrigin(packets=400, playlist_faults=[]) as origin:
        proxy = start_proxy(_list(tmp_path, origin), (provider, 1))
        with proxy.viewer("News") as viewer:
            viewer.wait_for_source("origin")
            origin.playlist_faults = [404] * 100
            viewer.wait_for_source("one", timeout=30.0)


def test_stopping_while_playing_leaves_nothing(tmp_path: Path, start_proxy: StartProxy) -> None:
    with HlsOrigin(packets=400) as origin:
        proxy = start_proxy(_list(tmp_path, origin))
        viewer = proxy.viewer("News").wait_for_bytes(100_000)
        assert proxy.stop() < 5.0
        viewer.leave()
        eventually(lambda: origin.sockets == 0)


@pytest.mark.parametrize("how", ["leave", "vanish"])
def test_zapping_leaves_no_connection_behind(
    tmp_path: Path, start_proxy: StartProxy, how: str
) -> None:
    with HlsOrigin(packets=400) as origin:
        proxy = start_proxy(_list(tmp_path, origin), STREAM_LINGER="0s")
        for _ in range(5):
            viewer = proxy.viewer("News").wait_for_bytes(20_000)
            getattr(viewer, how)()
            proxy.wait_idle()
            eventually(lambda: origin.sockets == 0)
        assert origin.most_sockets == 1
        assert threading.active_count() < 60
