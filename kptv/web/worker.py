"""The gunicorn worker: no client holds up another, whatever it sends or does not send.

It is gunicorn's gevent worker with another way to serve one connection. gunicorn's own reads
unwanted bodies to their end, gives others no turn while a client pipelines requests, and has the
same deadline for an idle connection and for a request that comes slowly. gunicorn.conf.py registers
this class under the name ``gevent``.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from time import monotonic, perf_counter
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

import gevent
from gevent.hub import Hub
from gevent.server import StreamServer
from gunicorn import http, util
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker

from kptv.pace import Turns, give_turn
from kptv.vitals.ebb import Ebb, trimmer
from kptv.web.door import KEPT_FOR_OPERATORS, SPARE_PLACES, Admission, Door
from kptv.web.framing import UNFRAME
from kptv.web.handover import HAND_OVER, RestOfBody
from kptv.web.sockets import CLIENTS_LEAVE, are_scarce, hang_up_of, most_clients, plain

log = logging.getLogger(__name__)

ACCEPTED_AT_ONCE = 8  # connections; far below sockets.CLIENTS_LEAVE
MOST_REQUESTS = 1000  # per connection, as nginx allows; then it is closed
HEADER_TIMEOUT = 5.0  # seconds for a whole header; one lost packet costs 1 to 3
BODY_TIMEOUT = 10.0  # seconds for a whole body
_PARTING = 1.0  # seconds to take an answer that came before the whole request was read
_PARTING_BYTES = 256 * 1024

_VITAL = ("/healthz", "/readyz", "/metrics", "/assets/", "/api/")
_GOODBYES = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)


_FULL = (errno.EMFILE, errno.ENFILE)
_accept = StreamServer.do_read


class NoDescriptor(OSError):
    """No connection can be accepted: too many files are open. gevent tries again in a moment."""


def accepting_while(alive: Callable[[], bool]) -> Callable[[Any], Any]:
    """As ``accept``, for a worker that has to end as soon as it is not ``alive``.

    gunicorn notices that up to a second later. A client that comes meanwhile would be refused, and
    waits in the listener's queue instead, for the worker that follows.
    """

    def accept_if_alive(server: Any) -> Any:
        if alive():
            return accept(server)
        server.stop_accepting()
        return None

    return accept_if_alive


def accept(server: Any) -> Any:
    """The next connection and its address, as gevent's server asks for it; None: there is none."""
    try:
        return _accept(server)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        log.warning("too many open files: no client is let in; docs/troubleshooting.md says more")
        raise NoDescriptor(*error.args) from None


class TooSlowClient(OSError):
    """A client began to send something, and did not end in time."""


class BoundedReader(SocketUnreader):  # type: ignore[misc]  # gunicorn has no types
    """Reads what a client sends, until a deadline, and gives others their turns."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.deadline = 0.0  # monotonic; for the header or the body that is being read
        self.idle_until = 0.0  # the same, until its first byte is there
        self._turns = Turns()

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes; empty at the end. Raises TooSlow."""
        until = self.idle_until or self.deadline
        before = self.sock.gettimeout()
        try:
            self.sock.settimeout(max(until - monotonic(), 0.001))
            data: bytes = super().chunk(size_hint)
        except TimeoutError:
            raise TooSlowClient from None
        finally:
            self.sock.settimeout(before)
        self.idle_until = 0.0
        self._turns.count(len(data))
        if monotonic() > self.deadline:  # a read that finds data never times out by itself
            raise TooSlowClient
        return data


class Worker(GeventWorker):  # type: ignore[misc]
    """Serves connections within bounds."""

    _alive = False
    wsgi: WSGIApplication

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limit = min(self.worker_connections - SPARE_PLACES, most_clients())
        # gevent would remember, for each greenlet, where it was made; nothing here asks for that.
        gevent.config.track_greenlet_tree = False
        # That many get their descriptors before the door looks at any of them.
        StreamServer.max_accept = ACCEPTED_AT_ONCE
        StreamServer.do_read = accepting_while(lambda: self._alive)
        Hub.NOT_ERROR = (*Hub.NOT_ERROR, NoDescriptor)  # a sentence, no traceback
        self.door = Door(limit, min(KEPT_FOR_OPERATORS, limit // 4))
        self._ebb, self._trim = Ebb(), trimmer()
        self.when_stopping: list[Callable[[], object]] = [self.door.close]
        """Called once, in a greenlet, as soon as the worker has to end; they must not wait."""

    @property
    def alive(self) -> bool:
        """Whether the worker serves; gunicorn sets it to False when it has to end, for any reason.

        Then whatever has no end by itself must not hold that up: see ``when_stopping``.
        """
        return self._alive

    @alive.setter
    def alive(self, alive: bool) -> None:
        if self._alive and not alive:
            gevent.spawn(self._stop)  # not here: a signal may come anywhere
        self._alive = alive

    def _stop(self) -> None:
        for end in self.when_stopping:
            end()

    def notify(self) -> None:
        """As gunicorn's, once a second; and when a crowd has left, its memory is given back."""
        super().notify()
        if self._trim is not None and self._ebb.over(len(self.door.places), monotonic()):
            begun = perf_counter()
            self._trim()
            log.debug("gave memory back in %.1f ms", (perf_counter() - begun) * 1e3)

    def load_wsgi(self) -> None:
        """As gunicorn does it, but answers may go out without frames (see ``framing``)."""
        super().load_wsgi()
        self.application: WSGIApplication = self.wsgi
        self.wsgi = self._answer

    def _answer(self, environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        request = start_response.__self__.req
        environ[UNFRAME] = partial(_unframe, request)
        if not has_body(request):  # else the answer's end is that of the reading, too: see _part
            environ[HAND_OVER] = partial(setattr, request, "rest")
        return self.application(environ, start_response)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """One connection, from its accepting to its end."""
        addr = plain(addr)
        scarce = are_scarce(client.fileno(), CLIENTS_LEAVE)
        place = self.door.enter(hang_up_of(client), scarce=scarce)
        try:
            if place is None:
                _refuse(client)
            else:
                rest = self._serve_all(listener, client, addr, place)
                if rest is not None:
                    self._send(rest)
        finally:
            if place is not None:
                place.leave()
            util.close(client)

    def _send(self, rest: RestOfBody) -> None:
        """Send what a body has handed over: nothing of its request is left by now."""
        try:
            rest.send()
        except OSError as error:
            self._tell_gone(error)
        except Exception:  # the top of a greenlet
            log.exception("a viewer was lost")
        finally:
            rest.close()

    def _tell_gone(self, error: OSError) -> None:  # that a client leaves is nothing special
        tell = self.log.debug if error.errno in _GOODBYES else self.log.warning
        tell("a viewer is gone: %s", error)

    def _serve_all(
        self, listener: Any, client: Any, addr: Any, place: Admission
    ) -> RestOfBody | None:
        """Answer its requests; gives what the last body has handed over."""
        request = None
        try:
            client.setblocking(1)
            if hasattr(client, "do_handshake"):  # TLS
                client.settimeout(HEADER_TIMEOUT)
                client.do_handshake()
                client.settimeout(None)
            parser = http.get_parser(self.cfg, client, addr)
            parser.unreader = BoundedReader(client)
            for number in range(1, MOST_REQUESTS + 1):
                self._expect_header(parser.unreader, is_first=number == 1)
                request = None
                request = next(parser)
                unread = has_body(request)
                if unread or number == MOST_REQUESTS:
                    request.force_close()
                parser.unreader.deadline = monotonic() + BODY_TIMEOUT
                if not place.ask(vital=is_vital(request.path)):
                    _refuse(client)
                    return None
                self._serve(listener, request, client, addr, unread)
                place.wait()
                # Otherwise a client that pipelines would be served as long as it likes.
                give_turn()
        except (StopIteration, http.errors.NoMoreData, TooSlowClient) as end:
            self.log.debug("Closing connection. %s", end)
        except OSError as error:
            self._tell_gone(error)
        except Exception as error:  # noqa: BLE001  # the top of a greenlet: it answers and logs
            self.handle_error(request, client, addr, error)
        rest: RestOfBody | None = getattr(request, "rest", None)
        return rest

    def _expect_header(self, reader: BoundedReader, *, is_first: bool) -> None:
        now = monotonic()
        reader.deadline = now + HEADER_TIMEOUT
        reader.idle_until = 0.0 if is_first else now + self.cfg.keepalive

    def _serve(self, listener: Any, request: Any, client: Any, addr: Any, unread: bool) -> None:
        try:
            self.handle_request(listener.getsockname(), request, client, addr)
        finally:
            if unread:
                _part(client)


def _unframe(request: Any) -> None:
    request.version = (1, 0)


def is_vital(path: str) -> bool:
    """True for what an operator must reach at all times: health and the page.

    By its path: the door decides before any route is looked for, and so before an answer exists.
    """
    return path == "/" or path.startswith(_VITAL)


def has_body(request: Any) -> bool:
    """Whether a request announces a body, of any length (RFC 9112, 6.3)."""
    return any(
        name == "TRANSFER-ENCODING" or (name == "CONTENT-LENGTH" and value.strip() != "0")
        for name, value in request.headers
    )


def _refuse(connection: Any) -> None:
    text = "Too many connections; try again later.\n"
    with suppress(OSError):
        connection.settimeout(0.0)
        connection.send(
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 10\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
        )


def _part(connection: Any) -> None:
    """Read for a moment what the client still sends, and throw it away.

    Closing a socket with unread bytes resets it, and the answer might not arrive.
    """
    deadline, taken = monotonic() + _PARTING, 0
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while taken < _PARTING_BYTES and (left := deadline - monotonic()) > 0:
            connection.settimeout(left)
            data = connection.recv(65536)
            if not data:
                return
            taken += len(data)
            give_turn()
