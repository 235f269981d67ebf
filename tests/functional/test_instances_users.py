"""A user's limit over two instances: one picture at either, and none that a crash keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kptv.channels.users.model import User
from kptv.channels.users.streams import GRACE
from kptv.users.store import UsersFile
from tests.functional.harness import Proxy, Viewer, eventually
from tests.instances.valkey import Valkey
from tests.provider import Provider

pytestmark = pytest.mark.requires("redis-server")

LEASE = 3  # seconds
BUSY = 3.0  # more, of a machine that does much else
USERS = (
    User(id=0, name="anna", max_streams=1),
    User(id=0, name="strict", max_streams=1, refuses=True),
)
TV, PHONE = "192.0.2.1", "198.51.100.7"


@dataclass
class Instance:
    """One of the two, and the prefixes of the users' links there."""

    proxy: Proxy
    prefixes: dict[str, str]
    viewers: ExitStack

    def watch(self, user: str, channel: str, address: str = TV) -> Viewer:
        headers = {"X-Forwarded-For": address, "User-Agent": "TV"}
        path = f"{self.prefixes[user]}/stream/{channel}"
        return self.viewers.enter_context(self.proxy.viewer(path, headers=headers))


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with TemporaryDirectory(prefix="kptv-") as folder:
        server = Valkey(Path(folder))
        yield server
        server.kill()


@pytest.fixture
def pair(
    valkey: Valkey,
    start_provider: Callable[..., Provider],
    start_proxy: Callable[..., Proxy],
) -> Iterator[tuple[Instance, Instance]]:
    provider = start_provider("one", bitrate=800_000)
    for channel in "News", "Sport":
        provider.add_channel(channel)
    proxies = [
        start_proxy(
            (provider, 0),
            wait=False,
            LEASES_URL=valkey.url,
            KPTV_TEST_LEASE=str(LEASE),
            STREAM_LINGER="0",
        )
        for _ in range(2)
    ]
    with ExitStack() as viewers:
        a, b = (Instance(proxy, _users(proxy), viewers) for proxy in proxies)
        yield a, b


def _users(proxy: Proxy) -> dict[str, str]:
    """The same ones at each instance, by their numbers; each has secrets of its own."""
    proxy.wait_until_ready()
    users = UsersFile(proxy.folder / "data", 5.0)
    prefixes = {user.name: f"/u/{users.add(user).text}" for user in USERS}
    eventually(lambda: proxy.get("/playlist.m3u8").status == 401, 2 + BUSY, "no users yet")
    return prefixes


def test_a_users_limit_holds_over_instances(
    pair: tuple[Instance, Instance], valkey: Valkey
) -> None:
    a, b = pair
    first = a.watch("anna", "news").wait_for_bytes(1000)
    second = b.watch("anna", "sport").wait_for_bytes(1000)
    assert not first.ended
    first.wait_for_end(GRACE + BUSY)
    second.wait_for_bytes(1000)
    second.leave()

    a.watch("strict", "news").wait_for_bytes(1000)
    assert b.watch("strict", "sport", PHONE).wait_for_status() == 429
    a.proxy.kill()

    def plays() -> bool:  # once the lease has ended
        return b.watch("strict", "sport", PHONE).wait_for_status() == 200

    eventually(plays, LEASE + GRACE + BUSY, "it counts what a dead instance had")

    valkey.kill()
    eventually(lambda: b.proxy.get("/readyz").status == 503, 5.0, "it is ready")
    b.watch("anna", "news").wait_for_bytes(1000)
    alone = "users' streams are counted by this instance alone: Valkey (LEASES_URL)"
    assert b.proxy.log.count(alone) == 1
    assert "This instance counts users' streams alone" in b.proxy.get("/readyz").text
    valkey.start()
    again = "users' streams are counted over all instances again"
    eventually(lambda: again in b.proxy.log, 5.0 + BUSY, "it counts alone still")
