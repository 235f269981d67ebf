"""The worker tells at once, and once, that it has to end."""

from __future__ import annotations

import errno
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from gevent.hub import Hub
from gevent.server import StreamServer

from kptv.web import worker
from kptv.web.worker import Worker


def test_whatever_ends_the_worker_ends_what_has_no_end_by_itself() -> None:
    served = Worker.__new__(Worker)  # gunicorn's own would want a whole server
    ended: list[str] = []
    served.when_stopping = [lambda: ended.append("streams"), lambda: ended.append("events")]
    served.alive = True
    gevent.idle()
    assert ended == []
    served.alive = False  # as gunicorn does on a signal, or after --max-requests
    assert ended == [], "a signal may come anywhere"
    served.alive = False
    gevent.idle()
    assert ended == ["streams", "events"]


def test_too_many_open_files_are_a_sentence_and_a_pause(
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Any] = [OSError(errno.EMFILE, "Too many open files")]

    def full_once(server: Any) -> Any:
        if answers:
            raise answers.pop()
        return really(server)

    really = worker._accept
    monkeypatch.setattr(worker, "_accept", full_once)
    monkeypatch.setattr(StreamServer, "do_read", worker.accept)
    monkeypatch.setattr(Hub, "NOT_ERROR", (*Hub.NOT_ERROR, worker.NoDescriptor))
    greeted = Event()
    server = StreamServer(("127.0.0.1", 0), lambda client, address: greeted.set())
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.server_port)):
            assert greeted.wait(10), "it is let in a moment later"
    finally:
        server.stop()
    assert caplog.messages == [
        "too many open files: no client is let in; docs/troubleshooting.md says more"
    ]
    assert "Traceback" not in capfd.readouterr().err


def test_a_worker_that_has_to_end_leaves_newcomers_to_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alive = [True]
    monkeypatch.setattr(StreamServer, "do_read", worker.accepting_while(lambda: alive[0]))
    greeted: list[str] = []
    with gevent.Timeout(10), socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        servers = []
        for name in ("old", "new"):
            server = StreamServer(listener.dup(), lambda *_, name=name: greeted.append(name))
            servers.append(server)
        old, new = servers
        old.start()
        first = socket.create_connection(listener.getsockname())
        while not greeted:
            gevent.sleep(0.001)
        alive[0] = False
        second = socket.create_connection(listener.getsockname())
        while old._watcher is not None:  # it looks once more, and no more after that
            gevent.sleep(0.001)
        assert greeted == ["old"]
        alive[0] = True  # this is the next worker's now
        new.start()
        while len(greeted) < 2:
            gevent.sleep(0.001)
        for each in (first, second, old, new):
            each.close()
    assert greeted == ["old", "new"]
