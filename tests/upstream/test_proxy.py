"""Connections through a source's proxy: how they fail, and where they may lead."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import gevent
import pytest

from kptv.channels.health import Policy, StreamStanding
from kptv.channels.local_health import LocalHealth
from kptv.channels.model import Source, Stream
from kptv.channels.reach import Private
from kptv.channels.rules.reading import read_rules
from kptv.channels.terms import CurrentTerms
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.upstream.answers import hang_up
from kptv.upstream.client import HttpClient
from kptv.upstream.resolver import Endpoint, Resolver
from kptv.upstream.road import Roads
from tests.provider import MiddleProxy, Provider

NAME = "panel.example"
KINDS = ("socks5", "http")


@pytest.fixture
def one() -> Iterator[Provider]:
    with Provider("one") as one:
        one.add_channel("News")
        yield one


class Names:
    """Nobody's: each lookup is an error of the test."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, name: str) -> list[Endpoint]:
        self.asked.append(name)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")


@contextmanager
def client_of(
    source: Source, proxy: str, policy: Private = Private.AUTO
) -> Iterator[tuple[HttpClient, Names]]:
    names = Names()
    terms = CurrentTerms((source,), read_rules(f'[source.1]\nproxy = "{proxy}"\n'.encode()))
    roads = Roads(policy, 1, Resolver(names.ask))
    client = HttpClient(Config(sources=(source,)), roads, terms.of)
    with gevent.Timeout(30), closing(roads), closing(client):
        yield client, names


def outcome(client: HttpClient, source: Source, url: str, seconds: float = 5) -> str:
    """What becomes of a request: a status, or why there was none."""
    try:
        response = client.get(source, url, headers={}, timeout=(seconds, 5))
    except UpstreamError as error:
        return str(error)
    hang_up(response)
    return str(response.status_code)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("login", [None, ("ann", "s3cret")])
def test_names_are_looked_up_at_the_proxy_alone(
    one: Provider, kind: str, login: tuple[str, str] | None
) -> None:
    url = one.list_url.replace("127.0.0.1", NAME)
    source = Source(1, url, 1)
    with MiddleProxy(kind, [NAME], login) as middle, client_of(source, middle.url) as made:
        client, names = made
        assert outcome(client, source, url) == "200"
        with closing(client.alone(source)) as alone:
            for _ in range(3):
                headers = {"Connection": "keep-alive"}
                assert alone.get(source, url, headers=headers, timeout=(5, 5)).content
        assert names.asked == []
        assert middle.asked == [(NAME, one.port)] * 2
        assert one.accepted == middle.tunnels == 2


@pytest.mark.parametrize(
    ("kind", "login", "says", "told"),
    [
        ("socks5", ("ann", "s3cret"), None, "proxy (it refuses the login)"),
        ("http", ("ann", "s3cret"), None, "proxy (it refuses the login)"),
        ("socks5", None, b"SSH-2.0 hello", "proxy (it does not speak SOCKS5)"),
        ("http", None, b"SSH-2.0 hello\n\n", "proxy (it does not speak HTTP)"),
        ("socks5", None, b"", "proxy (it hung up)"),
        ("http", None, b"", "proxy (it hung up)"),
        ("socks5", None, b"\x05\x00.", "proxy (it hung up)"),
        ("http", None, b"HTTP/1.1 200 O.", "proxy (it hung up)"),
        ("socks5", None, b"\x05", "proxy (it does not answer)"),
        ("socks5", None, b"\x05\x00", "timeout (no connection in time behind the proxy)"),
        ("http", None, b"HTTP/1.1", "timeout (no connection in time behind the proxy)"),
        ("http", None, b"HTTP/1.1 403 No\r\n\r\n", "refused (behind the proxy: HTTP 403)"),
    ],
)
def test_a_proxy_that_fails_is_named_and_nothing_goes_around_it(
    one: Provider, kind: str, login: tuple[str, str] | None, says: bytes | None, told: str
) -> None:
    url = one.list_url.replace("127.0.0.1", NAME)
    source = Source(1, url, 1)
    with MiddleProxy(kind, [NAME], login, says) as middle:
        way = middle.url.replace("s3cret", "wr0ng-word")
        with client_of(source, way) as (client, names):
            said = outcome(client, source, url, 0.3)
    assert said == told
    assert (names.asked, one.accepted) == ([], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_is_not_there_is_named(one: Provider, kind: str) -> None:
    url = one.list_url.replace("127.0.0.1", NAME)
    source = Source(1, url, 1)
    gone = one.refused_url().removeprefix("http://").removesuffix("/")
    with client_of(source, f"{kind}://{gone}") as (client, names):
        assert outcome(client, source, url) == "proxy (connection refused)"
        assert names.asked == []
    with client_of(source, f"{kind}://vpn.example:1080") as (client, names):
        assert outcome(client, source, url) == "proxy (no such host)"
        assert names.asked == ["vpn.example"], "the proxy's own name is looked up here"
    assert one.accepted == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_proxy_cannot_reach_is_the_addresss_fault(one: Provider, kind: str) -> None:
    source = Source(1, f"http://{NAME}/list", 1)
    with MiddleProxy(kind, [NAME]) as middle, client_of(source, middle.url) as (client, _):
        told = outcome(client, source, f"http://elsewhere.example:{one.port}/1.ts")
    assert told.startswith("refused (behind the proxy: ")


@pytest.mark.parametrize(
    ("host", "list_host", "policy", "told"),
    [
        ("10.0.0.1", NAME, Private.AUTO, "leads to a private address"),
        ("localhost", NAME, Private.AUTO, "leads to a private address"),
        ("a.localhost.", NAME, Private.AUTO, "leads to a private address"),
        ("[::ffff:192.168.1.1]", NAME, Private.AUTO, "leads to a private address"),
        ("10.0.0.1", "192.168.1.5", Private.NEVER, "leads to a private address"),
        ("127.1", NAME, Private.AUTO, "cannot be read"),
        ("0x7f000001", NAME, Private.ALWAYS, "cannot be read"),
        ("2130706433", NAME, Private.ALWAYS, "cannot be read"),
        ("169.254.169.254", NAME, Private.ALWAYS, "metadata"),
        ("10.0.0.1", NAME, Private.ALWAYS, "behind the proxy"),
        ("10.0.0.1", "192.168.1.5", Private.AUTO, "behind the proxy"),
        ("inner.example", NAME, Private.NEVER, "behind the proxy"),
    ],
)
def test_an_inner_address_that_is_written_as_one_is_refused_here(
    host: str, list_host: str, policy: Private, told: str
) -> None:
    source = Source(1, f"http://{list_host}/list", 1)
    with MiddleProxy("socks5") as middle, client_of(source, middle.url, policy) as (client, names):
        assert told in outcome(client, source, f"http://{host}/1.ts")
        assert bool(middle.asked) is (told == "behind the proxy")
        assert names.asked == []


def test_the_list_itself_may_be_at_any_address_behind_it(one: Provider) -> None:
    source = Source(1, one.list_url, 1)
    with MiddleProxy("http") as middle, client_of(source, middle.url, Private.NEVER) as (client, _):
        assert outcome(client, source, one.list_url) == "200"
        assert "private" in outcome(client, source, one.url("/1.ts"))


def test_another_proxy_holds_from_the_next_connection_on_and_cookies_stay(one: Provider) -> None:
    url = one.list_url.replace("127.0.0.1", NAME)
    source = Source(1, url, 1)
    with MiddleProxy("http", [NAME]) as first, MiddleProxy("socks5", [NAME]) as second:
        terms = CurrentTerms((source,), read_rules(f'[source.1]\nproxy = "{first.url}"'.encode()))
        client = HttpClient(Config(sources=(source,)), terms_of=terms.of)
        with gevent.Timeout(30), closing(client):
            one.list.extra_headers["Set-Cookie"] = "a=b"
            running = client.get(source, url, headers={}, timeout=(5, 5))
            terms.replace(read_rules(f'[source.1]\nproxy = "{second.url}"\n'.encode()))
            assert outcome(client, source, url) == "200"
            assert running.content
            assert (first.tunnels, second.tunnels) == (1, 1)
            assert one.requests[-1].headers["cookie"] == "a=b"
        client.roads.close()


def test_a_proxy_that_fails_rests_the_account_and_blames_no_stream() -> None:
    source = Source(1, "http://a.example/", 1, host="a.example")
    health = LocalHealth(Policy(max_failures_before_block=1))
    news, other = (Stream(source, f"http://{host}/1.ts") for host in ("a.example", "b.example"))
    error = UpstreamError(Reason.PROXY, "it hung up")
    told = health.refused(news, error, 100.0, False)
    assert told == "leaving the source alone for 5 s"
    assert health.failures(news) == 0
    for stream in (news, other):
        assert health.standing(stream, 101.0) == (StreamStanding.COOLING, 105.0)
    health.answered(other)
    assert health.standing(news, 101.0)[0] is StreamStanding.READY
    direct = replace(source, number=2)
    assert health.standing(Stream(direct, news.url), 101.0)[0] is StreamStanding.READY
