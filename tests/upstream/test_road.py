"""Where connections lead: addresses checked as they are connected to, headers kept at home."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address

import gevent
import pytest

from kptv.channels.model import Source, Stream
from kptv.channels.reach import Private, addresses_in, headers_for
from kptv.config import Config
from kptv.errors import UpstreamError
from kptv.formats.addresses import is_below
from kptv.upstream.answers import hang_up
from kptv.upstream.client import HttpClient
from kptv.upstream.resolver import Endpoint, Resolver
from kptv.upstream.road import Roads
from tests.provider import Provider, Reply

FOUND = {
    "public.example": "203.0.113.7",
    "home.example": "127.0.0.1",
    "router.example": "127.0.0.1",
    "localhost": "127.0.0.1",
}
PUBLIC = Source(1, "http://public.example/list.m3u", 1)
HOME = Source(1, "http://home.example/list.m3u", 1)
FILE = Source(1, "file:///srv/list.m3u", 1)


def ask(name: str) -> list[Endpoint]:
    if name not in FOUND:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return [Endpoint(socket.AF_INET, ip_address(FOUND[name]))]


@pytest.fixture
def provider(start_provider: Callable[..., Provider]) -> Provider:
    provider = start_provider("one")
    provider.add_channel("News")
    return provider


@pytest.fixture
def client_of() -> Iterator[Callable[..., HttpClient]]:
    made: list[HttpClient] = []

    def make(policy: Private = Private.AUTO, own_port: int = 1) -> HttpClient:
        roads = Roads(policy, own_port, Resolver(ask))
        made.append(HttpClient(Config(sources=()), roads))
        return made[-1]

    with gevent.Timeout(20):
        yield make
    for client in made:
        client.close()
        client.roads.close()


def ask_for(
    client: HttpClient, source: Source, url: str, headers: Mapping[str, str] | None = None
) -> str:
    """What becomes of a request: a status, or why there was none."""
    try:
        response = client.get(source, url, headers=headers or {}, timeout=(5, 5))
    except UpstreamError as error:
        return f"{error.reason}: {error.detail}"
    hang_up(response)
    return str(response.status_code)


@pytest.mark.parametrize("name", ["router.example", "127.0.0.1", "localhost"])
def test_a_public_list_leads_to_no_private_address(
    provider: Provider, client_of: Callable[..., HttpClient], name: str
) -> None:
    url = f"http://{name}:{provider.port}/live/a/b/1.ts"
    said = ask_for(client_of(), PUBLIC, url)
    assert said.startswith("bad_url: leads to a private address")
    assert "ALLOW_PRIVATE_UPSTREAMS" in said
    assert not provider.requests


@pytest.mark.parametrize("source", [HOME, FILE, Source(1, "http://127.0.0.1:1/list", 1)])
def test_a_private_list_leads_home(
    provider: Provider, client_of: Callable[..., HttpClient], source: Source
) -> None:
    url = f"http://router.example:{provider.port}{provider.list.path}"
    assert ask_for(client_of(), source, url) == "200"


def test_the_operator_decides(provider: Provider, client_of: Callable[..., HttpClient]) -> None:
    url = f"http://router.example:{provider.port}{provider.list.path}"
    assert ask_for(client_of(Private.ALWAYS), PUBLIC, url) == "200"
    assert "private" in ask_for(client_of(Private.NEVER), HOME, url)


def test_the_list_itself_may_be_anywhere_whatever_is_set(
    provider: Provider, client_of: Callable[..., HttpClient]
) -> None:
    source = Source(1, provider.list_url, 1)
    assert ask_for(client_of(Private.NEVER), source, provider.list_url) == "200"
    assert "private" in ask_for(client_of(Private.NEVER), source, provider.url("/live/a/b/1.ts"))


def test_a_redirect_leads_no_further_than_the_list_may(
    provider: Provider, client_of: Callable[..., HttpClient]
) -> None:
    moved = f"http://home.example:{provider.port}/moved"
    stream = provider.stream("/live/a/b/9.ts")
    stream.redirect_to(f"http://169.254.169.254:{provider.port}/latest/meta-data")
    assert "metadata" in ask_for(client_of(Private.ALWAYS), PUBLIC, stream.url)
    stream.redirect_to(moved)
    assert "private" in ask_for(client_of(), PUBLIC, stream.url)


def test_the_proxys_own_links_are_refused(
    provider: Provider, client_of: Callable[..., HttpClient]
) -> None:
    said = ask_for(client_of(own_port=provider.port), HOME, provider.list_url)
    assert said == "bad_url: a link of this proxy itself"
    assert ask_for(client_of(), HOME, "http://localhost:8080/stream/news") == said


@pytest.mark.parametrize(
    ("url", "below"),
    [
        ("http://tv.example/iptv/stream/news", True),
        ("http://TV.example:80/iptv/stream/news", True),
        ("http://tv.example/iptv", True),
        ("http://tv.example/iptv2/stream/news", False),
        ("http://tv.example/", False),
        ("http://tv.example:8080/iptv/stream/news", False),
        ("http://[bad/", False),
    ],
)
def test_a_link_below_base_url_is_our_own(url: str, below: bool) -> None:
    assert is_below(url, "http://tv.example/iptv") is below


def test_a_name_with_a_dead_address_is_reached_by_its_next(
    provider: Provider, client_of: Callable[..., HttpClient]
) -> None:
    client = client_of()
    places = [
        Endpoint(socket.AF_INET6, ip_address("::1")),  # the provider listens on IPv4 only
        Endpoint(socket.AF_INET, ip_address("127.0.0.1")),
    ]
    client.roads.names._ask = lambda name: places
    assert ask_for(client, HOME, f"http://two.example:{provider.port}{provider.list.path}") == "200"


def test_an_entrys_own_headers_stay_with_its_host(
    provider: Provider, client_of: Callable[..., HttpClient]
) -> None:
    headers = {
        "X-Token": "s3cret",
        "Cookie": "id=s3cret",
        "Authorization": "Bearer s3cret",
        "User-Agent": "Kodi",
        "Referer": "http://page.example/",
        "Accept-Language": "de",
    }
    stream = provider.stream("/live/a/b/9.ts")
    stream.fail_with(Reply(302, {"Location": f"http://home.example:{provider.port}/there"}))
    ask_for(client_of(), FILE, stream.url, headers)
    first, second = provider.requests
    assert first.headers["x-token"] == "s3cret"
    assert "s3cret" not in str(second.headers)
    assert second.headers["user-agent"] == "Kodi"
    assert second.headers["referer"] == "http://page.example/"
    assert second.headers["accept-language"] == "de"


def test_what_goes_with_a_segment_is_said_by_its_host() -> None:
    headers = {"X-Token": "s3cret", "user-agent": "Kodi", "ORIGIN": "http://page.example"}
    stream = Stream(FILE, "http://Edge.example:8080/1.m3u8", headers=headers)
    assert headers_for(stream, "https://edge.example/1.ts") == headers
    assert headers_for(stream, "http://other.example/1.ts") == {
        "user-agent": "Kodi",
        "ORIGIN": "http://page.example",
    }


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("rtsp://router.example/stream", "private"),
        ("rtmp://192.168.1.1:1935/live", "private"),
        ("http://169.254.169.254/latest", "metadata"),
        ("udp://0.0.0.0:1234", "private"),
        ("udp://@239.1.1.1:1234", ""),
        ("udp://@:1234", ""),
        ("rtp://[ff3e::1]:1234", ""),
        ("rtsp://public.example/stream", ""),
        ("rtsp://unknown.example/stream", ""),
        ("rtsp://[bad/", "cannot be read"),
    ],
)
def test_what_ffmpeg_would_open_is_checked_before(
    client_of: Callable[..., HttpClient], url: str, refused: str
) -> None:
    road = client_of().roads.to(PUBLIC)
    if not refused:
        road.check("http://public.example/", url)
        return
    with pytest.raises(UpstreamError, match=refused):
        road.check("http://public.example/", url)


MANIFEST = b"""<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xlink="http://www.w3.org/1999/xlink"
 xsi:schemaLocation="urn:mpeg:dash http://standards.iso.org/DASH-MPD.xsd" type="dynamic">
<Location>http://one.example/live.mpd</Location>
<BaseURL serviceLocation="a">https://two.example:8443/x/</BaseURL><BaseURL>relative/</BaseURL>
<SegmentTemplate media = "http://192.168.1.1/$Number$.m4s" initialization='HTTP://four.example/i'/>
<Period xlink:href="http://five.example/p"/><BaseURL>http://two.example:8443/y/</BaseURL></MPD>"""


def test_the_addresses_of_a_manifest_are_those_of_its_media() -> None:
    assert addresses_in(MANIFEST) == [
        "http://one.example/live.mpd",
        "https://two.example:8443/x/",
        "http://192.168.1.1/$Number$.m4s",
        "HTTP://four.example/i",
        "http://five.example/p",
    ]
    assert len(addresses_in(b"".join(b'media="http://h%d/"' % n for n in range(5000)))) == 32


@pytest.mark.parametrize("unit", [b"<BaseURL ", b"media=", b"media = '", b"<Location>", b"a://"])
def test_a_manifest_made_to_be_slow_is_read_at_once(unit: bytes) -> None:
    with gevent.Timeout(5):
        addresses_in(unit * (1024**2 // len(unit)))


def test_headers_go_to_ffmpeg_only_where_all_it_opens_is_at_home() -> None:
    stream = Stream(FILE, "http://edge.example/1.mpd", headers={"X-Token": "s3cret", "Accept": "*"})
    assert headers_for(stream, "http://edge.example/1.mpd", "http://edge.example:8080/s")["X-Token"]
    assert headers_for(stream, stream.url, "http://other.example/s") == {"Accept": "*"}


def test_only_the_list_itself_may_be_anywhere_not_what_begins_as_its_address_does(
    provider: Provider, client_of: Callable[..., HttpClient]
) -> None:
    url = f"http://home.example:{provider.port}{provider.list.path}"
    source = Source(1, url[:-1], 1)
    assert "private" in ask_for(client_of(Private.NEVER), source, url)
    source = Source(1, "http://router.exam", 1)
    url = f"http://router.example:{provider.port}{provider.list.path}"
    assert "private" in ask_for(client_of(), source, url)
