"""Programs that play, as Debian ships them: without a screen, and asked how far they are.

with running("mpv", proxy.url("/stream/news"), tmp_path) as mpv:
    watch([mpv], lambda: mpv.pictures >= 50)
    assert mpv.complaints() == []
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOOKS = 0.05  # seconds between two looks at how far players are


@dataclass(frozen=True, slots=True)
class Program:
    """How one is started, and what it writes."""

    command: str  # with the address in it
    count: str  # what it writes of the pictures so far
    wrong: str  # lines that say that something is
    asked: bytes = b""  # what makes it tell the count

    def words(self, url: str) -> list[str]:
        """The command: quotes hold words together."""
        parts = re.findall(r'"([^"]*)"|(\S+)', self.command)
        return [(quoted or plain).replace("URL", url) for quoted, plain in parts]


_GSTREAMER = "gst-launch-1.0 -v playbin3 uri=URL"
PROGRAMS = {
    "cvlc": Program(
        "cvlc -I oldrc --rc-fake-tty --ignore-config --no-color -vv --vout dummy --aout dummy URL",
        r"video decoded +: +(\d+)",
        # Of its decoders and demultiplexers; a desktop is missing too, and said to be. At a
        # discontinuity it drains them without a clock, and says that as well.
        r"(?:demux|decoder|packetizer|stream|access) error:"
        r" (?!Timestamp conversion failed|Could not convert timestamp).*"
        r"|(?:corrupted|discontinuities) +: +[1-9].*",
        asked=b"stats\n",
    ),
    "mpv": Program(
        "mpv --no-config --vo=null --ao=null --msg-level=all=error,statusline=status"
        ' "--term-status-msg=shown ${estimated-frame-number}" URL',
        r"shown (\d+)",
        r"^(?!shown )(?=.).*",
    ),
    "ffmpeg": Program(  # as fast as media comes
        "ffmpeg -v warning -nostdin -nostats -stats_period 0.1 -progress - -i URL -f null -",
        r"frame=(\d+)",
        r"^(?!\w+=)(?=.).*",
    ),
    "gst-launch-1.0": Program(
        f'{_GSTREAMER} "video-sink=fpsdisplaysink text-overlay=false video-sink=fakesink"'
        ' "audio-sink=fakesink sync=true"',
        r"rendered: (\d+)",
        r"^(?:ERROR|WARNING).*",
    ),
}


class Player:
    """One that runs: how many pictures it has shown or decoded, and for how long it had no more."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], output: Path) -> None:
        self.name = name
        self.process = process
        self.pictures = 0
        self.first = 0.0  # seconds until it had one
        self.paused = 0.0  # seconds for which it had no new picture, at most
        self._program = PROGRAMS[name]
        self._output = output
        self._begun = self._moved = time.monotonic()

    @property
    def output(self) -> str:
        text = self._output.read_text(errors="replace")
        return re.sub(r"\x1b\[[A-Z]", "", text).replace("\r", "\n")

    def look(self) -> None:
        """See how far it is now."""
        if self._program.asked:
            assert self.process.stdin is not None
            self.process.stdin.write(self._program.asked)
            self.process.stdin.flush()
        count = int((re.findall(self._program.count, self.output) or ["0"])[-1])
        now = time.monotonic()
        if self.pictures:
            self.paused = max(self.paused, now - self._moved)
        elif count:
            self.first = now - self._begun
        if count > self.pictures:
            self.pictures, self._moved = count, now

    def complaints(self) -> list[str]:
        """What it said against the stream."""
        return re.findall(self._program.wrong, self.output, re.MULTILINE)

    def __str__(self) -> str:
        return (
            f"{self.name}: first picture {self.first:.2f} s, {self.pictures} pictures,"
            f" paused for {self.paused:.2f} s, complaints {self.complaints()}"
        )


@contextmanager
def running(name: str, url: str, folder: Path) -> Iterator[Player]:
    """A player, not as root: VLC refuses to be that."""
    as_nobody = (
        {"user": "nobody", "group": "nogroup", "extra_groups": []} if not os.geteuid() else {}
    )
    output = folder / f"{name}.log"
    with (
        output.open("wb") as file,
        subprocess.Popen(
            PROGRAMS[name].words(url),
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"},
            **as_nobody,  # type: ignore[call-overload]
        ) as process,
    ):
        try:
            yield Player(name, process, output)
        finally:
            process.kill()


def watch(players: Sequence[Player], done: Callable[[], bool], timeout: float = 30.0) -> None:
    """Look at all of them until it is so; AssertionError with what they say."""
    deadline = time.monotonic() + timeout
    while not done():
        for player in players:
            player.look()
            assert player.process.poll() is None, f"{player.name} ended: {player.output[-3000:]}"
        told = "\n".join(map(str, players))
        assert time.monotonic() < deadline, f"not within {timeout} s:\n{told}"
        time.sleep(_LOOKS)  # programs of others: there is no event to wait for
