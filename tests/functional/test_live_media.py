"""Live media of ffmpeg's own muxers through gunicorn: HLS of every kind, DASH, RTP, UDP, RTMP."""

from __future__ import annotations

import itertools
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.functional.harness import Proxy, Viewer, eventually
from tests.live_media import (
    PLAY_SECONDS,
    WINDOW,
    LiveFolder,
    as_transport_stream,
    free_port,
    make_clip,
    pictures,
    rotating_keys,
    sounds,
    whole_pictures,
)

pytestmark = [pytest.mark.requires("ffmpeg"), pytest.mark.timeout(PLAY_SECONDS + 120)]

SECONDS = PLAY_SECONDS
CLIP = int(SECONDS) + 40  # seconds: it begins before it is watched, and one origin leaps forward
RESTART = int(SECONDS / 2) + 20  # where in the clip that one starts again
HLS = ("-f", "hls", "-hls_time", "1", "-hls_list_size", str(WINDOW))
DASH = ("-f", "dash", "-seg_duration", "1", "-window_size", "8", "-extra_window_size", "4")
NUMBERED_DELAY = 4  # seconds behind the live edge; providers ask for ten and more
LIVE = (*HLS, "-hls_flags", "delete_segments+omit_endlist")

# What ffmpeg is told; {info}: of the keys.
NATIVE: dict[str, tuple[str, ...]] = {
    "hls": (*LIVE, "index.m3u8"),
    "aes": (
        *(*HLS, "-hls_flags", "delete_segments+omit_endlist+periodic_rekey"),
        *("-hls_key_info_file", "{info}", "index.m3u8"),
    ),
    "ranges": (*HLS, "-hls_flags", "single_file+omit_endlist", "index.m3u8"),
    "restarts": (*LIVE, "index.m3u8"),
}
REMUXED: dict[str, tuple[str, ...]] = {
    "fmp4": (*LIVE, "-hls_segment_type", "fmp4", "index.m3u8"),
    "apart": ("-map", "0:v", *LIVE, "v.m3u8", "-c", "copy", "-map", "0:a", *LIVE, "a.m3u8"),
    "packed": (
        *("-map", "0:a", "-f", "segment", "-segment_time", "1", "-segment_format", "adts"),
        *("-segment_list_flags", "live", "-segment_list_size", str(WINDOW)),
        *("-segment_list", "index.m3u8", "%d.aac"),
    ),
    "dash": (*DASH, "index.mpd"),
    "dash numbered": (*DASH, "-use_timeline", "0", "index.mpd"),
}
# Addresses to send to and to listen at; {port}.
DATAGRAMS = {"udp": "mpegts", "rtp": "rtp_mpegts"}
APART = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="one",DEFAULT=YES,URI="a.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.42c00b,mp4a.40.2",AUDIO="a"
v.m3u8
"""


class Stage:
    """The proxy, what was played through it, the origins and the clip."""

    def __init__(self, proxy: Proxy, clip: bytes) -> None:
        self.proxy = proxy
        self.clip_pictures = pictures(clip)
        self.clip_sounds = sounds(clip)
        self.live: dict[str, LiveFolder] = {}
        self.bodies: dict[str, bytes] = {}
        self.children: list[str] = []  # what the worker had running in mid-play


@pytest.fixture(scope="module")
def stage(
    share_proxy: Callable[..., Proxy], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Everything has been played for SECONDS at the same time; the viewers have left."""
    root = tmp_path_factory.mktemp("live")
    clip = make_clip(root, CLIP)
    with ExitStack() as stack:
        urls, live = _start_origins(root, clip, stack)
        path = root / "list.m3u"
        path.write_text("#EXTM3U\n" + "".join(f"#EXTINF:-1,{n}\n{u}\n" for n, u in urls.items()))
        proxy = share_proxy(f"{path}|0", STALL_TIMEOUT="8s", STREAM_LINGER="0s", FFMPEG="ffmpeg")
        stage = Stage(proxy, as_transport_stream(clip))
        stage.live = live
        viewers = {name: proxy.viewer(name) for name in urls}
        _send_datagrams(live["udp"], clip, urls, viewers)
        for viewer in viewers.values():
            viewer.wait(lambda v=viewer: bool(v.received or v.ended), timeout=30)  # type: ignore[misc]
        time.sleep(SECONDS / 2)
        _restart(live["restarts"], clip)
        stage.children = _children(proxy.worker_pid)
        time.sleep(SECONDS / 2)
        for name, viewer in viewers.items():
            viewer.leave()
            stage.bodies[name] = whole_pictures(bytes(viewer.body))
        yield stage


def _start_origins(
    root: Path, clip: Path, stack: ExitStack
) -> tuple[dict[str, str], dict[str, LiveFolder]]:
    """Addresses and folders by name; each has a window to play."""
    urls: dict[str, str] = {}
    live: dict[str, LiveFolder] = {}
    for name, told in {**NATIVE, **REMUXED, **dict.fromkeys(DATAGRAMS, ())}.items():
        folder = root / name
        folder.mkdir()
        live[name] = stack.enter_context(closing(LiveFolder(folder)))
        if name in DATAGRAMS:
            urls[name] = f"{name}://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
            continue
        info = stack.enter_context(rotating_keys(live[name])) if name == "aes" else ""
        if name == "dash numbered":  # ffmpeg's reader goes by the clock, and past what is late
            live[name].presentation_delay = NUMBERED_DELAY
        live[name].write(clip, *(word.format(info=info) for word in told))
        urls[name] = live[name].url("index.mpd" if name.startswith("dash") else "index.m3u8")
    (root / "apart" / "index.m3u8").write_text(APART)
    rtmp = f"rtmp://127.0.0.1:{free_port(socket.SOCK_STREAM)}/user/secret"
    live["udp"].write(clip, "-f", "flv", "-listen", "1", rtmp)
    urls["rtmp"] = rtmp
    for name in (*NATIVE, *REMUXED):
        if name.startswith("dash"):
            live[name].wait_for(f"chunk-stream0-0000{NUMBERED_DELAY + 2}.m4s", ".", 1)
            continue
        live[name].wait_for("a.m3u8" if name == "apart" else "index.m3u8", "#EXTINF", 4)
    return urls, live


def _send_datagrams(
    live: LiveFolder, clip: Path, urls: dict[str, str], viewers: dict[str, Viewer]
) -> None:
    for name, muxer in DATAGRAMS.items():
        live.write(
            clip, "-f", muxer, f"{urls[name]}?pkt_size=1316" if name == "udp" else urls[name]
        )


def _restart(live: LiveFolder, clip: Path) -> None:
    """The encoder crashes and starts again, with numbers and clocks that start again too."""
    live.stop_writing()
    live.write(clip, *LIVE, "-hls_segment_filename", "again%d.ts", "index.m3u8", start=RESTART)


def _children(pid: int) -> list[str]:
    """What a process has started and not waited for: names and states."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            stat = Path(f"/proc/{child}/stat").read_text()
            found.append(" ".join(re.findall(r"\((.*)\) (\w)", stat)[0]))
    return found


def _is_part(some: list[str], whole: list[str]) -> bool:
    """True where ``some`` is a stretch of ``whole``: in order, each once, none left out."""
    starts = [at for at, one in enumerate(whole) if some and one == some[0]]
    return any(whole[at : at + len(some)] == some for at in starts)


@pytest.mark.parametrize(
    "name", [n for n in (*NATIVE, *REMUXED) if n not in ("restarts", "packed", "dash")]
)
def test_the_pictures_are_the_origins_each_once_and_decode_without_a_complaint(
    stage: Stage, name: str
) -> None:
    seen = pictures(stage.bodies[name])
    assert len(seen) > (SECONDS - 3) * 25
    assert _is_part(seen, stage.clip_pictures)


@pytest.mark.parametrize("name", [n for n in (*NATIVE, *REMUXED) if n not in ("restarts", "dash")])
def test_the_sound_is_the_origins_each_packet_once(stage: Stage, name: str) -> None:
    heard = sounds(stage.bodies[name])
    assert len(heard) > (SECONDS - 3) * 40  # of 43 in a second
    assert _is_part(heard, stage.clip_sounds)


def test_live_dash_plays(stage: Stage) -> None:
    # Not more than that: ffmpeg's reader may repeat segments of a manifest that changes.
    seen = pictures(stage.bodies["dash"])
    assert len(seen) > (SECONDS - 3) * 25
    assert set(seen) <= set(stage.clip_pictures)


@pytest.mark.parametrize("name", ["dash", "dash numbered"])
def test_a_dash_origin_is_not_asked_again_and_again(stage: Stage, name: str) -> None:
    assert len(stage.live[name].asked) < (SECONDS + 10) * 15  # ffmpeg asks two or three times


@pytest.mark.parametrize("name", [*DATAGRAMS, "rtmp"])
def test_other_protocols_play(stage: Stage, name: str) -> None:
    seen = pictures(stage.bodies[name])
    assert len(seen) > (SECONDS - 3) * 25
    assert _is_part(seen, stage.clip_pictures)


def test_an_encoder_that_restarts_with_other_clocks_goes_on_without_a_complaint(
    stage: Stage,
) -> None:
    seen = pictures(stage.bodies["restarts"])
    places = [stage.clip_pictures.index(one) for one in seen]
    jumps = [after - before for before, after in itertools.pairwise(places)]
    assert [jump for jump in jumps if jump != 1] == [max(jumps)]  # one, forwards
    assert places[-1] > (RESTART + 1) * 25


def test_one_child_for_each_that_needs_one_and_none_is_left(stage: Stage) -> None:
    assert {child.partition(" ")[0] for child in stage.children} == {"ffmpeg"}
    assert len(stage.children) == len(REMUXED) + len(DATAGRAMS) + 1  # and RTMP
    assert not [child for child in stage.children if child.endswith("Z")]
    eventually(lambda: _children(stage.proxy.worker_pid) == [])


@pytest.mark.parametrize("name", [*NATIVE, *REMUXED])
def test_no_more_than_two_sockets_and_none_left(stage: Stage, name: str) -> None:
    live = stage.live[name]
    assert live.most_sockets <= 2
    eventually(lambda: not live.open)


@pytest.mark.parametrize("name", [*NATIVE, *REMUXED])
def test_headers_and_cookies_go_with_every_request(stage: Stage, name: str) -> None:
    assert stage.live[name].agents == {"VLC/3.0.18 LibVLC/3.0.18"}
    assert stage.live[name].cookies == {"seen=yes"}


@pytest.mark.parametrize("name", ["hls", "aes", "restarts"])
def test_each_segment_is_fetched_once(stage: Stage, name: str) -> None:
    asked = [path for path in stage.live[name].asked if path.endswith((".ts", ".key"))]
    assert len(asked) == len(set(asked))


def test_the_log_tells_no_address_and_nothing_failed(stage: Stage) -> None:
    for secret in ("127.0.0.1:", "secret", "index.m", "Traceback"):
        lines = [line for line in stage.proxy.log.splitlines() if secret in line]
        assert not [line for line in lines if "Listening at" not in line]
    metrics = stage.proxy.metrics()
    assert metrics.value("iptv_proxy_stream_errors") == 0
