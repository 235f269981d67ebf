"""The worker tells at once, and once, that it has to end."""

from __future__ import annotations

import errno
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from gevent.hub import get_hub
from gevent.server import StreamServer
from gunicorn.config import Config
from gunicorn.glogging import Logger

from kptv.web import worker
from kptv.web.door import Door
from kptv.web.framing import unframe
from kptv.web.handover import hand_over_of
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
    hub = get_hub()  # it has a tuple of its own since it first looked up a name
    monkeypatch.setitem(vars(hub), "NOT_ERROR", (*hub.NOT_ERROR, worker.NoDescriptor))
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


class Body:
    """A body that hands over what is behind its first piece."""

    def __init__(self, environ: Any, rest: Rest) -> None:
        self.environ = environ
        self.rest = rest

    def __iter__(self) -> Iterator[bytes]:
        yield b"first "
        if hand_over := hand_over_of(self.environ):
            hand_over(self.rest)
        else:
            self.rest.send()


class Rest:
    """Waits, and then sends its piece to the connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.sending, self.go, self.closed = Event(), Event(), Event()

    def send(self) -> None:
        self.sending.set()
        self.go.wait(10)
        self.connection.sendall(b"rest")

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


class Stage:
    """A worker that serves one connection."""

    def __init__(self, more: bytes = b"") -> None:
        """``more``: of the request, behind its first lines."""
        self.ours, self.theirs = socket.socketpair()
        self.rest = Rest(self.ours)
        self.kept: list[weakref.ref[Any]] = []
        served = Worker.__new__(Worker)  # gunicorn's own would want a whole server
        served.cfg = Config()
        served.log = Logger(served.cfg)
        served.nr, served.max_requests = 0, 1000
        served._alive = True
        served.door = Door(10, 1)
        served.application = self._answer
        served.wsgi = served._answer
        address = ("127.0.0.1", 1)
        self.door = served.door
        listener = SimpleNamespace(getsockname=lambda: address)
        self.greenlet = gevent.spawn(served.handle, listener, self.ours, address)
        self.theirs.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n" + (more or b"\r\n"))

    def close(self) -> None:
        self.greenlet.kill()
        self.ours.close()
        self.theirs.close()

    def _answer(self, environ: Any, start_response: Any) -> Body:
        unframe(environ)
        start_response("200 OK", [("Content-Type", "video/mp2t")])
        body = Body(environ, self.rest)
        request = start_response.__self__.req
        self.kept += [weakref.ref(body), weakref.ref(request), weakref.ref(request.unreader)]
        return body


def test_the_rest_of_a_body_goes_on_with_nothing_of_its_request(stage: Stage) -> None:
    assert stage.rest.sending.wait(10)
    assert [kept() for kept in stage.kept] == [None, None, None], "without a collection"
    assert stage.door.busy == 1
    stage.rest.go.set()
    answer = b""
    while data := stage.theirs.recv(65536):
        answer += data
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nfirst rest")
    assert stage.rest.closed.wait(10)
    stage.greenlet.join(10)
    assert not stage.door.places


@pytest.mark.parametrize(
    "more",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Content-Length: 5\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["a body", "announced", "chunked"],
)
def test_whoever_sends_a_body_gets_all_of_the_answer(more: bytes) -> None:
    stage = Stage(more)
    try:
        assert stage.rest.sending.wait(10)
        stage.rest.go.set()
        answer = b""
        while data := stage.theirs.recv(65536):
            answer += data
        assert answer.endswith(b"\r\n\r\nfirst rest")
    finally:
        stage.close()


def test_the_rest_of_a_body_is_closed_if_the_client_has_left(stage: Stage) -> None:
    assert stage.rest.sending.wait(10)
    stage.theirs.close()
    stage.rest.go.set()
    assert stage.rest.closed.wait(10)
    stage.greenlet.join(10)
    assert stage.greenlet.successful()


def test_the_rest_of_a_body_is_closed_if_the_worker_ends(stage: Stage) -> None:
    assert stage.rest.sending.wait(10)
    stage.greenlet.kill(timeout=10)
    assert stage.rest.closed.is_set()
