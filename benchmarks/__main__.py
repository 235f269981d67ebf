"""All figures in one table: `python -m benchmarks`, or name the modules to run.

A benchmark is a module here with ``run()``, which gives rows: what, measured, target.
"""

from __future__ import annotations

import signal
import sys
import time
import traceback
from importlib import import_module
from importlib.util import find_spec

MODULES = (
    "fan_out",
    "latency",
    "failover",
    "pictures",
    "hls",
    "import_catalog",
    "transport_stream",
    "hostile",
)
HEAD = ("what", "measured", "target")
Row = tuple[str, str, str]


def main(names: list[str]) -> int:
    """Run them one after the other, so that none disturbs another; gives the exit status."""
    rows: list[Row] = []
    failed = False
    for name in names or MODULES:
        begun = time.monotonic()
        try:
            rows += _rows_of(name)
        except Exception:  # noqa: BLE001  a failure must not lose the figures of the others
            traceback.print_exc()
            rows.append((name, "failed, see above", ""))
            failed = True
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    print(table(rows))
    return 1 if failed else 0


def _rows_of(name: str) -> list[Row]:
    if find_spec(f"benchmarks.{name}") is None:
        return [(name, "no such benchmark", "")]
    return list(import_module(f"benchmarks.{name}").run())


def table(rows: list[Row]) -> str:
    """The rows in columns."""
    widths = [max(len(row[column]) for row in (HEAD, *rows)) for column in range(3)]
    rule = tuple("-" * width for width in widths)
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEAD, rule, *rows)
    )
    return "\n".join(lines)


if __name__ == "__main__":
    # SIGTERM becomes an exception, so that nothing that was started is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
