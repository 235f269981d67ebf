"""Players play through failovers: VLC and mpv as Debian ships them, without a screen."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.functional.harness import Proxy, eventually
from tests.functional.tapes import RATE, h264
from tests.provider import Bad, Provider, Stream

FAILOVERS = [Bad.RESET, Bad.END]
PLAYED = 3 * RATE  # pictures before, between and after them


class Player:
    """One that runs, and how many pictures it has shown or decoded so far."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, count: str) -> None:
        self.process = process
        self._output = output
        self._count = re.compile(count)

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def pictures(self) -> int:
        if self.process.stdin is not None:
            self.process.stdin.write(b"stats\n")
            self.process.stdin.flush()
        return int((self._count.findall(self.output) or ["0"])[-1])


@contextmanager
def running(command: tuple[str, ...], output: Path, count: str) -> Iterator[Player]:
    """A player, not as root: VLC refuses to be that."""
    as_nobody = (
        {"user": "nobody", "group": "nogroup", "extra_groups": []} if not os.geteuid() else {}
    )
    with (
        output.open("wb") as file,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"},
            **as_nobody,  # type: ignore[call-overload]
        ) as process,
    ):
        try:
            yield Player(process, output, count)
        finally:
            process.kill()


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


def plays_through(proxy: Proxy, streams: list[Stream], player: Player) -> None:
    """Two failovers, pictures before and after each, all in one connection of the player."""
    connections: set[int] = set()
    for how in (*FAILOVERS, None):
        shown = player.pictures()
        eventually(
            lambda shown=shown: player.pictures() >= shown + PLAYED, 30, player.output[-3000:]
        )
        connections |= players_of(proxy)
        assert len(connections) == 1
        if how is not None:
            next(stream for stream in streams if stream.connections).break_now(how)
    assert player.process.poll() is None
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
    proxy, streams = stage
    options = "-I oldrc --rc-fake-tty --ignore-config --no-color -vv --vout dummy --aout dummy"
    command = ("cvlc", *options.split(), proxy.url("/stream/news"))
    with running(command, tmp_path / "vlc.log", r"video decoded +: +(\d+)") as vlc:
        plays_through(proxy, streams, vlc)
        # Of its decoders and demultiplexers; a desktop is missing too, and said to be.
        wrong = r"(?:ts demux|avcodec decoder|packetizer|stream|access) \w+ error: .*"
        assert re.findall(wrong, vlc.output) == []


@pytest.mark.requires("mpv")
def test_mpv_plays_on(stage: tuple[Proxy, list[Stream]], tmp_path: Path) -> None:
    proxy, streams = stage
    shown = "--term-status-msg=shown ${estimated-frame-number}"
    options = "--no-config --vo=null --ao=null --msg-level=all=error,statusline=status"
    command = ("mpv", *options.split(), shown, proxy.url("/stream/news"))
    with running(command, tmp_path / "mpv.log", r"shown (\d+)") as mpv:
        plays_through(proxy, streams, mpv)
        lines = re.sub(r"\x1b\[[A-Z]", "", mpv.output).replace("\r", "\n").splitlines()
        assert [line for line in lines if line and not line.startswith("shown ")] == []
