"""The start speaks: what it says of the settings of an installed proxy, and what it refuses."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kptv import __version__
from tests.functional.harness import eventually, sources_setting
from tests.functional.installed import Installed
from tests.provider import Provider

StartProvider = Callable[..., Provider]


@pytest.fixture
def one(start_provider: StartProvider) -> Provider:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    one.add_channel("Sport")
    return one


@pytest.fixture
def proxy(one: Provider, tmp_path: Path) -> Iterator[Installed]:
    with contextlib.closing(Installed(tmp_path, sources_setting((one, 1)))) as proxy:
        yield proxy


def log_of_start(proxy: Installed) -> str:
    """What a start that works has said, until it has its lists."""
    seen = len(proxy.log)
    proxy.start()
    eventually(lambda: "fetched" in proxy.log[seen:], 20, "no list")
    proxy.stop()
    return proxy.log[seen:]


def test_the_start_tells_where_everything_is_and_what_each_source_has(
    proxy: Installed, one: Provider
) -> None:
    proxy.write_settings(BASE_URL=f"http://tv.example:{proxy.port}", FFMPEG="")
    log = log_of_start(proxy)
    for told in (
        f"KPTV Proxy {__version__}, Python ",
        f"Settings: {proxy.env_file} and the environment. Data: {proxy.folder / 'data'}",
        f"Status page: http://tv.example:{proxy.port}/",
        f"Channel list, for players: http://tv.example:{proxy.port}/playlist.m3u8",
        "source-1: 2 entries (fetched)",
    ):
        assert told in log
    assert "WARNING" not in log
    log = log_of_start(proxy)
    assert log.index("source-1: 2 entries (from disk)") < log.index("(fetched, as on disk)")
    one.kill()
    seen = len(proxy.log)
    proxy.start()
    eventually(lambda: "import failed" in proxy.log[seen:], 20)
    proxy.stop()
    assert "source-1: 2 entries (from disk)" in proxy.log[seen:]
    assert "its 2 entries stay" in proxy.log[seen:]


def test_the_start_warns_of_what_will_probably_not_work(proxy: Installed, one: Provider) -> None:
    url, other = one.list_url, proxy.port % 60_000 + 1
    proxy.write_settings(
        SOURCES=f"{url}|1,{url}|1,{url}&x=ahttp://b.example/l?password=canary-canary|1",
        BASE_URL=f"http://localhost:{other}",
        FFMPEG="/opt/ffmeg",
        STALL_TIMOUT="5s",
    )
    proxy.env_file.chmod(0o644)
    log = log_of_start(proxy)
    for told in (
        "STALL_TIMOUT is no setting; STALL_TIMEOUT is one",
        f"BASE_URL=http://localhost:{other}: only players on this machine itself can play",
        f"BASE_URL leads to port {other}, but PORT={proxy.port}",
        "SOURCES: source 2 has the URL of source 1",
        "SOURCES: source 3 has :// twice",
        "FFMPEG=/opt/ffmeg: there is no such program",
        f"chmod 600 {proxy.env_file}",
    ):
        assert log.count(told) == 1, told
    for line in log.splitlines():
        if "kptv.start" in line:
            assert "canary" not in line
            assert url not in line
    assert "canary" not in log
    assert "Traceback" not in log


def run(proxy: Installed, *command: str) -> subprocess.CompletedProcess[str]:
    """A command of the installed proxy that ends by itself."""
    return subprocess.run(
        (sys.executable, "-m", *command),
        cwd=proxy.root,
        env={"PATH": os.environ["PATH"], "HOME": str(proxy.folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


@pytest.mark.parametrize(
    "command", [("gunicorn", "-k", "gevent", "wsgi:app"), ("kptv.demo.run",)], ids=lambda c: c[0]
)
def test_an_env_file_without_sources_is_no_demo_and_the_message_says_what_to_write(
    proxy: Installed, command: tuple[str, ...]
) -> None:
    proxy.env_file.write_text(f"PORT={proxy.port}\nSOURCE={proxy.sources}\nBASE_URL=tv.example\n")
    done = run(proxy, *command)
    assert done.returncode == 1
    for told in (
        "Cannot start.",
        "SOURCES: read nothing; accepted: URL|MaxConnections",
        "SOURCES=http://provider.example/list.m3u|2",
        "line 2: SOURCE is no setting; SOURCES is one",
        "BASE_URL: read 'tv.example'",
        f"in {proxy.env_file} (see .env.example)",
    ):
        assert told in done.stderr
    assert proxy.sources not in done.stderr
    assert "demo" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
