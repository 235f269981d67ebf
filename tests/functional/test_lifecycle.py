"""From start to stop: what is refused, what survives, and that everything ends in time."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kptv.web.clients import SEND_TIMEOUT
from tests.functional.harness import Proxy, eventually
from tests.functional.test_files import LARGE, add_film
from tests.provider import Bad, Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]
Refused = Callable[..., str]

log = logging.getLogger(__name__)  # what is measured: pytest -rP

UNREACHABLE = "http://127.0.0.1:9/list.m3u|1"


# --- starts that are refused ---


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[Refused]:
    """Starts a proxy that must not start; gives what it says, which is one message."""
    started: list[Proxy] = []

    def start(*arguments: str, sources: str = UNREACHABLE, port: int = 0, **settings: str) -> str:
        if port:
            settings["PORT"] = str(port)
        proxy = Proxy(tmp_path, sources, **settings)
        started.append(proxy)
        process = proxy.start(wait=False, arguments=arguments).process
        assert process is not None
        assert process.wait(20) != 0
        assert "Traceback" not in proxy.log
        assert "Booting worker" not in proxy.log
        return proxy.log

    yield start
    for proxy in started:
        proxy.close()


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (("--workers", "2"), {}),
        ((), {"WEB_CONCURRENCY": "2"}),
        ((), {"GUNICORN_CMD_ARGS": "--workers=3"}),
    ],
)
def test_more_than_one_worker_is_refused_with_the_reason_and_what_to_do(
    refused: Refused, arguments: tuple[str, ...], settings: dict[str, str]
) -> None:
    message = refused(*arguments, **settings)
    assert "workers" in message
    assert "in one process" in message
    assert "leave out --workers (and WEB_CONCURRENCY)" in message
    assert "make scale" in message
    assert "Staying with one worker" not in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--preload",), "Leave it out"), (("-k", "sync"), "use -k gevent")],
)
def test_what_cannot_work_is_refused(
    refused: Refused, arguments: tuple[str, ...], said: str
) -> None:
    assert said in refused(*arguments)


def test_several_instances_need_the_package_that_talks_to_what_they_share(
    refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['redis'] = None\n")
    message = refused(LEASES_URL="redis://:sesame@127.0.0.1", PYTHONPATH=str(tmp_path))
    assert "the package redis is not installed" in message
    assert "sesame" not in message


def test_bad_settings_are_refused_with_one_message_that_names_them_all(refused: Refused) -> None:
    message = refused(
        sources="ftp://user:sesame@provider.example/list.m3u|1",
        STALL_TIMEOUT="soon",
        MAX_BUFFER_SIZE="much",
        ENABLE_RESTREAMING="maybe",
    )
    for variable in ("SOURCES", "STALL_TIMEOUT", "MAX_BUFFER_SIZE", "ENABLE_RESTREAMING"):
        assert message.count(f"{variable}: read") == 1
    for read in ("'soon'", "'much'", "'maybe'"):
        assert read in message
    assert message.count("accepted: ") == 4
    assert "sesame" not in message
    assert "provider.example" not in message


def test_without_sources_the_message_says_what_to_set(refused: Refused) -> None:
    message = refused(sources="")
    assert "SOURCES=http" in message
    assert ".env" in message


def test_a_port_that_is_taken_is_named(refused: Refused) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        begun = time.monotonic()
        message = refused(port=port)
    assert time.monotonic() - begun < 4, "gunicorn's own tries take five seconds"
    assert str(port) in message
    assert "in use" in message
    _starting, *rest = message.splitlines()
    assert len(rest) == 1


def test_an_address_of_another_machine_is_named(refused: Refused) -> None:
    message = refused(HOST="192.0.2.99")
    assert "of 192.0.2.99: this machine has no such address" in message
    assert len(message.splitlines()) == 2


# --- where it listens ---


def test_it_listens_on_all_addresses_and_knows_its_clients_by_their_own(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    proxy = start_proxy((one, 1))
    with contextlib.closing(http.client.HTTPConnection("::1", proxy.port, timeout=10)) as client:
        client.request("GET", "/healthz")
        assert client.getresponse().status == 200
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(2_000)
        (hub,) = json.loads(proxy.get("/api/status").body)["hubs"]
        assert [watching["address"] for watching in hub["watching"]] == ["127.0.0.1"]


def test_with_a_host_it_listens_there_alone(start_proxy: StartProxy) -> None:
    proxy = start_proxy(UNREACHABLE, HOST="127.0.0.1", wait=False)
    eventually(lambda: "Booting worker" in proxy.log, 20)
    for host, listens in (("127.0.0.1", True), ("127.0.0.2", False), ("::1", False)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
            assert (client.connect_ex((host, proxy.port)) == 0) == listens, host


def test_an_option_of_gunicorn_says_where_too(start_proxy: StartProxy) -> None:
    proxy = start_proxy(UNREACHABLE, GUNICORN_CMD_ARGS="--bind=127.0.0.1:0", wait=False)
    eventually(lambda: "Listening at: http://127.0.0.1:" in proxy.log, 20)


# --- signals ---


def test_a_second_worker_is_not_added_while_it_runs(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    proxy = start_proxy((one, 1))
    assert proxy.process is not None
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(2_000)
        proxy.process.send_signal(signal.SIGTTIN)
        eventually(lambda: "Staying with one worker" in proxy.log)
        viewer.wait_for_bytes(50_000)
        assert len(children(proxy)) == 1
        assert proxy.log.count("Booting worker") == 1


def children(proxy: Proxy) -> list[str]:
    assert proxy.process is not None
    pid = proxy.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_whatever_its_viewers_do(
    start_provider: StartProvider, start_proxy: StartProxy, how: signal.Signals
) -> None:
    one = start_provider("one", limit=4)
    for name in ("News", "Sport", "Stopped"):
        one.add_channel(name)
    one.add_channel("Hanging").fail_with(Bad.HANG)
    one.add_channel("Waiting")
    proxy = start_proxy((one, 4))
    assert proxy.process is not None
    with contextlib.ExitStack() as stack:
        playing = [
            stack.enter_context(proxy.viewer(name)) for name in ("News", "Sport") for _ in range(5)
        ]
        stopped = stack.enter_context(proxy.viewer("Stopped", receive_buffer=4096))
        for viewer in (*playing, stopped):
            viewer.wait_for_bytes(2_000)
        stopped.pause()
        starting = stack.enter_context(proxy.viewer("Hanging"))
        one.wait(lambda: one.connections == 4)
        waiting = stack.enter_context(proxy.viewer("Waiting"))
        idle = stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port)))
        playing[0].wait_for_bytes(500_000)  # Stopped is full by then

        assert not any(viewer.ended for viewer in (*playing, starting, waiting))
        seconds = proxy.stop(how)
        log.warning("out %.2f s after %s", seconds, how.name)
        for viewer in (*playing, starting, waiting):
            viewer.wait_for_end()
        stopped.vanish()
        idle.close()
    assert seconds < 4  # 2 promised; a busy machine may take longer
    one.wait(lambda: one.sockets == 0)
    assert proxy.process.returncode == 0
    assert "Traceback" not in proxy.log


def test_a_worker_that_dies_is_replaced_and_its_connections_are_closed(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    proxy = start_proxy((one, 1))
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(2_000)
        os.kill(proxy.worker_pid, signal.SIGKILL)
        viewer.wait_for_end()
    one.wait(lambda: one.connections == 0)
    proxy.wait_until_ready()
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(2_000)
    assert one.max_connections_seen == 1


# --- a provider dies ---


def test_viewers_outlive_their_only_provider_until_it_is_back(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    news = one.add_channel("News")
    proxy = start_proxy((one, 1), RETRY_DELAY="200ms", MAX_FAILURES_BEFORE_BLOCK="1000000")
    with contextlib.ExitStack() as stack:
        viewers = [stack.enter_context(proxy.viewer("News")) for _ in range(3)]
        for times in (1, 2):
            # Not bytes alone: held viewers get a filler.
            viewers[0].wait(lambda times=times: len(viewers[0].runs()) == times)  # type: ignore[misc]
            failures = refusals(proxy)
            one.kill()
            eventually(lambda failures=failures: refusals(proxy) >= failures + 2)  # type: ignore[misc]
            viewers.append(stack.enter_context(proxy.viewer("News")))  # waits with the others
            one.revive()
            one.wait(lambda times=times: len(news.requests) == times + 1)  # type: ignore[misc]
        viewers[0].wait(lambda: len(viewers[0].runs()) == 3)
        last = viewers[0].runs()[-1].connection
        for viewer in viewers:
            viewer.wait(lambda viewer=viewer: last in {r.connection for r in viewer.runs()})  # type: ignore[misc]
            assert [run.lost for run in viewer.runs() if run.lost] == []
            assert not viewer.ended
        assert len(viewers[0].runs()) == 3
    assert one.max_connections_seen == 1


def refusals(proxy: Proxy) -> float:
    return proxy.metrics().value("iptv_proxy_stream_errors", channel="News", kind="refused")


def test_viewers_are_let_go_when_the_provider_stays_away(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    proxy = start_proxy((one, 1), RETRY_DELAY="200ms", STREAM_GIVE_UP="2s", STREAM_LINGER="0")
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(2_000)
        one.kill()
        killed_at = time.monotonic()
        viewer.wait_for_end()
        assert 1 < viewer.ended_at - killed_at < 15
    proxy.wait_idle()


# --- health ---


def test_until_a_list_is_imported_it_is_alive_but_not_ready(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    one.list.fail_with(Bad.HANG, times=1)
    proxy = start_proxy((one, 1), wait=False)
    one.wait(lambda: bool(one.list.requests), 20)
    assert proxy.get("/healthz").status == 200
    for path in ("/readyz", "/stream/news", "/playlist.m3u8", "/news/playlist.m3u8"):
        answer = proxy.get(path)
        assert answer.status == 503, path
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.text.count("\n") == 1
    assert not one.history, "a stream was opened"


def test_one_source_that_hangs_does_not_keep_the_others_from_being_served(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one"), start_provider("two")
    one.add_channel("News")
    one.list.fail_with(Bad.HANG)
    two.add_channel("News")
    two.add_channel("Sport")
    proxy = start_proxy((one, 1), (two, 1))
    assert list(proxy.playlist()) == ["News", "Sport"]
    with proxy.viewer("News") as viewer:
        viewer.wait_for_source("two")


# --- imports that fail ---

BAD_REFRESHES = (Bad.HTML, Bad.EMPTY, Bad.SHORT_BODY, Bad.RESET, 500)


def test_a_refresh_that_fails_leaves_the_last_good_list(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one"), start_provider("two")
    news = one.add_channel("News", group_title="Info")
    two.add_channel("Sport")
    proxy = start_proxy((one, 1), (two, 1), IMPORT_REFRESH_INTERVAL="1s")
    assert list(proxy.playlist()) == ["News", "Sport"]
    served = proxy.get("/playlist.m3u8").body
    with proxy.viewer("News") as viewer:
        for how in BAD_REFRESHES:
            one.list.fail_with(how)
            asked = len(one.list.requests)
            one.wait(lambda asked=asked: len(one.list.requests) >= asked + 2)  # type: ignore[misc]
            assert proxy.get("/playlist.m3u8").body == served, how
        viewer.wait_for_bytes(2_000)
        assert len(viewer.runs()) == 1
    one.list.recover()
    one.add_channel("Weather")
    eventually(lambda: list(proxy.playlist()) == ["News", "Sport", "Weather"])
    assert len(news.requests) == 1
    failed = [line for line in proxy.log.splitlines() if "import failed" in line]
    assert len(failed) == len(set(failed)), "told again and again"
    assert len(failed) >= len(BAD_REFRESHES) - 1  # two may have the same words
    assert "imports again" in proxy.log
    assert "Traceback" not in proxy.log
    assert not any(secret in proxy.log for secret in one.secrets[:2])


@pytest.mark.parametrize("how", [None, Bad.HANG])
def test_after_a_restart_the_last_good_list_is_there_without_the_provider(
    start_provider: StartProvider, start_proxy: StartProxy, how: Bad | None
) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News", tvg_id="news.1")
    proxy = start_proxy((one, 1), RETRY_DELAY="200ms", MAX_FAILURES_BEFORE_BLOCK="1000000")
    served = proxy.get("/playlist.m3u8").body
    proxy.stop()
    if how is None:
        one.kill()
    else:
        one.list.fail_with(how)
    proxy.start()
    assert proxy.get("/playlist.m3u8").body == served
    with proxy.viewer("News") as viewer:
        if how is None:
            eventually(lambda: refusals(proxy) >= 1)
            one.revive()
        viewer.wait_for_source("one")
    assert "Traceback" not in proxy.log


def test_a_folder_that_cannot_be_written_costs_the_copy_only(
    start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    one = start_provider("one")
    one.add_channel("News")
    proxy = start_proxy((one, 1), DATA_DIR=str(tmp_path / "file" / "data"))
    assert list(proxy.playlist()) == ["News"]
    assert proxy.log.count("DATA_DIR cannot be written") == 1
    assert "Traceback" not in proxy.log
    with proxy.viewer("News") as viewer:
        viewer.wait_for_source("one")


def test_an_import_of_fifty_thousand_entries_does_not_stop_a_stream(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, big = start_provider("one"), start_provider("big")
    one.add_channel("News")
    big.add_channel("Sport")
    proxy = start_proxy((one, 1), (big, 1), IMPORT_REFRESH_INTERVAL="1s")
    lines = (
        f'#EXTINF:-1 tvg-id="id.{n}" tvg-logo="http://logo/{n}.png" group-title="G {n % 90}",'
        f"Channel {n}\nhttp://127.0.0.1:9/live/a/b/{n}.ts"
        for n in range(50_000)
    )
    body = "\n".join(("#EXTM3U", *lines, "")).encode()
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(50_000)
        big.list.set(body)
        eventually(lambda: "50001 channels" in proxy.log, 60)
        viewer.wait_for_bytes(50_000)
        silence = viewer.longest_silence()
        log.warning("longest silence during the import: %.3f s", silence)
        assert silence < 1.5  # 0.1 on an idle machine
        assert len(viewer.runs()) == 1
        assert viewer.runs()[0].lost == 0
    assert len(proxy.playlist()) == 50_001


def test_every_line_of_a_json_log_is_json_from_the_first_to_the_last(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    proxy = start_proxy((one, 1), LOG_FORMAT="json")
    proxy.stop()
    told = [json.loads(line)["message"] for line in proxy.log.splitlines()]
    assert told[0].startswith("Starting gunicorn")
    assert "Shutting down: Master" in told


def test_a_client_that_asks_for_a_list_and_does_not_take_it_is_let_go(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    """Enough of them would be all connections that the server has."""
    one = start_provider("one")
    entries = [f"#EXTINF:-1,Channel {n}\n{one.url(f'/{n}.ts')}\n" for n in range(80_000)]
    one.list.set("#EXTM3U\n" + "".join(entries))  # more than sockets hold
    proxy = start_proxy((one, 1))
    assert proxy.get("/playlist").status == 200
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:  # until the server hangs up
        client.sendall(b"GET /playlist HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while client.recv(65536):
            pass
    before = proxy.descriptors()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", proxy.port))
            client.sendall(b"GET /playlist HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(100)
        assert proxy.descriptors() >= before + 20
        eventually(lambda: proxy.descriptors() <= before, SEND_TIMEOUT + 30, "they are there yet")
    assert "Traceback" not in proxy.log


# --- signals of gunicorn that would make it two ---


def test_a_reload_begins_when_the_worker_before_has_hung_up(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=2)
    one.add_channel("News")
    add_film(one, "film", LARGE)
    proxy = start_proxy((one, 2), STREAM_LINGER="0s")
    assert proxy.process is not None
    for _ in range(3):
        worker = proxy.worker_pid
        with contextlib.ExitStack() as viewers:
            viewer = viewers.enter_context(proxy.viewer("news")).wait_for_bytes(50_000)
            film = viewers.enter_context(proxy.viewer("film", receive_buffer=4096))
            film.wait(lambda: film.received >= 50_000).pause()  # noqa: B023
            proxy.process.send_signal(signal.SIGHUP)
            viewer.wait_for_end()
            crowd = [proxy.viewer(name) for name in ("news", "film")]  # at once, as players do
            eventually(lambda: proxy.worker_pid != worker, 20.0, "the worker stayed")  # noqa: B023
            proxy.wait_until_ready()
            crowd += [proxy.viewer(name) for name in ("news", "film")]
            crowd[-2].wait_for_source("one")
            crowd[-1].wait(lambda: crowd[-1].received >= 50_000)  # noqa: B023
            for each in crowd:
                each.leave()
        proxy.wait_idle()
    assert one.max_connections_seen == 2
    assert one.turned_away == 0
    assert "Traceback" not in proxy.log


def test_a_second_master_is_refused(start_provider: StartProvider, start_proxy: StartProxy) -> None:
    one = start_provider("one", limit=1)
    one.add_channel("News")
    proxy = start_proxy((one, 1))
    assert proxy.process is not None
    worker = proxy.worker_pid
    with proxy.viewer("news") as viewer:
        viewer.wait_for_bytes(50_000)
        proxy.process.send_signal(signal.SIGUSR2)
        eventually(lambda: "SIGUSR2" in proxy.log, 20.0, "nothing was said")
        viewer.wait_for_bytes(50_000)
    assert "Starting gunicorn" not in proxy.log.partition("SIGUSR2")[2]
    assert proxy.worker_pid == worker
