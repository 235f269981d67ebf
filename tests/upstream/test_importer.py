"""Imports: from real servers on loopback and from files, with every bad ending."""

from __future__ import annotations

import gzip
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any

import gevent
import pytest
from gevent.event import Event

from kptv.channels.catalog import Catalog
from kptv.channels.model import Source
from kptv.channels.rules.model import Rules
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.upstream import channel_list as channel_list_module
from kptv.upstream import importer as importer_module
from kptv.upstream import merger as merger_module
from kptv.upstream.channel_list import CHANNEL_LIST, channel_list
from kptv.upstream.client import HttpClient
from kptv.upstream.documents import Edition, read_document
from kptv.upstream.importer import Importer, retry_delay
from kptv.upstream.last_good import LastGood
from kptv.upstream.merger import Merger
from kptv.upstream.store import Store
from tests.upstream.document_server import Answer, DocumentServer

LIMIT = 20.0  # seconds that any wait may take
LIST = b"#EXTM3U\n#EXTINF:-1,One\nhttp://a.example/1\n#EXTINF:-1,Two\nhttp://a.example/2\n"
OTHER = LIST.replace(b"Two", b"Three")


class Rig:
    """An importer and what it told."""

    def __init__(self, folder: Path, *urls: str, client: Any = None, **settings: Any) -> None:
        sources = tuple(Source(number, url, 1) for number, url in enumerate(urls, start=1))
        config = Config(sources=sources, data_dir=folder, **settings)
        self.client = client or HttpClient(config)
        self.catalogs: list[Catalog] = []
        self.told = Event()  # of a catalog
        self.rounds = 0
        store = Store(folder)
        store.sweep()
        lists = [LastGood(channel_list(source), self.client, store) for source in sources]
        self.merger = Merger(
            lists,
            self._on_catalog,
            sort_field=config.sort_field,
            descending=config.sort_descending,
        )
        self.importer = Importer(
            lists, self._publish, config.import_refresh_interval, config.worker_threads
        )

    def _on_catalog(self, catalog: Catalog) -> None:
        self.catalogs.append(catalog)
        self.told.set()

    def _publish(self) -> None:
        self.merger.merge()
        self.rounds += 1

    def run(self) -> Rig:
        """One round."""
        with gevent.Timeout(LIMIT):
            done = self.importer.import_now()
            self.importer.start()
            done.wait()
        return self

    @property
    def names(self) -> list[str]:
        """Of the channels that are served now."""
        return [channel.name for channel in self.catalogs[-1].channels] if self.catalogs else []

    def close(self) -> None:
        self.importer.close()
        getattr(self.client, "close", lambda: None)()


@pytest.fixture
def server() -> Iterator[DocumentServer]:
    server = DocumentServer((200, {}, LIST))
    yield server
    server.stop()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def build(*urls: str, folder: Path | None = None, **options: Any) -> Rig:
        rigs.append(Rig(folder or tmp_path / "data", *urls, **options))
        return rigs[-1]

    yield build
    for rig in rigs:
        rig.close()


def test_all_sources_become_one_catalog(
    make: Callable[..., Rig], server: DocumentServer, tmp_path: Path
) -> None:
    path = tmp_path / "more list.m3u"
    path.write_bytes(OTHER)
    rig = make(server.url, str(path), path.as_uri()).run()
    assert rig.names == ["One", "Three", "Two"]
    one = rig.catalogs[-1].find("one")
    assert one is not None
    assert [stream.source.number for stream in one.streams] == [1, 2, 3]
    assert [state.entries for state in rig.merger.states] == [2, 2, 2]


def test_requests_for_lists_carry_the_headers_that_are_set(
    make: Callable[..., Rig], server: DocumentServer
) -> None:
    make(server.url, user_agent="UA", req_origin="http://o", req_referrer="http://r").run()
    headers = server.requests[0][1]
    assert (headers["user-agent"], headers["origin"], headers["referer"]) == (
        "UA",
        "http://o",
        "http://r",
    )


@pytest.mark.parametrize(
    ("validator", "condition"),
    [({"ETag": '"v1"'}, "if-none-match"), ({"Last-Modified": "yesterday"}, "if-modified-since")],
)
def test_a_list_that_did_not_change_is_not_sent_again(
    make: Callable[..., Rig], server: DocumentServer, validator: dict[str, str], condition: str
) -> None:
    server.answer = (200, validator, LIST)
    rig = make(server.url).run()
    server.answer = (304, {"Content-Length": ""}, b"")
    rig.run()
    assert [headers.get(condition) for _, headers in server.requests] == [
        None,
        next(iter(validator.values())),
    ]
    assert (len(rig.catalogs), rig.rounds) == (1, 2)
    assert rig.merger.states[0].failures == 0


def test_the_same_bytes_again_make_no_new_catalog(
    make: Callable[..., Rig], server: DocumentServer
) -> None:
    rig = make(server.url).run().run()
    assert (len(rig.catalogs), rig.rounds, len(server.requests)) == (1, 2, 2)
    server.answer = (200, {}, OTHER)
    rig.run()
    assert (len(rig.catalogs), rig.names) == (2, ["One", "Three"])


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Encoding": "gzip"}, gzip.compress(LIST)),
        ({}, gzip.compress(LIST)),
        ({"Content-Encoding": "gzip"}, gzip.compress(gzip.compress(LIST))),
        ({}, gzip.compress(LIST[:30]) + gzip.compress(LIST[30:])),
        ({}, gzip.compress(LIST) + b"\0" * 100),
        ({}, LIST.decode().encode("utf-16")),
        ({}, b"\xef\xbb\xbf" + LIST.replace(b"\n", b"\r\n")),
    ],
    ids=range(7),  # not the bytes: gzip writes the time into them
)
def test_a_list_is_read_however_it_is_packed_and_encoded(
    make: Callable[..., Rig], server: DocumentServer, headers: dict[str, str], body: bytes
) -> None:
    server.answer = (200, headers, body)
    assert make(server.url).run().names == ["One", "Two"]


def test_relative_urls_are_resolved_where_redirects_led_to(
    make: Callable[..., Rig], server: DocumentServer
) -> None:
    def answer(_: Mapping[str, str], path: str) -> Answer:
        if path.startswith("/get.php"):
            return 302, {"Location": "/deep/list.m3u"}, b""
        return 200, {}, b"#EXTM3U\n#EXTINF:-1,One\nstreams/1.ts\n"

    server.answer = answer
    channel = make(server.url).run().catalogs[-1].find("One")
    assert channel is not None
    assert channel.streams[0].url.endswith("/deep/streams/1.ts")


BAD = {
    "HTML": (200, {}, b"<!DOCTYPE html><html><a href='http://a/1'>\nhttp://a.example/1\n</html>"),
    "empty": (200, {}, b""),
    "blank": (200, {}, b"\r\n \n"),
    "prose": (200, {}, b"Account expired. See example.com/renew"),
    "no entries": (200, {}, b"#EXTM3U\n"),
    "cut": (200, {"Content-Length": "5000"}, LIST),
    "cut chunk": (200, {"Content-Length": "", "Transfer-Encoding": "chunked"}, b"50\r\n#EXTM3U"),
    "cut gzip": (200, {}, gzip.compress(LIST)[:-9]),
    "broken gzip": (200, {}, gzip.compress(LIST)[:20] + b"\xff" * 80),
    "404": (404, {}, b"#EXTM3U"),
    "401": (401, {}, LIST),
    "503": (503, {"Retry-After": "5"}, b""),
    "endless redirects": (302, {"Location": "/again"}, b""),
    "too long": (200, {}, LIST + b"\n" * 100_000),
    "bomb": (200, {}, gzip.compress(LIST + b"\n" * 100_000)),
}


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_failed_import_costs_nothing_and_is_told_once_and_without_secrets(
    make: Callable[..., Rig],
    server: DocumentServer,
    bad: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    shorter = replace(CHANNEL_LIST, longest=90_000)
    monkeypatch.setattr(channel_list_module, "CHANNEL_LIST", shorter)
    rig = make(server.url).run()
    server.answer = BAD[bad]
    rig.run().run()
    assert rig.names == ["One", "Two"]
    assert len(rig.catalogs) == 1
    (state,) = rig.merger.states
    assert (state.failures, state.entries) == (2, 2)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "source-1: import failed" in warnings[0]
    assert "its 2 entries stay" in warnings[0]
    assert "s3cret" not in caplog.text
    assert "127.0.0.1" not in caplog.text
    server.answer = (200, {}, OTHER)
    rig.run()
    assert rig.names == ["One", "Three"]
    assert rig.merger.states[0].failures == 0
    assert "imports again" in caplog.text


def test_a_failed_import_says_when_it_is_tried_again(
    make: Callable[..., Rig], server: DocumentServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = BAD["404"]
    rig = make(server.url).run()
    (warning,) = [line.getMessage() for line in caplog.records if line.levelname == "WARNING"]
    assert warning.endswith("; tried again in 60 s; it has no entries yet")
    again_at = rig.merger.states[0].again_at
    assert again_at == pytest.approx(time() + 60.0, abs=5.0)
    server.answer = (200, {}, LIST)
    rig.run()
    assert rig.merger.states[0].again_at is None


def test_a_round_that_comes_sooner_is_what_is_told(
    make: Callable[..., Rig], server: DocumentServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = BAD["404"]
    make(server.url, import_refresh_interval=20.0).run()
    assert "tried again in 20 s" in caplog.text


def test_an_import_by_hand_says_what_it_found_also_if_nothing_changed(
    make: Callable[..., Rig], server: DocumentServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rig = make(server.url)

    def found() -> tuple[tuple[str, ...], list[str]]:
        """By an import by hand: what it says, and what the log has of it."""
        caplog.clear()
        done = rig.importer.import_now()
        rig.importer.start()
        assert done.wait(LIMIT)
        return done.found, [line for line in caplog.messages if line.startswith("source-1")]

    assert found() == (("source-1: 2 entries",), ["source-1: 2 entries (fetched)"])
    assert found() == (("source-1: 2 entries, as before",), ["source-1: 2 entries, as before"])
    server.answer = BAD["404"]
    failed = "source-1: import failed: http_error (HTTP 404); tried again in {}; its 2 entries stay"
    for wait in ("60 s", "2 min"):
        said, logged = found()
        assert said == (failed.format(wait),)
        assert logged == [failed.format(wait)]


def test_a_round_by_itself_says_nothing_of_what_did_not_change(
    make: Callable[..., Rig], server: DocumentServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rig = make(server.url, import_refresh_interval=0.05)
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        while rig.rounds < 4:
            gevent.sleep(0.01)
    assert [line for line in caplog.messages if "entries" in line] == [
        "source-1: 2 entries (fetched)"
    ]


def test_a_refused_connection_is_a_failed_import(
    make: Callable[..., Rig], server: DocumentServer
) -> None:
    rig = make(server.url, str(Path(__file__).parent / "none.m3u")).run()
    server.stop()
    try:
        rig.run()
    finally:
        server.__init__(BAD["404"])  # type: ignore[misc]  # so that the fixture has one to stop
    assert rig.names == ["One", "Two"]
    assert [state.failures for state in rig.merger.states] == [1, 2]
    assert rig.merger.states[1].error == "cannot read the file: No such file or directory"


def test_a_list_of_no_entries_is_one_where_nothing_is_lost_by_it(
    make: Callable[..., Rig], server: DocumentServer
) -> None:
    server.answer = BAD["no entries"]
    rig = make(server.url).run()
    assert rig.merger.states[0].failures == 0
    assert len(rig.catalogs[-1]) == 0


def test_the_last_good_lists_are_served_after_a_restart_before_any_request(
    make: Callable[..., Rig], server: DocumentServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = (200, {"ETag": '"v1"'}, LIST)
    make(server.url).run().close()
    server.answer = BAD["503"]
    again = make("http://127.0.0.1:9/other", server.url).run()  # now it is the second source
    assert again.names == ["One", "Two"]
    assert server.requests[-1][1]["if-none-match"] == '"v1"'
    assert [state.entries for state in again.merger.states] == [0, 2]
    assert again.catalogs[0].channels[0].streams[0].source.number == 2


def test_what_an_answer_told_of_its_encoding_is_known_after_a_restart(
    make: Callable[..., Rig], server: DocumentServer
) -> None:
    body = "#EXTM3U\n#EXTINF:-1,Győr\nhttp://a.example/1\n".encode("cp1250")
    server.answer = (200, {"Content-Type": 'text/plain; Charset="windows-1250"'}, body)
    make(server.url).run().close()
    server.answer = BAD["503"]
    assert make(server.url).run().names == ["Győr"]


def test_a_list_kept_by_an_earlier_release_is_read_and_asked_for_by_its_version(
    make: Callable[..., Rig], server: DocumentServer, tmp_path: Path
) -> None:
    server.answer = (200, {"ETag": '"v1"'}, LIST)
    make(server.url).run().close()
    (about,) = (tmp_path / "data").glob("*.json")
    values = json.loads(about.read_text())
    del values["charset"]
    about.write_text(json.dumps(values))
    assert make(server.url).run().names == ["One", "Two"]
    assert server.requests[-1][1]["if-none-match"] == '"v1"'


def test_what_is_kept_is_the_list_itself_for_its_owner_only(
    make: Callable[..., Rig], server: DocumentServer, tmp_path: Path
) -> None:
    make(server.url).run()
    folder = tmp_path / "data"
    files = sorted(folder.iterdir())
    assert [file.suffix for file in files] == [".json", ".gz"] or len(files) == 2
    assert all(file.stat().st_mode & 0o077 == 0 for file in [folder, *files])
    body = next(file for file in files if file.suffix == ".gz")
    assert gzip.decompress(body.read_bytes()) == LIST


def test_lists_kept_before_an_upgrade_are_found_and_asked_for_by_their_editions(
    make: Callable[..., Rig], server: DocumentServer, tmp_path: Path
) -> None:
    """Names and contents as releases wrote them before documents were of several kinds."""
    name = sha256(server.url.encode()).hexdigest()[:32]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / f"{name}.m3u.gz").write_bytes(gzip.compress(LIST))
    (folder / f"{name}.json").write_text(
        f'{{"base": "{server.url}", "etag": "\\"v1\\"", "last_modified": "", "digest":'
        ' "4414aebbd710c61ea5274e25fb7e6ea0fbf79af7cb988f8e39c40241e8be31ce", "charset": ""}'
    )
    server.answer = BAD["503"]
    rig = make(server.url).run()
    assert rig.names == ["One", "Two"]
    assert server.requests[0][1]["if-none-match"] == '"v1"'
    server.answer = (200, {"ETag": '"v2"'}, OTHER)
    rig.run()
    assert {path.name for path in folder.iterdir()} == {f"{name}.m3u.gz", f"{name}.json"}
    about = json.loads((folder / f"{name}.json").read_text())
    assert (about["base"], about["etag"]) == (server.url, '"v2"')
    assert set(about) == {"base", "etag", "last_modified", "digest", "charset"}


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b\x08", b"<html>", b"\x1f\x8b" + b"\xff" * 50])
def test_a_broken_copy_is_told_of_and_fetched_again(
    make: Callable[..., Rig],
    server: DocumentServer,
    tmp_path: Path,
    damage: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.answer = (200, {"ETag": '"v1"'}, LIST)
    make(server.url).run().close()
    next((tmp_path / "data").glob("*.gz")).write_bytes(damage)
    assert make(server.url).run().names == ["One", "Two"]
    assert "if-none-match" not in server.requests[-1][1]
    assert "what DATA_DIR keeps cannot be used" in caplog.text


@pytest.mark.parametrize("about", ["", "[]", '{"etag": 5}', "not json"])
def test_a_version_that_cannot_be_read_costs_a_download_only(
    make: Callable[..., Rig], server: DocumentServer, tmp_path: Path, about: str
) -> None:
    server.answer = (200, {"ETag": '"v1"'}, LIST)
    make(server.url).run().close()
    next((tmp_path / "data").glob("*.json")).write_text(about)
    rig = make(server.url).run()
    assert rig.names == ["One", "Two"]
    assert "if-none-match" not in server.requests[-1][1]


def test_a_data_dir_that_cannot_be_written_is_told_of_once_and_costs_no_import(
    make: Callable[..., Rig],
    server: DocumentServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("in the way")
    rig = make(server.url, server.url, folder=tmp_path / "file" / "data").run()
    assert rig.names == ["One", "Two"]
    assert caplog.text.count("DATA_DIR cannot be written") == 1


def test_a_file_that_did_not_change_is_not_read_again(
    make: Callable[..., Rig], tmp_path: Path
) -> None:
    path = tmp_path / "list.m3u.gz"
    path.write_bytes(gzip.compress(LIST))
    rig = make(str(path)).run().run()
    assert (len(rig.catalogs), rig.rounds) == (1, 2)
    path.write_bytes(gzip.compress(OTHER + b"\n"))
    assert rig.run().names == ["One", "Three"]
    path.unlink()
    assert rig.run().names == ["One", "Three"]
    os.mkfifo(path)
    assert rig.run().names == ["One", "Three"]
    assert rig.merger.states[0].error == "not a file"


def test_settings_order_the_list(make: Callable[..., Rig], server: DocumentServer) -> None:
    server.answer = (200, {}, LIST.replace(b"-1,One", b'-1 tvg-chno="9",One'))
    rig = make(server.url, sort_field="tvg-chno").run()
    assert rig.names == ["One", "Two"]
    assert make(server.url, sort_descending=True).run().names == ["Two", "One"]


class WaitingClient:
    """Answers nothing before it is told to; counts who waits."""

    def __init__(self) -> None:
        self.waiting = 0
        self.most = 0
        self.asked = 0
        self.go_on = Event()
        self.reached = Event()  # somebody waits

    def get(self, *_: Any, **__: Any) -> Any:
        self.waiting += 1
        self.asked += 1
        self.most = max(self.most, self.waiting)
        self.reached.set()
        try:
            self.go_on.wait()
        finally:
            self.waiting -= 1
        raise UpstreamError(Reason.REFUSED)


def test_all_lists_are_fetched_at_once_whatever_the_number_of_workers(
    make: Callable[..., Rig],
) -> None:
    client = WaitingClient()
    rig = make(*(f"http://a.example/{n}" for n in range(5)), client=client, worker_threads=1)
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        while client.waiting < 5:
            gevent.sleep(0.001)
        client.go_on.set()
        rig.run()
    assert (client.most, client.asked) == (5, 5)


@pytest.mark.parametrize("bytes_sent", [0, 20, len(LIST)])
def test_lists_that_never_end_keep_no_other_from_importing(
    make: Callable[..., Rig], server: DocumentServer, bytes_sent: int
) -> None:
    """However far they got: before the first byte, in mid-list, before the end of the answer."""
    over = threading.Event()

    def answer(_: Mapping[str, str], path: str) -> Answer:
        if "drip" in path:
            over.wait(LIMIT)
        return 200, {}, LIST

    class Dripping:
        """Begins a list and sends no more."""

        def get(self, source: Source, *args: Any, **options: Any) -> Any:
            response = HttpClient(rig_config).get(source, *args, **options)
            if source.number < 5:
                read = response.raw.read1
                parts = iter([read(bytes_sent)] if bytes_sent else [])

                def read1(_: int, **__: object) -> bytes:
                    if part := next(parts, b""):
                        return bytes(part)
                    gevent.sleep(LIMIT)
                    return b""

                response.raw.read1 = read1
            return response

    rig_config = Config(sources=(Source(1, server.url, 1),))
    rig = make(*[server.url] * 5, client=Dripping(), worker_threads=1)
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        rig.told.wait()
    assert rig.names == ["One", "Two"]
    assert [state.last_success is not None for state in rig.merger.states] == [False] * 4 + [True]
    over.set()


def test_a_worker_is_taken_by_what_is_parsed_and_not_by_who_waits_for_more() -> None:
    class Worker:
        taken = 0
        held = False

        def __enter__(self) -> None:
            self.held = True
            self.taken += 1

        def __exit__(self, *_: object) -> None:
            self.held = False

    worker = Worker()
    fetched, kept = [], []

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(LIST), 20):
            fetched.append(worker.held)
            yield LIST[start : start + 20]
        fetched.append(worker.held)

    content = read_document(
        channel_list(Source(1, "http://a.example/", 1)),
        Edition("http://a.example/"),
        pieces(),
        lambda _: kept.append(worker.held),
        worker,
    )
    assert len(content.listing) == 2
    assert not any(fetched)
    assert all(kept)
    assert worker.taken == len(fetched)


def test_of_a_list_that_is_too_long_the_beginning_is_kept_and_that_is_told(
    make: Callable[..., Rig],
    server: DocumentServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(channel_list_module, "MAX_ENTRIES", 3)
    entries = [f"#EXTINF:-1,Channel {n}\nhttp://a.example/{n}\n" for n in range(20_000)]
    server.answer = 200, {}, "".join(["#EXTM3U\n", *entries]).encode()
    caplog.set_level(logging.INFO)
    rig = make(server.url).run()
    assert rig.names == ["Channel 0", "Channel 1", "Channel 2"]
    assert rig.merger.states[0].is_full
    assert "source-1: the list has more than 3 entries: those behind are left out" in caplog.text
    server.answer = 200, {}, "".join(["#EXTM3U\n", *entries[:3]]).encode()
    rig.run()
    assert not rig.merger.states[0].is_full


def test_a_list_of_just_as_many_entries_as_fit_is_not_too_long(
    make: Callable[..., Rig], server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_list_module, "MAX_ENTRIES", 2)
    rig = make(server.url).run()
    assert (rig.names, rig.merger.states[0].is_full) == (["One", "Two"], False)


def test_what_was_too_long_is_counted(
    make: Callable[..., Rig], server: DocumentServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    name = "N" * 40_000
    server.answer = 200, {}, f"#EXTM3U\n#EXTINF:-1,{name}\nhttp://a.example/1\n".encode()
    rig = make(server.url).run()
    assert [len(name) for name in rig.names] == [256]
    assert rig.merger.states[0].cut == 1
    assert "source-1: 1 entries, 1 texts cut that were too long" in caplog.text


def test_an_import_asked_for_while_one_runs_is_that_one(make: Callable[..., Rig]) -> None:
    client = WaitingClient()
    rig = make("http://a.example/", client=client)
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        client.reached.wait()
        first, second = rig.importer.import_now(), rig.importer.import_now()
        assert first is second
        assert not first.is_set()
        client.go_on.set()
        first.wait()
    assert (client.asked, rig.rounds) == (1, 1)


def test_while_there_is_no_catalog_yet_a_slow_source_is_not_waited_for(
    make: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer_module, "PATIENCE", 0.01)
    path = tmp_path / "list.m3u"
    path.write_bytes(LIST)
    client = WaitingClient()
    rig = make("http://a.example/", str(path), client=client)
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        rig.told.wait()
    assert (rig.names, client.waiting) == (["One", "Two"], 1)


class SlowClient(WaitingClient):
    """A panel that makes the list when asked: nothing before it is told to, then what it has."""

    def __init__(self, client: HttpClient) -> None:
        super().__init__()
        self._client = client

    def get(self, source: Source, *args: Any, **options: Any) -> Any:
        if source.number == 1:
            with suppress(UpstreamError):
                super().get()
        return self._client.get(source, *args, **options)

    def close(self) -> None:
        self._client.close()


def test_a_slow_source_holds_up_no_round_and_joins_the_catalog_when_it_is_done(
    make: Callable[..., Rig],
    server: DocumentServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importer_module, "PATIENCE", 0.05)
    path = tmp_path / "list.m3u"
    path.write_bytes(LIST)
    client = SlowClient(HttpClient(Config(sources=())))
    rig = make(server.url, str(path), client=client, import_refresh_interval=0.1)
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        while rig.rounds < 3:
            gevent.sleep(0.001)
        assert (rig.names, client.asked) == (["One", "Two"], 1), "it is asked once, and waited for"
        path.write_bytes(OTHER + b"\n")
        while rig.names != ["One", "Three"]:
            gevent.sleep(0.001)
        assert (client.asked, client.waiting) == (1, 1)
        client.go_on.set()
        while rig.names != ["One", "Three", "Two"]:
            gevent.sleep(0.001)
    assert [state.failures for state in rig.merger.states] == [0, 0]


def test_an_import_asked_for_ends_when_its_slowest_source_has(
    make: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer_module, "PATIENCE", 0.01)
    path = tmp_path / "list.m3u"
    path.write_bytes(LIST)
    client = WaitingClient()
    rig = make("http://a.example/", str(path), client=client)
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        rig.told.wait()
        path.write_bytes(OTHER + b"\n")
        done = rig.importer.import_now()
        while rig.names != ["One", "Three"]:
            gevent.sleep(0.001)
        assert not done.is_set()
        client.go_on.set()
        done.wait()
    assert client.asked == 1
    assert rig.merger.states[0].failures == 1


def test_a_source_that_hangs_fails_in_the_end_and_is_asked_again(
    make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer_module, "PATIENCE", 0.01)
    monkeypatch.setattr(channel_list_module, "CHANNEL_LIST", replace(CHANNEL_LIST, deadline=0.05))
    monkeypatch.setattr(importer_module, "FIRST_RETRY", 0.01)
    client = WaitingClient()
    rig = make("http://a.example/", client=client)
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        while client.asked < 2:
            gevent.sleep(0.001)
    assert rig.merger.states[0].error == "not complete after 0 s"


def test_imports_come_again_after_the_interval(
    make: Callable[..., Rig], server: DocumentServer
) -> None:
    rig = make(server.url, import_refresh_interval=0.01)
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        while rig.rounds < 3:
            gevent.sleep(0.001)


def test_a_source_that_failed_is_asked_again_before_the_interval(
    make: Callable[..., Rig],
    server: DocumentServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importer_module, "FIRST_RETRY", 0.01)
    path = tmp_path / "late.m3u"
    rig = make(server.url, str(path)).run()
    path.write_bytes(OTHER)
    with gevent.Timeout(LIMIT):
        while rig.names != ["One", "Three", "Two"]:
            gevent.sleep(0.001)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("failures", "asked", "seconds"),
    [
        (0, None, 60),
        (3, None, 480),
        (0, 5.0, 5),
        (0, 0.0, 5),
        (3, 5.0, 40),
        (0, 900.0, 900),
        (0, 86400.0, 1800),
        (99, None, 1800),
    ],
)
def test_a_list_that_asks_for_a_pause_gets_it_within_reason(
    failures: int, asked: float | None, seconds: float
) -> None:
    assert retry_delay(failures, asked) == seconds


def test_a_list_that_is_ready_in_a_moment_is_asked_again_then(
    make: Callable[..., Rig], server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer_module, "SHORTEST_RETRY", 0.01)
    good, server.answer = server.answer, (429, {"Retry-After": "0"}, b"")
    rig = make(server.url).run()
    assert rig.merger.states[0].failures == 1
    server.answer = good
    with gevent.Timeout(LIMIT):
        while rig.names != ["One", "Two"]:
            gevent.sleep(0.001)


def test_a_catalog_knows_where_most_links_of_each_source_lead(
    make: Callable[..., Rig], server: DocumentServer, tmp_path: Path
) -> None:
    path = tmp_path / "many.m3u"
    path.write_text("#EXTM3U\n#EXTINF:-1,A\nhttp://a.example/a\n#EXTINF:-1,B\nhttp://b.example/b\n")
    rig = make(server.url, str(path)).run()
    hosts = {number: source.host for number, source in rig.catalogs[-1].sources.items()}
    assert hosts == {1: "a.example", 2: ""}
    one = rig.catalogs[-1].find("one")
    assert one is not None
    assert one.streams[0].source.host == "a.example"


def test_it_tells_once_whose_import_was_good(
    make: Callable[..., Rig], server: DocumentServer
) -> None:
    rig = make(server.url, "/nowhere.m3u").run()
    assert rig.merger.take_imported() == {1}
    assert rig.merger.take_imported() == set()


def test_closing_may_come_twice_before_the_start_and_in_mid_import(
    make: Callable[..., Rig], tmp_path: Path
) -> None:
    client = WaitingClient()
    rig = make("http://a.example/", client=client)
    rig.importer.close()
    rig.importer.start()
    with gevent.Timeout(LIMIT):
        client.reached.wait()
        rig.importer.close()
        rig.importer.close()
    assert client.waiting == 0
    assert not list((tmp_path / "data").glob("*"))


def test_what_a_killed_import_left_is_removed(
    make: Callable[..., Rig], server: DocumentServer, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    left, used = (tmp_path / "data" / f".import-{name}" for name in ("left", "used"))
    left.write_text("half")
    os.utime(left, times=(0, 0))
    used.write_text("half, of another process that imports now")
    make(server.url).run()
    assert not left.exists()
    assert used.exists()


def test_its_repr_tells_no_secret(make: Callable[..., Rig], server: DocumentServer) -> None:
    rig = make(server.url).run()
    told = f"{rig.importer!r} {rig.merger.states} {rig.catalogs} {rig.catalogs[0].channels[0]}"
    told += f"{rig.merger!r} {rig.merger.lists}"
    assert "s3cret" not in told
    assert "a.example" not in told


def test_a_catalog_that_could_not_be_built_is_built_in_the_next_round(
    make: Callable[..., Rig], server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Catalog:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(merger_module, "build_catalog", broken)
        rig = make(server.url).run()
    assert not rig.catalogs
    rig.run()
    assert rig.names == ["One", "Two"]


def test_other_rules_make_another_catalog_of_the_same_lists_and_nothing_is_fetched(
    server: DocumentServer, make: Callable[..., Rig]
) -> None:
    rig = make(server.url).run()
    before, asked = rig.names, len(server.requests)
    rig.merger.rules = Rules(groups={"A": "B"}, aliases={"Only": tuple(before)})
    rig.importer.publish()
    assert rig.names == ["Only"]
    rig.importer.publish()
    assert len(rig.catalogs) == 2
    rig.merger.rules = None
    rig.importer.publish()
    assert rig.names == before
    assert len(server.requests) == asked
