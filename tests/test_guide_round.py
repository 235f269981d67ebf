"""When the guide is built: a fake child that makes generations, or fails."""

from __future__ import annotations

import errno
import gzip
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from kptv import guide_round
from kptv.channels.catalog import Catalog, Listing
from kptv.channels.guide.addresses import GuideAddress, KnownGuide, Wishes, known_guides
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source
from kptv.channels.packing import pack
from kptv.channels.secrets import Secrets
from kptv.channels.users.allowed import Allowed, make_allowed, tag_of
from kptv.channels.users.model import ALL_RIGHTS, Rights
from kptv.config import Config
from kptv.formats.m3u import ListParser
from kptv.guide.build import build
from kptv.guide.current import CurrentGuide, GuideStanding
from kptv.guide.job import Job, read
from kptv.guide_round import GuideParts, GuideRound
from kptv.metrics.guide_figures import GuideFigures
from kptv.pace import drive
from kptv.upstream.client import HttpClient
from kptv.upstream.guide_child import BuildFailed
from kptv.upstream.guides import FetchedGuide, files_of
from tests.guide.made import guide_xml

SECONDS = count(1)
SOURCE = Source(1, "http://provider.example/list", 1)
ONE = '#EXTINF:-1 tvg-id="One.uk" tvg-shift="1",One\nhttp://a/1\n'


def catalog_of(text: str, **headers: str) -> Catalog:
    records = [pack(1, entry) for entry in ListParser().feed(text.split("\n"))]
    return drive(build_catalog([Listing(SOURCE, [records], headers)]))


class Child:
    """Builds in this process, or fails with what ``fails`` says."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.fails = ""

    def run(self, path: Path) -> str:
        with path.open("rb") as file:
            job, channels = read(file)
        self.jobs.append(job)
        assert path.stat().st_mode & 0o777 == 0o600
        if self.fails:
            (path.parent / ".building-1").mkdir()
            raise BuildFailed(self.fails)
        # Another name each time, as if a second had passed.
        return build(replace(job, now=job.now + next(SECONDS), parent=0), channels).name


Rig = Callable[..., tuple[GuideRound, CurrentGuide, Child]]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rounds: list[GuideRound] = []

    def make(
        users: Users | None = None, leads: Callable[[], bool] = lambda: True, **settings: object
    ) -> tuple[GuideRound, CurrentGuide, Child]:
        guides = (GuideAddress(str(tmp_path / "my.xml")),)
        given = {"guides": guides, "data_dir": tmp_path, **settings}
        config = Config(sources=(SOURCE,), **given)  # type: ignore[arg-type]
        current, child = CurrentGuide(), Child()
        kept: list[Secrets] = []
        parts = GuideParts(
            config, HttpClient(config), current, lambda _: None, kept.append, GuideFigures()
        )
        parts = replace(parts, leads=leads)
        if users is not None:
            parts = replace(parts, rights=lambda: users.rights, allowed=users.allowed)
        rounds.append(GuideRound(parts, child.run))
        return rounds[-1], current, child

    yield make
    for each in rounds:
        each.close()


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(10):
        while not condition():
            gevent.sleep(0.01)


def test_nothing_runs_where_no_guide_is_known(rig: Rig) -> None:
    round_, current, child = rig(guides=())
    round_.replace(catalog_of(ONE))
    gevent.sleep(0)
    assert current.standing is GuideStanding.NONE_KNOWN
    assert round_.alive
    assert child.jobs == []


def test_it_is_built_once_and_again_when_channels_or_guides_change(
    rig: Rig, tmp_path: Path
) -> None:
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One", "Two.uk": "Two"}))
    round_, current, child = rig()
    round_.replace(catalog_of(ONE))
    assert current.standing is GuideStanding.EXPECTED
    until(current.get)
    first = current.get()
    assert first is not None
    round_.replace(catalog_of(ONE))  # nothing is new
    gevent.sleep(0.3)
    assert current.get() is first
    round_.replace(catalog_of(f"{ONE}#EXTINF:-1,Two\nhttp://a/2\n"))
    until(lambda: current.get() is not first)
    assert len(child.jobs) == 2
    assert [len(job.guides) for job in child.jobs] == [1, 1]
    assert not list((tmp_path / "guide").glob(".*"))
    again, started, _ = rig()
    again.open_last()
    generation = started.get()
    assert generation is not None
    assert generation.tag == current.get().tag  # type: ignore[union-attr]


def test_a_restart_builds_nothing_that_is_there(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One"}))
    round_, current, _ = rig()
    round_.replace(catalog_of(ONE))
    until(current.get)
    for settings, builds in (({}, 0), ({"guide_days": 2}, 1), ({"guide_days": 2}, 0)):
        again, started, child = rig(**settings)
        again.open_last()
        first = started.get()
        again.replace(catalog_of(ONE))
        if builds:
            until(lambda started=started, first=first: started.get() is not first)
        else:
            gevent.sleep(0.3)
        assert len(child.jobs) == builds
        again.close()


def test_a_child_that_fails_changes_nothing_and_is_told_of_once(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "kptv.guide_round")
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One"}))
    round_, current, child = rig()
    round_.replace(catalog_of(ONE))
    until(current.get)
    first, child.fails = current.get(), "it was killed"
    round_.replace(catalog_of(f"{ONE}#EXTINF:-1,Two\nhttp://a/2\n"))
    until(lambda: len(child.jobs) == 2)
    gevent.sleep(0.2)
    assert current.get() is first
    assert not list((tmp_path / "guide").glob(".*"))
    assert len(child.jobs) == 2  # it is not tried again at once
    assert [record.getMessage() for record in caplog.records] == [
        "guide: it could not be built: it was killed; the one before stays"
    ]


def test_a_guide_of_no_use_makes_no_empty_one(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "my.xml").write_bytes(b"\x1f\x8b no gzip at all")
    round_, current, child = rig()
    round_.replace(catalog_of(ONE))
    until(lambda: child.jobs)
    gevent.sleep(0.1)
    assert current.standing is GuideStanding.EXPECTED


def test_the_lists_own_guides_and_filler_count_too(rig: Rig) -> None:
    round_, current, child = rig(guides=(), guide_filler=True)
    round_.replace(catalog_of(ONE, **{"x-tvg-url": "file:///etc/passwd"}))
    until(current.get)
    assert child.jobs[0].guides == ()
    generation = current.get()
    assert generation is not None
    assert generation.report.shows > 8


def test_a_guide_whose_files_are_gone_is_built_again(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One"}))
    round_, current, _ = rig()
    round_.replace(catalog_of(ONE))
    until(current.get)
    first = current.get()
    assert first is not None
    shutil.rmtree(tmp_path / "guide")
    round_.replace(catalog_of(ONE))  # or any other turn: there is one each minute
    until(lambda: current.get() is not first)
    assert current.get().file().exists()  # type: ignore[union-attr]


def test_what_nobody_wants_by_the_time_it_is_built_is_not_served(rig: Rig, tmp_path: Path) -> None:
    round_, current, child = rig(guides=(), guide_from_lists=True)
    guide = tmp_path / "guide"
    run = child.run

    def run_while_the_list_changes(path: Path) -> str:
        name = run(path)
        round_.replace(catalog_of(ONE))  # its header names no guide any more
        return name

    round_._run_child = run_while_the_list_changes
    known = KnownGuide("one-guide-1", GuideAddress("http://a/guide"), SOURCE, frozenset({1}))
    guide.mkdir()
    FetchedGuide(known, guide).good.write_bytes(guide_xml({"One.uk": "One"}))
    round_.replace(catalog_of(ONE, **{"x-tvg-url": "http://a/guide"}))
    until(lambda: child.jobs)
    gevent.sleep(0.1)
    assert current.standing is GuideStanding.NONE_KNOWN
    assert current.get() is None


def test_a_good_guide_behind_one_of_no_use_is_built_at_once(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "my.xml").write_bytes(b"\x1f\x8b no gzip at all")
    round_, current, child = rig()
    round_.replace(catalog_of(ONE))
    until(lambda: child.jobs)
    gevent.sleep(0.1)
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One"}))
    for guide in round_._fetches.guides:
        guide.again_at = 0.0
    round_.replace(catalog_of(ONE))
    until(current.get)


def test_a_guide_of_the_settings_does_not_tell_its_account(rig: Rig, tmp_path: Path) -> None:
    url = "http://panel.example/xmltv.php?username=alice&password=sesame99"
    round_, current, _ = rig(guides=(GuideAddress(url),))
    known = known_guides(Wishes((GuideAddress(url),)), (), {})
    (tmp_path / "guide").mkdir()
    icon = b'<icon src="http://panel.example/alice/sesame99/1.png"/></programme>'
    text = guide_xml({"One.uk": "One"}, now=int(time.time())).replace(b"</programme>", icon)
    FetchedGuide(known[0], tmp_path / "guide").good.write_bytes(text)
    round_.replace(catalog_of(ONE))
    until(current.get)
    generation = current.get()
    assert generation is not None
    xml = gzip.decompress(generation.file().read_bytes())
    assert b"<programme " in xml
    assert b"sesame99" not in xml


def test_a_job_that_does_not_fit_on_the_disk_leaves_nothing(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kptv.guide.job_file.line_of", full)
    round_, _, _ = rig()
    with pytest.raises(OSError, match="No space"):
        round_._jobs.write(catalog_of(ONE), frozenset())
    assert not list((tmp_path / "guide").iterdir())


def test_one_address_in_two_zones_and_of_two_owners_is_kept_apart(tmp_path: Path) -> None:
    told = [GuideAddress("http://a/guide"), GuideAddress("http://a/guide", 3600)]
    known = known_guides(
        Wishes((*told, told[0])), (SOURCE,), {1: {"x-tvg-url": "http://a/guide, http://a/2"}}
    )
    files = files_of([FetchedGuide(each, tmp_path) for each in known])
    assert len(known) == 4
    assert len(files) == 4 * 3


def test_a_new_list_has_its_ids_while_a_guide_is_still_fetched(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One"}))
    round_, current, _ = rig()
    round_.replace(catalog_of(ONE))
    until(current.get)
    begun, never = Event(), Event()

    def fetch(*_: object) -> bool:
        begun.set()
        return bool(never.wait())

    monkeypatch.setattr(FetchedGuide, "fetch", fetch)
    headers = {"x-tvg-url": "http://provider.example/guide"}
    round_.replace(catalog_of(ONE, **headers))
    until(begun.is_set)
    round_.replace(catalog_of(f"{ONE}#EXTINF:-1,Two\nhttp://a/2\n", **headers))
    until(lambda: current.get().report.channels == 2)  # type: ignore[union-attr]


# --- users who may see some groups only ---

GROUPS = """#EXTINF:-1 tvg-id="One.uk" group-title="News",One
http://a/1?username=alice&password=sesame99
#EXTINF:-1 tvg-id="Two.uk" group-title="Kids" tvg-logo="http://a/2.png?password=sesame99",Two
http://a/2?username=alice&password=sesame99
"""
KIDS, NEWS = Rights(frozenset(["kids"])), Rights(frozenset(["news"]))


class Users:
    """What users may see, for the catalog that is served."""

    def __init__(self, *rights: Rights) -> None:
        self.rights = frozenset(rights)
        self.catalog = catalog_of(GROUPS)

    def allowed(self, rights: Rights) -> Allowed:
        return drive(make_allowed(self.catalog, rights.groups))


WithUsers = Callable[..., tuple[GuideRound, CurrentGuide, Child, Users]]


@pytest.fixture
def with_users(rig: Rig, tmp_path: Path) -> WithUsers:
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One", "Two.uk": "Two"}))

    def make(*rights: Rights) -> tuple[GuideRound, CurrentGuide, Child, Users]:
        users = Users(*rights)
        round_, current, child = rig(users)
        round_.replace(users.catalog)
        until(current.get)
        return round_, current, child, users

    return make


def ids_in(current: CurrentGuide, rights: Rights) -> set[bytes]:
    generation = current.get()
    assert generation is not None
    xml = gzip.decompress(generation.file_of_rights(tag_of(rights)).read_bytes())
    return set(re.findall(rb'"(\w+\.uk)"', xml))


def test_users_have_a_guide_of_their_groups_and_new_ones_have_it_built(
    with_users: WithUsers,
) -> None:
    round_, current, child, users = with_users(KIDS, ALL_RIGHTS)
    assert ids_in(current, KIDS) == {b"Two.uk"}
    first = current.get()
    users.rights = frozenset([KIDS])  # nobody may see anything new
    round_.users_changed()
    assert not round_._is_stale, "there is nothing to build"
    assert current.get() is first
    assert len(child.jobs) == 1
    users.rights = frozenset([NEWS])
    round_.users_changed()
    until(lambda: current.get() is not first)
    assert ids_in(current, NEWS) == {b"One.uk"}
    second = current.get()
    assert second is not None
    assert [path.name for path in second.path.glob("rights-*")] == [
        f"rights-{tag_of(NEWS)}.xml.gz"  # nobody's are gone with the generation before
    ]


def test_where_there_are_users_no_guide_names_a_logo_that_needs_a_secret(
    with_users: WithUsers,
) -> None:
    round_, current, child, users = with_users()
    first = current.get()
    assert first is not None
    assert b"/logo/two" in gzip.decompress(first.file().read_bytes())
    users.rights = frozenset([ALL_RIGHTS])
    round_.users_changed()
    until(lambda: current.get() is not first)
    second = current.get()
    assert second is not None
    assert b"/logo/" not in gzip.decompress(second.file().read_bytes())
    assert len(child.jobs) == 2


def test_rights_of_another_catalog_are_not_taken_for_those_of_this_one(
    with_users: WithUsers,
) -> None:
    round_, current, _, users = with_users(KIDS)
    first = current.get()
    users.catalog = catalog_of(ONE)
    round_.replace(catalog_of(f"{ONE}{GROUPS}"))
    until(lambda: current.get() is not first)
    second = current.get()
    assert second is not None
    assert not list(second.path.glob("rights-*"))


def test_so_many_rights_have_a_guide(
    with_users: WithUsers,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("kptv.guide_jobs.MOST_RIGHTS", 1)
    with caplog.at_level(logging.WARNING, "kptv.guide_round"):
        _, current, _, _ = with_users(KIDS, NEWS)
    generation = current.get()
    assert generation is not None
    assert len(list(generation.path.glob("rights-*"))) == 1
    assert "none for users of 1 sets of groups" in caplog.text


def test_one_instance_builds_and_the_others_open_it_until_one_of_them_leads(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guide_round, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(guide_round, "KEPT_FOR", 0.02)
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One", "Two.uk": "Two"}))
    leads = [False]
    other, others, none = rig(leads=lambda: leads[0])
    other.open_last()
    other.replace(catalog_of(ONE))
    gevent.sleep(0.1)
    assert not (tmp_path / "guide").exists()
    assert others.standing is GuideStanding.EXPECTED

    first, current, _ = rig()
    first.replace(catalog_of(ONE))
    until(others.get)
    assert tag_in(others) == tag_in(current)
    more = catalog_of(f'{ONE}#EXTINF:-1 tvg-id="Two.uk",Two\nhttp://a/2\n')
    first.replace(more)
    other.replace(more)
    until(lambda: tag_in(others) == tag_in(current) and current.get().report.channels == 2)
    gevent.sleep(0.1)
    assert current.get().file().exists(), "the other has removed what it has not built"
    assert none.jobs == []

    first.close()
    (tmp_path / "guide" / "generation-1").mkdir()  # older, and broken
    leads[0] = True
    until(lambda: not (tmp_path / "guide" / "generation-1").exists())
    other.replace(catalog_of(ONE))
    until(lambda: others.get().report.channels == 1)
    assert len(none.jobs) == 1


def test_a_generation_that_has_not_come_whole_is_opened_when_it_has(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a copy of the folder, which comes file by file."""
    monkeypatch.setattr(guide_round, "LOOK_EVERY", 0.02)
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One"}))
    first, current, _ = rig()
    first.replace(catalog_of(ONE))
    until(current.get)
    whole, copy = current.get().path, tmp_path / "copy" / "guide"
    other, others, _ = rig(leads=lambda: False, data_dir=tmp_path / "copy")
    other.open_last()
    other.replace(catalog_of(ONE))
    for path in sorted(whole.iterdir()):
        assert others.get() is None
        (copy / whole.name).mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy / whole.name)
        gevent.sleep(0.1)
    until(others.get)
    assert tag_in(others) == whole.name


def test_whoever_does_not_build_removes_nothing(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another instance may serve the generation before still."""
    monkeypatch.setattr(guide_round, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(guide_round, "KEPT_FOR", 0.02)
    (tmp_path / "my.xml").write_bytes(guide_xml({"One.uk": "One"}))
    first, current, _ = rig()
    first.replace(catalog_of(ONE))
    until(current.get)
    shared = tmp_path / "shared"
    old, new = (shared / "guide" / f"generation-{number}" for number in (1, 2))
    shutil.copytree(current.get().path, old)
    other, others, _ = rig(leads=lambda: False, data_dir=shared)
    other.open_last()
    other.replace(catalog_of(ONE))
    (shared / "guide" / "generation-0").mkdir()
    (shared / "guide" / ".building-3").mkdir()
    shutil.copytree(old, new)
    until(lambda: tag_in(others) == new.name)
    gevent.sleep(0.1)
    left = sorted(path.name for path in (shared / "guide").iterdir())
    assert left == [".building-3", "generation-0", "generation-1", "generation-2"]


def tag_in(current: CurrentGuide) -> str:
    generation = current.get()
    return "" if generation is None else generation.tag
