"""What is said of a server that may forget what it was told."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kptv.instances import link
from kptv.instances.link import RedisLink
from tests.instances.valkey import Valkey

pytestmark = pytest.mark.requires("redis-server")


@pytest.mark.parametrize(
    ("memory", "policy", "warns"),
    [
        ("100mb", "allkeys-lru", True),
        ("0", "allkeys-lru", False),  # there is no limit at which it would
        ("100mb", "noeviction", False),
        ("100mb", "volatile-lru", False),  # what counts for slots has no expiry
    ],
)
def test_a_server_that_throws_keys_away_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, memory: str, policy: str, warns: bool
) -> None:
    link._warn_once.cache_clear()
    with TemporaryDirectory(prefix="kptv-") as folder:
        server = Valkey(Path(folder), "--maxmemory", memory, "--maxmemory-policy", policy)
        try:
            for _ in range(2):
                RedisLink(server.url, 15.0, 5.0).close()
        finally:
            server.kill()
    assert [record.message for record in caplog.records if "noeviction" in record.message] == (
        [caplog.records[0].message] if warns else []
    )
