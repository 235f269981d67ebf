"""A reload (SIGHUP) keeps what works: bad settings change nothing, good ones all but the port."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.functional.harness import eventually, sources_setting
from tests.functional.installed import Installed
from tests.provider import Provider

StartProvider = Callable[..., Provider]


@pytest.fixture
def one(start_provider: StartProvider) -> Provider:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    return one


@pytest.fixture
def proxy(one: Provider, tmp_path: Path) -> Iterator[Installed]:
    with contextlib.closing(Installed(tmp_path, sources_setting((one, 1)))) as proxy:
        proxy.start()
        yield proxy
        proxy.stop()


def reload(proxy: Installed) -> None:
    assert proxy.process is not None
    proxy.process.send_signal(signal.SIGHUP)


def reloaded(proxy: Installed) -> float:
    """Reload with settings that are accepted; the seconds until it is ready again."""
    worker, begun = proxy.worker_pid, time.monotonic()
    reload(proxy)
    eventually(lambda: proxy.worker_pid != worker, 20, "the worker stayed")
    proxy.wait_until_ready()
    return time.monotonic() - begun


def test_a_reload_with_bad_settings_names_each_and_changes_nothing_for_viewers(
    proxy: Installed, one: Provider
) -> None:
    worker = proxy.worker_pid
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(20_000)
        for times in (1, 2):
            proxy.write_settings(
                STALL_TIMEOUT="soon",
                MAX_CLIENTS="many",
                SOURCES="ftp://user:sesame@provider.example/list.m3u|1",
            )
            reload(proxy)
            eventually(lambda times=times: proxy.log.count("Cannot reload") == times)  # type: ignore[misc]
            viewer.wait_for_bytes(50_000)
        proxy.env_file.write_bytes(b"SOURCES=\xff\xfe")
        reload(proxy)
        eventually(lambda: "not UTF-8" in proxy.log)
        viewer.wait_for_bytes(50_000)
        assert not viewer.ended
        assert len(viewer.runs()) == 1
        assert viewer.runs()[0].lost == 0
    for told in ("STALL_TIMEOUT: read 'soon'", "MAX_CLIENTS: read 'many'", "SOURCES: read"):
        assert proxy.log.count(told) == 2
    assert proxy.worker_pid == worker
    assert "sesame" not in proxy.log
    assert "Traceback" not in proxy.log
    assert len(one.list.requests) == 1

    proxy.write_settings(STATUS_PAGE="false")
    assert reloaded(proxy) < 10
    assert proxy.get("/api/status").status == 404


def test_nobody_who_comes_during_a_reload_is_refused(proxy: Installed) -> None:
    answers: list[bytes] = []
    over = threading.Event()

    def ask_on() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, HTTPException):
                answers.append(proxy.get("/healthz").body)

    asking = threading.Thread(target=ask_on)
    asking.start()
    try:
        reloaded(proxy)
    finally:
        over.set()
        asking.join(20)
    assert len(answers) > 2
    assert not [answer for answer in answers if b"Too many" in answer]


def test_a_worker_that_dies_comes_back_with_the_settings_that_were_accepted(
    proxy: Installed,
) -> None:
    proxy.write_settings(STALL_TIMEOUT="soon")
    worker = proxy.worker_pid
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: proxy.process is not None and proxy.process.poll() is None)
    eventually(lambda: "exited" in proxy.log or "SIGKILL" in proxy.log)
    proxy.wait_until_ready()
    assert proxy.worker_pid != worker
    proxy.write_settings(STATUS_PAGE="false")
    os.kill(proxy.worker_pid, signal.SIGKILL)
    eventually(lambda: proxy.log.count("Booting worker") == 3)
    proxy.wait_until_ready()
    assert proxy.get("/api/status").status == 200, "nobody has asked for a reload"


def test_a_reload_does_not_move_the_port_and_says_so(proxy: Installed) -> None:
    other = proxy.port + 1 if proxy.port < 65535 else 1024
    proxy.write_settings(PORT=str(other))
    reloaded(proxy)
    assert f"PORT={other}: counts after a restart" in proxy.log
    assert f":{proxy.port}/playlist.m3u8" in json.loads(proxy.get("/api/status").body)["list_url"]


def test_a_reload_changes_the_form_of_the_log_in_every_process(proxy: Installed) -> None:
    proxy.write_settings(LOG_FORMAT="json")
    reloaded(proxy)
    seen = len(proxy.log)
    proxy.write_settings(LOG_FORMAT="json", PORT="none")
    reload(proxy)
    eventually(lambda: "Cannot reload" in proxy.log)
    messages = [json.loads(line)["message"] for line in proxy.log[seen:].splitlines()]
    assert "Handling signal: hup" in messages
    assert any("PORT: read 'none'" in message for message in messages)
