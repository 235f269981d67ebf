"""What functional tests share: nginx, and the providers and proxies of a module.

Starting gunicorn costs a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.functional.harness import Proxy, sources_setting
from tests.functional.nginx import Nginx
from tests.functional.ways import WAYS
from tests.provider import Provider


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module with ``BOTH_WAYS = True`` is run with each way of sending to the front row.

    KPTV_TEST_BOTH_WAYS: each module is.
    """
    if getattr(metafunc.module, "BOTH_WAYS", False) or "KPTV_TEST_BOTH_WAYS" in os.environ:
        metafunc.parametrize("sending", WAYS.values(), ids=WAYS, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def sending(request: pytest.FixtureRequest) -> Iterator[None]:
    """Which way that is, if not both as in life: files for many viewers, sends for few."""
    with pytest.MonkeyPatch.context() as patch:
        if (file_from := getattr(request, "param", None)) is not None:
            patch.setattr(Proxy, "app", f"tests.functional.ways:app({file_from})")
        yield


@pytest.fixture(scope="module")
def share_provider() -> Iterator[Callable[..., Provider]]:
    """Starts providers (arguments: Provider's) and stops them after the module."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Provider(*args, **options))


@pytest.fixture(scope="module")
def share_proxy(
    tmp_path_factory: pytest.TempPathFactory, sending: None
) -> Iterator[Callable[..., Proxy]]:
    """Starts proxies as start_proxy does; each ends, in time, after the module."""
    with ExitStack() as stack:

        def start(*sources: tuple[Provider, int] | str, **settings: str) -> Proxy:
            folder = tmp_path_factory.mktemp("proxy")
            proxy = Proxy(folder, sources_setting(*sources), **settings)
            stack.enter_context(closing(proxy))
            proxy.start()
            stack.callback(proxy.stop)
            return proxy

        yield start


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """Not started yet: the proxy has to know its port first."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    server = Nginx(folder)
    yield server
    server.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the end of the log of the proxy that it shares."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            proxy = getattr(value, "proxy", None)
            if isinstance(proxy, Proxy):
                report.sections.append(("log of the shared proxy", proxy.log[-8000:]))
    return report
