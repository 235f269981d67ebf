"""The child as the worker sees it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import gevent
import pytest

from kptv.guide.job import Job
from kptv.guide.schema import finished_in
from kptv.upstream.guide_child import BuildFailed, run_child
from tests.guide.made import NOW, guide_file, guide_xml, job_bytes, line


def job_in(folder: Path, channels: int = 1) -> Path:
    ids = {f"{number}.uk": "x" for number in range(channels)}
    (folder / "a.guide").write_bytes(guide_xml(ids, shows=60))
    guides = (guide_file(folder / "a.guide"),)
    job = Job(folder=str(folder / "guide"), now=NOW, days=3, parent=os.getpid(), guides=guides)
    path = folder / "job"
    path.write_bytes(job_bytes(job, [line(f"c{guide_id}", guide_id) for guide_id in ids]))
    return path


def test_it_gives_the_name_of_what_it_made(tmp_path: Path) -> None:
    name = run_child(job_in(tmp_path))
    assert [path.name for path in finished_in(tmp_path / "guide")] == [name]


def test_it_knows_nothing_of_our_environment(tmp_path: Path) -> None:
    bad = tmp_path / "job"
    bad.write_bytes(b"{}\n")
    with pytest.raises(BuildFailed, match="ValueError"):
        run_child(bad, {"PATH": os.environ["PATH"], "SOURCES": "http://a/|1"})


def test_one_that_is_killed_is_told_and_one_that_nobody_waits_for_is_killed(tmp_path: Path) -> None:
    job = job_in(tmp_path, channels=2000)
    first = gevent.spawn(run_child, job)
    first.link(lambda _: None)
    gevent.sleep(0.1)
    [child] = _children()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(BuildFailed, match="it was killed"):
        first.get(timeout=10)
    second = gevent.spawn(run_child, job)
    gevent.sleep(0.1)
    [child] = _children()
    second.kill(timeout=10)
    assert not Path(f"/proc/{child}").exists()
    assert finished_in(tmp_path / "guide") == []


def _children() -> list[int]:
    me = os.getpid()
    text = Path(f"/proc/{me}/task/{me}/children").read_text()
    mine = [int(pid) for pid in text.split()]
    return [pid for pid in mine if b"kptv.guide.build" in Path(f"/proc/{pid}/cmdline").read_bytes()]
