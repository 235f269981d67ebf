from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.instances.street import Street
from tests.instances.valkey import Valkey


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    """A server; what one test leaves is not there for the next (see the tests' own run ids)."""
    with TemporaryDirectory(prefix="kptv-") as folder:
        server = Valkey(Path(folder))
        yield server
        server.kill()


@pytest.fixture
def street(valkey: Valkey) -> Iterator[Street]:
    street = Street(valkey)
    yield street
    street.close()
