"""Real players without a screen, given bytes at the times at which a viewer would get them.

VLC and mpv keep time as they do before a screen, and tell what they show.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import IO, Any, cast

from benchmarks.outages import PICTURE, SECONDS, Arrival, Picture, Shown, shown

WIDTH, HEIGHT = 320, 180  # of the demo's pictures
_VLC = (
    *("-I", "dummy", "--ignore-config", "--no-color", "--no-osd", "--no-spu", "-vv"),
    *("--aout", "dummy", "--vout", "yuv", "--yuv-file"),
)
_MPV = ("--no-config", "--vo=null", "--ao=null", "--msg-level=all=warn")
_TO_FFMPEG = ("-v", "error", "-nostdin", "-copyts", "-analyzeduration", "500000")
_FROM_FFMPEG = ("-map", "0:v", "-c", "copy", "-flush_packets", "1", "-f", "framecrc", "-")
DEADLINE = 60.0  # seconds for all that a player shows
FREEZE = 0.2  # seconds without a new picture that count


@dataclass(frozen=True, slots=True)
class Watched:
    """What a real player has shown in SECONDS from its first picture on."""

    pictures: int
    frozen: float  # seconds
    longest: float  # of these, at once
    underruns: int
    complaints: int  # of sound out of step, of pictures too late


def _watched(times: Sequence[float], underruns: int, complaints: int) -> Watched:
    """Of the times at which pictures were shown."""
    times = [*[at for at in times if at < times[0] + SECONDS], times[0] + SECONDS]
    still = [after - before - PICTURE for before, after in pairwise(times)]
    freezes = [seconds for seconds in still if seconds > FREEZE]
    return Watched(len(times) - 1, sum(freezes), max(freezes, default=0.0), underruns, complaints)


class Stage:
    """Programmes over HTTP, each played from its beginning for whoever asks."""

    def __init__(self, programmes: dict[str, Sequence[Arrival]]) -> None:
        self.programmes = programmes
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.stage = self
        self._over = threading.Event()

    def __enter__(self) -> Stage:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}"

    def play(self, name: str, write: Callable[[bytes], object]) -> None:
        """Write a programme as it arrives; then nothing, until the stage is left."""
        begun = time.monotonic()
        for arrival in self.programmes[name]:
            if self._over.wait(max(0.0, begun + arrival.at - time.monotonic())):
                return
            write(arrival.data)
        self._over.wait(DEADLINE)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    stage: Stage

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A player that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        cast(_Server, self.server).stage.play(self.path.strip("/"), self.wfile.write)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _as_nobody() -> dict[str, Any]:
    """Not as root: VLC refuses to be that."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if not os.geteuid() else {}


@contextlib.contextmanager
def _running(
    command: Sequence[str], log: IO[bytes], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options}
    with subprocess.Popen(command, env=environment, **options, **_as_nobody()) as process:
        try:
            yield process
        finally:
            process.kill()


def watch_vlc(url: str) -> Watched:
    """VLC writes each picture when it is to be seen, and the same once more while it waits."""
    ours, its = os.pipe()
    os.fchmod(its, 0o666)  # for nobody
    command = ["cvlc", *_VLC, f"/dev/fd/{its}", url]
    times: list[float] = []
    before = b""
    with (
        tempfile.TemporaryFile() as log,
        open(ours, "rb"),
        _running(command, log, pass_fds=[its]),
    ):
        os.close(its)
        for at, picture in _pieces(ours, b"FRAME\n", WIDTH * HEIGHT * 3 // 2):
            if picture and picture != before:
                times.append(at)
                before = picture
            if times and at > times[0] + SECONDS:
                break
        text = _text(log)
    late = "too late to be displayed|late picture skipped|playback (?:way )?too (?:late|early)"
    return _watched(times, text.count("is called too late"), len(re.findall(late, text)))


def _pieces(file: int, head: bytes, size: int) -> Iterator[tuple[float, bytes]]:
    """Pieces of one size behind a head, and when each has come; empty if none comes for long."""
    rest, deadline = b"", time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if not select.select([file], [], [], 0.5)[0]:
            yield time.monotonic(), b""
            continue
        got = os.read(file, 1 << 20)
        assert got, "the player is gone"
        rest += got
        begin = rest.find(head) + len(head)
        while begin >= len(head) and len(rest) >= begin + size:
            yield time.monotonic(), rest[begin : begin + size]
            rest = rest[begin + size :]
            begin = rest.find(head) + len(head)
    raise AssertionError("the player shows too little")


def _text(log: IO[bytes]) -> str:
    size = os.fstat(log.fileno()).st_size
    return os.pread(log.fileno(), size, 0).decode(errors="replace")


def watch_mpv(url: str) -> Watched:
    """mpv tells its time, which is that of the picture, whenever it changes."""
    ours, its = socket.socketpair()
    command = ["mpv", *_MPV, f"--input-ipc-client=fd://{its.fileno()}", url]
    times: list[float] = []
    underruns = 0
    with (
        tempfile.TemporaryFile() as log,
        ours,
        its,
        _running(command, log, pass_fds=[its.fileno()]),
    ):
        its.close()
        for number, name in enumerate(("time-pos", "paused-for-cache"), 1):
            asked = {"command": ["observe_property", number, name]}
            ours.sendall(json.dumps(asked).encode() + b"\n")
        for at, event in _events(ours):
            if event.get("name") == "time-pos" and event.get("data") is not None:
                times.append(at)
            elif event.get("name") == "paused-for-cache" and event.get("data") and times:
                underruns += 1
            if times and at > times[0] + SECONDS:
                break
        text = _text(log)
    return _watched(times, underruns, text.count("desynchronisation detected"))


def _events(connection: socket.socket) -> Iterator[tuple[float, dict[str, Any]]]:
    """What mpv tells, and when; something at least once a second."""
    rest, deadline = b"", time.monotonic() + DEADLINE
    connection.settimeout(1.0)
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            got = connection.recv(1 << 16)
            assert got, "the player is gone"
            rest += got
        *lines, rest = rest.split(b"\n")
        for line in lines or [b"{}"]:
            yield time.monotonic(), json.loads(line)
    raise AssertionError("the player shows too little")


def watch_ffmpeg(url: str) -> Watched:
    """What ffmpeg's demuxer hands on, shown by an ideal player whose clock stops."""
    command = ["ffmpeg", *_TO_FFMPEG, "-i", url, *_FROM_FFMPEG]
    came: list[Picture] = []
    unit = 0.0
    with (
        tempfile.TemporaryFile() as log,
        _running(command, log, stdout=subprocess.PIPE) as ffmpeg,
    ):
        assert ffmpeg.stdout is not None
        for line in ffmpeg.stdout:
            if line.startswith(b"#tb"):
                over, under = line.split()[-1].split(b"/")
                unit = int(over) / int(under)
            elif not line.startswith(b"#"):
                now = time.monotonic()
                came.append(Picture(now, int(line.split(b",")[1]) * unit))
                if now > came[0].at + SECONDS:
                    break
        complaints = len(_text(log).splitlines())
    return watched_as(shown(came, clock_stops=True), complaints)


def watched_as(seen: Shown, complaints: int = 0) -> Watched:
    """The same of an ideal player."""
    count = round((SECONDS - seen.frozen) / PICTURE)
    return Watched(count, seen.frozen, seen.longest, seen.underruns, complaints)


PLAYERS: dict[str, Callable[[str], Watched]] = {
    "vlc": watch_vlc,
    "mpv": watch_mpv,
    "ffmpeg": watch_ffmpeg,
}
