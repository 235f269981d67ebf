"""How pictures of real media come when a viewer joins a channel, and when its source fails.

The clips are the demo's: H.264 and AAC, a keyframe a second. A connection starts at a keyframe, so
that no wait for one is in these figures. Needs ffprobe.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.figures import Figure, at_least, at_most
from benchmarks.rig import percentile, running_proxy, two_cores
from kptv.demo.providers import CLIPS
from tests.functional.harness import Proxy
from tests.functional.tapes import RATE, Tape, finish, first_picture
from tests.provider import Bad, Provider, Stream

JOINS = 100
LOOKED_AT = 10  # of them, for their first picture
FAILOVERS = 10  # of each kind
PLAYED = 1.2  # seconds between two
SOON = 0.3  # seconds; the target
ENDINGS = {"end of body": Bad.END, "reset": Bad.RESET}
VIDEO = 256  # the PID that viewers see


def run() -> list[Figure]:
    """Joins of a running channel, then failovers in another for each kind of ending."""
    with two_cores() as cores, Provider("one") as one, Provider("two") as two:
        joined = _on_air(one, "joins")
        joined.burst = 4.0
        pairs = {name: (_on_air(one, name), _on_air(two, name)) for name in ENDINGS}
        with running_proxy(
            one, two, core=cores.server, STREAM_LINGER="0", MAX_FAILURES_BEFORE_BLOCK="1000"
        ) as proxy:
            return [*_joins(proxy, joined), *_failovers(proxy, pairs)]


def _on_air(provider: Provider, name: str) -> Stream:
    stream = provider.add_channel(name)
    stream.play_clip(CLIPS / f"{provider.name}-card.ts")
    return stream


def _joins(proxy: Proxy, stream: Stream) -> Iterator[Figure]:
    waits, at_keyframe = [], 0
    with proxy.viewer(stream.name) as first:
        first.wait_for_bytes(80_000)
        for number in range(JOINS):
            with proxy.viewer(stream.name) as viewer:
                viewer.wait_for_bytes(1 if number >= LOOKED_AT else 30_000)
                waits.append(viewer.first_byte_at - viewer.asked_at)
                if number < LOOKED_AT:
                    at_keyframe += _starts_with_a_keyframe(bytes(viewer.body))
    yield Figure(
        f"joining a running channel: first byte, p99 of {JOINS}",
        percentile(waits, 0.99) * 1e3,
        "ms",
        at_most(50),
        f"median {percentile(waits, 0.5) * 1e3:.0f}",
    )
    yield Figure(
        "and the first picture is of the first keyframe",
        at_keyframe,
        f"of {LOOKED_AT}",
        at_least(LOOKED_AT),
    )


def _starts_with_a_keyframe(data: bytes) -> bool:
    is_key, pts = first_picture(data)
    return is_key and pts == Tape.of(data, ()).report.pts[VIDEO][0]


def _failovers(proxy: Proxy, pairs: dict[str, tuple[Stream, Stream]]) -> Iterator[Figure]:
    for name, streams in pairs.items():
        tape = _tape(proxy, streams, ENDINGS[name])
        silences = tape.silences(FAILOVERS)
        gaps = [media * RATE for media, _ in tape.lost()]
        yield Figure(
            f"{name}: without pictures, where the other source starts with a keyframe",
            percentile(silences, 0.5) * 1e3,
            "ms",
            at_most(SOON * 1e3),
            f"worst of {FAILOVERS}: {max(silences) * 1e3:.0f}",
        )
        yield Figure(
            f"{name}: the longest gap that is left in the programme's clock",
            max(gaps, default=0.0),
            "pictures",
            at_most(RATE / 5),
        )


def _tape(proxy: Proxy, streams: tuple[Stream, Stream], how: Bad) -> Tape:
    with proxy.viewer(streams[0].name) as viewer:
        viewer.wait_for_bytes(30_000)
        for _ in range(FAILOVERS):
            time.sleep(PLAYED)
            playing = next(stream for stream in streams if stream.connections)
            playing.break_now(how)
            viewer.wait_for_bytes(1)
        time.sleep(PLAYED)
        return finish(proxy, [viewer], streams)[0]
