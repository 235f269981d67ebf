"""What a rules file costs: CPU of making a catalog, how long all else stands still meanwhile.

The measured process imports two lists over loopback HTTP and then makes the catalog again and
again, with the file and without one in turn, as it does after a change of the file. What the file
costs is the median of the differences between neighbours: a machine that is slower for a while is
so for both. The time ends as the catalog is handed out, for what is freed then was made the other
way. Python's garbage collector runs as it does in the proxy. A greenlet that wants to run every
millisecond tells how long it could not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._made_lists import list_of, rules_of
from benchmarks.figures import Figure, at_most
from benchmarks.import_catalog import provider


@dataclass(frozen=True, slots=True)
class Case:
    """Lists, and a file for them."""

    entries: int
    different: int  # names in each of the two lists, at most
    rules: int
    cpu: float | None = None  # seconds that the file may cost
    standstill: float | None = None  # ms
    headline: bool = False
    rounds: int = 3  # with the file and without one

    def __str__(self) -> str:
        alike = (
            "names nearly all different"
            if self.different >= self.entries
            else "names as public lists"
        )
        return f"{self.entries:,} entries, {alike}, {self.rules} rules"


# As many names as public lists had together, 9,874, and as many groups, 253.
ALIKE = Case(200_000, 5_520, 10, cpu=0.6, headline=True, rounds=9)
CASES = (
    ALIKE,
    Case(200_000, 200_000, 10),  # made to cost: told, without a target
    Case(500_000, 500_000, 50, standstill=100),
)
QUICK = (
    Case(50_000, 5_520, 10, cpu=0.15, standstill=100, rounds=1),
    Case(50_000, 50_000, 10, standstill=100, rounds=1),
)


def run(quick: bool = False) -> list[Figure]:
    """The figures, and what they should be."""
    return [figure for case in (QUICK if quick else CASES) for figure in _measured(case)]


def _measured(case: Case) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in (1, 2):
            text = list_of(number, case.entries // 2, case.different)
            (folder / f"list{number}.m3u").write_text(text)
        (folder / "rules.toml").write_bytes(rules_of(case.rules))
        with provider(folder) as port:
            command = [sys.executable, "-m", __spec__.name, name, f"{port}", f"{case.rounds}"]
            told = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=1200).stdout
    seen: list[dict[str, Any]] = json.loads(told)
    without, ruled = (
        [one for one in seen if one["rules"] is with_them] for with_them in (False, True)
    )
    more = [one["cpu"] - other["cpu"] for one, other in zip(ruled, without, strict=True)]
    before, after = (median(one["cpu"] for one in some) for some in (without, ruled))
    note = f"{min(more):.2f} to {max(more):.2f}; without {before:.2f} s, {after / before:.2f} times"
    note += f"; {without[0]['channels']:,} channels become {ruled[0]['channels']:,}"
    cpu = None if case.cpu is None else at_most(case.cpu)
    yield Figure(f"{case}: CPU for the file", median(more), "s", cpu, note, case.headline)
    worst, usual = (max(one["standstill"] for one in some) for some in (ruled, without))
    bound = None if case.standstill is None else at_most(case.standstill)
    yield Figure(f"{case}: standstill", worst, "ms", bound, f"without {usual:.0f}")


def _make_catalogs(folder: Path, provider_port: int, rounds: int) -> None:
    """The measured process: what it saw goes to standard output."""
    import gc

    import gevent

    from kptv.channels.model import Source
    from kptv.channels.rules.reading import read_rules
    from kptv.config import Config
    from kptv.upstream.channel_list import channel_list
    from kptv.upstream.client import HttpClient
    from kptv.upstream.importer import Importer
    from kptv.upstream.last_good import LastGood
    from kptv.upstream.merger import Merger
    from kptv.upstream.store import Store

    urls = [f"http://127.0.0.1:{provider_port}/list{number}.m3u" for number in (1, 2)]
    sources = tuple(Source(number, url, 1) for number, url in enumerate(urls, start=1))
    config = Config(sources=sources, data_dir=folder / "data")
    client, store = HttpClient(config), Store(folder / "data")
    made: list[tuple[int, float]] = []  # channels, and the CPU until they were handed out
    merger = Merger(
        [LastGood(channel_list(source), client, store) for source in sources],
        lambda catalog: made.append((len(catalog), time.process_time())),
    )
    importer = Importer(merger.lists, merger.merge, config.import_refresh_interval, workers=4)
    rules = read_rules((folder / "rules.toml").read_bytes())
    longest = [0.0]

    def tick() -> None:
        while True:
            begun = time.perf_counter()
            gevent.sleep(0.001)
            longest[0] = max(longest[0], time.perf_counter() - begun - 0.001)

    gevent.spawn(tick)
    done = importer.import_now()
    importer.start()
    done.wait()
    seen = []
    for turn in range(2 * rounds + 1):
        merger.rules = rules if turn % 2 else None
        gc.collect()
        gevent.sleep(0.05)
        longest[0], begun, count = 0.0, time.process_time(), len(made)
        merger.merge()
        if len(made) > count:
            channels, ended = made[-1]
            report = {
                "rules": merger.rules is not None,
                "cpu": ended - begun,
                "standstill": longest[0] * 1000,
                "channels": channels,
            }
            seen.append(report)
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    from gevent.monkey import patch_all

    patch_all()
    _make_catalogs(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
