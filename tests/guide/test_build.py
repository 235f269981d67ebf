"""The child: what it makes of guides, and what it leaves if it is ended."""

from __future__ import annotations

import errno
import gzip
import json
import re
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kptv.guide import build as child
from kptv.guide.build import Orphaned, build
from kptv.guide.generation import Packed
from kptv.guide.job import Job, ProfileLine, RightsLine, line_of, read
from kptv.guide.reading import Generation
from kptv.guide.schema import finished_in
from tests.guide.made import HOUR, NOW, guide_file, guide_xml, job_bytes, line, start_child

CHANNELS = [line("one", "One.uk", number="7"), line("two", "two"), line("three", "")]


def job_in(folder: Path, **more: object) -> Job:
    return Job(folder=str(folder / "guide"), now=NOW, days=3, **more)  # type: ignore[arg-type]


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    return written(tmp_path, "a.guide", guide_xml({"One.uk": "One", "TWO": "x", "other": "y"}))


def test_a_generation_has_what_now_and_next_and_players_ask_for(
    tmp_path: Path, guide: Path
) -> None:
    profile = ProfileLine(name="kids", places=(1,), numbers=(3,))
    job = job_in(tmp_path, guides=(guide_file(guide),), profiles=(profile,))
    path = build(job, CHANNELS)
    made = Generation.open(path)
    assert made.report.joined == {"id": 1, "id_any_case": 1}
    [told] = made.report.guides
    assert (told.used, told.refused, told.joined, told.is_whole) == ("a.guide", "", 2, True)
    assert (told.shows, told.kept) == (72, 48)
    found = made.now(["one", "two", "three"], NOW)
    assert {
        slug: (s.now and s.now.title, s.next and s.next.title) for slug, s in found.items()
    } == {
        "one": ("Show 1 of One.uk", "Show 2 of One.uk"),
        "two": ("Show 1 of TWO", "Show 2 of TWO"),
    }
    assert [s.title for s in made.grid(["one"], NOW, NOW + HOUR)["one"]] == [
        "Show 1 of One.uk",
        "Show 2 of One.uk",
    ]
    assert made.day("one", NOW, NOW + 1)[0].xml == b"<title>Show 1 of One.uk</title>"
    assert [hit.slug for hit in made.search("show 5", ["one", "two"], NOW, NOW + 86400, 9)] == [
        "one",
        "two",
    ]
    assert [list(piece) for piece in made.ids()] == [
        [("one", "One.uk"), ("two", "two"), ("three", "three")]
    ]
    assert [made.count(state) for state in (None, "joined", "suggested", "none")] == [3, 2, 0, 1]
    assert made.join("three") == made.joins("none")[0]
    xml = gzip.decompress(made.file().read_bytes())
    assert re.findall(rb'<channel id="([^"]*)"><display-name>(\w*)', xml) == [
        (b"One.uk", b"One"),
        (b"two", b"Two"),
        (b"three", b"Three"),
    ]
    assert b"<display-name>7</display-name>" in xml
    assert xml.count(b"<programme ") == made.report.shows == 48
    kids = gzip.decompress(made.file("kids").read_bytes())
    assert kids.count(b"<programme ") == 24
    assert b"<display-name>3</display-name>" in kids
    assert made.report.until == NOW - HOUR // 2 + 23 * HOUR
    made.close()
    assert [each.name for each in (tmp_path / "guide").iterdir()] == [path.name]


def test_shifts_are_applied_and_gaps_are_filled_if_that_is_wanted(
    tmp_path: Path, guide: Path
) -> None:
    job = job_in(tmp_path, guides=(guide_file(guide),), filler=True)
    made = Generation.open(build(job, [replace(CHANNELS[0], shift="-1"), CHANNELS[2]]))
    now = made.now(["one", "three"], NOW)
    assert now["one"].now is not None
    assert now["one"].now.title == "Show 2 of One.uk"
    assert now["three"].now is not None
    assert now["three"].now.title == "Three"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no guide: it tells no shows"),
        (b"<html><body>no</body></html>", "no guide, but a page"),
        (gzip.compress(b"<!DOCTYPE html><html><p>no</p></html>"), "no guide, but a page"),
        (guide_xml({"One.uk": "One"}, shows=10)[:-100], "cut"),
        (guide_xml({}), "no guide: it tells no shows"),
    ],
    ids=["empty", "page", "packed page", "cut", "no shows"],
)
def test_a_new_file_of_no_use_leaves_the_one_before(
    tmp_path: Path, guide: Path, data: bytes, why: str
) -> None:
    new = written(tmp_path, "a.new.guide", data)
    files = guide_file(new, guide, reaches=NOW + 23 * HOUR)
    made = Generation.open(build(job_in(tmp_path, guides=(files,)), CHANNELS))
    [told] = made.report.guides
    assert told.used == "a.guide"
    assert why in told.refused
    assert made.report.joined == {"id": 1, "id_any_case": 1}
    assert made.report.shows == 48


def test_a_cut_file_that_reaches_farther_is_used(tmp_path: Path, guide: Path) -> None:
    new = written(tmp_path, "a.new.guide", guide_xml({"One.uk": "One"}, shows=40)[:-100])
    files = guide_file(new, guide, reaches=NOW + 23 * HOUR)
    [told] = Generation.open(build(job_in(tmp_path, guides=(files,)), CHANNELS)).report.guides
    assert (told.used, told.refused, told.is_whole) == ("a.new.guide", "", False)


def test_nothing_that_tells_a_secret_is_served(tmp_path: Path) -> None:
    text = guide_xml({"One.uk": "One"}).replace(
        b"</title>", b'</title><icon src="http://tv.example/alice/sesame99/1.png"/><url>x</url>'
    )
    path = written(tmp_path, "a.guide", text)
    job = job_in(
        tmp_path, guides=(guide_file(path),), words=("sesame99",), logins=(("alice", "sesame99"),)
    )
    made = Generation.open(build(job, CHANNELS))
    assert b"sesame" not in gzip.decompress(made.file().read_bytes())
    assert made.day("one", NOW, NOW + 1)[0].xml.endswith(b"</title><url>x</url>")
    assert "sesame" not in repr(job)


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    profile = ProfileLine(name="kids", places=(1,))
    job = job_in(tmp_path, guides=(guide_file(tmp_path),), profiles=(profile,), words=("a",))
    lines = [*CHANNELS, replace(CHANNELS[0], fixed="")]
    assert read(map(line_of, [*lines, job])) == (job, lines)
    with pytest.raises(ValueError, match="without an end"):
        read(map(line_of, lines))
    with pytest.raises(ValueError, match="not a job"):
        read([json.dumps({"guides": 1}).encode()])


def test_a_full_disk_leaves_nothing(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_in(tmp_path, guides=(guide_file(guide),))
    before = build(job, CHANNELS)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Packed, "finish", full)
    with pytest.raises(OSError, match="No space"):
        build(replace(job, now=NOW + 1), CHANNELS)
    assert list((tmp_path / "guide").iterdir()) == [before]


def test_it_ends_with_the_process_that_began_it(tmp_path: Path, guide: Path) -> None:
    with pytest.raises(Orphaned):
        build(job_in(tmp_path, guides=(guide_file(guide),), parent=1 << 22), CHANNELS)
    assert list((tmp_path / "guide").iterdir()) == []


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.3, 0.6])
def test_a_killed_child_leaves_the_generation_before(tmp_path: Path, delay: float) -> None:
    ids = {f"{number}.uk": f"Channel {number}" for number in range(300)}
    guide = written(tmp_path, "a.guide", guide_xml(ids, shows=60))
    channels = [line(f"c{number}", f"{number}.uk") for number in range(300)]
    job = job_in(tmp_path, guides=(guide_file(guide),))
    before = build(job, CHANNELS)
    with start_child() as process:
        assert process.stdin
        process.stdin.write(job_bytes(replace(job, now=NOW + 1), channels))
        process.stdin.close()
        process.stdin = None
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    for path in finished_in(tmp_path / "guide"):  # it may have been ready
        made = Generation.open(path)
        assert made.report.shows == gzip.decompress(made.file().read_bytes()).count(b"<programme ")
        with sqlite3.connect(path / "guide.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
    assert before in finished_in(tmp_path / "guide")


def test_it_imports_no_more_than_python_and_pure_code_and_is_bounded() -> None:
    code = "import sys, kptv.guide.build; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    modules = set(ran.stdout.decode().split())
    assert not modules & {"gevent", "requests", "flask", "urllib3", "ssl", "kptv.config"}
    assert child.NICENESS == 10


def test_what_the_worker_imports_has_no_parser_and_no_joiner() -> None:
    code = "import sys, kptv.guide_round; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    modules = set(ran.stdout.decode().split())
    assert not modules & {
        "pyexpat",
        "kptv.formats.xmltv.reading",
        "kptv.channels.guide.joins",
        "kptv.guide.build",
    }


def test_a_job_that_is_none_ends_it_with_a_line() -> None:
    with start_child() as process:
        out, err = process.communicate(b"nonsense\n", timeout=20)
    assert (process.returncode, out) == (1, b"")
    assert err.count(b"\n") == 1


# --- what users may see ---


def rights(tag: str, *places: int, profile: str = "") -> RightsLine:
    bits = sum(1 << place for place in places)
    return RightsLine(tag=tag, members=bits.to_bytes(1, "little").hex(), profile=profile)


def test_users_of_some_groups_have_a_guide_of_these(tmp_path: Path, guide: Path) -> None:
    profile = ProfileLine(name="kids", places=(1, 2), numbers=(3, 4))
    some = (rights("a1", 1), rights("a2", 0, 2), rights("a3", 1, profile="kids"), rights("a4"))
    job = job_in(tmp_path, guides=(guide_file(guide),), profiles=(profile,), rights=some)
    given, channels = read(job_bytes(job, CHANNELS).splitlines(keepends=True))
    made = Generation.open(build(given, channels))
    found = {}
    for tag in "a1", "a2", "a3", "a4":
        xml = gzip.decompress(made.file_of_rights(tag).read_bytes())
        assert xml.endswith(b"</tv>\n")
        found[tag] = (
            re.findall(rb'<channel id="([^"]*)"><display-name>\w*', xml),
            set(re.findall(rb'<programme [^>]*channel="([^"]*)"', xml)),
            re.findall(rb"<display-name>(\d+)<", xml),
        )
    assert found == {
        "a1": ([b"two"], {b"two"}, []),
        "a2": ([b"One.uk", b"three"], {b"One.uk"}, [b"7"]),
        "a3": ([b"two"], {b"two"}, [b"3"]),
        "a4": ([], set(), []),
    }
    assert made.report.rights_left_out == 0
    made.close()


def test_guides_of_users_that_take_too_long_are_left_out_and_the_others_made(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "CPU_WITH_RIGHTS", 0)
    some = (rights("a1", 1), rights("a2", 0))
    job = job_in(tmp_path, guides=(guide_file(guide),), rights=some, rights_left_out=3)
    made = Generation.open(build(job, CHANNELS))
    assert made.report.rights_left_out == 5
    assert not list(made.path.glob("rights-*"))
    assert gzip.decompress(made.file().read_bytes()).count(b"<programme ") == 48
    made.close()


def test_places_are_bits() -> None:
    places = rights("a", 0, 3, 7).places()
    assert [place for place in range(30) if place in places] == [0, 3, 7]
