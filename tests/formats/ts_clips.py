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
        subprocess.run(
            ["ffmpeg", "-v", "error", "-nostdin", *inputs, *codecs, "-output_ts_offset", str(offset)]
            + ["-mpegts_start_pid", str(first_pid), "-mpegts_pmt_start_pid", str(pmt_pid)]
            + [*more.split(), "-f", "mpegts", str(path)],
            check=True,
            timeout=100,
        )
        return path.read_bytes()


def complaints(stream: bytes) -> str:
    """What a decoder says about a stream: nothing, if it is sound."""
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", "-", "-map", "0", "-f", "null", "-"],
        input=stream,
        capture_output=True,
        timeout=100,
        check=False,
    )
    return done.stderr.decode()


def frames(stream: bytes, kind: str = "v") -> int:
    """How many pictures or sound frames a decoder makes of it."""
    done = subprocess.run(
        ["ffprobe", "-v", "quiet", "-select_streams", kind, "-count_frames"]
        + ["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", "-"],
        input=stream,
        capture_output=True,
        timeout=100,
        check=False,
    )
    return sum(int(word) for word in set(done.stdout.split()) if word.isdigit())
