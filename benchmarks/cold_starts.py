"""How soon a viewer of a channel that nobody watches has its first byte, and a player a picture.

The first is counted from the moment at which the provider has sent a whole keyframe: what comes
before that is the provider's, what comes behind is the proxy's. Players are let into the middle of
a group of pictures, once through the proxy, which waits for the keyframe, and once straight at
the provider, which does not. Needs ffmpeg; players that are not installed are left out.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, at_most
from benchmarks.player_logs import PLAYERS, Player, start_of
from benchmarks.rig import running_proxy, two_cores
from kptv.demo.providers import CLIPS
from tests.functional.harness import Proxy
from tests.functional.tapes import h264
from tests.provider import Provider, Stream

STARTS = 20  # of each kind
BESIDE = 0.137  # seconds between two: each at another place of the group
BURST = 4.0  # seconds
VIDEO, PACKET = 256, 188
GROUP = 8.0  # seconds from one keyframe to the next, for players
AHEAD = 4.0  # seconds to the next one when a player is started
LIMIT = AHEAD + 15.0


def run(quick: bool = False) -> list[Figure]:
    """First bytes, and the players' first pictures unless ``quick``."""
    figures = list(_first_bytes(STARTS // 2 if quick else STARTS))
    return figures if quick else [*figures, *_first_pictures()]


def _first_bytes(count: int) -> Iterator[Figure]:
    kinds = {
        "starts at a keyframe": (0.0, False),
        f"bursts {BURST:g} s": (BURST, False),
        "starts in the middle of a group": (0.0, True),
    }
    with two_cores() as cores, Provider("one") as one:
        starts = {
            kind: [_Start(one, f"{kind} {n}", *how) for n in range(count)]
            for kind, how in kinds.items()
        }
        with running_proxy(one, core=cores.server, STREAM_LINGER="0") as proxy:
            for kind, of_kind in starts.items():
                waits = [start.wait(proxy) * 1e3 for start in of_kind]
                yield Figure(
                    f"cold, the provider {kind}: first byte behind the whole keyframe",
                    median(waits),
                    "ms",
                    at_most(20),
                    f"median of {count}; {min(waits):.0f} to {max(waits):.0f}",
                )


class _Start:
    """One channel that nobody has watched yet."""

    def __init__(self, provider: Provider, name: str, burst: float, from_anywhere: bool) -> None:
        self._stream = provider.add_channel(name)
        self._stream.play_clip(CLIPS / "one-card.ts")
        self._stream.burst, self._stream.from_anywhere = burst, from_anywhere
        self._stream.mangle = self._note
        self._sent: list[tuple[float, bytes]] = []

    def _note(self, packets: bytes) -> bytes:
        self._sent.append((time.monotonic(), packets))
        return packets

    def wait(self, proxy: Proxy) -> float:
        """Seconds from the keyframe to a viewer's first byte."""
        time.sleep(BESIDE)
        with proxy.viewer(self._stream.name) as viewer:
            viewer.wait_for_bytes(1)
            return viewer.first_byte_at - self._whole_at()

    def _whole_at(self) -> float:
        """When the first keyframe was whole: the next picture began."""
        begun = False
        for at, packets in self._sent:
            for start in range(0, len(packets), PACKET):
                if _begins_picture(packets, start):
                    if begun:
                        return at
                    begun = _is_flagged(packets, start)
        return math.nan


def _begins_picture(packets: bytes, at: int) -> bool:
    pid = (packets[at + 1] & 0x1F) << 8 | packets[at + 2]
    return pid == VIDEO and bool(packets[at + 1] & 0x40)


def _is_flagged(packets: bytes, at: int) -> bool:
    """Whether a packet has the random_access_indicator."""
    return bool(packets[at + 3] & 0x20 and packets[at + 4] and packets[at + 5] & 0x40)


def _first_pictures() -> Iterator[Figure]:
    show = h264(group=round(GROUP * 25), size="640x360")
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(Provider("one"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        streams = [show.on_air(one.add_channel(player.name), folder) for player in PLAYERS]
        proxy = stack.enter_context(running_proxy(one, STREAM_LINGER="0"))
        for player, stream in zip(PLAYERS, streams, strict=True):
            if player.is_installed:
                yield from _pictures_of(player, stream, proxy)


def _pictures_of(player: Player, stream: Stream, proxy: Proxy) -> Iterator[Figure]:
    through = proxy.url(f"/stream/{player.name.lower()}")
    for way, url in (("through the proxy", through), ("straight", stream.url)):
        proxy.wait_idle()
        _wait_for_the_middle(stream.provider)
        start = start_of(player, url, LIMIT)
        asked = stream.requests[-1].at
        ahead = GROUP - (asked - stream.provider.started) % GROUP
        yield Figure(
            f"{player.name} in the middle of a group, {way}: picture behind the keyframe",
            start.picture - asked - ahead,
            "s",
            note=f"which came after {ahead:.1f} s; sound {start.sound - asked:.1f} s after request",
        )


def _wait_for_the_middle(provider: Provider) -> None:
    passed = (time.monotonic() - provider.started) % GROUP
    time.sleep((GROUP - AHEAD - passed) % GROUP)
