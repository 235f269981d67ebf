"""What answers in place of several instances: each says who it is, and keeps what it was asked."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket

from tests.functional.harness import ReservedPort
from tests.functional.hls_worker import Asked


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
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """It answers nobody, as if its process had ended; may come twice."""
        if self._server is not None:
            self._server.end()
            self._server = None

    def close(self) -> None:
        self.stop()
        self._reserved.release()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, instance: Instance) -> None:
        super().__init__(("127.0.0.1", instance.port), _Answering)
        self.instance = instance
        self._open: list[socket] = []

    def get_request(self) -> tuple[socket, tuple[str, int]]:
        connection, address = super().get_request()
        self._open.append(connection)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: routers end what asks for health as they like."""

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)


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
