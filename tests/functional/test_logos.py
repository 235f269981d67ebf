"""Logos behind the account's user and password: players see them, and nobody sees the account."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.functional.failing import assert_nothing_leaked
from tests.functional.harness import Proxy
from tests.provider import Bad, File, Provider, Reply, Resource

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


@dataclass
class House:
    """A provider whose channels have logos behind its account, and a proxy."""

    provider: Provider
    proxy: Proxy
    pictures: dict[str, File]

    def path(self, name: str) -> str:
        return f"/logo/{name}"

    def fetches(self, outcome: str) -> float:
        name = "iptv_proxy_logo_fetches_total"
        return self.proxy.metrics().value(name, source="source-1", outcome=outcome)


NAMES = (
    *("news", "sport", "films", "kids", "web", "page", "huge", "endless", "slow", "broken"),
    *("gone", "away", "here", "looped", "cut", "bomb", "packed", "crowd", "cookie", "limited"),
)


def offer(provider: Provider) -> dict[str, File]:
    """Channels of NAMES, each with a picture at an address that holds the account."""
    pictures = {}
    for name in NAMES:
        path = f"/images/{provider.user}/{provider.password}/{name}.png"
        pictures[name] = provider.add_file(path, PNG + name.encode(), "image/png")
        provider.add_channel(name.title(), tvg_logo=pictures[name].url)
    return pictures


@pytest.fixture(scope="module")
def house(
    share_provider: Callable[..., Provider], share_proxy: Callable[..., Proxy]
) -> Iterator[House]:
    provider = share_provider("one")
    pictures = offer(provider)
    provider.add_channel("Public", tvg_logo="https://logos.example/public.png")
    provider.add_channel("Bare")
    provider.add_channel("Stream", url=provider.url(f"/s/{provider.password}"), tvg_logo="-")
    proxy = share_proxy((provider, 1), DEBUG="true")
    yield House(provider, proxy, pictures)
    # Whatever came of the pictures, nothing rests and nothing is blocked.
    status = proxy.get("/api/status").text
    assert '"resting": []' in status or '"resting":[]' in status
    assert proxy.metrics().value("iptv_proxy_blocked_streams") == 0
    assert proxy.metrics().value("iptv_proxy_upstream_opens_total") == 0
    assert_nothing_leaked(proxy, provider)


def test_the_list_names_addresses_of_ours_for_hidden_logos_and_only_these(house: House) -> None:
    served = house.proxy.get("/playlist.m3u8").text
    assert re.search(r'tvg-logo="http://[^/"]+/logo/news",News\n', served)
    assert 'tvg-logo="https://logos.example/public.png"' in served
    assert served.count("/logo/") == len(NAMES)
    for slug in ("public", "bare", "nobody", "playlist", "..", "news/", "%2e%2e%2fnews"):
        answer = house.proxy.get(f"/logo/{slug}")
        assert answer.status == 404, slug
        assert answer.text.count("\n") == 1


def test_a_logo_is_fetched_once_and_kept(house: House) -> None:
    for _ in range(2):
        answer = house.proxy.get("/logo/news")
        assert (answer.status, answer.body) == (200, PNG + b"news")
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Length"] == str(len(PNG) + 4)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "public, max-age=86400"
    (request,) = house.pictures["news"].requests
    assert request.headers["accept"].startswith("image/")
    folder = Path(house.proxy.settings["DATA_DIR"]) / "logos"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert house.proxy.get("/logo/News").body == PNG + b"news", "names lead there as to streams"


def test_a_client_that_has_it_gets_no_body(house: House) -> None:
    first = house.proxy.get("/logo/sport", method="HEAD")
    assert (first.status, first.body) == (200, b"")
    assert first.headers["Content-Length"] == str(len(PNG) + 5)
    again = house.proxy.get("/logo/sport", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    other = house.proxy.get("/logo/sport", headers={"If-None-Match": '"other"'})
    assert other.body == PNG + b"sport"
    assert house.proxy.get("/logo/sport", method="POST").status == 405


def test_what_is_no_picture_is_not_passed_on_whatever_it_says_it_is(house: House) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    house.pictures["web"].data = svg
    house.pictures["web"].content_type = "image/svg+xml"
    house.pictures["page"].fail_with(Bad.HTML)
    for name in ("web", "page"):
        for _ in range(2):
            answer = house.proxy.get(f"/logo/{name}")
            assert answer.status == 404
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert len(house.pictures[name].requests) == 1, "a failure is kept"
    assert house.fetches("not_media") >= 2


def test_a_picture_that_is_too_long_is_none(house: House) -> None:
    house.pictures["huge"].data = PNG + bytes(2 * 1024**2)
    house.pictures["bomb"].data = gzip.compress(PNG + bytes(50 * 1024**2))
    house.pictures["kids"].data = (PNG + bytes(2 * 1024**2))[: 2 * 1024**2]
    assert house.proxy.get("/logo/huge").status == 404
    assert house.proxy.get("/logo/bomb").status == 404
    assert house.proxy.get("/logo/kids").body == house.pictures["kids"].data


def test_gzip_is_unpacked(house: House) -> None:
    house.pictures["packed"].data = gzip.compress(PNG)
    answer = house.proxy.get("/logo/packed")
    assert (answer.status, answer.body) == (200, PNG)


@pytest.mark.parametrize(
    ("name", "how", "outcome"),
    [
        ("broken", Bad.SHORT_BODY, "ended"),
        ("gone", 404, "http_error"),
        ("limited", 429, "rate_limited"),
        ("looped", Bad.REDIRECT_LOOP, "http_error"),
        ("cut", Bad.RESET, "reset"),
        ("endless", Bad.DRIP_HEADERS, "timeout"),
    ],
)
def test_a_failure_is_one_line_and_blames_nothing(
    name: str, how: Bad | int, outcome: str, house: House
) -> None:
    before = house.fetches(outcome)
    house.pictures[name].fail_with(how)
    begun = time.monotonic()
    answer = house.proxy.get(f"/logo/{name}")
    assert answer.status == 404
    assert answer.text.count("\n") == 1
    assert time.monotonic() - begun < 15
    assert house.fetches(outcome) == before + 1


def test_a_redirect_is_followed(house: House) -> None:
    target = house.provider.add_file("/elsewhere.png", PNG + b"!", "image/png")
    house.pictures["here"].fail_with(Reply(302, {"Location": target.path}))
    assert house.proxy.get("/logo/here").body == PNG + b"!"


def test_a_redirect_to_the_proxy_or_to_a_file_is_not(house: House) -> None:
    house.pictures["away"].fail_with(Reply(302, {"Location": house.proxy.url("/logo/news")}))
    house.pictures["films"].fail_with(Reply(302, {"Location": "file:///etc/passwd"}))
    before = house.fetches("bad_url")
    assert house.proxy.get("/logo/away").status == 404
    assert house.proxy.get("/logo/films").status == 404
    assert house.fetches("bad_url") == before + 2


def test_cookies_of_a_picture_are_not_those_of_streams(house: House) -> None:
    cookie = Reply(
        200, {"Set-Cookie": "session=mine; Path=/", "Content-Length": str(len(PNG))}, PNG
    )
    house.pictures["cookie"].fail_with(cookie)
    assert house.proxy.get("/logo/cookie").status == 200
    after = house.provider.add_file(house.pictures["slow"].path, PNG, "image/png")
    assert house.proxy.get("/logo/slow").status == 200
    assert "cookie" not in after.requests[-1].headers


def test_a_crowd_makes_one_request(house: House) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: house.proxy.get("/logo/crowd"), range(20)))
    assert {answer.body for answer in answers} == {PNG + b"crowd"}
    assert len(house.pictures["crowd"].requests) == 1


def test_private_addresses_are_refused_as_for_streams(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    provider = start_provider("one")
    pictures = offer(provider)
    proxy = start_proxy((provider, 1), ALLOW_PRIVATE_UPSTREAMS="false")
    assert proxy.get("/logo/news").status == 404
    assert not pictures["news"].requests
    name = "iptv_proxy_logo_fetches_total"
    assert proxy.metrics().value(name, outcome="bad_url") == 1


def test_logos_outlive_a_restart_and_the_provider(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    provider = start_provider("one")
    offer(provider)
    proxy = start_proxy((provider, 1))
    assert proxy.get("/logo/news").status == 200
    proxy.stop()
    provider.kill()
    proxy.start()
    assert proxy.get("/logo/news").body == PNG + b"news"
    assert proxy.get("/logo/sport").status == 404


def test_a_proxy_stops_in_time_while_logos_are_waited_for(
    start_provider: Callable[..., Provider], start_proxy: Callable[..., Proxy]
) -> None:
    provider = start_provider("one")
    silent: Resource = offer(provider)["news"]
    silent.fail_with(Bad.HANG)
    proxy = start_proxy((provider, 1))
    with proxy.viewer("/logo/news") as client:
        assert provider.wait(lambda: bool(silent.requests)) is None
        proxy.stop()
        client.wait_for_end()
