"""A long guide: CPU and memory of its child, CPU of the worker, what viewers and players feel.

The guide is made: 100 MB as it is written, of which 2,000 of 5,464 channels are served.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gevent

from benchmarks import _served_guide as served
from benchmarks.figures import Figure, at_most
from benchmarks.rig import percentile
from kptv.channels.guide.addresses import GuideAddress, KnownGuide
from kptv.channels.model import Source
from kptv.config import Config
from kptv.formats.xmltv.writing import FOOTER, HEADER, channel, programme
from kptv.guide.job import ChannelLine, GuideFile, Job, OfferLine, line_of
from kptv.upstream.client import HttpClient
from kptv.upstream.guide_child import run_child
from kptv.upstream.guides import FetchedGuide, GuideBudget

CHANNELS, SERVED, SHOWS = 5464, 2000, 35  # shows of each channel
HOURS = 4  # of a show
REQUESTS = 1000
REST = 3.0  # seconds before it begins
_DEADLINE = 900.0  # seconds
_WORDS = [
    "the",
    "of",
    "news",
    "and",
    "film",
    "music",
    "live",
    "world",
    "night",
    "day",
    "sport",
    "talk",
    "house",
    "river",
    "city",
]


def run(quick: bool = False) -> list[Figure]:
    """The figures, and what they should be; ``quick``: a guide of a fifth, and no long one."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "guide.xml.gz"
        size = write_guide(path, SHOWS // 5 if quick else SHOWS)
        figures = _alone(path, size) + served.run(
            path, SERVED, REQUESTS // 10 if quick else REQUESTS
        )
        return figures if quick else figures + _long(path)


def _alone(path: Path, size: int) -> list[Figure]:
    told, share = _measured_beside(path), size / 100e6
    what = f"guide of {size / 1e6:.0f} MB"
    lag = f"at rest {told['rest']:.1f}"
    return [
        Figure(f"{what}: CPU of the child", told["child"], "s", at_most(8 * share)),
        Figure(f"{what}: peak memory of the child", told["memory"], "MB", at_most(64)),
        Figure(f"{what}: CPU of the worker", told["worker"], "s", at_most(0.3 * share)),
        Figure(f"{what}: loop lag, p99 beyond rest", told["lag"], "ms", at_most(10), lag),
    ]


def _long(path: Path) -> list[Figure]:
    path.unlink()
    size = write_guide(path, 10 * SHOWS)
    told = _measured_beside(path)
    what, cpu = f"guide of {size / 1e9:.1f} GB", f"{told['child']:.0f} s of CPU"
    return [Figure(f"{what}: peak memory of the child", told["memory"], "MB", at_most(64), cpu)]


def _measured_beside(path: Path) -> dict[str, float]:
    """In a process of its own: memory is told of all children that a process had."""
    command = (sys.executable, "-m", "benchmarks.guide", str(path))
    done = subprocess.run(command, capture_output=True, check=True, timeout=_DEADLINE)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def write_guide(path: Path, shows: int) -> int:
    """Make a guide with so many shows of each channel; its size unpacked."""
    chance, size = random.Random(1), 0
    first = int(time.time()) // 3600 * 3600 - 86400
    descriptions = [" ".join(chance.choices(_WORDS, k=40)) for _ in range(500)]
    with gzip.open(path, "wb", compresslevel=1) as file:
        size += file.write(HEADER)
        for number in range(CHANNELS):
            size += file.write(channel(f"Channel{number}.uk", [f"Channel {number} HD"]))
        for number in range(CHANNELS):
            for show in range(shows):
                start = first + show * HOURS * 3600
                title = " ".join(chance.choices(_WORDS, k=3))
                xml = (
                    f'<title lang="en">{title} {show}</title><sub-title>{title}</sub-title>'
                    f'<desc lang="en">{chance.choice(descriptions)} &amp; more</desc>'
                    f"<category>news</category><episode-num>S1E{show}</episode-num>"
                    f'<icon src="http://i.example/{number}/{show}.jpg"/>'
                )
                stop = start + HOURS * 3600
                size += file.write(programme(f"Channel{number}.uk", start, stop, xml.encode()))
        size += file.write(FOOTER)
    return size


def measured(path: Path, folder: Path) -> dict[str, float]:
    """One round of a worker: fetched from a file, built."""
    url = str(path)
    source = Source(1_000_001, url, 0)
    guide = FetchedGuide(KnownGuide("guide-1", GuideAddress(url), source), folder / "guide")
    lateness = _Lateness()
    before = time.process_time()
    gevent.sleep(REST)
    rest, ticking = lateness.p99(), (time.process_time() - before) / REST
    before, begun = time.process_time(), time.perf_counter()
    guide.fetch(HttpClient(Config(sources=())), GuideBudget())
    job = folder / "job"
    with job.open("wb") as file:
        for number in range(SERVED):
            guide_id = f"Channel{number}.uk"
            offers = (OfferLine(1, guide_id, (f"Channel {number}",)),)
            file.write(line_of(ChannelLine(f"c{number}", guide_id, guide_id, offers=offers)))
        files = (GuideFile(number=1, tag="guide-1", paths=tuple(map(str, guide.paths))),)
        file.write(line_of(_job(folder, files)))
    run_child(job)
    worker = time.process_time() - before - ticking * (time.perf_counter() - begun)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "worker": worker,
        "rest": rest,
        "lag": lateness.p99() - rest,
        "child": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss / 1024,
    }


def _job(folder: Path, files: tuple[GuideFile, ...]) -> Job:
    return Job(
        folder=str(folder / "guide"),
        now=int(time.time()),
        days=3,
        parent=os.getpid(),
        guides=files,
    )


class _Lateness:
    """How much later than after 5 ms a greenlet came to run."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            begun = time.perf_counter()
            gevent.sleep(0.005)
            self._seconds.append(time.perf_counter() - begun - 0.005)

    def p99(self) -> float:
        """In milliseconds, since the last time that it was asked."""
        seconds, self._seconds = self._seconds, []
        return percentile(seconds, 0.99) * 1e3


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as beside:
        print(json.dumps(measured(Path(sys.argv[1]), Path(beside))))
