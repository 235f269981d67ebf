"""What answers in place of several instances: each says who it is, and keeps what it was asked."""

from __future__ import annotations

import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

from tests.functional.harness import ReservedPort
from tests.functional.hls_worker import Asked
from tests.functional.web_servers import WebServer


class Instance:
    """A server on a port that stays its own while it is down."""

    def __init__(self) -> None:
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        self.asked: list[Asked] = []  # without what asks for its health
        self.is_live = False  # an answer to GET goes on until its connection ends
        self._server: _Server | None = None

    def start(self) -> Instance:
        self._server = _Server(self)
        self._server.begin()
        return self

    def stop(self) -> None:
        """It answers nobody, as if its process had ended; may come twice."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def close(self) -> None:
        self.stop()
        self._reserved.release()


class _Server(WebServer):
    def __init__(self, instance: Instance) -> None:
        super().__init__(_Answering, instance.port)
        self.instance = instance

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: routers end what asks for health as they like."""


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        instance = self.server.instance
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path != "/healthz":
            instance.asked.append(Asked(self.command, self.path, self.headers))
        body = str(instance.port).encode()
        self.send_response(200)
        if instance.is_live:
            self._send_on()
            return
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Instance", str(instance.port))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET

    def _send_on(self) -> None:
        self.send_header("X-Instance", str(self.server.instance.port))
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(188))
                time.sleep(0.02)

    def log_message(self, *_: object) -> None:
        """Nothing: requests are kept."""
