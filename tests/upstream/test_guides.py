"""Guides as they are fetched and kept: what replaces what, and when they are asked for again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from kptv.channels.guide.addresses import GuideAddress, KnownGuide
from kptv.channels.model import Source
from kptv.config import Config
from kptv.upstream import guides
from kptv.upstream.client import HttpClient
from kptv.upstream.guides import WEEK, FetchedGuide, GuideBudget, files_of, sweep
from tests.upstream.document_server import DocumentServer

GOOD = b"<tv>" + b"x" * 100_000 + b"</tv>"
DAY = 86400.0


@pytest.fixture
def server() -> Iterator[DocumentServer]:
    server = DocumentServer((200, {"ETag": '"1"'}, GOOD))
    yield server
    server.stop()


def fetched(server: DocumentServer, folder: Path) -> FetchedGuide:
    source = Source(1_000_001, server.url, 0, name="guide-1")
    return FetchedGuide(KnownGuide("guide-1", GuideAddress(server.url), source), folder)


def client() -> HttpClient:
    return HttpClient(Config(sources=()))


def test_a_new_file_lies_beside_the_good_one_until_the_child_has_used_it(
    server: DocumentServer, tmp_path: Path
) -> None:
    guide = fetched(server, tmp_path)
    assert guide.is_due(time(), DAY)
    assert guide.fetch(client(), GuideBudget())
    assert guide.paths == (guide.newest,)
    assert guide.newest.stat().st_mode & 0o777 == 0o600
    assert not guide.is_due(time(), DAY)
    guide.settle(guide.newest.name, "", 99, "")
    assert guide.paths == (guide.good,)
    server.answer = (304, {}, b"")
    again = fetched(server, tmp_path)  # after a restart
    assert again.kept.reaches == 99
    assert not again.is_due(time(), DAY)
    assert not again.fetch(client(), GuideBudget())
    assert server.requests[-1][1]["if-none-match"] == '"1"'
    assert (again.failures, again.paths) == (0, (guide.good,))
    server.answer = (200, {}, GOOD + b"\n")
    assert again.fetch(client(), GuideBudget())
    assert again.paths == (guide.newest, guide.good)


def test_a_file_that_the_child_refuses_goes_and_is_asked_for_again_later_and_later(
    server: DocumentServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guide = fetched(server, tmp_path)
    guide.fetch(client(), GuideBudget())
    guide.settle(guide.newest.name, "", 99, "")
    server.answer = (200, {}, b"<tv>")
    assert guide.fetch(client(), GuideBudget())
    guide.settle(guide.good.name, "it tells no shows", 99, "")
    assert guide.paths == (guide.good,)
    assert guide.good.read_bytes() == GOOD
    first = guide.again_at - time()
    assert 50 < first <= 60
    assert not guide.fetch(client(), GuideBudget())  # the same once more
    assert guide.again_at - time() > 100
    assert [record.getMessage() for record in caplog.records] == [
        "guide-1: not fetched: it tells no shows; the one before stays"
    ]
    server.answer = (200, {}, GOOD + b"<!-- -->")
    assert guide.fetch(client(), GuideBudget())
    assert guide.failures == 0


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, {}, b" <!DOCTYPE HTML><p>"), "a page, not a guide"),
        ((200, {}, b""), "an empty answer"),
        ((404, {}, b""), "http_error (HTTP 404)"),
    ],
)
def test_what_cannot_be_a_guide_changes_nothing(
    server: DocumentServer, tmp_path: Path, answer: tuple[int, dict[str, str], bytes], why: str
) -> None:
    guide = fetched(server, tmp_path)
    server.answer = answer
    assert not guide.fetch(client(), GuideBudget())
    assert (guide.error, guide.paths, guide.failures) == (why, (), 1)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".json"] == []


def test_a_guide_that_is_too_long_is_cut_and_a_list_has_a_bound_too(
    server: DocumentServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guides, "LONGEST", 70_000)
    guide, budget = fetched(server, tmp_path), GuideBudget()
    budget.left = 100_000
    assert guide.fetch(client(), budget)
    assert guide.newest.stat().st_size == 70_000
    assert "what is behind is left out" in caplog.text
    assert budget.left == 30_000
    budget.left = 0
    assert not guide.fetch(client(), budget)
    assert guide.error == "its list names guides of more than 1024 MB"


def test_a_full_disk_changes_nothing(server: DocumentServer, tmp_path: Path) -> None:
    (tmp_path / "guide").write_text("a file where a folder should be")
    guide = fetched(server, tmp_path / "guide")
    assert not guide.fetch(client(), GuideBudget())
    assert guide.error.startswith("cannot be kept")


def test_one_that_no_channel_wants_is_asked_for_weekly(
    server: DocumentServer, tmp_path: Path
) -> None:
    guide = fetched(server, tmp_path)
    guide.fetch(client(), GuideBudget())
    guide.settle(guide.newest.name, "", 0, "channels")
    assert not guide.is_due(time() + WEEK - 60, DAY)
    assert guide.is_due(time() + WEEK + 60, DAY)


def test_no_secret_is_in_the_log_and_what_nobody_names_is_swept(
    server: DocumentServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "kptv")
    guide = fetched(server, tmp_path)
    guide.fetch(client(), GuideBudget())
    server.answer = (500, {}, b"")
    guide.fetch(client(), GuideBudget())
    assert "s3cret" not in caplog.text + repr(guide) + repr(guide.known)
    assert "s3cret" not in "".join(path.name for path in tmp_path.iterdir())
    sweep(tmp_path, files_of([guide]))
    assert guide.newest.exists()
    sweep(tmp_path, frozenset())
    assert list(tmp_path.iterdir()) == []
