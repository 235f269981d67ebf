"""A document of another kind, a tiny guide, goes all the way that channel lists go."""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

import gevent
import pytest

from kptv.channels.catalog import Catalog
from kptv.channels.model import Source
from kptv.config import Config
from kptv.errors import ImportFailed
from kptv.upstream.channel_list import channel_list
from kptv.upstream.client import HttpClient
from kptv.upstream.documents import Document, DocumentKind, Edition
from kptv.upstream.importer import Importer
from kptv.upstream.last_good import LastGood
from kptv.upstream.merger import Merger
from kptv.upstream.store import Store
from tests.upstream.document_server import Answer, DocumentServer

LIMIT = 20.0  # seconds that any wait may take
GUIDE = b"<tv><show>News</show><show>Film</show></tv>"
OTHER = GUIDE.replace(b"Film", b"Sport")


@dataclass(frozen=True, slots=True)
class Guide:
    shows: list[str]
    digest: str
    is_full: bool = False
    losses: str = ""

    @property
    def count(self) -> int:
        return len(self.shows)

    def take_apart(self) -> Generator[None]:
        while self.shows:
            self.shows.pop()
            yield


class GuideReading:
    """A guide being read: the names of its shows, MOST at most."""

    MOST = 1000

    def __init__(self, source: Source, edition: Edition) -> None:
        self._shows: list[str] = []
        self._digest = hashlib.sha256()
        self._parser = ParserCreate()
        self._parser.CharacterDataHandler = self._shows.append

    @property
    def is_full(self) -> bool:
        return len(self._shows) >= self.MOST

    def feed(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._parse(piece, False)

    def finish(self) -> Guide:
        if not self.is_full:
            self._parse(b"", True)
        return Guide(self._shows[: self.MOST], self._digest.hexdigest(), self.is_full)

    def _parse(self, data: bytes, is_final: bool) -> None:
        try:
            self._parser.Parse(data, is_final)
        except ExpatError:
            raise ImportFailed("not a guide") from None


def guide(source: Source, url: str, **options: Any) -> Document[Guide]:
    kind = DocumentKind(
        "guide",
        "shows",
        (".guide.gz", ".guide.json"),
        **{"longest": 100_000, "read": GuideReading, **options},
    )
    return Document(kind, source, url)


class Rig:
    """An importer of a source's list and its guide, and what it published."""

    def __init__(
        self, folder: Path, list_url: str, guide_url: str, client: Any = None, **options: Any
    ) -> None:
        """``client`` fetches the guide; ``options`` are those of its kind."""
        source = Source(1, list_url, 1)
        config = Config(sources=(source,), data_dir=folder)
        self.client, store = HttpClient(config), Store(folder)
        self.guide = LastGood(guide(source, guide_url, **options), client or self.client, store)
        self.catalogs: list[Catalog] = []
        self.published: list[list[str] | None] = []
        self.merger = Merger(
            [LastGood(channel_list(source), self.client, store)], self.catalogs.append
        )
        self.importer = Importer([*self.merger.lists, self.guide], self._publish, 3600.0, 1)

    def _publish(self) -> None:
        self.merger.merge()
        content = self.guide.content
        self.published.append(None if content is None else list(content.shows))

    def run(self) -> Rig:
        """One round."""
        with gevent.Timeout(LIMIT):
            done = self.importer.import_now()
            self.importer.start()
            done.wait()
        return self

    @property
    def shows(self) -> list[str] | None:
        return self.published[-1]

    def close(self) -> None:
        self.importer.close()
        self.client.close()


@pytest.fixture
def server() -> Iterator[DocumentServer]:
    server = DocumentServer((200, {"ETag": '"v1"'}, GUIDE))
    yield server
    server.stop()


@pytest.fixture
def make(tmp_path: Path, server: DocumentServer) -> Iterator[Callable[..., Rig]]:
    path = tmp_path / "list.m3u"
    path.write_bytes(b"#EXTM3U\n#EXTINF:-1,One\nhttp://a.example/1\n")
    rigs: list[Rig] = []

    def build(**options: Any) -> Rig:
        rigs.append(Rig(tmp_path / "data", str(path), server.url, **options))
        return rigs[-1]

    yield build
    for rig in rigs:
        rig.close()


def test_it_is_fetched_and_published_beside_the_list(
    make: Callable[..., Rig], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rig = make().run()
    assert rig.shows == ["News", "Film"]
    assert [len(catalog) for catalog in rig.catalogs] == [1]
    assert "source-1 guide: 2 shows" in caplog.text
    assert "source-1: 1 entries" in caplog.text


@pytest.mark.parametrize(
    "body", [gzip.compress(GUIDE), gzip.compress(gzip.compress(GUIDE))], ids=["once", "twice"]
)
def test_it_comes_unpacked(make: Callable[..., Rig], server: DocumentServer, body: bytes) -> None:
    server.answer = (200, {}, body)
    assert make().run().shows == ["News", "Film"]


def test_it_is_not_sent_again_until_it_changes(
    make: Callable[..., Rig], server: DocumentServer
) -> None:
    rig = make().run()
    content = rig.guide.content
    server.answer = (304, {"Content-Length": ""}, b"")
    rig.run()
    assert rig.guide.content is content
    server.answer = (200, {}, GUIDE)
    rig.run()
    assert rig.guide.content is content, "the same again"
    server.answer = (200, {}, OTHER)
    assert rig.run().shows == ["News", "Sport"]
    assert content is not None
    assert content.shows == [], "the old one is taken apart"
    conditions = [headers.get("if-none-match") for _, headers in server.requests]
    assert conditions == [None, '"v1"', '"v1"', None]
    assert len(rig.catalogs) == 1, "the list did not change"


def test_it_is_there_after_a_restart_before_any_request(
    make: Callable[..., Rig], server: DocumentServer, tmp_path: Path
) -> None:
    make().run().close()
    server.answer = (503, {}, b"")
    again = make().run()
    assert again.published == [["News", "Film"]] * 2
    assert server.requests[-1][1]["if-none-match"] == '"v1"'
    name = hashlib.sha256(server.url.encode()).hexdigest()[:32]
    kept = tmp_path / "data" / f"{name}.guide.gz"
    assert gzip.decompress(kept.read_bytes()) == GUIDE
    assert kept.with_name(f"{name}.guide.json").exists()


BAD: dict[str, tuple[Answer, str]] = {
    "refused": ((403, {}, b"no"), "403"),
    "not there": ((404, {}, GUIDE), "404"),
    "garbage": ((200, {}, b"\x00\xff" * 500), "not a guide"),
    "a page": ((200, {}, b"<html><p>Sorry.<br></html>"), "not a guide"),
    "half of it": ((200, {}, GUIDE[:-5]), "not a guide"),
    "cut": ((200, {"Content-Length": "5000"}, GUIDE), ""),
    "without shows": ((200, {}, b"<tv></tv>"), "a guide without shows"),
    "too long": ((200, {}, GUIDE[:-5] + b" " * 200_000), "longer than 0 MiB"),
    "a bomb": ((200, {}, gzip.compress(GUIDE[:-5] + b" " * 200_000)), "longer than 0 MiB"),
}


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_answer_costs_nothing_and_is_told_of_once(
    make: Callable[..., Rig],
    server: DocumentServer,
    bad: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    rig = make().run()
    kept = {path: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    server.answer, error = BAD[bad]
    rig.run().run()
    assert rig.shows == ["News", "Film"]
    assert rig.guide.progress.failures == 2
    assert error in rig.guide.progress.error
    assert {path: path.read_bytes() for path in (tmp_path / "data").iterdir()} == kept
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].startswith("source-1 guide: import failed: ")
    assert warnings[0].endswith("; its 2 shows stay")
    server.answer = (200, {}, OTHER)
    assert rig.run().shows == ["News", "Sport"]
    assert rig.guide.progress.failures == 0
    assert rig.merger.states[0].failures == 0, "the list has nothing to do with it"


def test_one_that_never_comes_fails_at_its_deadline(make: Callable[..., Rig]) -> None:
    class Hanging:
        def get(self, *_: Any, **__: Any) -> Any:
            gevent.sleep(LIMIT)

    rig = make(client=Hanging(), deadline=0.1).run()
    assert rig.shows is None
    assert rig.guide.progress.error == "not complete after 0 s"
    assert len(rig.catalogs) == 1


def test_of_one_that_is_too_long_the_beginning_is_kept_and_the_rest_is_not_fetched(
    make: Callable[..., Rig],
    server: DocumentServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(GuideReading, "MOST", 2)
    server.answer = (200, {}, GUIDE[:-5] + b"<show>More</show>" * 20_000)
    assert make(longest=10_000_000).run().shows == ["News", "Film"]
    assert "source-1 guide: the guide has more than 2 shows: those behind are left out" in (
        caplog.text
    )


def test_a_fault_in_its_reader_stops_no_other(
    make: Callable[..., Rig], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(source: Source, edition: Edition) -> GuideReading:
        raise RuntimeError("a fault of ours")

    rig = make(read=broken).run()
    assert rig.guide.progress.error == "RuntimeError"
    assert len(rig.catalogs) == 1
    assert "source-1 guide: import failed by a fault of the proxy" in caplog.text
