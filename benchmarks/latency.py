"""How long media takes through the proxy and through C, how soon a new viewer gets some; radio.

Every packet says when it was sent (tests/numbered_ts.py).
"""

from __future__ import annotations

import itertools
import random
import socket
import statistics
import time
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.rig import (
    Crowd,
    Report,
    compiled,
    percentile,
    running_proxy,
    span,
    two_cores,
    yardstick,
)
from tests.numbered_ts import PACKET
from tests.provider import Provider

VIEWERS = 500
BESIDE_C = 800  # viewers
BEYOND_C = 30  # ms at the 99th percentile; the target
ROUNDS = 3  # turns of each, beside C
BITRATE = 8_000_000
SETTLE = 5.0  # seconds after the last viewer has joined: the burst at its start is over
WINDOW, QUICK_WINDOW = 8.0, 4.0  # seconds measured
JOINS = 200
JOIN_PAUSE = 0.03  # seconds between two at most, at random: they meet the hub at any point
RADIO_BITRATE = 64_000
RADIO_SECONDS = 12.0


def run(quick: bool = False) -> list[Figure]:
    """From upstream byte to viewer byte, beside C too, joins, radio."""
    window, rounds = (QUICK_WINDOW, 1) if quick else (WINDOW, ROUNDS)
    with (
        two_cores() as cores,
        Provider("one", bitrate=BITRATE) as provider,
        compiled("fanout", "viewers") as (fanout, viewers),
    ):
        news = provider.add_channel("News")
        radio = provider.add_channel("Radio")
        radio.bitrate = RADIO_BITRATE
        radio.burst = -7 * PACKET * 8 / RADIO_BITRATE  # nothing ahead of time, not one packet
        with (
            running_proxy(provider, core=cores.server) as proxy,
            yardstick(fanout, news, cores.server) as (_, port),
        ):
            turns = [
                (
                    _turn(viewers, proxy.port, "/stream/news", window),
                    _turn(viewers, port, "/", window),
                )
                for _ in range(rounds)
            ]
            many = [] if quick else _many_viewers(viewers, proxy.port)
            return [_beyond_c(turns), *many, *_radio(proxy.port)]


def _turn(program: Path, port: int, path: str, window: float) -> Report:
    with Crowd(program, port, path, BESIDE_C, marks=True) as crowd:
        time.sleep(SETTLE)
        crowd.report()
        time.sleep(window)
        return crowd.report()


def _beyond_c(turns: list[tuple[Report, Report]]) -> Figure:
    """The median of the rounds."""
    beyond = [ours.p99 - theirs.p99 for ours, theirs in turns]
    ours, theirs = (statistics.median(turn[who].p99 for turn in turns) for who in (0, 1))
    load = f"{BESIDE_C} viewers of {BITRATE / 1e6:g} Mbit/s"
    return Figure(
        f"{load}: 99th percentile of the delay, beyond that of a fan-out in C",
        statistics.median(beyond),
        "ms",
        at_most(BEYOND_C),
        f"{span(beyond)}{ours:.0f} and {theirs:.0f} ms",
        headline=True,
    )


def _many_viewers(program: Path, port: int) -> list[Figure]:
    with Crowd(program, port, "/stream/news", VIEWERS, marks=True) as crowd:
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
