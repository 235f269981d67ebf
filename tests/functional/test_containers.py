"""What ffmpeg would play is given to it: live containers over plain HTTP, and other protocols."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.functional.failing import RawServer
from tests.functional.harness import Proxy, Viewer, eventually
from tests.live_media import (
    as_transport_stream,
    free_port,
    make_clip,
    pictures,
    sounds,
    whole_pictures,
)
from tests.rtsp_origin import RtspOrigin

pytestmark = pytest.mark.requires("ffmpeg")

SECONDS = 5
AT_A_TIME = 6  # each is a process, and none may wait for long until it begins
COPY = "-c copy"
LIVE = b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
STATION = b"ICY 200 OK\r\nicy-name: One\r\nicy-metaint: 1000\r\nX; y\r\n\r\n"
# What ffmpeg is told to make of the clip. The pictures or the sound of it must come out.
PICTURES = {
    "flv": f"{COPY} -f flv",
    "program stream": "-c:v mpeg2video -c:a mp2 -f vob",
    "MPEG-1": "-c:v mpeg1video -c:a mp2 -f mpeg",
    "matroska": f"{COPY} -f matroska -live 1",
    "fragments": f"{COPY} -movflags frag_keyframe+empty_moov+default_base_moof -f mp4",
    "h264": f"{COPY} -an -f h264",
    "mpeg2video": "-an -c:v mpeg2video -f mpeg2video",
}
SOUND = {
    "mp3": "-vn -c:a libmp3lame -f mp3",
    "aac": f"-vn {COPY} -f adts",
    "latm": f"-vn {COPY} -f latm",
    "ac3": "-vn -c:a ac3 -f ac3",
    "opus": "-vn -c:a libopus -f ogg",
    "mp3 in flv": "-vn -c:a libmp3lame -f flv",
    "opus in webm": "-vn -c:a libopus -f webm -live 1",
}
ENCODED = {  # which no transport stream can hold as it is
    "vorbis": "-vn -c:a libvorbis -f ogg",
    "flac": "-vn -c:a flac -f flac",
    "wav": "-vn -f wav",
}
CONTAINERS = {**PICTURES, **SOUND, **ENCODED}
MOVED = ("moved", "listed", "listed and moved", "variant", "moved to datagrams")


@dataclass(frozen=True, slots=True)
class Stage:
    proxy: Proxy
    media: dict[str, bytes]
    servers: dict[str, RawServer]
    bodies: dict[str, bytes]
    clip: bytes


def _made(clip: Path, told: str) -> bytes:
    command = ["ffmpeg", "-v", "error", "-i", str(clip), *told.split(), "-"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def _with_titles(data: bytes, interval: int = 1000) -> bytes:
    """The bytes of a station, with a title or none behind each 1000."""
    title = b"StreamTitle='One';".ljust(32, b"\0")
    pieces = [data[at : at + interval] for at in range(0, len(data), interval)]
    parts = [p + (b"\2" + title if number % 3 else b"\0") for number, p in enumerate(pieces)]
    return b"".join(parts)


def _redirect(location: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def _whole(text: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text.encode())


@contextmanager
def _sent_as_datagrams(media: bytes) -> Iterator[str]:
    """An address at which somebody who listens gets the media, again and again."""
    port, stop = free_port(socket.SOCK_DGRAM), threading.Event()

    def send() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            while not stop.is_set():
                for at in range(0, len(media), 1316):
                    sender.sendto(media[at : at + 1316], ("127.0.0.1", port))
                    if stop.wait(0.01):
                        return

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield f"udp://127.0.0.1:{port}"
    stop.set()
    thread.join(10)


def _answers(media: dict[str, bytes]) -> dict[str, bytes]:
    answers = {name: LIVE + data for name, data in media.items()}
    answers["station"] = STATION + _with_titles(media["mp3"])
    answers["station from its middle"] = STATION + _with_titles(media["aac"][5003:])
    # Of a file with a length that is no film: at the speed at which it plays, to a good end.
    length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(media["mp3"])
    answers["song"] = length + media["mp3"]
    return answers


@pytest.fixture(scope="module")
def stage(
    share_proxy: Callable[..., Proxy], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """All has been played, some at a time; the viewers have left."""
    root = tmp_path_factory.mktemp("containers")
    clip = make_clip(root, SECONDS)
    media = {name: _made(clip, told) for name, told in CONTAINERS.items()}
    stream = as_transport_stream(clip)
    with ExitStack() as stack:
        answers = _answers(media)
        rtsp = [stack.enter_context(RtspOrigin(stream)).url for _ in range(4)]
        moved = stack.enter_context(RawServer(_redirect(rtsp[0])))
        answers["moved"] = _redirect(rtsp[1])
        answers["listed"] = _whole(f"#EXTM3U\n#EXTINF:-1,x\n{rtsp[2]}\n")
        answers["listed and moved"] = _whole(f"#EXTM3U\n#EXTINF:-1,x\n{moved.url()}\n")
        answers["variant"] = _whole(f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\n{rtsp[3]}\n")
        datagrams = stack.enter_context(_sent_as_datagrams(stream))
        answers["moved to datagrams"] = _redirect(datagrams)
        hold = {name: name not in (*MOVED, "song") for name in answers}
        servers = {
            name: stack.enter_context(RawServer(answer, hold=hold[name]))
            for name, answer in answers.items()
        }
        path = root / "list.m3u"
        entries = (
            f"#EXTINF:-1,{name}\n{server.url('/user/secret')}|Icy-MetaData=1\n"
            for name, server in servers.items()
        )
        path.write_text("#EXTM3U\n" + "".join(entries))
        patience = {"STALL_TIMEOUT": "60s", "STREAM_TIMEOUT": "20s"}
        settings = {"STREAM_LINGER": "0", "JOIN_BUFFER": "20s", "FFMPEG": "ffmpeg", **patience}
        proxy = share_proxy(f"{path}|0", **settings)
        song = proxy.viewer("song")
        bodies: dict[str, bytes] = {}
        names = [name for name in servers if name != "song"]
        deadline = time.monotonic() + 90
        for at in range(0, len(names), AT_A_TIME):
            viewers = {name: proxy.viewer(name) for name in names[at : at + AT_A_TIME]}
            for name, viewer in viewers.items():
                bodies[name] = whole_pictures(_played(viewer, deadline))
        with song:
            song.wait_for_end(60)
        bodies["song"] = bytes(song.body)
        yield Stage(proxy, media, servers, bodies, stream)
        eventually(lambda: not _children(proxy.worker_pid))
        assert "Traceback" not in proxy.log
        for secret in ("127.0.0.1:", "secret"):
            lines = [line for line in proxy.log.splitlines() if secret in line]
            assert not [line for line in lines if "Listening at" not in line]


def _played(viewer: Viewer, deadline: float) -> bytes:
    """What a viewer had when it left, most of the clip if that came in time."""
    with viewer, contextlib.suppress(AssertionError):
        left = max(deadline - time.monotonic(), 0.1)
        viewer.wait(lambda: _seconds(bytes(viewer.body)) > SECONDS - 2, timeout=left)
    return bytes(viewer.body)


def _seconds(body: bytes) -> float:
    """Between the first and the last time stamp of the clock (PCR)."""
    packets = (body[at : at + 12] for at in range(0, len(body) - 11, 188))
    clocks = [
        int.from_bytes(p[6:10], "big") / 45_000
        for p in packets
        if p[3] & 0x20 and p[4] and p[5] & 0x10
    ]
    return clocks[-1] - clocks[0] if clocks else 0.0


def _children(pid: int) -> list[str]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [child for task in tasks for child in (task / "children").read_text().split()]


def _is_part(some: list[str], whole: list[str]) -> bool:
    starts = [at for at, one in enumerate(whole) if some and one == some[0]]
    return any(whole[at : at + len(some)] == some for at in starts)


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_a_live_container_come_out_as_they_are(stage: Stage, name: str) -> None:
    seen = pictures(stage.bodies[name])
    assert len(seen) > (SECONDS - 3) * 25
    assert _is_part(seen, pictures(stage.media[name]))


@pytest.mark.parametrize("name", SOUND)
def test_the_sound_of_a_live_container_comes_out_as_it_is(stage: Stage, name: str) -> None:
    heard = sounds(stage.bodies[name])
    assert len(heard) > (SECONDS - 3) * 25
    assert _is_part(heard, sounds(stage.media[name]))


@pytest.mark.parametrize("name", ENCODED)
def test_sound_that_no_transport_stream_can_hold_is_encoded(stage: Stage, name: str) -> None:
    assert len(sounds(stage.bodies[name])) > (SECONDS - 3) * 40


@pytest.mark.parametrize("name", [*CONTAINERS, "station"])
def test_one_answer_is_looked_at_and_played_and_no_titles_are_asked_for(
    stage: Stage, name: str
) -> None:
    (request,) = stage.servers[name].requests
    assert b"icy-metadata" not in request.lower()


@pytest.mark.parametrize(
    ("name", "made"), [("station", "mp3"), ("station from its middle", "aac"), ("song", "mp3")]
)
def test_a_station_plays_without_its_titles(stage: Stage, name: str, made: str) -> None:
    heard = sounds(stage.bodies[name])
    assert len(heard) > (SECONDS - 3) * 25
    assert set(heard) <= set(sounds(stage.media[made]))


def test_what_has_a_length_is_played_once_to_its_end(stage: Stage) -> None:
    assert len(stage.servers["song"].requests) == 1
    assert len(sounds(stage.bodies["song"])) >= len(sounds(stage.media["mp3"])) - 5


@pytest.mark.parametrize("name", MOVED)
def test_a_way_that_leads_to_another_protocol_is_gone(stage: Stage, name: str) -> None:
    seen = pictures(stage.bodies[name])
    assert len(seen) > (SECONDS - 3) * 25
    assert set(seen) <= set(pictures(stage.clip))
