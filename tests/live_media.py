"""Real media, live, from ffmpeg on loopback: HLS of every kind, DASH, RTP, UDP, RTMP.

All of it is one clip of distinct pictures, sent in real time without encoding it again, so what
a viewer got can be compared with it: picture by picture, in whatever container it travelled.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from tests.numbered_ts import PACKET

PLAY_SECONDS = float(os.environ.get("KPTV_TEST_PLAY") or 60)  # that each live origin plays
FRAME_RATE = 25
GROUP = 1  # seconds between keyframes, and of a segment
WINDOW = 6  # segments
_ESTABLISHED = 1  # a state of TCP_INFO; from the client's FIN on it is another


def make_clip(folder: Path, seconds: int) -> Path:
    """The clip: a small picture that never repeats, and a tone."""
    clip = folder / "clip.mp4"
    picture = f"testsrc2=s=160x90:r={FRAME_RATE}"
    group = str(FRAME_RATE * GROUP)
    _run(
        *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine", "-t", str(seconds)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", group),
        *("-keyint_min", group, "-sc_threshold", "0", "-c:a", "aac", "-ac", "1", str(clip)),
    )
    return clip


def as_transport_stream(clip: Path) -> bytes:
    """The clip in the container that it leaves in."""
    return _run("-i", str(clip), "-c", "copy", "-f", "mpegts", "-")


def _run(*arguments: str, given: bytes = b"") -> bytes:
    """What ffmpeg writes; AssertionError where it has something to say."""
    command = ["ffmpeg", "-hide_banner", "-v", "error", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)
    assert not done.stderr, done.stderr.decode(errors="replace")[:2000]
    return done.stdout


def pictures(media: bytes) -> list[str]:
    """A digest of each decoded picture; AssertionError where a decoder complains."""
    return _digests(_run("-i", "-", "-map", "0:v:0", "-f", "framehash", "-", given=media))


def sounds(media: bytes) -> list[str]:
    """A digest of each packet of sound, after it was decoded without a complaint."""
    _run("-i", "-", "-map", "0:a:0", "-f", "s16le", "-c:a", "pcm_s16le", "-", given=media)
    copied = ("-map", "0:a:0", "-c", "copy", "-f", "framehash", "-")
    return _digests(_run("-i", "-", *copied, given=media))


def _digests(text: bytes) -> list[str]:
    lines = text.decode().splitlines()
    return [line.split(",")[5].strip() for line in lines if not line.startswith("#")]


def whole_pictures(body: bytes) -> bytes:
    """The packets without the last PES packet of each PID: a viewer that left has a part of it."""
    packets = [body[at : at + PACKET] for at in range(0, len(body) // PACKET * PACKET, PACKET)]
    last = {_pid(packet): at for at, packet in enumerate(packets) if packet[1] & 0x40}
    whole = [p for at, p in enumerate(packets) if at < last.get(_pid(p), 0) or _pid(p) == 0]
    return b"".join(whole)


def _pid(packet: bytes) -> int:
    return (packet[1] & 0x1F) << 8 | packet[2]


class LiveFolder:
    """Files over HTTP, with ranges, as ffmpeg writes them. Closed with what writes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.presentation_delay = 0.0  # seconds that a DASH manifest asks for, if not ffmpeg's
        self.asked: list[str] = []  # paths
        self.agents: set[str | None] = set()
        self.cookies: set[str | None] = set()
        self.open: set[socket.socket] = set()
        self.most_sockets = 0
        self.lock = threading.Lock()
        self._writers: list[subprocess.Popen[bytes]] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.live = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def sockets(self) -> int:
        """Open connections; one that the client has closed is none, seen to be so or not."""
        return sum(not is_closed(connection) for connection in self.open)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}?user=secret"

    def write(self, clip: Path, *arguments: str, start: int = 0) -> None:
        """Have ffmpeg send the clip in real time, from ``start`` seconds on, somewhere."""
        command = ["ffmpeg", "-v", "fatal", "-nostdin", "-re", "-ss", str(start), "-i", str(clip)]
        writer = subprocess.Popen([*command, "-c", "copy", *arguments], cwd=self.folder)
        self._writers.append(writer)

    def wait_for(self, name: str, pattern: str, count: int) -> None:
        """Until a file has so many matches."""
        deadline = time.monotonic() + 30
        while len(re.findall(pattern, self._text(name))) < count:
            assert time.monotonic() < deadline, f"{name}: {self._text(name)[:500]!r}"
            time.sleep(0.05)

    def _text(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / name).read_text(errors="replace")
        return ""

    def stop_writing(self) -> None:
        """As a power cut: nothing is said in the playlist."""
        for writer in self._writers:
            writer.kill()
            writer.wait(10)
        self._writers.clear()

    def close(self) -> None:
        self.stop_writing()
        self._server.shutdown()
        self._server.server_close()


def is_closed(connection: socket.socket) -> bool:
    """True where the client has hung up."""
    try:
        # Reading, or peeking, would wait where the thread that answers has just read.
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED
    except OSError:
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    live: LiveFolder

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    @property
    def live(self) -> LiveFolder:
        return cast(_Server, self.server).live

    def setup(self) -> None:
        super().setup()
        live = self.live
        with live.lock:
            live.open.add(self.connection)
            live.most_sockets = max(live.most_sockets, live.sockets)

    def finish(self) -> None:
        with self.live.lock:
            self.live.open.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        live = self.live
        name = self.path.partition("?")[0].lstrip("/")
        with live.lock:
            live.asked.append(name)
            live.agents.add(self.headers["user-agent"])
            if len(live.asked) > 1:
                live.cookies.add(self.headers["cookie"])
        try:
            body = (live.folder / name).read_bytes()
        except OSError:
            self.send_error(404)
            return
        if live.presentation_delay and name.endswith(".mpd"):
            delay = f'suggestedPresentationDelay="PT{live.presentation_delay:g}S"'.encode()
            body = re.sub(rb'suggestedPresentationDelay="[^"]*"', delay, body)
        status, span = 200, re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        total = len(body)
        if span:
            first, last = int(span[1]), min(int(span[2] or total), total - 1)
            status, body = 206, body[first : last + 1]
        self.send_response(status)
        if span:
            self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
        self.send_header("Set-Cookie", "seen=yes; path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def rotating_keys(live: LiveFolder, seconds: float = 1.0) -> Iterator[Path]:
    """A key info file for ffmpeg's HLS muxer whose key changes all the time."""
    info = live.folder / "key.info"
    stop = threading.Event()

    def rotate() -> None:
        number = 0
        while True:
            key = live.folder / f"{number}.key"
            key.write_bytes(os.urandom(16))
            draft = live.folder / "key.draft"
            draft.write_text(f"{key.name}\n{key}\n{os.urandom(16).hex()}\n")
            draft.replace(info)
            number += 1
            if stop.wait(seconds):
                return

    thread = threading.Thread(target=rotate, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not info.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield info
    finally:
        stop.set()
        thread.join(10)


def free_port(kind: socket.SocketKind) -> int:
    """A port of loopback that nobody has now."""
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
