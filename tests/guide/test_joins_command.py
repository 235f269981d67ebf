"""`python -m kptv.guide joins`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kptv.guide.__main__ import NONE_YET, main
from kptv.guide.build import build
from kptv.guide.job import Job
from tests.guide.made import NOW, guide_file, guide_xml, line


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCES", "http://provider.example/|1")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return tmp_path


def test_without_a_guide_it_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["joins"]) == 1
    assert capsys.readouterr().err == f"{NONE_YET}\n"


def test_each_channel_is_told_with_its_rule_or_why_it_has_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = folder / "a.guide"
    guide.write_bytes(guide_xml({"One.uk": "One"}))
    job = Job(folder=str(folder / "guide"), now=NOW, days=3, guides=(guide_file(guide),))
    build(job, [line("one", "one.UK"), line("two", "")])
    assert main(["joins"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "One: One.uk of guide-1, by id_any_case (one.uk)",
        "Two: no guide knows its id or its name",
        "# guide-1: 24 shows of 1 channels, 1 joined",
        "# 1 of 2 channels joined: 1 by id_any_case",
    ]
    assert main(["joins", "--state", "none", "--json"]) == 0
    [told] = map(json.loads, capsys.readouterr().out.splitlines())
    assert (told["slug"], told["state"], told["guide"]) == ("two", "none", None)
