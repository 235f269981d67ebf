"""Broadcasts of real media for the tests of splices, and what a viewer recorded of one."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.formats.ts_checker import Report, back, check
from tests.formats.ts_clips import AAC, AC3, H264, H265, MP2, MPEG2, clip
from tests.functional.harness import Proxy, Viewer
from tests.provider import Bad, Stream

TICKS = 90_000
VIDEO = (0x02, 0x1B, 0x24)  # stream types: MPEG-2, H.264, H.265
PACKET = 188
RATE = 25  # pictures a second, of all clips
# Clips are played in a loop: each lasts a whole number of its pictures and of its sound's frames.
_MUX = "-muxdelay 0.3 -muxpreload 0.3 -pat_period 0.4"


@dataclass(frozen=True, slots=True)
class Show:
    """A clip, and what a decoder gets of it."""

    data: bytes = field(repr=False)
    seconds: float
    group: float  # seconds from one place where a decoder can start to the next

    @property
    def second(self) -> int:
        """Bytes of one second of it."""
        return int(len(self.data) / self.seconds)

    def on_air(self, stream: Stream, folder: Path) -> Stream:
        """Let the stream broadcast it; a connection begins anywhere in it, in mid-packet."""
        file = folder / f"{stream.provider.name}-{stream.name}.ts"
        file.write_bytes(self.data)
        stream.play_clip(file, self.seconds)
        stream.from_anywhere = True
        return stream


def h264(group: int = 25, pid: int = 0x100, size: str = "160x120") -> Show:
    video = f"{H264} -x264-params open-gop=0:keyint={group}:min-keyint={group}:scenecut=0"
    return _show(video, AAC, 8.0, group / RATE, pid, size)


def h265(group: int = 30, pid: int = 0x100) -> Show:
    video = f"{H265}open-gop=0:keyint={group}:min-keyint={group}:scenecut=0"
    return _show(video, AC3, 8.0, group / RATE, pid)


def mpeg2(group: int = 12, pid: int = 0x100) -> Show:
    video = f"{MPEG2} -g {group} -flags +cgop -sc_threshold 1000000000"
    return _show(video, MP2, 12.0, group / RATE, pid)


def radio(pid: int = 0x100) -> Show:
    return _show("", AAC, 8.0, 0.5, pid)


def _show(
    video: str, sound: str, seconds: float, group: float, pid: int, size: str = "160x120"
) -> Show:
    samples = {AAC: 1024, AC3: 1536, MP2: 1152}[sound]
    count = int(seconds * 48_000 / samples)
    assert count * samples == seconds * 48_000
    # Not by `-frames:a`: versions of ffmpeg differ in what it counts, and in what else it ends.
    given = (count - 1 if sound == AAC else count) * samples  # AAC begins with a frame of its own
    pids = {"first_pid": pid, "pmt_pid": 0x1000 + pid}
    one_a_packet = "-pes_payload_size 0" if pid > 0x100 else ""  # else several frames of sound
    more = f"-af atrim=end_sample={given} {_MUX} {one_a_packet}"
    return Show(clip(video, sound, seconds=seconds, size=size, more=more, **pids), seconds, group)


@dataclass(frozen=True, slots=True)
class Tape:
    """All that one viewer received, whole to the last PES packet."""

    data: bytes = field(repr=False)
    arrivals: tuple[tuple[float, int], ...] = field(repr=False)
    report: Report = field(repr=False)

    @classmethod
    def of(cls, data: bytes, arrivals: tuple[tuple[float, int], ...]) -> Tape:
        """With what the checker says of its whole packets."""
        whole = data[: len(data) // PACKET * PACKET]
        return cls(whole, arrivals, check(whole))

    def pids(self, *types: int) -> list[int]:
        """Those with one of these stream types (ISO 13818-1, table 2-34)."""
        listed = {pid: kind for _, _, kinds in self.report.pmts for pid, kind in kinds.items()}
        return [pid for pid, kind in listed.items() if kind in types]

    def newest(self, pid: int, at: float) -> int:
        """The DTS that came last of this PID at that time."""
        arrived = _times_of(self.report.begun[pid], self.arrivals)
        return self.report.dts[pid][max(0, bisect_right(arrived, at) - 1)]

    def lost(self) -> list[tuple[float, float]]:
        """Seconds without pictures: of media between two of them, and of time that passed.

        One pair for each place where pictures are missing. The time is counted by how far media
        was ahead of it within a second on either side: the last picture of an upstream that fell
        silent may come when that is given up, and a picture that comes late is none that is lost.
        """
        sent = sorted(
            (number, dts)
            for pid in self.pids(*VIDEO)
            for number, dts in zip(self.report.begun[pid], self.report.dts[pid], strict=True)
        )
        arrived = _times_of([number for number, _ in sent], self.arrivals)
        gaps: list[float] = []
        ahead: list[list[float]] = [[]]  # of time, each picture between two gaps
        media, last = 0.0, sent[0][1] if sent else 0
        for (_, dts), at in zip(sent, arrived, strict=True):
            step = (dts - last) % (1 << 33) / TICKS
            if step > 1.5 / RATE:
                gaps.append(step)
                ahead.append([])
            media, last = media + step, dts
            ahead[-1].append(media - at)
        return [
            (gap, gap - (max(after[:RATE]) - max(before[-RATE:])))
            for gap, (before, after) in zip(gaps, itertools.pairwise(ahead), strict=True)
        ]

    def silences(self, count: int) -> list[float]:
        """The longest times from one picture to the next, in seconds: so many."""
        begun = sorted(number for pid in self.pids(*VIDEO) for number in self.report.begun[pid])
        times = itertools.pairwise(_times_of(begun, self.arrivals))
        return sorted(after - before for before, after in times)[-count:]

    def most_ahead(self) -> float:
        """Seconds by which media (PTS, PCR) ran ahead of the time that passed.

        Both count from what had come when the viewer had had its first second.
        """
        clocks = iter([*self.report.clocks, (1 << 60, 0)])
        ahead: list[tuple[float, float]] = []
        size, origin, latest = 0, self.report.clocks[0][1], self.report.clocks[0][1]
        number, ticks = next(clocks)
        for at, count in self.arrivals:
            size += count
            while (number + 1) * PACKET <= size:
                latest = latest if back(ticks, latest) else ticks
                number, ticks = next(clocks)
            ahead.append((at, (latest - origin) % (1 << 33) / TICKS - at))
        settled = ahead[0][0] + 1.0
        before = max(lead for at, lead in ahead if at <= settled)
        return max(lead for _, lead in ahead) - before


def _times_of(numbers: list[int], arrivals: tuple[tuple[float, int], ...]) -> list[float]:
    """When each of these packets had come whole."""
    sizes = list(itertools.accumulate(size for _, size in arrivals))
    return [arrivals[bisect_left(sizes, (number + 1) * PACKET)][0] for number in numbers]


def record(proxy: Proxy, streams: tuple[Stream, Stream], show: Show, endings: list[Bad]) -> Tape:
    """What a viewer gets over these endings, a second or so of media before each."""
    name = streams[0].name
    with proxy.viewer(name) as viewer:
        for how in endings:
            viewer.wait_for_bytes(show.second * 5 // 4, 30)
            playing = next(stream for stream in streams if stream.connections)
            others = [stream for stream in streams if stream is not playing]
            asked = len(others[0].requests)
            playing.break_now(how)
            viewer.wait(lambda other=others[0], asked=asked: len(other.requests) > asked, 30)
        viewer.wait_for_bytes(show.second * 5 // 4, 30)
        return finish(proxy, [viewer], streams)[0]


def finish(proxy: Proxy, viewers: Sequence[Viewer], streams: Sequence[Stream]) -> list[Tape]:
    """What each viewer of these streams' channel got.

    Ends the broadcasts first, so that what has come ends where a PES packet does.
    """
    for stream in streams:
        stream.fail_with(404)
        stream.break_now(Bad.END)

    def complete() -> bool:
        scrape = proxy.metrics()
        if scrape.value("iptv_proxy_active_connections", channel=streams[0].name):
            return False
        sent = scrape.value("iptv_proxy_bytes_transferred", channel=streams[0].name)
        return sum(viewer.received for viewer in viewers) == sent

    viewers[0].wait(complete, 30)
    return [Tape.of(bytes(viewer.body), tuple(viewer.arrivals)) for viewer in viewers]


def first_picture(data: bytes) -> tuple[bool, int]:
    """The first that a decoder shows: whether it is a keyframe, and its PTS."""
    shown = "-show_entries frame=key_frame,pts -of csv=p=0"
    command = "ffprobe -v quiet -select_streams v:0 -read_intervals %+#1"
    key, pts = output_of(f"{command} {shown} {{}}", data).split()[0].split(",")[:2]
    return key == "1", int(pts)


def pictures(data: bytes) -> int:
    """How many a decoder makes of all video streams in it."""
    command = "ffprobe -v quiet -select_streams v -show_entries frame=pict_type -of csv=p=0 {}"
    return len(output_of(command, data).split())


def output_of(command: str, data: bytes) -> str:
    """What a program says that is given ``data`` as a file (``{}``) and finds nothing wrong."""
    with tempfile.NamedTemporaryFile(suffix=".ts") as file:  # of a pipe ffprobe probes less
        file.write(data)
        file.flush()
        words = command.format(file.name).split()
        done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=True)
    return done.stdout
