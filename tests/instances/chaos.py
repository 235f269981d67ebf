"""All that can go wrong for several instances, by seeds.

`python -m tests.instances.chaos [seed] [seeds] [seconds]` runs many seeds, each with its mix; CI
runs one. Where it can, it has a network of its own, with links that fail as cables do.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import gevent
from greenlet import getcurrent  # type: ignore[import-untyped]

from kptv.instances.term import Times
from tests.instances import network
from tests.instances.judge import Outcome
from tests.instances.world import World

TIMES = Times(lease=3.0, renewal=0.5, margin=1.0, call=0.3)

Fault = Callable[[World], None]
CUTS: tuple[Fault, ...] = (World.cut, World.reset, World.hold, World.slow, World.unplug)
CABLES: tuple[Fault, ...] = (World.mute, World.deafen)
DEATHS: tuple[Fault, ...] = (World.kill_instance, World.kill_server)
STOPS: tuple[Fault, ...] = (World.freeze_server, World.freeze_instance)


@dataclass(frozen=True, slots=True)
class Mix:
    """What goes wrong in a run, and how many leases it is from one fault to the next at most."""

    name: str
    faults: tuple[Fault, ...]
    pauses: tuple[float, ...] = (0.3, 1.0, 3.0)
    hands: int = 2  # so many faults at a time


MIXES = (
    Mix("all of it", (*DEATHS, *STOPS, *CUTS, *CABLES)),
    Mix("a server that dies, slower than the lease", (World.kill_server,), (2.7,), 1),
    Mix("a server that dies, faster than the lease", (World.kill_server,), (0.3, 0.6), 1),
    Mix("instances that die, and stops", (World.kill_instance, *STOPS)),
    Mix("cuts", (*CUTS, *CABLES, *CABLES)),
)


def mix_of(seed: int) -> Mix:
    """The first seed has all of it."""
    return MIXES[(seed - 1) % len(MIXES)]


def run(
    seed: int,
    seconds: float,
    times: Times = TIMES,
    mix: Mix | None = None,
    enough: Callable[[World], bool] = lambda world: False,
) -> Outcome:
    """The chaos of this seed; it ends as soon as it is ``enough``."""
    mix = mix or mix_of(seed)
    outcome = Outcome(seed, mix.name)
    with TemporaryDirectory(prefix="kptv-") as folder:
        world = World(Path(folder), outcome, times)
        ends = monotonic() + seconds

        def go_wrong() -> None:
            while monotonic() < ends and not enough(world):
                pause = world.dice.random() * times.lease * world.dice.choice(mix.pauses)
                gevent.sleep(min(pause, max(ends - monotonic(), 0)))
                fault = world.dice.choice(faults)
                fault(world)
                outcome.done[fault.__name__] = outcome.done.get(fault.__name__, 0) + 1

        faults = [each for each in mix.faults if network.is_own() or each not in CABLES]
        try:
            gevent.joinall([gevent.spawn(go_wrong) for _ in range(mix.hands)], raise_error=True)
            world.leave()
            world.judged()
        finally:
            world.close()
    return outcome


def main() -> None:
    if not network.is_own():
        if network.way_in():
            network.go_in("tests.instances.chaos")
        print("no network of its own can be had here: links are cut by relays, none loses packets")
    gevent.signal_handler(signal.SIGTERM, getcurrent().throw, SystemExit)
    first, seeds, seconds = (int(each) for each in (*sys.argv[1:], "1", "1", "45")[:3])
    wrong = 0
    for seed in range(first, first + seeds):
        outcome = run(seed, seconds)
        print(outcome, *outcome.over[:5], *outcome.grown, sep="\n  ", flush=True)
        wrong += bool(outcome.over or outcome.grown)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
