"""A rolling restart as docs/scale.md tells it: nobody is refused, no connection is one too many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest

from tests.functional.haproxy import Haproxy
from tests.functional.harness import Proxy, Viewer, eventually
from tests.instances.valkey import Valkey
from tests.provider import Provider

pytestmark = [pytest.mark.requires("redis-server"), pytest.mark.requires("haproxy")]

INSTANCES = 3
CHANNELS = 9  # as many as the account allows connections: one more for a moment would be seen
LEASE = "3"  # seconds


def asked(router: Haproxy, path: str) -> tuple[int, int]:
    """The router's answer to who asks for a stream: its status, and the port that it names."""
    with closing(HTTPConnection("127.0.0.1", router.port, timeout=10)) as connection:
        connection.request("GET", path)
        reply = connection.getresponse()
    return reply.status, urlsplit(reply.headers["Location"] or "").port or 0


class Player:
    """Watches a channel as players do: what ends is asked for again at the router, at once."""

    def __init__(self, router: Haproxy, slug: str) -> None:
        self.answers: list[int] = []  # statuses, of the router and of instances
        self.homes: list[int] = []  # the ports to which it was sent
        self._router = router
        self.path = f"/stream/{slug}"
        self._viewer: Viewer | None = None
        self._leaves = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def plays_at(self, port: int) -> bool:
        """Whether it gets media from the instance on this port."""
        viewer = self._viewer
        return viewer is not None and self.homes[-1] == port and self._gets_media(viewer)

    @property
    def plays(self) -> bool:
        """Whether it gets media."""
        viewer = self._viewer
        return viewer is not None and self._gets_media(viewer)

    def leave(self) -> None:
        self._leaves.set()
        if self._viewer is not None:
            self._viewer.leave()
        self._thread.join(10)

    def _gets_media(self, viewer: Viewer) -> bool:
        return viewer.received > 0 and not viewer.ended

    def _run(self) -> None:
        while not self._leaves.is_set():
            status, port = asked(self._router, self.path)
            self.answers.append(status)
            self.homes.append(port)
            self._viewer = Viewer(port, self.path, keep=False).start()
            self.answers.append(self._viewer.wait_for_status())
            self._viewer.wait_for_end(120)
            self._viewer.leave()


@pytest.fixture
def provider(start_provider: Callable[..., Provider]) -> Provider:
    provider = start_provider("one", limit=CHANNELS, bitrate=400_000)
    for number in range(1, CHANNELS + 1):
        provider.add_channel(f"Channel {number}")
    return provider


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Haproxy]:
    server = Haproxy(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def instances(
    provider: Provider, router: Haproxy, start_proxy: Callable[..., Proxy], tmp_path: Path
) -> Iterator[list[Proxy]]:
    """Behind the router, with one Valkey and one folder."""
    with TemporaryDirectory(prefix="kptv-") as folder:
        valkey = Valkey(Path(folder))
        proxies = [
            start_proxy(
                (provider, CHANNELS),
                wait=False,
                LEASES_URL=valkey.url,
                INSTANCE=f"i{number}",
                BASE_URL=f"http://127.0.0.1:{router.port}",
                DATA_DIR=str(tmp_path / "shared"),
                KPTV_TEST_LEASE=LEASE,
            )
            for number in range(1, INSTANCES + 1)
        ]
        for proxy in proxies:
            proxy.wait_until_ready()
        router.start([proxy.port for proxy in proxies])
        yield proxies
        valkey.kill()


def test_a_rolling_restart_moves_all_viewers_and_refuses_none(
    provider: Provider, router: Haproxy, instances: list[Proxy]
) -> None:
    with ExitStack() as stack:
        players = [Player(router, f"channel-{n}") for n in range(1, CHANNELS + 1)]
        for player in players:
            stack.callback(player.leave)
        eventually(lambda: all(player.plays for player in players), 20, "not all play")
        homes = [player.homes[0] for player in players]
        for number, instance in enumerate(instances, start=1):
            there = [player for player in players if player.plays_at(instance.port)]
            assert there, "nobody watches there, so nothing would be seen"
            server = f"set server channels/i{number}"
            router.command(f"{server} state drain")
            assert all(player.plays_at(instance.port) for player in there), "drained is not ended"
            instance.stop()
            eventually(lambda: all(player.plays for player in players), 20, "not all play on")
            assert not any(player.homes[-1] == instance.port for player in players)
            instance.start()
            router.command(f"{server} health up; {server} state ready")
            assert [asked(router, player.path)[1] for player in players] == homes
        moves = sum(len(player.homes) - 1 for player in players)
        assert moves >= CHANNELS, "each was at one of them"
        assert {status for player in players for status in player.answers} == {302, 200}
        assert provider.max_connections_seen == CHANNELS
