"""Lists of Xtream's protocol beside a running stream: as they are built, and as they are sent."""

from __future__ import annotations

import http.client
import statistics
import time

from benchmarks.figures import Figure, at_most
from benchmarks.rig import Crowd, Report, compiled, percentile, running_proxy, two_cores
from tests.functional.harness import Proxy
from tests.provider import Provider

BITRATE = 8_000_000
GROUPS = 80
SETTLE, REST = 2.0, 10.0  # seconds: until a viewer has its first burst; of the measure at rest
BETWEEN = 0.05  # seconds from one request to the next
PATH = "/player_api.php?username=a&password=b&action=get_live_streams"


def run(channels: int, requests: int) -> list[Figure]:
    """The figures of a list of so many ``channels``, asked for so often."""
    with (
        two_cores() as cores,
        Provider("one", bitrate=BITRATE) as provider,
        compiled("viewers") as (viewers,),
    ):
        first = provider.add_channel("c0", group_title="Group 0")
        for number in range(1, channels):
            told = f'tvg-id="c{number}.uk" tvg-logo="http://logos.example/{number}.png"'
            named = f'#EXTINF:-1 {told} group-title="Group {number % GROUPS}",Channel {number} HD'
            provider.list.entries += (named, f"{first.url}?{number}")
        with (
            running_proxy(provider, core=cores.server) as proxy,
            Crowd(viewers, proxy.port, "/stream/c0", 1, marks=True) as crowd,
        ):
            time.sleep(SETTLE)
            crowd.report()
            time.sleep(REST)
            rest = crowd.report()
            return [
                *_built(proxy, crowd, rest, channels),
                *_sent(proxy, crowd, rest, channels, requests),
            ]


def _built(proxy: Proxy, crowd: Crowd, rest: Report, channels: int) -> list[Figure]:
    seconds, size = _asked(proxy.port)
    time.sleep(SETTLE)
    report = crowd.report()
    lag = proxy.metrics().value("iptv_proxy_event_loop_lag_recent_seconds")
    what = f"{channels:,} channels by Xtream"
    told = f"at rest {rest.longest:.0f}"
    return [
        Figure(f"{what}: built for the first who asks", seconds, "s", note=f"{size:,} bytes"),
        Figure(f"{what}: the loop stands still meanwhile, at most", lag * 1e3, "ms", at_most(20)),
        Figure(
            f"{what}: longest delay of a running stream meanwhile, beyond rest",
            report.longest - rest.longest,
            "ms",
            at_most(20),
            told,
        ),
    ]


def _sent(proxy: Proxy, crowd: Crowd, rest: Report, channels: int, requests: int) -> list[Figure]:
    firsts = []
    for _ in range(requests):
        firsts.append(_asked(proxy.port)[0])
        time.sleep(BETWEEN)  # the provider sends from this process, too
    report = crowd.report()
    what = f"{channels:,} channels by Xtream"
    middle = f"median {statistics.median(firsts) * 1e3:.1f}"
    return [
        Figure(
            f"{what}: first byte gzipped, p99 of {requests:,}",
            percentile(firsts, 0.99) * 1e3,
            "ms",
            at_most(20),
            middle,
        ),
        Figure(
            f"{what}: p99 of a running stream's delay meanwhile, beyond rest",
            report.p99 - rest.p99,
            "ms",
            at_most(20),
            f"at rest {rest.p99:.1f}",
        ),
    ]


def _asked(port: int) -> tuple[float, int]:
    """Seconds from connecting to the first byte of the list, and the bytes of all."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", PATH, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
        first = answer.read(1)
        seconds = time.monotonic() - begun
        return seconds, len(first) + len(answer.read())
    finally:
        connection.close()
