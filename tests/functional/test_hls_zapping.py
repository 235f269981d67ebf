"""Zapping by HLS on an account with one connection, as the provider counts sockets."""

from __future__ import annotations

import http.client
import re
import select
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urljoin

import pytest

from tests.functional.harness import Proxy
from tests.provider import Provider

CHANNELS = 4
BURST = 3.0  # seconds of media that the provider sends at once, as most do
TARGET = 2.0  # seconds, as the playlists say
AT_ONCE = 5.0  # seconds: less than whoever asks on keeps a channel, and than STREAM_LINGER


@dataclass(frozen=True, slots=True)
class Stage:
    """A proxy with the default STREAM_LINGER."""

    proxy: Proxy
    single: Provider  # one connection

    def assert_one_was_enough(self) -> None:
        assert self.single.max_connections_seen == 1
        metrics = self.proxy.metrics()
        assert [metrics.value("iptv_proxy_stream_errors", channel=c) for c in names()] == [0] * 4


@pytest.fixture(scope="module")
def stage(share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]) -> Stage:
    single = share_provider("single", limit=1, bitrate=800_000)
    for name in names():
        single.add_channel(name).burst = BURST
    return Stage(share_proxy((single, 1)), single)


def names() -> list[str]:
    return [f"zap-{n}" for n in range(CHANNELS)]


class Phone:
    """An application that asks for a playlist, and for the segments in it, over one connection."""

    def __init__(self, proxy: Proxy, agent: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
        self._agent = agent

    def ask(self, path: str) -> None:
        self._connection.request("GET", path, headers={"User-Agent": self._agent})

    def is_answered(self, within: float) -> bool:
        return bool(select.select([self._connection.sock], [], [], within)[0])

    def answer(self) -> tuple[int, bytes]:
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def get(self, path: str) -> tuple[int, bytes]:
        self.ask(path)
        return self.answer()

    def plays(self, channel: str) -> float:
        """Seconds until it had media of a channel."""
        path, asked_at = f"/hls/{channel}.m3u8", time.monotonic()
        status, text = self.get(path)
        assert status == 200, text
        status, media = self.get(urljoin(path, re.findall(r"(?m)^[^#].*$", text.decode())[-1]))
        assert (status, media[:1]) == (200, b"G")
        return time.monotonic() - asked_at

    def close(self) -> None:
        self._connection.close()


def test_thirty_zaps_in_a_row_play_with_one_connection(stage: Stage) -> None:
    with closing(Phone(stage.proxy, "Phone")) as phone:
        waits = [phone.plays(names()[n % CHANNELS]) for n in range(31)]
    assert max(waits) < AT_ONCE, waits
    stage.assert_one_was_enough()


def test_whoever_zaps_before_the_playlist_comes_does_not_keep_the_connection(stage: Stage) -> None:
    """As people do who look for something: the application hangs up, and asks for the next one."""
    for n in range(8):
        phone = Phone(stage.proxy, "Hasty phone")
        phone.ask(f"/hls/{names()[n % CHANNELS]}.m3u8")
        phone.is_answered(within=0.05 * (n % 4))  # or not: it does not care
        phone.close()
    with closing(Phone(stage.proxy, "Hasty phone")) as phone:
        assert phone.plays(names()[0]) < AT_ONCE
    stage.assert_one_was_enough()


def test_zapping_between_a_stream_and_hls(stage: Stage) -> None:
    """An application that takes either, and names itself alike."""
    for n in range(0, 8, 2):
        with closing(Phone(stage.proxy, "Tablet")) as phone:
            assert phone.plays(names()[n % CHANNELS]) < AT_ONCE
        with stage.proxy.viewer(
            names()[(n + 1) % CHANNELS], headers={"User-Agent": "Tablet"}
        ) as tv:
            tv.wait_for_bytes(2_000)
            assert tv.first_byte_at - tv.asked_at < AT_ONCE
    stage.assert_one_was_enough()


def test_another_gets_the_connection_once_nothing_is_asked_for(stage: Stage) -> None:
    """And not before: whoever watches asks for something in each target duration."""
    with (
        closing(Phone(stage.proxy, "Watches")) as watches,
        closing(Phone(stage.proxy, "Waits")) as waits,
    ):
        watches.plays(names()[0])
        waits.ask(f"/hls/{names()[1]}.m3u8")
        for _ in range(4):
            assert not waits.is_answered(within=1.0)
            watches.plays(names()[0])
        left_at = time.monotonic()
        status, text = waits.answer()
        waited = time.monotonic() - left_at
        assert status == 200, text
        assert 1.5 * TARGET - 0.1 < waited < 1.5 * TARGET + AT_ONCE
    stage.assert_one_was_enough()
