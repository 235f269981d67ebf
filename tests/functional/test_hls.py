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


def test_a_hundred_viewers_fetch_each_segment_once(tmp_path: Path, start_proxy: StartProxy) -> None:
    with HlsOrigin(packets=50) as origin:
        proxy = start_proxy(_list(tmp_path, origin))
        viewers = [proxy.viewer("News", keep=False) for _ in range(100)]
        for viewer in viewers:
            viewer.wait(lambda v=viewer: v.received >= 50 * 188 * 5, timeout=40)  # type: ignore[misc]
        for viewer in viewers:
            viewer.leave()
        paths = [asked.path for asked in origin.requests(r"\.ts")]
        assert len(paths) == len(set(paths))
        assert origin.most_sockets == 1
        assert len(origin.requests("^/channel")) == 1


@pytest.mark.parametrize(
    ("selection", "played"),
    [("lowest", "low"), ("highest", "high"), ("720p", "mid"), ("1000000", "low")],
)
def test_variant_selection_says_which_is_played(
    tmp_path: Path, start_proxy: StartProxy, selection: str, played: str
) -> None:
    offer = {
        "variants": {"high": 5_000_000, "mid": 2_000_000, "low": 800_000},
        "heights": {"high": 1080, "mid": 720, "low": 360},
    }
    with HlsOrigin(packets=400, **offer) as origin:  # type: ignore[arg-type]
        proxy = start_proxy(
            _list(tmp_path, origin),
            VARIANT_SELECTION=selection,
            USER_AGENT="Agent/1",
            REQ_ORIGIN="http://origin.example",
            REQ_REFERRER="http://referrer.example/",
        )
        proxy.viewer("News").wait_for_bytes(100_000).leave()
        assert {a.path.split("/")[1] for a in origin.requests(r"\.ts|media")} == {played}
        for name, value in (
            ("user-agent", "Agent/1"),
            ("origin", "http://origin.example"),
            ("referer", "http://referrer.example/"),
        ):
            assert {asked.headers.get(name) for asked in origin.asked} == {value}


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://secret",KEYFORMAT="com.apple"\n', "unsupported"),
        ("#" + "x" * 6_000_000 + "\n", "not_media"),
        ("#EXTINF:1,\na.ts\n" * 50_001, "not_media"),
    ],
    ids=["DRM", "6 MB", "50,001 segments"],
)
def test_what_cannot_be_played_is_a_clear_counted_failure(
    tmp_path: Path, start_proxy: StartProxy, tags: str, kind: str
) -> None:
    with HlsOrigin(tags=tags) as origin:
        proxy = start_proxy(_list(tmp_path, origin), MAX_RETRIES="0")
        with proxy.viewer("News") as viewer:
            assert viewer.wait_for_status(40) == 503
        assert not origin.requests(r"\.ts")
        assert proxy.metrics().value("iptv_proxy_stream_errors", kind=kind) >= 1
        assert "secret" not in proxy.log


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


def _failures(proxy: Proxy) -> float:
    return proxy.metrics().value("iptv_proxy_stream_errors", channel="News")


ALIGNED = 240  # packets of a segment that begins with a keyframe, and so can be joined at its start
PICTURE = 10  # packets; the last one before a failure may be cut off


def test_a_channel_that_freezes_and_goes_on_repeats_nothing_however_often_it_was_retried(
    tmp_path: Path, start_proxy: StartProxy
) -> None:
    with HlsOrigin(packets=ALIGNED) as origin:
        proxy = start_proxy(_list(tmp_path, origin), STALL_TIMEOUT="1s", RETRY_DELAY="1s")
        with proxy.viewer("News") as viewer:
            viewer.wait_for_bytes(ALIGNED * 188 * 3)
            origin.frozen = True
            eventually(lambda: _failures(proxy) >= 3, timeout=40)
            received = viewer.runs()[-1].last
            origin.thaw()
            viewer.wait(lambda: viewer.runs()[-1].last >= received + ALIGNED * 3, timeout=40)
            (run,) = viewer.runs()
            assert run.disordered == 0
            assert run.lost <= PICTURE
        paths = [asked.path for asked in origin.requests(r"\.ts")]
        assert len(paths) == len(set(paths))
        assert origin.most_sockets == 1


def test_a_frozen_channel_that_is_come_back_to_repeats_nothing(
    tmp_path: Path, start_proxy: StartProxy
) -> None:
    with (
        HlsOrigin(name="one", packets=ALIGNED, variants={"only": 800_000}) as one,
        HlsOrigin(name="two", packets=ALIGNED) as two,
    ):
        proxy = start_proxy(_list(tmp_path, one, two), STALL_TIMEOUT="1s", RETRY_DELAY="1s")
        with proxy.viewer("News") as viewer:
            viewer.wait_for_bytes(ALIGNED * 188 * 3)
            one.frozen = True
            viewer.wait_for_source("two").wait_for_bytes(100_000)
            before = viewer.runs()[0].last
            one.playlist_faults, two.playlist_faults = [404, 404], [404] * 1000
            eventually(lambda: _failures(proxy) >= 5, timeout=40)
            one.thaw()
            viewer.wait(lambda: viewer.sources() == ["one", "two", "one"], timeout=40)
            assert 0 < viewer.runs()[-1].first - before <= PICTURE + 1


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
