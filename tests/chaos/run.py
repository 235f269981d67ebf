"""One seed: a world, a proxy, a crowd, and what was wrong with it. `python -m tests.chaos.run`."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.faults import draw
from tests.chaos.judge import Judge
from tests.chaos.people import Person
from tests.chaos.world import CHANNELS, LIMITS, World
from tests.functional.harness import Proxy, eventually, sources_setting

PEOPLE = 40
SETTINGS = {
    "STALL_TIMEOUT": "2s",
    "STREAM_TIMEOUT": "3s",
    "RETRY_DELAY": "200ms",
    "MAX_RETRIES": "1000",
    "MAX_FAILURES_BEFORE_BLOCK": "100000",
    "STREAM_LINGER": "1s",
    "IMPORT_REFRESH_INTERVAL": "5s",
    "SLATE": "off",
}
STANDBY_OF_SEEDS = 2  # in each so many-th seed something stands by
GAUGES = (
    "iptv_proxy_source_slots_in_use",
    "iptv_proxy_source_slots_standby",
    "iptv_proxy_source_slots_waiting",
)
_MORE_MEMORY = 64 * 1024**2  # bytes above what it had at the beginning


@dataclass(slots=True)
class Outcome:
    """What a seed came to."""

    seed: int
    seconds: float
    viewings: int = 0
    watched: int = 0  # of them, those that had media
    owed: int = 0  # moments, two a second, at which media was owed
    bytes: int = 0
    faults: int = 0
    wrong: list[str] = field(default_factory=list)
    log: str = ""

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.faults} faults, {self.viewings} viewings, {self.watched}"
            f" with media, owed at {self.owed} moments, {self.bytes / 1e6:.0f} MB;"
            f" {len(self.wrong)} wrong"
        )


def run(seed: int, seconds: float, folder: Path) -> Outcome:
    """The chaos of this seed for so long."""
    outcome = Outcome(seed, seconds)
    world = World()
    standby = "off" if seed % STANDBY_OF_SEEDS else "on"
    proxy = Proxy(folder, sources_setting(*world.sources()), **SETTINGS, STANDBY=standby)
    try:
        proxy.start(app="tests.chaos.wsgi:app")
        _watch(outcome, world, proxy)
    finally:
        outcome.log = proxy.log
        proxy.close()
        world.close()
    return outcome


def _watch(outcome: Outcome, world: World, proxy: Proxy) -> None:
    before = proxy.descriptors(), _greenlets(proxy), proxy.memory()
    faults = draw(outcome.seed, outcome.seconds, len(LIMITS), CHANNELS)
    people = [Person(number, outcome.seed, proxy, world.names) for number in range(PEOPLE)]
    begun = world.start(faults)
    for person in people:
        person.start()
    time.sleep(max(begun + outcome.seconds - time.monotonic(), 0))
    world.stop()
    for person in people:
        person.over.set()
    for person in people:
        person.join(30)
    viewings = [viewing for person in people for viewing in person.viewings]
    outcome.faults, outcome.viewings = len(faults), len(viewings)
    outcome.watched = sum(viewing.status == 200 for viewing in viewings)
    outcome.bytes = sum(len(viewing.body) for viewing in viewings)
    outcome.wrong += _left_over(proxy, *before)
    judge = Judge(world, faults, begun)
    outcome.wrong += judge.verdicts(viewings, proxy)
    outcome.owed = judge.owed


def _left_over(proxy: Proxy, descriptors: int, greenlets: int, memory: int) -> list[str]:
    wrong = []
    try:
        proxy.wait_idle(30)
        eventually(lambda: proxy.descriptors() <= descriptors + 2, 30, "descriptors are left")
        eventually(lambda: _greenlets(proxy) <= greenlets + 2, 30, "greenlets are left")
        eventually(lambda: not _children(proxy), 10, "children are left")
        eventually(lambda: not any(map(proxy.metrics().value, GAUGES)), 10, "slots are left")
    except AssertionError as error:
        wrong.append(f"{error}: {proxy.descriptors()} descriptors, {_greenlets(proxy)} greenlets")
    if proxy.memory() > memory + _MORE_MEMORY:
        wrong.append(f"memory: {memory >> 20} MB at first, {proxy.memory() >> 20} MB at last")
    return wrong


def _greenlets(proxy: Proxy) -> int:
    return int(proxy.get("/chaos/greenlets").text)


def _children(proxy: Proxy) -> list[str]:
    pid = proxy.worker_pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def main(arguments: list[str]) -> int:
    """``first seed``, ``how many``, ``seconds of each``: the exit status."""
    first, count, seconds = (*map(int, arguments), *(1, 1, 60)[len(arguments) :])
    failed = 0
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            outcome = run(seed, seconds, Path(folder))
            print(outcome, flush=True)
            for wrong in outcome.wrong[:20]:
                print(f"  {wrong}", flush=True)
            if outcome.wrong:
                failed += 1
                Path(f"chaos-{seed}.log").write_text(outcome.log)
    print(f"{count} seeds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
