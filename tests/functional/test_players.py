"""Players play through failovers: VLC and mpv as Debian ships them, without a screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.functional.harness import Proxy
from tests.functional.programs import running, watch
from tests.functional.tapes import RATE, h264
from tests.provider import Bad, Provider, Stream

FAILOVERS = [Bad.RESET, Bad.END]
PLAYED = 3 * RATE  # pictures before, between and after them


@pytest.fixture
def stage(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy], tmp_path: Path
) -> tuple[Proxy, list[Stream]]:
    one, two = start_provider("one"), start_provider("two")
    streams = [
        h264(25).on_air(one.add_channel("news"), tmp_path),
        h264(40, 0x200).on_air(two.add_channel("news"), tmp_path),
    ]
    return start_proxy((one, 0), (two, 0), MAX_FAILURES_BEFORE_BLOCK="1000"), streams


def plays_through(proxy: Proxy, streams: list[Stream], name: str, folder: Path) -> None:
    """Two failovers, pictures before and after each, all in one connection of the player."""
    connections: set[int] = set()
    with running(name, proxy.url("/stream/news"), folder) as player:
        for how in (*FAILOVERS, None):
            shown = player.pictures + PLAYED
            watch([player], lambda shown=shown: player.pictures >= shown)
            connections |= players_of(proxy)
            assert len(connections) == 1
            if how is not None:
                next(stream for stream in streams if stream.connections).break_now(how)
        assert player.complaints() == []
    assert sum(len(stream.requests) for stream in streams) == 1 + len(FAILOVERS)


def players_of(proxy: Proxy) -> set[int]:
    """The ports of the clients that are connected to a proxy."""
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    scraped = [row.split() for table in tables for row in table.splitlines()[1:]]
    pairs = ((row[1].split(":"), row[2].split(":"), row[3]) for row in scraped)
    established = "01"
    return {
        int(remote[1], 16)
        for local, remote, state in pairs
        if int(local[1], 16) == proxy.port and state == established
    }


@pytest.mark.requires("cvlc")
def test_vlc_plays_on(stage: tuple[Proxy, list[Stream]], tmp_path: Path) -> None:
    plays_through(*stage, "cvlc", tmp_path)


@pytest.mark.requires("mpv")
def test_mpv_plays_on(stage: tuple[Proxy, list[Stream]], tmp_path: Path) -> None:
    plays_through(*stage, "mpv", tmp_path)
