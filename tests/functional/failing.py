"""Shared by the tests of failures: answers no HTTP server would give, and what must never leak."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from types import TracebackType

from tests.functional.harness import Proxy
from tests.provider import Provider


def note(text: str) -> None:
    """A measured figure: shown with ``pytest -s`` and beside a failure."""
    print(text)  # noqa: T201 - pytest captures it


class RawServer:
    """Answers each request with these bytes, for what the simulator cannot say, and closes.

    ``hold``: leaves closing to the client. ``then`` is said again and again until it does.
    """

    def __init__(self, answer: bytes, *, hold: bool = False, then: bytes = b"") -> None:
        requests = self.requests = list[bytes]()  # the heads, as they came
        closed = self.closed = threading.Semaphore(0)  # one for each connection that is over

        class Answering(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    requests.append(_receive_request(self.request))
                    self.request.sendall(answer)
                    while then:
                        self.request.sendall(then)
                    while hold and self.request.recv(65536):
                        pass
                closed.release()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def __enter__(self) -> RawServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


def _receive_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received and (data := connection.recv(65536)):
        received += data
    return received


def assert_nothing_leaked(proxy: Proxy, *providers: Provider) -> None:
    """No address, user or password in what the proxy says now or has logged; no traceback."""
    paths = ("/metrics", "/playlist.m3u8", "/readyz", "/healthz", "/nothing")
    answers = {path: proxy.get(path) for path in paths}
    said = {path: f"{answer.headers}\n{answer.text}" for path, answer in answers.items()}
    said["the log"] = proxy.log
    for place, text in said.items():
        for secret in (secret for provider in providers for secret in provider.secrets):
            at = text.find(secret)
            assert at < 0, f"in {place}: {text[max(0, at - 200) : at + 100]}"
    assert "Traceback" not in proxy.log


def warnings_of(proxy: Proxy, slug: str, source: int) -> list[str]:
    """The log's lines of trouble with this channel at this source."""
    words = (f"{slug}: ", f"source-{source}: ")
    lines = (line for line in proxy.log.splitlines() if " WARNING " in line)
    return [line for line in lines if all(word in line for word in words)]
