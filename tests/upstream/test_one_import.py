"""Several importers over one folder: one fetches and writes, the others take what it kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from kptv.channels.catalog import Catalog
from kptv.channels.model import Source
from kptv.channels.rules.reading import read_rules
from kptv.config import Config
from kptv.kept.lead import Lead
from kptv.kept.numbers import KeptNumbers
from kptv.kept.published import Published
from kptv.upstream import importer as importer_module
from kptv.upstream import last_good
from kptv.upstream.channel_list import channel_list
from kptv.upstream.client import HttpClient
from kptv.upstream.importer import Importer, Sharing
from kptv.upstream.last_good import LastGood
from kptv.upstream.merger import Merger
from kptv.upstream.store import Store
from tests.upstream.document_server import DocumentServer

LIMIT = 20.0  # seconds that any wait may take
LIST = b"#EXTM3U\n#EXTINF:-1,One\nhttp://a.example/1\n#EXTINF:-1,Two\nhttp://a.example/2\n"
MORE = LIST + b"#EXTINF:-1,Three\nhttp://a.example/3\n"


class Instance:
    """What an instance has of its lists and numbers."""

    def __init__(self, url: str, folder: Path, leads: Callable[[], bool] | None = None) -> None:
        self.lead = Lead(folder)
        self.leads = leads or self.lead.leads
        source = Source(1, url, 1)
        self.client = HttpClient(Config(sources=(source,), data_dir=folder))
        self.numbers = KeptNumbers(folder, leads=self.leads)
        self.catalogs: list[Catalog] = []
        self.list = LastGood(channel_list(source), self.client, Store(folder, self.leads))
        rules = read_rules(b"")
        self.merger = Merger([self.list], self.catalogs.append, rules=rules, numbers=self.numbers)
        self.published, self.tells = Published(folder), True
        sharing = Sharing(self.leads, self._look, self.published.has)
        self.importer = Importer([self.list], self._publish, 3600.0, 1, sharing)

    def _publish(self) -> None:
        self.merger.merge()
        if self.leads() and self.tells:
            self.tell()

    def tell(self) -> None:
        """Let the others know what is published, once its numbers are written."""
        self.numbers.settle()
        self.published.tell(self.merger.digests)

    def _look(self) -> bool:
        if changed := self.numbers.look():
            self.merger.renumber()
        return changed

    def has(self, *names: str) -> bool:
        return sorted(self.names) == sorted(names)

    @property
    def names(self) -> list[str]:
        return [channel.name for channel in self.catalogs[-1].channels] if self.catalogs else []

    @property
    def told(self) -> list[tuple[str, str, int]]:
        """Slug, name and number of each channel, in the order of the list."""
        catalog = self.catalogs[-1]
        numbers = catalog.numbers or ()
        return [(c.slug, c.name, n) for c, n in zip(catalog.channels, numbers, strict=True)]

    def close(self) -> None:
        self.importer.close()
        self.lead.close()
        self.client.close()


@pytest.fixture
def server() -> Iterator[DocumentServer]:
    server = DocumentServer((200, {}, LIST))
    yield server
    server.stop()


@pytest.fixture
def start(
    tmp_path: Path, server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Instance]]:
    monkeypatch.setattr(importer_module, "LOOK_EVERY", 0.02)
    instances: list[Instance] = []

    def make(folder: Path = tmp_path / "data", **options: Callable[[], bool]) -> Instance:
        instances.append(Instance(server.url, folder, **options))
        instances[-1].importer.start()
        return instances[-1]

    yield make
    for instance in instances:
        instance.close()


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(LIMIT):
        while not condition():
            gevent.sleep(0.01)


def asked(instance: Instance) -> None:
    with gevent.Timeout(LIMIT):
        instance.importer.import_now().wait()


def test_one_fetches_and_all_have_the_same_channels_and_numbers(
    start: Callable[..., Instance], server: DocumentServer
) -> None:
    one = start()
    until(lambda: one.has("One", "Two"))
    two = start()
    until(lambda: two.has("One", "Two"))
    requests = len(server.requests)
    server.answer = (200, {}, MORE)
    asked(two)
    assert len(server.requests) == requests, "it asked the provider"
    asked(one)
    until(lambda: two.has("One", "Two", "Three"))
    assert len(server.requests) == requests + 1
    assert one.told == two.told
    assert two.list.progress.last_success is not None


def test_who_starts_before_anything_is_kept_waits_for_it(
    start: Callable[..., Instance], server: DocumentServer, tmp_path: Path
) -> None:
    may = [False]
    first = start(leads=lambda: may[0])
    asked(first)
    assert first.catalogs == []
    assert len(server.requests) == 0
    assert not (tmp_path / "data").exists()
    assert first.importer.alive
    second = start()
    until(lambda: first.has("One", "Two"))
    assert second.told == first.told


def test_another_goes_on_with_importing_where_the_first_one_ends(
    start: Callable[..., Instance], server: DocumentServer
) -> None:
    one = start()
    until(lambda: one.catalogs)
    two = start()
    until(lambda: two.catalogs)
    server.answer = (200, {}, MORE)
    one.close()
    until(lambda: two.has("One", "Two", "Three"))
    three = start()
    until(lambda: three.catalogs)
    assert three.told == two.told


def test_who_does_not_lead_any_more_writes_nothing(
    start: Callable[..., Instance], server: DocumentServer, tmp_path: Path
) -> None:
    leads, folder = [True], tmp_path / "data"
    one = start(leads=lambda: leads[0])
    until(lambda: one.catalogs and kept_numbers(folder) == 2)
    before = contents(folder)
    begun = Importer._round

    def lost(importer: Importer, *given: object) -> None:
        """The lead is lost when the round has begun."""
        leads[0] = False
        begun(importer, *given)  # type: ignore[arg-type]

    server.answer = (200, {}, MORE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Importer, "_round", lost)
        asked(one)
    assert "another instance imports" in one.list.progress.error
    assert one.has("One", "Two")
    assert contents(folder) == before


def test_numbers_that_were_given_meanwhile_are_taken_over_and_none_is_written(
    start: Callable[..., Instance], server: DocumentServer, tmp_path: Path
) -> None:
    """Had it given them, they would be others: it has not seen the list in between."""
    one = start()
    until(lambda: one.catalogs and kept_numbers(tmp_path / "data") == 2)
    two = start()
    until(lambda: two.catalogs)
    looks, two.list.look, two.numbers.look = two.list.look, lambda _: False, lambda: False  # type: ignore[method-assign]
    server.answer = (200, {}, MORE.replace(b"Three", b"Zulu"))
    asked(one)
    until(lambda: kept_numbers(tmp_path / "data") == 3)
    server.answer = (200, {}, MORE)
    asked(one)
    until(lambda: kept_numbers(tmp_path / "data") == 4)
    before = contents(tmp_path / "data")
    two.list.look = looks  # type: ignore[method-assign]
    until(lambda: two.has("One", "Two", "Three"))
    gevent.sleep(0.1)
    assert number_of("Three", two) == 3
    assert contents(tmp_path / "data") == before
    del two.numbers.look
    until(lambda: two.told == one.told)
    assert number_of("Three", two) == 4


def number_of(wanted: str, instance: Instance) -> int:
    return next(number for _, name, number in instance.told if name == wanted)


def test_a_copy_of_the_folder_that_is_refreshed_from_time_to_time(
    start: Callable[..., Instance], server: DocumentServer, tmp_path: Path
) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy"
    one = start()
    until(lambda: one.catalogs and kept_numbers(folder) == 2)
    two = start(copy, leads=lambda: False)
    refresh(folder, copy)
    until(lambda: two.has("One", "Two"))
    server.answer = (200, {}, MORE)
    asked(one)
    until(lambda: kept_numbers(folder) == 3)
    refresh(folder, copy, pause=0.1)
    until(lambda: two.has("One", "Two", "Three"))
    until(lambda: two.told == one.told)
    assert len(two.catalogs) <= 4, "it is made anew though nothing has changed"


def test_a_list_is_not_taken_before_it_is_published_with_its_numbers(
    start: Callable[..., Instance], server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while the round waits for another source, or so many channels are numbered."""
    one = start()
    asked(one)
    two = start()
    until(lambda: two.has("One", "Two"))
    one.tells, server.answer = False, (200, {}, MORE)
    asked(one)
    gevent.sleep(0.2)  # ten looks
    assert two.has("One", "Two")
    one.tell()
    until(lambda: two.has("One", "Two", "Three"))
    assert two.told == one.told
    assert len(two.catalogs) == 2, "it has shown others before"

    monkeypatch.setattr(last_good, "_MOST_LOOKS", 3)
    server.answer = (200, {}, LIST)
    asked(one)
    until(lambda: two.has("One", "Two"))  # whoever was to tell may have ended


def test_half_of_a_list_is_not_taken(
    start: Callable[..., Instance], server: DocumentServer, tmp_path: Path
) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy"
    one = start()
    asked(one)
    refresh(folder, copy)
    other = Instance(server.url, copy, leads=lambda: False)
    assert other.list.load()
    server.answer = (200, {}, MORE + b"#" * 500_000)
    asked(one)
    [body] = (path for path in folder.iterdir() if path.name.endswith(".m3u.gz"))
    about = body.with_name(body.name.replace(".m3u.gz", ".json"))
    for path, data in (
        (copy / about.name, about.read_bytes()),
        (copy / body.name, body.read_bytes()[:-40]),
    ):
        path.write_bytes(data)
        assert not any(other.list.look() for _ in range(3))
        assert other.list.content is not None
        assert other.list.content.count == 2
    refresh(folder, copy)
    assert not other.list.look(), "it may be written still"
    assert other.list.look()
    assert other.list.content.count == 3
    other.close()


def kept_numbers(folder: Path) -> int:
    return len(KeptNumbers(folder).given())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refresh(folder: Path, copy: Path, pause: float = 0.0) -> None:
    """As rsync does: one file after another, each beside the old one and then put in its place."""
    copy.mkdir(exist_ok=True)
    for path in sorted(folder.iterdir()):
        new = copy / f".{path.name}.x"
        shutil.copy2(path, new)
        new.replace(copy / path.name)
        gevent.sleep(pause)
