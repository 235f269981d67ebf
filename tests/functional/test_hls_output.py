"""A channel by HLS through gunicorn: one connection for all requests, and a real player."""

from __future__ import annotations

import http.client
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.functional.harness import Proxy, eventually
from tests.functional.tapes import h264
from tests.provider import Provider

pytestmark = pytest.mark.requires("ffmpeg")


@dataclass(frozen=True, slots=True)
class Stage:
    one: Provider
    proxy: Proxy


@pytest.fixture(scope="module")
def stage(
    share_provider: Callable[..., Provider],
    share_proxy: Callable[..., Proxy],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    one = share_provider("one")
    h264().on_air(one.add_channel("News"), tmp_path_factory.mktemp("clips"))
    yield Stage(one, share_proxy((one, 1), STREAM_LINGER="0"))
    assert one.max_connections_seen == 1


def segments_of(text: str) -> list[str]:
    return re.findall(r"(?m)^[^#].*$", text)


def test_one_connection_is_enough_for_a_player(stage: Stage) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stage.proxy.port, timeout=30)

    def ask(path: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer, answer.read()

    with closing(connection):
        answer, body = ask("/hls/news.m3u8")
        assert answer.status == 200, body
        opened = connection.sock
        for segment in segments_of(body.decode()):
            answer, media = ask(urljoin("/hls/news.m3u8", segment))
            assert answer.getheader("Transfer-Encoding") is None
            assert (answer.status, answer.getheader("Connection")) == (200, "keep-alive")
            assert media[0] == 0x47
            assert len(media) % 188 == 0
        last = int(re.findall(r"(\d+)\.ts", body.decode())[-1])
        time.sleep(2.0)  # a target duration: it is open then, too
        answer, body = ask(f"/stream/news.m3u8?_HLS_msn={last + 2}")
        assert answer.status == 200
        assert f"../hls/news/{last + 2}.ts" in body.decode()
        assert connection.sock is opened


def test_ffmpeg_plays_without_a_word(stage: Stage, tmp_path: Path) -> None:
    output = tmp_path / "played.ts"
    command = ["ffmpeg", "-v", "warning", "-i", stage.proxy.url("/hls/news.m3u8"), "-t", "6"]
    played = subprocess.run(
        [*command, "-c", "copy", str(output)], capture_output=True, text=True, timeout=60
    )
    assert (played.returncode, played.stderr) == (0, "")
    probed = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", output],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert float(probed.stdout) == pytest.approx(6.0, abs=0.6)


def test_who_left_counts_no_more_and_the_channel_ends(stage: Stage) -> None:
    assert stage.proxy.get("/hls/news.m3u8").status == 200
    connected = "iptv_proxy_clients_connected"
    assert stage.proxy.metrics().value(connected) >= 1
    eventually(lambda: stage.one.connections == 0, 20.0, "the provider is still connected")
    stage.proxy.wait_idle()
    assert stage.proxy.metrics().value("iptv_proxy_channel_hls_viewers") == 0
