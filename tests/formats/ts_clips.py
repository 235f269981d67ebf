"""Small clips of test pictures, made with ffmpeg once a run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None and not os.environ.get("CI"), reason="ffmpeg is not installed"
)
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "ts"

H264 = "-c:v libx264 -preset ultrafast -bf 2 -threads 1"
H265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=1:frame-threads=1:"
MPEG2 = "-c:v mpeg2video -b:v 1M -bf 2 -threads 1"
AAC, MP2, AC3 = "-c:a aac -b:a 96k", "-c:a mp2 -b:a 128k", "-c:a ac3 -b:a 128k"


@cache
def clip(
    video: str = H264 + " -x264-params open-gop=0:keyint=25:scenecut=0",
    audio: str = AAC,
    *,
    seconds: float = 4,
    first_pid: int = 0x100,
    pmt_pid: int = 0x1000,
    offset: float = 0.0,
    size: str = "160x120",
    more: str = "",
) -> bytes:
    """A transport stream with these codecs (an empty string: none)."""
    inputs, codecs = [], []
    if video:
        inputs += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}"]
        codecs += video.split()
    if audio:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}:sample_rate=48000"]
        codecs += audio.split()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.ts"
        pids = f"-mpegts_start_pid {first_pid} -mpegts_pmt_start_pid {pmt_pid}"
        options = [*codecs, *f"-output_ts_offset {offset} {pids} {more} -f mpegts".split()]
        command = ["ffmpeg", "-v", "error", "-nostdin", *inputs, *options, str(path)]
        subprocess.run(command, check=True, timeout=100)
        return path.read_bytes()


def segmented(stream: bytes, *, more: str = "") -> list[bytes]:
    """A stream in segments of a second, as ffmpeg's segment muxer makes them: each made anew."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.ts"
        path.write_bytes(stream)
        command = f"ffmpeg -v error -nostdin -i {path} -map 0 -c copy -f segment -segment_time 1"
        command += f" -segment_format mpegts {more} {folder}/%03d.ts"
        subprocess.run(command.split(), check=True, timeout=100)
        return [part.read_bytes() for part in sorted(Path(folder).glob("0*.ts"))]


def interleaved(stream: bytes, spread: int = 3) -> bytes:
    """The same as a broadcaster sends it: the packets of sound lie among those of pictures.

    Of those that stand together, each is sent ``spread`` packets later than the one before it.
    """
    keyed: list[tuple[int, bytes]] = []
    latest: dict[bytes, int] = {}  # by PID
    delay, before = 0, b""
    for index in range(len(stream) // 188):
        packet = stream[index * 188 : index * 188 + 188]
        pid = bytes((packet[1] & 0x1F, packet[2]))
        delay = delay + spread if pid == before and pid not in (b"\0\0", b"\x01\0") else 0
        before = pid
        key = latest[pid] = max(index + delay, latest.get(pid, 0))
        keyed.append((key, packet))
    return b"".join(packet for _, packet in sorted(keyed, key=lambda item: item[0]))


def complaints(stream: bytes, level: str = "error") -> str:
    """What a decoder says about a stream: nothing, if it is sound."""
    return _run(f"ffmpeg -v {level} -nostdin -i {{}} -f null -", stream)[1]


def decoding_complaints(stream: bytes) -> str:
    """The same of every stream in it, and without ffmpeg's own ideas of time."""
    return _run("ffprobe -v error -show_entries frame=pts -of csv {}", stream)[1]


def probed_errors(stream: bytes) -> list[str]:
    """What a demuxer that is not ours finds: packets marked as corrupt, DTS that do not advance."""
    command = "ffprobe -v quiet -show_entries packet=stream_index,dts,flags -of csv=p=0 {}"
    found: list[str] = []
    last: dict[str, int] = {}
    for line in _run(command, stream)[0].split():
        index, dts, flags = line.split(",")[:3]
        if "C" in flags or not dts.lstrip("-").isdigit() or int(dts) <= last.get(index, -(1 << 40)):
            found.append(line)
        else:
            last[index] = int(dts)
    return found


def frames(stream: bytes, kind: str = "v") -> int:
    """How many pictures or sound frames a decoder makes of its first stream of that kind."""
    command = f"ffprobe -v quiet -select_streams {kind}:0 -count_frames"
    words = _run(command + " -show_entries stream=nb_read_frames -of csv=p=0 {}", stream)[0].split()
    return int(words[0].strip(",")) if words else 0


def _run(command: str, stream: bytes) -> tuple[str, str]:
    with tempfile.NamedTemporaryFile(suffix=".ts") as file:  # ffprobe probes a pipe less well
        file.write(stream)
        file.flush()
        done = subprocess.run(
            command.format(file.name).split(), capture_output=True, timeout=100, check=False
        )
    return done.stdout.decode(), done.stderr.decode()
