"""A guide while it is built beside a running stream, and as it is served: through gunicorn."""

from __future__ import annotations

import http.client
import statistics
import time
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.rig import Crowd, compiled, percentile, running_proxy, two_cores
from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

BITRATE = 8_000_000
AT_ONCE = 200  # channels of a question
TURNS = 20  # of questions for what is on
SETTLE, REST = 2.0, 5.0  # seconds: until a viewer has its first burst; of the measure at rest
BUILT_WITHIN = 120.0  # seconds


def run(guide: Path, channels: int, requests: int) -> list[Figure]:
    """The figures of the guide at ``guide``, whose first ``channels`` are served."""
    with (
        two_cores() as cores,
        Provider("one", bitrate=BITRATE) as provider,
        compiled("viewers") as (viewers,),
    ):
        first = provider.add_channel("c0", tvg_id="Channel0.uk")
        for number in range(1, channels):
            named = f'#EXTINF:-1 tvg-id="Channel{number}.uk",c{number}'
            provider.list.entries += (named, f"{first.url}?{number}")
        with running_proxy(
            provider, core=cores.server, GUIDES=str(guide), GUIDE_FROM_LISTS="no"
        ) as proxy:
            return [
                *_beside_a_stream(proxy, viewers),
                _file(proxy.port, requests),
                *_now(proxy.port, channels),
            ]


def _beside_a_stream(proxy: Proxy, viewers: Path) -> list[Figure]:
    """How long a viewer's data is under way at most, while the guide is built and at rest."""
    with Crowd(viewers, proxy.port, "/stream/c0", 1, marks=True) as crowd:
        crowd.report()
        begun = time.monotonic()
        eventually(lambda: proxy.get("/epg.xml", method="HEAD").status == 200, BUILT_WITHIN)
        seconds, built = time.monotonic() - begun, crowd.report()
        time.sleep(SETTLE)
        crowd.report()
        time.sleep(REST)
        rest = crowd.report()
    note = f"at rest {rest.longest:.0f}; {seconds:.0f} s"
    what = "while a guide is built: longest silence of a running stream, beyond rest"
    return [Figure(what, built.longest - rest.longest, "ms", at_most(50), note)]


def _file(port: int, requests: int) -> Figure:
    seconds = [_asked(port, "/epg.xml.gz", 1) for _ in range(requests)]
    middle = f"median {statistics.median(seconds) * 1e3:.1f}"
    what = f"/epg.xml.gz: first byte, p99 of {requests:,} requests"
    return Figure(what, percentile(seconds, 0.99) * 1e3, "ms", at_most(20), middle)


def _asked(port: int, path: str, most: int | None = None) -> float:
    """Seconds from connecting until so many bytes of the body are there, or all."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200, path
        assert answer.read(most)
        return time.monotonic() - begun
    finally:
        connection.close()


def _now(port: int, channels: int) -> list[Figure]:
    """Of the first question after a new show everywhere, and of those that come then."""
    firsts, others = [], []
    for start in range(0, channels, AT_ONCE):
        names = ",".join(f"c{number}" for number in range(start, start + AT_ONCE))
        path = f"/api/guide/now?channels={names}"
        firsts.append(_asked(port, path))
        others += [_asked(port, path) for _ in range(TURNS)]
    what = f"now and next of {AT_ONCE} channels"
    asked = f"p99 {percentile(others, 0.99) * 1e3:.0f}"
    return [
        Figure(what, statistics.median(others) * 1e3, "ms", at_most(10), asked),
        Figure(f"{what}, after all shows have changed", statistics.median(firsts) * 1e3, "ms"),
    ]
