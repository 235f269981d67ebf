"""How long a viewer waits when its source fails and another one works.

Each trial has a channel of its own, of two sources, so that no trial knows of an earlier failure.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable

from benchmarks.figures import Figure, at_most
from benchmarks.rig import running_proxy, two_cores
from tests.functional.harness import Proxy
from tests.provider import Bad, How, Provider, Stream

TRIALS = 10  # of each kind
BITRATE = 8_000_000
STALL_TIMEOUT = 1.0  # seconds
SOON = 0.3  # seconds; the target
PLAYED = 1.0  # seconds before the source fails
TAIL = 0.2  # seconds watched after the other source has come: the gap may have a second part

FIRST: dict[str, How | None] = {
    "404": 404,
    "refused": None,
    "HTML": Bad.HTML,
    "empty": Bad.EMPTY,
    "reset": Bad.RESET,
}
MID_STREAM: dict[str, tuple[Bad, float]] = {
    "end of body": (Bad.END, SOON),
    "reset": (Bad.RESET, SOON),
    "stall": (Bad.SILENCE, STALL_TIMEOUT + SOON),
}
# With default settings: the other source has a slot free and is opened beside the silent one.
BESIDE, BESIDE_SOON = "stall, by default", 3.0


def run() -> list[Figure]:
    """Cold starts whose first candidate fails, then failures in mid-stream."""
    with (
        two_cores() as cores,
        Provider("one", bitrate=BITRATE) as one,
        Provider("two", bitrate=BITRATE) as two,
    ):
        for name, how in FIRST.items():
            for channel in _channels(name):
                refused = one.refused_url() if how is None else ""
                first = one.add_channel(channel, url=refused)
                if how is not None:
                    first.fail_with(how)
                two.add_channel(channel)
        breaking: dict[str, Stream] = {}
        for name in (*MID_STREAM, BESIDE):
            for channel in _channels(f"then {name}"):
                breaking[channel] = one.add_channel(channel)
                two.add_channel(channel)
        with running_proxy(
            one, two, core=cores.server, STALL_TIMEOUT=f"{STALL_TIMEOUT}s", STREAM_LINGER="0"
        ) as proxy:
            figures = [*_cold(proxy), *_in_mid_stream(proxy, breaking)]
        with running_proxy(one, two, core=cores.server, STREAM_LINGER="0") as proxy:
            return [*figures, _opened_beside(proxy, breaking)]


def _channels(name: str) -> list[str]:
    return [f"{name} {number}" for number in range(TRIALS)]


def _cold(proxy: Proxy) -> Iterable[Figure]:
    for name in FIRST:
        waits = [_first_byte(proxy, channel) for channel in _channels(name)]
        what = f"first candidate {name}: request to first byte of the second"
        yield _figure(what, waits, SOON)


def _first_byte(proxy: Proxy, channel: str) -> float:
    """Seconds from the request to the first byte, which must be of source two."""
    with proxy.viewer(channel) as viewer:
        viewer.wait_for_source("two")
        assert viewer.sources() == ["two"]
        return viewer.first_byte_at - viewer.asked_at


def _in_mid_stream(proxy: Proxy, breaking: dict[str, Stream]) -> Iterable[Figure]:
    for name, (how, target) in MID_STREAM.items():
        silences = [
            _silence(proxy, channel, breaking[channel], how)
            for channel in _channels(f"then {name}")
        ]
        yield _figure(f"{name} in mid-stream: silence at the viewer", silences, target)


def _opened_beside(proxy: Proxy, breaking: dict[str, Stream]) -> Figure:
    """Time without media: null packets come after a second of it."""
    waits = []
    for channel in _channels(f"then {BESIDE}"):
        with proxy.viewer(channel) as viewer:
            viewer.wait_for_source("one")
            time.sleep(PLAYED)
            broken = time.monotonic()
            breaking[channel].break_now(Bad.SILENCE)
            viewer.wait_for_source("two")
            waits.append(time.monotonic() - broken)
    return _figure(f"{BESIDE}, with a free slot beside: no media at the viewer", waits, BESIDE_SOON)


def _silence(proxy: Proxy, channel: str, stream: Stream, how: Bad) -> float:
    """The viewer's longest, in seconds, from the failure of its source to the other's media."""
    with proxy.viewer(channel) as viewer:
        viewer.wait_for_source("one")
        time.sleep(PLAYED)
        broken = time.monotonic()
        stream.break_now(how)
        viewer.wait_for_source("two")
        time.sleep(TAIL)
        assert viewer.sources() == ["one", "two"]
        return viewer.longest_silence(since=broken - TAIL)


def _figure(what: str, seconds: list[float], target: float) -> Figure:
    median, worst = statistics.median(seconds) * 1e3, max(seconds) * 1e3
    return Figure(
        what, median, "ms", at_most(target * 1e3), f"worst of {len(seconds)}: {worst:.0f}"
    )
