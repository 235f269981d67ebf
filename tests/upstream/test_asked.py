"""Requests as the operator's file wants them: headers, certificates, time."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import gevent
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kptv.channels.failover import Failover, Try
from kptv.channels.health import Policy
from kptv.channels.local_health import LocalHealth
from kptv.channels.model import Source, Stream
from kptv.channels.rhythm import Rhythms
from kptv.channels.rules.reading import read_rules
from kptv.channels.terms import CurrentTerms
from kptv.config import Config
from kptv.errors import Reason, UpstreamError
from kptv.upstream.answers import hang_up
from kptv.upstream.client import HttpClient
from kptv.upstream.ffmpeg import Input
from kptv.upstream.remuxer import Remuxer
from tests.provider import MiddleProxy, Provider

TOKEN = '[source.1]\nuser_agent = "Box"\nheaders = { X-Token = "s3cret-one", origin = "o" }\n'


@pytest.fixture
def one(start_provider: Callable[..., Provider]) -> Provider:
    one = start_provider("one")
    one.add_channel("News")
    return one


def client_of(source: Source, text: str) -> tuple[HttpClient, CurrentTerms]:
    terms = CurrentTerms((source,), read_rules(text.encode()))
    config = Config(sources=(source,), req_origin="ours", req_referrer="ours")
    return HttpClient(config, terms_of=terms.of), terms


def sent(client: HttpClient, one: Provider, source: Source, url: str, **own: str) -> dict[str, str]:
    """The headers that come with a request."""
    hang_up(client.get(source, url, headers=own, timeout=(5, 5)))
    return one.requests[-1].headers


def test_a_sources_headers_win_over_the_settings_and_an_entrys_over_both(one: Provider) -> None:
    source = Source(1, one.list_url, 1)
    client, terms = client_of(source, TOKEN)
    with closing(client):
        told = sent(client, one, source, one.list_url)
        names = ("user-agent", "x-token", "origin", "referer")
        assert [told[name] for name in names] == ["Box", "s3cret-one", "o", "ours"]
        told = sent(client, one, source, one.list_url, **{"USER-AGENT": "Entry"})
        assert (told["user-agent"], told["x-token"]) == ("Entry", "s3cret-one")
        terms.replace(None)
        told = sent(client, one, source, one.list_url)
        assert told["user-agent"].startswith("VLC")
        assert "x-token" not in told


def test_a_stream_of_many_requests_keeps_to_the_terms_of_its_beginning(one: Provider) -> None:
    source = Source(1, one.list_url, 1)
    client, terms = client_of(source, TOKEN)
    with closing(client), closing(client.alone(source)) as alone:
        terms.replace(read_rules(b'[source.1]\nuser_agent = "Other"\n'))
        assert sent(alone, one, source, one.list_url)["user-agent"] == "Box"
        assert sent(client, one, source, one.list_url)["user-agent"] == "Other"


def test_a_redirect_to_another_host_takes_no_secret_along(
    one: Provider, start_provider: Callable[..., Provider]
) -> None:
    edge = start_provider("edge")
    there = edge.stream("/live/a/b/1.ts")
    one.stream("/moved.ts").redirect_to(there.url.replace("127.0.0.1", "localhost"))
    source = Source(1, one.list_url, 1)
    client, _ = client_of(source, TOKEN)
    with closing(client):
        hang_up(client.get(source, one.url("/moved.ts"), headers={}, timeout=(5, 5)))
        (told,) = [request.headers for request in edge.requests]
        assert told["user-agent"] == "Box"
        assert "s3cret" not in str(told)
        assert one.requests[-1].headers["x-token"] == "s3cret-one"
        known = replace(source, host=f"localhost:{edge.port}")
        hang_up(client.get(known, one.url("/moved.ts"), headers={}, timeout=(5, 5)))
        assert edge.requests[-1].headers["x-token"] == "s3cret-one"


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_secret_header_never_stands_in_ffmpegs_arguments(one: Provider, scheme: str) -> None:
    source = Source(1, one.list_url, 1)
    client, terms = client_of(source, TOKEN)
    config = Config(sources=(source,), ffmpeg="no-such-ffmpeg")
    remuxer = Remuxer(config, client, Rhythms(5))
    stream = Stream(source, one.url("/1.mpd"))
    input_ = Input(stream.url.replace("http", scheme))
    for told in ("headers are secret" if scheme == "http" else "not there", "not there"):
        with pytest.raises(UpstreamError, match=told) as refused:
            next(remuxer.from_address(stream, input_, silence=1))
        assert refused.value.reason is Reason.UNSUPPORTED
        terms.replace(read_rules(b'[source.1]\nuser_agent = "Box"\n'))
    client.close()


def test_a_source_has_its_own_time_for_a_stream_to_begin() -> None:
    slow, usual = Source(1, "http://a.example/", 1), Source(2, "http://b.example/", 1)
    terms = CurrentTerms((slow, usual), read_rules(b"[source.1]\ntimeout = 15\n"))
    policy = Policy(stream_timeout=5, timeout_of=terms.timeout_of)
    for source, seconds in ((slow, 15), (usual, 5)):
        streams = [Stream(source, "http://x.example/1.ts")]
        step = Failover(streams, LocalHealth(policy), policy, 0.0, lambda: 1.0).next(
            0.0, frozenset()
        )
        assert step == Try(streams[0], seconds)
        client = HttpClient(Config(sources=(), stream_timeout=5), terms_of=terms.of)
        assert client.stream_timeout(source) == seconds


# --- certificates ---


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"hi")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def unknown(tmp_path: Path) -> Iterator[str]:
    """The address of a server whose certificate nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = HTTPServer(("127.0.0.1", 0), _Hello)
    server.handle_error = lambda *args: None  # type: ignore[method-assign]  # clients that refuse
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_tls_goes_through_a_proxy_and_certificates_count_behind_it(unknown: str, kind: str) -> None:
    source = Source(1, unknown.replace("127.0.0.1", "panel.example"), 1)
    with MiddleProxy(kind, ["panel.example"]) as middle:
        client, terms = client_of(source, f'[source.1]\nproxy = "{middle.url}"\n')
        with gevent.Timeout(30), closing(client):
            with pytest.raises(UpstreamError, match=r"refused \(TLS failed\)"):
                client.get(source, source.url, headers={}, timeout=(5, 5))
            text = f'[source.1]\nproxy = "{middle.url}"\ntls_verify = false\n'
            terms.replace(read_rules(text.encode()))
            assert client.get(source, source.url, headers={}, timeout=(5, 5)).text == "hi"
        assert middle.tunnels == 2


def test_proxies_of_the_environment_are_none_for_a_source_that_has_its_own(
    one: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(1, one.list_url.replace("127.0.0.1", "panel.example"), 1)
    with MiddleProxy("http", ["panel.example"]) as middle, MiddleProxy("http") as other:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, other.url)
        client, _ = client_of(source, f'[source.1]\nproxy = "{middle.url}"\n')
        with gevent.Timeout(30), closing(client):
            assert sent(client, one, source, source.url)
        assert (middle.tunnels, other.connections) == (1, 0)


def test_certificates_are_checked_unless_the_operator_says_no_for_this_source(unknown: str) -> None:
    one, two = Source(1, unknown, 1), Source(2, unknown, 1)
    client, terms = client_of(one, "[source.1]\ntls_verify = false\n")

    def ask(source: Source) -> str:
        try:
            response = client.get(source, unknown, headers={}, timeout=(5, 5))
        except UpstreamError as error:
            return f"{error}"
        with closing(response):
            return response.text

    with gevent.Timeout(30), closing(client):
        assert ask(one) == "hi"
        assert ask(two) == "refused (TLS failed)"
        with closing(client.alone(one)) as alone:
            assert alone.get(one, unknown, headers={}, timeout=(5, 5)).text == "hi"
        terms.replace(None)
        assert ask(one) == "refused (TLS failed)"
