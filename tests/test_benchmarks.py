"""The benchmarks' figures: numbers, targets, the file they are kept in. CI runs no benchmark."""

from __future__ import annotations

import inspect
import math
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import records
from benchmarks.figures import Figure, at_least, at_most, table
from benchmarks.readme import PAGE, SECTION, with_table
from benchmarks.records import Machine, Record
from benchmarks.rig import cpu_seconds

FAST = Figure("first byte", 43.21, "ms", at_most(50), "median 12")
RATIO = Figure("proxy ÷ C", 0.66, "", at_least(0.82))
TOLD = Figure("memory", 12345.6, "KB")
RECORD = Record("2026-01-02", "abc1234", Machine("CPU", 2, "6.1", "3.11"), False, 1.5, (FAST, TOLD))


def test_every_module_imports_and_runs_alike() -> None:
    known = command.registry()
    assert {"fan_out", "latency", "import_catalog"} <= set(known)
    for name, run in known.items():
        signature = inspect.signature(run)
        assert signature.return_annotation == "list[Figure]", name
        assert set(signature.parameters) <= {"quick"}, name


@pytest.mark.parametrize("bound", [math.inf, math.nan])
def test_a_target_is_a_number(bound: float) -> None:
    with pytest.raises(AssertionError):
        at_most(bound)


@pytest.mark.parametrize(
    ("value", "target", "is_missed"),
    [
        (50, at_most(50), False),
        (50.1, at_most(50), True),
        (0.82, at_least(0.82), False),
        (0.81, at_least(0.82), True),
        (math.nan, at_most(50), True),
        (math.inf, None, False),
    ],
)
def test_a_figure_meets_its_target_or_misses_it(value, target, is_missed) -> None:
    assert Figure("what", value, "ms", target).is_missed is is_missed


def test_a_figure_is_told_in_words() -> None:
    assert FAST.row == ("first byte", "43.2 ms (median 12)", "at most 50 ms", "met")
    assert RATIO.row == ("proxy ÷ C", "0.66", "at least 0.82", "MISSED")
    assert TOLD.row == ("memory", "12,346 KB", "", "")


def test_the_table_is_in_columns() -> None:
    head, rule, first, second = table([FAST.row, RATIO.row]).splitlines()
    assert head.index("target") == first.index("at most 50 ms") == second.index("at least 0.82")
    assert set(rule) == {"-", " "}


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert records.load(file) == {}
    records.save(file, {"one": RECORD, "two": RECORD})
    newer = replace(RECORD, date="2026-01-03", figures=(), failure="it broke")
    records.save(file, {"two": newer})
    assert records.load(file) == {"one": RECORD, "two": newer}


def run_with(monkeypatch: pytest.MonkeyPatch, file: Path, *arguments: str, **runs: object) -> int:
    monkeypatch.setattr(command, "registry", lambda: runs)
    return command.main(["--json", str(file), *arguments])


def test_a_missed_target_and_a_failure_are_in_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks() -> list[Figure]:
        raise OSError("no such luck")

    runs = {"good": lambda: [FAST], "bad": lambda: [RATIO], "breaks": breaks}
    assert run_with(monkeypatch, tmp_path / "file", "good", **runs) == 0
    assert run_with(monkeypatch, tmp_path / "file", **runs) == 1
    told = capsys.readouterr().out
    assert "bad: proxy ÷ C: 0.66, not at least 0.82" in told
    assert "breaks failed: OSError: no such luck" in told
    assert set(records.load(tmp_path / "file")) == {"good", "bad", "breaks"}


def test_quick_runs_what_has_a_quick_form(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[object] = []

    def short(quick: bool = False) -> list[Figure]:
        asked.append(quick)
        return [FAST]

    def long() -> list[Figure]:
        asked.append("long")
        return [FAST]

    assert run_with(monkeypatch, tmp_path / "file", "--quick", short=short, long=long) == 0
    assert asked == [True]
    assert records.load(tmp_path / "file")["short"].quick


def test_a_benchmark_that_does_not_exist_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_with(monkeypatch, tmp_path / "file", "none", good=lambda: [FAST])


def test_the_machine_and_the_commit_are_known() -> None:
    machine = records.this_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert isinstance(records.this_commit(), str)


def test_the_cpu_of_another_process_is_known() -> None:
    before, now = time.process_time(), cpu_seconds(os.getpid())
    assert before <= now <= time.process_time()
    with subprocess.Popen(("cat",), stdin=subprocess.PIPE) as other:
        assert 0.0 <= cpu_seconds(other.pid) < 1.0


def test_the_readmes_table_is_of_what_was_kept() -> None:
    told = replace(RECORD, figures=(replace(FAST, headline=True), TOLD))
    page = "# It\n\n## How fast\n\nOld.\n\n## More\n\nText.\n"
    new = with_table(page, {"one": told, "two": RECORD})
    assert "CPU, 2 cores, Linux 6.1, Python 3.11" in new
    assert new.endswith("| first byte | 43.2 ms | at most 50 ms |\n\n## More\n\nText.\n")
    assert "Old" not in new
    assert with_table(new, {"one": told}) == new


def test_the_readme_has_a_place_for_it() -> None:
    assert SECTION.search(PAGE.read_text())
