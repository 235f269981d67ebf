"""All figures in one table: `python -m benchmarks`, or name the modules to run.

A benchmark is a module here with ``run() -> list[Figure]`` (see figures.py). One whose ``run``
takes ``quick`` has a shorter form too, and is part of ``--quick``: two minutes in all.
The exit status is 1 if a benchmark fails or a figure misses its target.
"""

from __future__ import annotations

import argparse
import inspect
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import benchmarks
from benchmarks import records
from benchmarks.figures import Figure, table
from benchmarks.records import Record

BUSY = 1.0  # load average


def registry() -> dict[str, Callable[..., list[Figure]]]:
    """The benchmarks by name: each module here that has ``run``."""
    names = [info.name for info in pkgutil.iter_modules(benchmarks.__path__)]
    modules = {name: import_module(f"benchmarks.{name}") for name in names if name[0] != "_"}
    return {name: module.run for name, module in modules.items() if hasattr(module, "run")}


def has_quick_form(run: Callable[..., object]) -> bool:
    """Whether it can be run shorter."""
    return "quick" in inspect.signature(run).parameters


def main(arguments: list[str]) -> int:
    """Run them one after the other, so that none disturbs another; gives the exit status."""
    known = registry()
    parser = _parser(list(known))
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(known):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    names = options.names or [
        n for n, run in known.items() if has_quick_form(run) or not options.quick
    ]
    if (load := os.getloadavg()[0]) > BUSY:
        print(
            f"The machine is busy (load {load:.1f}): no figure is what it could be.",
            file=sys.stderr,
        )
    done: dict[str, Record] = {}
    for name in names:
        done[name] = _measured(known[name], options.quick)
        print(f"{name}: {done[name].seconds:.0f} s", file=sys.stderr)
        records.save(options.json, {name: done[name]})
    print(table(figure.row for record in done.values() for figure in record.figures))
    return _concluded(done)


def _parser(known: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="two minutes in all; less exact")
    parser.add_argument("--json", type=Path, default=records.FILE, metavar="FILE")
    return parser


def _measured(run: Callable[..., list[Figure]], quick: bool) -> Record:
    begun, figures, failure = time.monotonic(), [], ""
    try:
        figures = run(quick) if has_quick_form(run) else run()
    except Exception as error:  # noqa: BLE001  a failure must not lose the figures of the others
        traceback.print_exc()
        failure = f"{type(error).__name__}: {error}"
    return Record(
        date=records.now(),
        commit=records.this_commit(),
        machine=records.this_machine(),
        quick=quick and has_quick_form(run),
        seconds=round(time.monotonic() - begun, 1),
        figures=tuple(figures),
        failure=failure,
    )


def _concluded(done: dict[str, Record]) -> int:
    """Say what was missed; gives the exit status."""
    lines = list(records.missed(done))
    if lines:
        print("\nNot as it should be:", *lines, sep="\n  ")
    return 1 if lines else 0


if __name__ == "__main__":
    # SIGTERM becomes an exception, so that nothing that was started is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
