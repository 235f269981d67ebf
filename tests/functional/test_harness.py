"""The viewers of the functional tests, judged against the simulator alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.functional.harness import ReservedPort, Viewer, eventually
from tests.provider import Bad, Provider


@pytest.fixture
def provider(start_provider: Callable[..., Provider]) -> Provider:
    return start_provider("one")


def test_a_viewer_keeps_what_comes(provider: Provider) -> None:
    stream = provider.add_channel("News")
    for stream.chunked in (False, True):
        with Viewer(provider.port, stream.path).start() as viewer:
            assert viewer.wait_for_status() == 200
            viewer.wait_for_source("one").wait_for_bytes(50_000)
            (run,) = viewer.runs()
            assert (run.first, run.lost, run.disordered) == (0, 0, 0)
            assert viewer.sources() == ["one"]
            assert 0 < viewer.first_byte_at - viewer.asked_at < 5


@pytest.mark.parametrize(
    ("how", "chunked", "ended"),
    [
        (Bad.END, False, "end"),
        (Bad.END, True, "end"),
        (Bad.SHORT_BODY, True, "cut"),
        (Bad.RESET, False, "reset"),
    ],
)
def test_a_viewer_tells_how_it_ended(
    provider: Provider, how: Bad, chunked: bool, ended: str
) -> None:
    stream = provider.add_channel("News")
    stream.chunked = chunked
    with Viewer(provider.port, stream.path).start() as viewer:
        viewer.wait_for_bytes(1000)
        stream.break_now(how)
        assert viewer.wait_for_end() == ended


@pytest.mark.parametrize("way", [Viewer.leave, Viewer.vanish])
def test_a_viewer_that_goes_is_gone_at_once(
    provider: Provider, way: Callable[[Viewer], None]
) -> None:
    stream = provider.add_channel("News")
    viewer = Viewer(provider.port, stream.path).start().wait_for_bytes(1000)
    stream.break_now(Bad.SILENCE)
    way(viewer)
    provider.wait(lambda: provider.connections == 0, 1.0)


def test_a_paused_viewer_reads_nothing_until_it_resumes(provider: Provider) -> None:
    stream = provider.add_channel("News")
    stream.bitrate = 50_000_000
    with Viewer(provider.port, stream.path, receive_buffer=4096).start() as viewer:
        viewer.wait_for_bytes(1000)
        viewer.pause()
        received, sent = viewer.received, stream.bytes_sent
        eventually(lambda: stream.bytes_sent > sent + 500_000)
        assert viewer.received <= received + 65536  # the recv that was under way
        viewer.resume()
        viewer.wait_for_bytes(500_000)


def test_a_reserved_port_is_held_for_who_names_it() -> None:
    first, second = ReservedPort(), ReservedPort()
    assert first.number != second.number
    first.release()
    second.release()
