"""What was measured when, where and of which code: one JSON file, by benchmark.

A benchmark that is run again replaces its own record and leaves the others'.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Side, Target

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "benchmarks.json"  # ignored by git: it is of one machine


@dataclass(frozen=True, slots=True)
class Machine:
    """On what it was measured."""

    cpu: str
    cores: int  # that this process may use
    kernel: str
    python: str

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, Linux {self.kernel}, Python {self.python}"


@dataclass(frozen=True, slots=True)
class Record:
    """One run of one benchmark."""

    date: str  # ISO 8601, UTC
    commit: str  # "+" behind it: with changes that are not in it
    machine: Machine
    quick: bool
    seconds: float  # that it took
    figures: tuple[Figure, ...]
    failure: str = ""  # why there are no figures


def this_machine() -> Machine:
    """The one that this process runs on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    cores = len(os.sched_getaffinity(0))
    return Machine(model, cores, platform.release(), platform.python_version())


def this_commit() -> str:
    """The code's commit; empty outside a clone."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()
    except OSError:
        return ""


def now() -> str:
    """The date of a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def load(file: Path) -> dict[str, Record]:
    """The records of a file by benchmark; none if there is no file."""
    if not file.exists():
        return {}
    return {name: _record(fields) for name, fields in json.loads(file.read_text()).items()}


def save(file: Path, records: Mapping[str, Record]) -> None:
    """Add these to the file, in place of older ones of the same benchmarks."""
    merged = load(file) | dict(records)
    text = json.dumps({name: _fields(record) for name, record in merged.items()}, indent=1)
    file.write_text(text + "\n")


def _fields(record: Record) -> dict[str, object]:
    fields = asdict(record)
    for figure, told in zip(record.figures, fields["figures"], strict=True):
        told["verdict"] = figure.verdict
    return fields


def _record(fields: dict[str, object]) -> Record:
    """The inverse of _fields."""
    machine, figures = fields.pop("machine"), fields.pop("figures")
    assert isinstance(machine, dict)
    assert isinstance(figures, list)
    made = tuple(_figure(**figure) for figure in figures)
    return Record(machine=Machine(**machine), figures=made, **fields)  # type: ignore[arg-type]


def _figure(target: Mapping[str, object] | None, verdict: str, **fields: Any) -> Figure:
    aimed = target and Target(Side(str(target["side"])), float(str(target["bound"])))
    return Figure(target=aimed or None, **fields)


def missed(records: Mapping[str, Record]) -> Iterable[str]:
    """A line for each benchmark that failed and for each figure that misses its target."""
    for name, record in records.items():
        if record.failure:
            yield f"{name} failed: {record.failure}"
        for figure in record.figures:
            if figure.is_missed:
                yield f"{name}: {figure.what}: {figure.measured}, not {figure.aimed_at}"
