"""User and password of an address: as a digest where one is asked for, and to no other server."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice

import pytest
import requests

from kptv.channels.model import Source, Stream
from kptv.config import Config
from kptv.errors import UpstreamError
from kptv.upstream.channel_list import channel_list
from kptv.upstream.client import HttpClient
from kptv.upstream.documents import Edition, open_document
from kptv.upstream.hls.requester import Requester
from tests.provider import Gate, Provider, Reply
from tests.shared import opener_of
from tests.upstreams import data_of, film_of

USER, PASSWORD = "ann:b", "p@ss wörd"
LOGIN = "ann%3Ab:p%40ss%20w%C3%B6rd@"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(bitrate=20_000_000) as provider:
        provider.gate = Gate(USER, PASSWORD)
        yield provider
        assert provider.max_sockets_seen == 1


@pytest.fixture
def config() -> Config:
    return Config(sources=(Source(1, "http://127.0.0.1/unused", 1),))


@pytest.fixture
def client(config: Config) -> Iterator[HttpClient]:
    client = HttpClient(config)
    yield client
    client.close()


def with_login(url: str, login: str = LOGIN) -> str:
    return url.replace("://", f"://{login}")


def statuses(provider: Provider) -> str:
    """What each request had to show: n(othing), b(asic), d(igest)."""
    return "".join((r.headers.get("authorization") or "n")[0].lower() for r in provider.requests)


def read(config: Config, client: HttpClient, url: str, **headers: str) -> bytes:
    stream = Stream(config.sources[0], url, headers=headers)
    with closing(opener_of(config, client).open_stream(stream)) as chunks:
        return data_of(islice(chunks, 3))


@pytest.mark.parametrize(
    "gate",
    [
        lambda: Gate(USER, PASSWORD),
        lambda: Gate(USER, PASSWORD, ""),
        lambda: Gate(USER, PASSWORD, "MD5-sess"),
        lambda: Gate(USER, PASSWORD, "SHA-256"),
        lambda: Gate(USER, PASSWORD, "SHA-256-sess"),
        lambda: Gate(USER, PASSWORD, qop=""),
    ],
)
def test_a_stream_plays_behind_a_digest_of_any_kind(
    config: Config, client: HttpClient, provider: Provider, gate: Callable[[], Gate]
) -> None:
    provider.gate = gate()
    stream = provider.add_channel("News", path="/live//1.ts")
    url = with_login(stream.url) + "?a=b&c=%20d, é"
    assert read(config, client, url)[0] == 0x47
    assert statuses(provider) == "bd"
    provider.wait(lambda: provider.sockets == 0)


def test_a_challenge_that_was_answered_comes_not_again_until_the_nonce_is_too_old(
    config: Config, client: HttpClient, provider: Provider
) -> None:
    provider.gate = Gate(USER, PASSWORD, uses=3)
    stream = provider.add_channel("News")
    for _ in range(5):
        read(config, client, with_login(stream.url))
        provider.wait(lambda: provider.sockets == 0)
    assert statuses(provider) == "bdddddd"
    assert provider.gate.challenges == 2


def test_a_wrong_password_is_shown_once_and_refused(
    config: Config, client: HttpClient, provider: Provider
) -> None:
    stream = provider.add_channel("News")
    with pytest.raises(UpstreamError) as caught:
        read(config, client, with_login(stream.url, "ann:wrong@"))
    assert caught.value.status == 401
    assert statuses(provider) == "bd"
    provider.wait(lambda: provider.sockets == 0)


def test_an_address_without_user_and_password_answers_no_challenge(
    config: Config, client: HttpClient, provider: Provider
) -> None:
    stream = provider.add_channel("News")
    with pytest.raises(UpstreamError) as caught:
        read(config, client, stream.url)
    assert caught.value.status == 401
    assert statuses(provider) == "n"


def test_a_server_that_wants_it_plain_gets_it_plain(
    config: Config, client: HttpClient, provider: Provider
) -> None:
    provider.gate = None
    stream = provider.add_channel("News")
    assert read(config, client, with_login(stream.url, "ann:secret@"))
    told = "Basic " + base64.b64encode(b"ann:secret").decode()
    assert [request.headers["authorization"] for request in provider.requests] == [told]


def test_a_list_and_a_film_and_its_ranges_come_behind_a_digest(
    config: Config, client: HttpClient, provider: Provider
) -> None:
    source = Source(1, with_login(provider.list_url), 1)
    provider.add_channel("News")
    with open_document(client, channel_list(source), Edition()) as opened:
        assert opened is not None
        assert b"News" in b"".join(opened[1])
    film = provider.add_file("/movie/u/p/1.mp4", b"\0\0\0\x18ftypmp42" + bytes(9000))
    stream = Stream(source, with_login(film.url))
    opener = opener_of(config, client)
    film_of(opener.open_stream(stream)).close()
    provider.wait(lambda: provider.sockets == 0)
    with closing(opener.open_film(stream, "bytes=4-7")) as part:
        assert (part.status, b"".join(part)) == (206, b"ftyp")
    assert statuses(provider) == "bddd"


def test_playlists_segments_and_keys_come_behind_a_digest_over_one_connection_with_one_challenge(
    config: Config, client: HttpClient, provider: Provider
) -> None:
    for name in ("list.m3u8", "1.ts", "1.key"):
        provider.add_file(f"/live/{name}", name.encode())
    stream = Stream(config.sources[0], with_login(provider.url("/live/list.m3u8")))
    with Requester(config, client, stream) as requested:
        for name in ("list.m3u8", "1.ts", "1.key"):
            url = with_login(provider.url(f"/live/{name}"))
            assert requested.read(url, 1000).body == name.encode()
    assert statuses(provider) == "bddd"


def test_the_answer_that_is_redirected_on_its_server_keeps_its_login_and_elsewhere_has_none(
    config: Config, client: HttpClient, provider: Provider
) -> None:
    source = config.sources[0]
    with Provider() as edge:
        edge.add_file("/there", b"there")
        provider.add_file("/here", b"here")
        for name, location in {
            "relative": "/here",
            "absolute": provider.url("/here"),
            "elsewhere": edge.url("/there"),
        }.items():
            provider.stream(f"/{name}").redirect_to(location)

        def get(name: str) -> requests.Response:
            url, own = with_login(provider.url(f"/{name}")), {"authorization": "Bearer own"}
            return client.get(source, url, headers=own, timeout=(5, 5))

        for name in ("relative", "absolute"):
            assert get(name).content == b"here"
        assert get("elsewhere").content == b"there"
        assert statuses(provider) == "bddddd"
        assert statuses(edge) == "n"


def test_an_entrys_own_authorization_is_for_its_own_server(
    config: Config, client: HttpClient, provider: Provider
) -> None:
    provider.gate = None
    with Provider() as edge:
        there = edge.add_channel("There")
        provider.stream("/2").redirect_to(there.url)
        provider.stream("/1").redirect_to("/2")
        assert read(config, client, provider.url("/1"), authorization="Bearer own")
        assert statuses(provider) == "bb"
        assert statuses(edge) == "n"


def test_an_endless_refusal_is_hung_up_on(config: Config, client: HttpClient) -> None:
    with Provider(bitrate=20_000_000) as provider:
        stream = provider.add_channel("News")
        refusal = {"WWW-Authenticate": 'Digest realm="r", nonce="n"', "Content-Length": "99999999"}
        stream.fail_with(Reply(401, refusal, bytes(100_000)), times=1)
        assert read(config, client, with_login(stream.url))[0] == 0x47
        provider.wait(lambda: provider.sockets == 0)
