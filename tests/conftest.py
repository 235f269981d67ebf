"""Fixtures of all tests: providers and proxies that are gone after the test, programs it needs."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from gevent.hub import get_hub

from tests.functional.harness import Proxy, sources_setting
from tests.lanes import Lanes
from tests.provider import Provider

_PROXIES = pytest.StashKey[list[Proxy]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requires(*programs): skips without them; fails instead when CI=true"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Lanes | None:
    """``--dist loadfile``: each file is run by one process; see tests/lanes.py."""
    return Lanes(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Thousands of tests are no garbage: a look at each of them takes 0.2 s, in mid-test."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    # The loop's clock stands still while no greenlet runs: a deadline might be over at once.
    get_hub().loop.update_now()
    for marker in item.iter_markers("requires"):
        missing = [program for program in marker.args if shutil.which(program) is None]
        if missing and os.environ.get("CI") == "true":
            pytest.fail(f"not installed: {', '.join(missing)}", pytrace=False)
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the logs of its proxies."""
    report = yield
    if report.failed:
        for proxy in item.stash.get(_PROXIES, []):
            report.sections.append((f"log of the proxy on port {proxy.port}", proxy.log))
    return report


@pytest.fixture
def start_provider() -> Iterator[Callable[..., Provider]]:
    """Starts providers (arguments: Provider's) and stops them after the test."""
    started: list[Provider] = []

    def start(*args: object, **options: object) -> Provider:
        started.append(Provider(*args, **options).start())  # type: ignore[arg-type]
        return started[-1]

    yield start
    for provider in started:
        provider.stop()


@pytest.fixture
def start_proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Proxy]]:
    """Starts proxies on sources, each a (provider, limit) pair or a text of SOURCES.

    Keywords are settings; ``wait=False`` does not wait until the proxy is ready. After the test
    each is sent SIGTERM and must end in time, if it has not ended before.
    """
    started: list[Proxy] = request.node.stash.setdefault(_PROXIES, [])

    def start(*sources: tuple[Provider, int] | str, wait: bool = True, **settings: str) -> Proxy:
        folder = tmp_path / f"proxy-{len(started) + 1}"
        folder.mkdir()
        proxy = Proxy(folder, sources_setting(*sources), **settings)
        started.append(proxy)
        return proxy.start(wait)

    yield start
    for proxy in started:
        try:
            if proxy.process is not None and proxy.process.poll() is None:
                proxy.stop()
        finally:
            proxy.close()
