"""Renew README's table of figures: `python -m benchmarks.readme`.

From what `python -m benchmarks` has kept last (records.py): the figures marked ``headline``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from benchmarks import records
from benchmarks.figures import Figure
from benchmarks.records import Record

PAGE = records.ROOT / "README.md"
SECTION = re.compile(r"^## How fast\n.*?(?=^## )", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Write the page anew; gives the exit status."""
    whole = {name: one for name, one in records.load(records.FILE).items() if not one.quick}
    if not any(figure.headline for record in whole.values() for figure in record.figures):
        print("There are no figures: run `python -m benchmarks` first.", file=sys.stderr)
        return 2
    PAGE.write_text(with_table(PAGE.read_text(), whole))
    return 0


def with_table(page: str, kept: Mapping[str, Record]) -> str:
    """The page with these records' headlines in its section "How fast"."""
    told = {name: record for name, record in kept.items() if any(_headlines(record))}
    section = _section([told[name] for name in sorted(told)])
    new, count = SECTION.subn(lambda _: section, page)
    assert count == 1, "the page has no such section"
    return new


def _section(told: list[Record]) -> str:
    machines = sorted({str(record.machine) for record in told})
    dates = sorted({record.date[:10] for record in told})
    rows = [_row(figure) for record in told for figure in _headlines(record)]
    where = "; ".join(machines)
    return "\n".join(
        [
            "## How fast",
            "",
            f"One worker, on one core of: {where}. Measured by `make bench`, {dates[-1]}.",
            "",
            "| | measured | aim |",
            "|---|---|---|",
            *rows,
            "",
            "",
        ]
    )


def _row(figure: Figure) -> str:
    return f"| {figure.what} | {figure.number} | {figure.aimed_at} |"


def _headlines(record: Record) -> list[Figure]:
    return [figure for figure in record.figures if figure.headline]


if __name__ == "__main__":
    sys.exit(main())
