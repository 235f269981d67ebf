"""A long guide: CPU and memory of the child, CPU of the worker and how long all else stands still.

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

from benchmarks.figures import Figure, at_most
from kptv.channels.guide.addresses import GuideAddress, KnownGuide
from kptv.channels.model import Source
from kptv.config import Config
from kptv.formats.xmltv.writing import FOOTER, HEADER, channel, programme
from kptv.guide.job import ChannelLine, GuideFile, Job, OfferLine, line_of
from kptv.upstream.client import HttpClient
from kptv.upstream.guide_child import run_child
from kptv.upstream.guides import Budget, FetchedGuide

CHANNELS, SERVED, SHOWS = 5464, 2000, 35  # shows of each channel
HOURS = 4  # of a show
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


def run() -> list[Figure]:
    """The figures, and what they should be."""
    with tempfile.TemporaryDirectory() as name:
        size = write_guide(Path(name) / "guide.xml.gz")
        command = (sys.executable, "-m", "benchmarks.guide", name)
        said = subprocess.run(command, capture_output=True, check=True).stdout
        told = json.loads(said)
    what, share = f"guide of {size / 1e6:.0f} MB", size / 100e6
    return [
        Figure(f"{what}: CPU of the child", told["child"], "s", at_most(8 * share)),
        Figure(f"{what}: peak memory of the child", told["memory"], "MB", at_most(64)),
        Figure(f"{what}: CPU of the worker", told["worker"], "s", at_most(0.3 * share)),
        Figure(f"{what}: standstill", told["standstill"], "ms", at_most(50)),
    ]


def write_guide(path: Path) -> int:
    """Make the guide; its size unpacked."""
    chance, size = random.Random(1), 0
    first = int(time.time()) // 3600 * 3600 - 86400
    descriptions = [" ".join(chance.choices(_WORDS, k=40)) for _ in range(500)]
    with gzip.open(path, "wb", compresslevel=1) as file:
        size += file.write(HEADER)
        for number in range(CHANNELS):
            size += file.write(channel(f"Channel{number}.uk", [f"Channel {number} HD"]))
        for number in range(CHANNELS):
            for show in range(SHOWS):
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


def measured(folder: Path) -> dict[str, float]:
    """One round of a worker: fetched from a file, built."""
    url = str(folder / "guide.xml.gz")
    source = Source(1_000_001, url, 0)
    guide = FetchedGuide(KnownGuide("guide-1", GuideAddress(url), source), folder / "guide")
    before, standstill = time.process_time(), _Standstill()
    guide.fetch(HttpClient(Config(sources=())), Budget())
    job = folder / "job"
    with job.open("wb") as file:
        for number in range(SERVED):
            guide_id = f"Channel{number}.uk"
            offers = (OfferLine(1, guide_id, (f"Channel {number}",)),)
            file.write(line_of(ChannelLine(f"c{number}", guide_id, guide_id, offers=offers)))
        files = (GuideFile(number=1, tag="guide-1", paths=tuple(map(str, guide.paths))),)
        file.write(line_of(_job(folder, files)))
    run_child(job)
    worker = time.process_time() - before
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "worker": worker,
        "standstill": standstill.longest * 1000,
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


class _Standstill:
    """How much later than after 5 ms a greenlet came to run, at most."""

    def __init__(self) -> None:
        self.longest = 0.0
        gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            begun = time.perf_counter()
            gevent.sleep(0.005)
            self.longest = max(self.longest, time.perf_counter() - begun - 0.005)


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]))))
