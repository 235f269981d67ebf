"""How long media takes through the proxy, how soon a new viewer gets some, how radio flows.

Every packet says when it was sent (tests/numbered_ts.py).
"""

from __future__ import annotations

import itertools
import random
import socket
import time

from benchmarks.figures import Figure, at_most
from benchmarks.rig import Crowd, compiled, percentile, running_proxy, two_cores
from tests.numbered_ts import PACKET
from tests.provider import Provider

VIEWERS = 500
BITRATE = 8_000_000
SETTLE = 4.0  # seconds after the last viewer has joined: the burst at its start is over
WINDOW = 8.0  # seconds measured
JOINS = 200
JOIN_PAUSE = 0.03  # seconds between two at most, at random: they meet the hub at any point
RADIO_BITRATE = 64_000
RADIO_SECONDS = 12.0


def run() -> list[Figure]:
    """From upstream byte to viewer byte, joins, radio."""
    with two_cores() as cores, Provider("one", bitrate=BITRATE) as provider:
        provider.add_channel("News")
        radio = provider.add_channel("Radio")
        radio.bitrate = RADIO_BITRATE
        radio.burst = -7 * PACKET * 8 / RADIO_BITRATE  # nothing ahead of time, not one packet
        with running_proxy(provider, core=cores.server) as proxy:
            return [*_many_viewers(proxy.port), *_radio(proxy.port)]


def _many_viewers(port: int) -> list[Figure]:
    with (
        compiled("viewers") as (program,),
        Crowd(program, port, "/stream/news", VIEWERS, marks=True) as crowd,
    ):
        time.sleep(SETTLE)
        crowd.report()
        time.sleep(WINDOW)
        report = crowd.report()
        joins = [_join(port) for _ in range(JOINS)]
    load = f"{VIEWERS} viewers of {BITRATE / 1e6:g} Mbit/s"
    through = f"{load}: upstream byte to viewer byte"
    return [
        Figure(f"{through}, median", report.median, "ms", at_most(60)),
        Figure(f"{through}, p99", report.p99, "ms", at_most(120), f"longest {report.longest:.0f}"),
        Figure(
            f"one more viewer of these: first byte, p99 of {JOINS}",
            percentile(joins, 0.99) * 1e3,
            "ms",
            at_most(50),
            f"median {percentile(joins, 0.5) * 1e3:.0f}",
        ),
    ]


def _join(port: int) -> float:
    """Seconds from connecting to the first byte of media."""
    time.sleep(random.uniform(0, JOIN_PAUSE))
    begun = time.monotonic()
    with _request(port, "/stream/news") as connection:
        answer = b""
        while not answer.partition(b"\r\n\r\n")[2]:
            answer += _some(connection)
        return time.monotonic() - begun


def _radio(port: int) -> list[Figure]:
    """The first viewer of a channel with hardly any bytes."""
    begun = time.monotonic()
    arrivals = []
    with _request(port, "/stream/radio") as connection:
        answer = b""
        while time.monotonic() < begun + RADIO_SECONDS:
            answer += _some(connection)
            if answer.partition(b"\r\n\r\n")[2]:
                arrivals.append(time.monotonic())
    gaps = [after - before for before, after in itertools.pairwise(arrivals)]
    name = f"radio of {RADIO_BITRATE / 1e3:g} kbit/s"
    return [
        Figure(f"{name}: request to first byte", arrivals[0] - begun, "s", at_most(2)),
        Figure(
            f"{name}: longest silence",
            max(gaps) * 1e3,
            "ms",
            at_most(500),
            f"median {percentile(gaps, 0.5) * 1e3:.0f}",
        ),
    ]


def _request(port: int, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return connection


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    assert data, "the proxy closed the connection"
    return data
