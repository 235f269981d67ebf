"""How soon a player has a playlist and a segment: of a cold channel, and of one that plays."""

from __future__ import annotations

import http.client
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median
from urllib.parse import urljoin

from benchmarks.figures import Figure, at_most
from benchmarks.rig import Cores, running_proxy, span
from benchmarks.transport_stream import KEY_EVERY, channel
from tests.functional.harness import Proxy
from tests.provider import Provider

BITRATE = 8_000_000
CLIP = 8.0  # seconds
GROUP = KEY_EVERY / 25  # seconds
OPENING = 0.5  # seconds until the provider answers
STARTS, RUNNING = 8, 3  # channels of each kind
BESIDE = 0.31  # seconds between two: each in another place of a group of pictures
FILLED = 8.0  # seconds for which the running channel has been played
START = 3  # segments from the end, where players start


def run(cores: Cores) -> list[Figure]:
    """Both, with the first segment's last byte as the end."""
    with tempfile.TemporaryDirectory() as folder, Provider("one", bitrate=BITRATE) as one:
        clip = Path(folder, "clip.ts")
        clip.write_bytes(channel(900_000, 0x100, int(CLIP)))
        for number in range(STARTS + RUNNING):
            stream = one.add_channel(f"Channel {number}")
            stream.play_clip(clip, CLIP)
            stream.delay = OPENING
        with running_proxy(one, core=cores.server) as proxy:
            return [_cold(proxy), _running(proxy)]


def _cold(proxy: Proxy) -> Figure:
    def start(number: int) -> tuple[float, float]:
        time.sleep(number * BESIDE)
        return _first_segment(proxy, number)

    with ThreadPoolExecutor(STARTS) as players:
        starts = list(players.map(start, range(STARTS)))
    beyond = [whole - OPENING - GROUP for _, whole in starts]
    lists = [first for first, _ in starts]
    return Figure(
        f"cold channel: playlist and first segment, beyond opening and a group of {GROUP:g} s",
        max(beyond),
        "s",
        at_most(1.5),
        f"worst of {STARTS}; median {median(beyond):.2f}; the playlist after {span(lists, 1)}"
        f"the provider answers after {OPENING:g} s",
    )


def _running(proxy: Proxy) -> Figure:
    """Of channels that somebody watches as a stream: their segments have to be cut first."""
    numbers = range(STARTS, STARTS + RUNNING)
    viewers = [proxy.viewer(f"Channel {number}", keep=False) for number in numbers]
    time.sleep(FILLED)
    waits = [_first_segment(proxy, number) for number in numbers]
    for viewer in viewers:
        viewer.leave()
    return Figure(
        "running channel: playlist and first segment",
        max(whole for _, whole in waits) * 1e3,
        "ms",
        at_most(500),
        f"worst of {RUNNING}; the playlist after {max(first for first, _ in waits) * 1e3:.0f}",
    )


def _first_segment(proxy: Proxy, number: int) -> tuple[float, float]:
    """Seconds until a player has the playlist of a channel, and until it has the first segment."""
    path = f"/hls/channel-{number}.m3u8"
    with closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)) as connection:
        begun = time.monotonic()

        def get(path: str) -> bytes:
            connection.request("GET", path, headers={"User-Agent": f"player/{number}"})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            return body

        playlist = get(path).decode()
        first = time.monotonic() - begun
        segments = [line for line in playlist.splitlines() if line and line[0] != "#"]
        assert get(urljoin(path, segments[-START:][0]))[:1] == b"G"
        return first, time.monotonic() - begun
