"""TLS by gunicorn itself: viewers get what others get, and not a byte of it in the clear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.functional.certificates import Certificate, certificate_in
from tests.functional.harness import Proxy, Viewer, eventually, sources_setting
from tests.provider import Provider

BOTH_WAYS = True


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def proxy(
    start_provider: Callable[..., Provider], tmp_path: Path, certificate: Certificate
) -> Iterator[Proxy]:
    """One that plays News, and understands nothing but TLS."""
    one = start_provider("one", bitrate=8e6)
    one.add_channel("News")
    files = ("--certfile", str(certificate.certificate), "--keyfile", str(certificate.key))
    with closing(Proxy(tmp_path, sources_setting((one, 1)), BUFFER_SIZE_PER_STREAM="2MB")) as proxy:
        proxy.start(wait=False, arguments=files)
        eventually(lambda: bool(ask(proxy, certificate, "/readyz")), 20, "it is not ready")
        yield proxy
        proxy.stop()


def ask(proxy: Proxy, certificate: Certificate, path: str) -> str:
    """The text of an answer of status 200; else nothing."""
    request = HTTPSConnection("127.0.0.1", proxy.port, context=certificate.context, timeout=10)
    with closing(request), suppress(OSError):
        request.request("GET", path, headers={"Connection": "close"})
        answer = request.getresponse()
        if answer.status == 200:
            return answer.read().decode()
    return ""


def test_viewers_over_tls_get_every_packet_and_slow_ones_what_is_left(
    proxy: Proxy, certificate: Certificate
) -> None:
    with ExitStack() as crowd:

        def come(**options: object) -> Viewer:
            return crowd.enter_context(proxy.viewer("news", tls=certificate.context, **options))

        slow, *viewers = come(receive_buffer=16384), come(), come(), come()
        slow.wait_for_bytes(100_000).pause()
        for viewer in viewers:
            viewer.wait_for_bytes(6_000_000, 40)
        late = come().wait_for_bytes(1_000_000)
        slow.resume()
        slow.wait_for_bytes(1_000_000)
        for viewer in (*viewers, late):
            (run,) = viewer.runs()
            assert (run.lost, run.disordered) == (0, 0)
        assert [run.disordered for run in slow.runs()] == [0]
        assert not slow.ended
        assert 'iptv_proxy_clients_connected{channel="News"} 5.0' in ask(
            proxy, certificate, "/metrics"
        )
    assert "a viewer was lost" not in proxy.log
    assert "Traceback" not in proxy.log
