"""What it costs to be several: slots of a Valkey, the same viewers at two instances, zapping.

All instances are gunicorns of their own, on one core; the crowd, the provider and the Valkey have
the other.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure, at_most
from benchmarks.rig import (
    Cores,
    Crowd,
    compiled,
    cpu_seconds,
    percentile,
    pin,
    span,
    two_cores,
)
from tests.functional.harness import ROOT, Proxy
from tests.instances.valkey import Valkey
from tests.provider import Provider

VIEWERS, BITRATE = 500, 4_000_000  # of two channels; bit/s
ROUNDS = 3
SETTLE, WINDOW = 5.0, 5.0  # seconds: until all have the media from before; measured
CALLS = 5.0  # seconds of reserving and releasing
ZAPS = 5
LEASE = "3"  # seconds: instances wait as long at first
_CHANNELS = ("one", "two")


def run(quick: bool = False) -> list[Figure]:
    """Calls and renewals, CPU per byte at two instances beside one, zapping from one to another."""
    with two_cores() as cores, compiled("viewers") as (viewers,):
        rounds = 1 if quick else ROUNDS
        return [*_calls(2.0 if quick else CALLS), *_costs(cores, viewers, rounds), *_zapping(cores)]


def _calls(seconds: float) -> list[Figure]:
    """In a process of its own, where gevent patches what waits."""
    with TemporaryDirectory(prefix="kptv-") as folder:
        valkey = Valkey(Path(folder))
        try:
            command = (sys.executable, "-m", "benchmarks._calls_of_slots", valkey.url, str(seconds))
            told = subprocess.run(
                command, cwd=ROOT, stdout=subprocess.PIPE, timeout=120, check=True
            )
        finally:
            valkey.kill()
    found = json.loads(told.stdout)
    waits = [wait * 1e3 for wait in found["waits"]]
    note = f"median {median(waits):.2f}, {len(waits) / seconds:.0f} a second"
    return [
        Figure(
            "500 slots reserved and released a second: until granted, p99",
            percentile(waits, 0.99),
            "ms",
            at_most(10),
            note,
        ),
        Figure(
            "renewal of an instance with 200 slots: its CPU",
            found["renewal"] * 1e3,
            "ms",
            at_most(1),
            f"Valkey's {found['server'] * 1e3:.2f}",
        ),
    ]


# --- the same viewers at one instance and at two ---


def _costs(cores: Cores, viewers: Path, rounds: int) -> Iterator[Figure]:
    with Provider("one", bitrate=BITRATE) as provider:
        for name in _CHANNELS:
            provider.add_channel(name)
        with _instances(cores, provider, 0, STREAM_LINGER="0s") as pair:
            turns = [_turns(viewers, pair, number) for number in range(rounds)]
    ratios = [two / one for one, two in turns]
    costs = [median(each) for each in zip(*turns, strict=True)]
    yield Figure(
        f"{VIEWERS} viewers of two channels at two instances: CPU per GB, of one instance's",
        median(ratios),
        "",
        at_most(1.15),
        f"{span(ratios, 2)}{costs[1]:.2f} and {costs[0]:.2f} s/GB",
    )


def _turns(viewers: Path, pair: tuple[Proxy, Proxy], number: int) -> tuple[float, float]:
    """What it costs at one and at two; each is the first in every second round."""
    sides: list[Sequence[Proxy]] = [pair[:1], pair]
    order = (0, 1) if number % 2 == 0 else (1, 0)
    costs = {side: _per_gigabyte(viewers, sides[side]) for side in order}
    return costs[0], costs[1]


def _per_gigabyte(viewers: Path, instances: Sequence[Proxy]) -> float:
    """Seconds of CPU of all instances; each channel is at one of them."""
    with contextlib.ExitStack() as stack:
        crowds = [
            stack.enter_context(
                Crowd(
                    viewers,
                    instances[number % len(instances)].port,
                    f"/stream/{name}",
                    VIEWERS // len(_CHANNELS),
                )
            )
            for number, name in enumerate(_CHANNELS)
        ]
        time.sleep(SETTLE)
        before = sum(cpu_seconds(each.worker_pid) for each in instances)
        for crowd in crowds:
            crowd.report()
        time.sleep(WINDOW)
        reports = [crowd.report() for crowd in crowds]
        used = sum(cpu_seconds(each.worker_pid) for each in instances) - before
    assert not sum(report.ended for report in reports), "viewers were lost"
    for each in instances:
        each.wait_idle()
    return used / sum(report.bytes for report in reports) * 1e9


# --- zapping ---


def _zapping(cores: Cores) -> Iterator[Figure]:
    with Provider("one", limit=1, bitrate=BITRATE) as provider:
        for name in _CHANNELS:
            provider.add_channel(name)
        with _instances(cores, provider, 1, STREAM_LINGER="60s") as (one, other):
            alone = _zaps((one, one))
            across = _zaps((one, other))
        assert provider.max_connections_seen == 1, "one connection too many"
    yield Figure(
        "zapping to another instance with one connection: new picture later than at one",
        median(across) - median(alone),
        "s",
        at_most(1),
        f"{median(across):.2f} and {median(alone):.2f} s, longest {max(across):.2f}",
    )


def _zaps(instances: tuple[Proxy, Proxy]) -> list[float]:
    """Seconds until the new channel comes, there and back."""
    seconds = []
    for number in range(ZAPS * 2):
        instance, channel = instances[number % 2], _CHANNELS[number % 2]
        with instance.viewer(channel, keep=False) as viewer:
            viewer.wait_for_bytes(2_000)
            seconds.append(viewer.first_byte_at - viewer.asked_at)
    return seconds[1:]  # before the first nothing was played


@contextlib.contextmanager
def _instances(
    cores: Cores, provider: Provider, limit: int, **settings: str
) -> Iterator[tuple[Proxy, Proxy]]:
    """Two that share a Valkey, on the server's core, ready."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="kptv-")))
        valkey = Valkey(folder)
        stack.callback(valkey.kill)
        shared = {"LEASES_URL": valkey.url, "KPTV_TEST_LEASE": LEASE, **settings}
        pair = []
        for name in ("a", "b"):
            (folder / name).mkdir()
            proxy = Proxy(folder / name, f"{provider.list_url}|{limit}", INSTANCE=name, **shared)
            stack.callback(proxy.close)
            pair.append(proxy.start(wait=False))
        for proxy in pair:
            proxy.wait_until_ready()
            pin(proxy.worker_pid, cores.server)
        yield pair[0], pair[1]
