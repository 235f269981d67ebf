"""Logos are fetched once, two at a time, and whoever waits may leave."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from kptv.channels.logos import Logo
from kptv.channels.model import Source
from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.upstream import logos as module
from kptv.upstream.logos import Logos
from kptv.upstream.picture_files import PictureFiles

LIMIT = 10.0  # seconds that any wait may take
GIF = b"GIF89a" + bytes(100)
SOURCES = [Source(number, f"http://panel{number}.example/", 1) for number in (1, 2)]


def logo(name: str = "a", source: int = 1) -> Logo:
    return Logo(SOURCES[source - 1], f"http://panel.example/alice/s3cret/{name}.gif")


class Provider:
    """Answers when it is let, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let = Event()
        self.let.set()
        self.answer: bytes | BaseException = GIF
        self.counted: list[tuple[int, str]] = []
        self.busy = self.most_busy = 0

    def download(self, logo: Logo) -> bytes:
        self.asked.append(logo.url)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            self.let.wait()
        finally:
            self.busy -= 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def logos(self, folder: Path) -> Logos:
        return Logos(self.download, PictureFiles(folder), lambda *how: self.counted.append(how))


@pytest.fixture
def provider() -> Provider:
    return Provider()


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(LIMIT):
        while not condition():
            gevent.sleep(0.001)


def test_it_is_fetched_once_over_a_restart_too(provider: Provider, tmp_path: Path) -> None:
    for logos in (provider.logos(tmp_path), provider.logos(tmp_path)):
        for _ in range(2):
            picture = logos.get(logo())
            assert picture is not None
            assert (picture.data, picture.media_type) == (GIF, "image/gif")
    assert len(provider.asked) == 1
    assert provider.counted == [(1, "kept")]


def test_all_who_ask_wait_for_one_fetch_and_may_leave(provider: Provider, tmp_path: Path) -> None:
    provider.let.clear()
    logos = provider.logos(tmp_path)
    clients = [gevent.spawn(logos.get, logo()) for _ in range(20)]
    until(lambda: bool(provider.asked))
    gevent.killall(clients[:19], timeout=LIMIT)  # the first of them began the fetch
    provider.let.set()
    picture = clients[19].get(timeout=LIMIT)
    assert picture.data == GIF
    assert len(provider.asked) == 1
    until(lambda: repr(logos) == "<Logos fetches=0 failed=0>")


def test_a_fetch_goes_on_when_all_have_left(provider: Provider, tmp_path: Path) -> None:
    provider.let.clear()
    logos = provider.logos(tmp_path)
    client = gevent.spawn(logos.get, logo())
    until(lambda: bool(provider.asked))
    client.kill(timeout=LIMIT)
    provider.let.set()
    until(lambda: provider.counted == [(1, "kept")])
    assert logos.get(logo()) is not None
    assert len(provider.asked) == 1


def test_two_at_once_per_source(provider: Provider, tmp_path: Path) -> None:
    provider.let.clear()
    logos = provider.logos(tmp_path)
    clients = [gevent.spawn(logos.get, logo(str(n), source)) for n in range(5) for source in (1, 2)]
    until(lambda: provider.busy == 4)
    provider.let.set()
    gevent.joinall(clients, timeout=LIMIT)
    assert all(client.value is not None for client in clients)
    assert provider.most_busy == 4


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (UpstreamError(Reason.HTTP_ERROR, status=403), "http_error"),
        (UpstreamError(Reason.RATE_LIMITED, status=429), "rate_limited"),
        (ValueError("a fault of ours"), "internal"),
    ],
)
def test_a_failure_is_kept_for_this_logo_alone(
    answer: BaseException, outcome: str, provider: Provider, tmp_path: Path
) -> None:
    logos, provider.answer = provider.logos(tmp_path), answer
    assert logos.get(logo()) is None
    assert logos.get(logo()) is None
    assert len(provider.asked) == 1
    assert provider.counted == [(1, outcome)]
    provider.answer = GIF
    assert logos.get(logo("b")) is not None
    assert logos.get(logo(source=2)) is not None, "the same address by another account"


def test_a_failure_is_forgotten_in_time(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAILED_FOR", 0.0)
    logos, provider.answer = provider.logos(tmp_path), UpstreamError(Reason.RESET)
    assert logos.get(logo()) is None
    provider.answer = GIF
    assert logos.get(logo()) is not None


def test_a_slow_provider_has_a_deadline_and_so_has_a_client(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.let.clear()
    monkeypatch.setattr(module, "DEADLINE", 0.05)
    logos = provider.logos(tmp_path)
    assert logos.get(logo()) is None
    assert provider.counted == [(1, "timeout")]
    monkeypatch.setattr(module, "DEADLINE", 60.0)
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with pytest.raises(Unavailable):
        logos.get(logo("b"))
    logos.close()
    until(lambda: provider.busy == 0)


def test_not_all_of_a_list_waits_for_one_provider(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    provider.let.clear()
    logos = provider.logos(tmp_path)
    clients = [gevent.spawn(logos.get, logo(str(number))) for number in range(3)]
    until(lambda: "fetches=3" in repr(logos))
    with pytest.raises(Unavailable):
        logos.get(logo("one more"))
    other = gevent.spawn(logos.get, logo(source=2))
    until(lambda: provider.busy == 3)
    provider.let.set()
    gevent.joinall([*clients, other], timeout=LIMIT)
    assert logos.get(logo("one more")) is not None


def test_those_who_send_the_same_picture_share_it_and_have_a_bound(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logos = provider.logos(tmp_path)
    assert logos.get(logo("b")) is not None
    first = logos.get(logo())
    assert logos.get(logo()) is first
    until(lambda: len(logos._sent) == 1)  # nobody has the other one any more
    monkeypatch.setattr(module, "_MOST_SENT", len(GIF) - 1)
    assert logos.get(logo()) is first
    with pytest.raises(Unavailable):
        logos.get(logo("b"))
    del first
    until(lambda: not logos._sent)
    assert logos.get(logo("b")) is not None


def test_a_disk_that_is_full_costs_no_second_fetch(
    provider: Provider,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "file").touch()
    monkeypatch.setattr(module, "_MOST_UNKEPT", len(GIF) + 1)
    logos = provider.logos(tmp_path / "file" / "logos")
    for name in "a", "a", "b", "b":
        assert logos.get(logo(name)) is not None
        until(lambda: not logos._sent)
    assert logos.get(logo("a")) is None, "there was no room for both"
    assert len(provider.asked) == 2
    assert caplog.text.count("logos are not kept") == 1
    assert "s3cret" not in caplog.text


def test_those_who_wait_are_let_go_at_the_end(provider: Provider, tmp_path: Path) -> None:
    provider.let.clear()
    logos = provider.logos(tmp_path)
    client = gevent.spawn(logos.get, logo())
    until(lambda: provider.busy == 1)
    logos.close()
    assert client.get(timeout=LIMIT) is None
    logos.close()
