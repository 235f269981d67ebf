"""A server in a thread, which ends as one does whose process has ended."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket


class WebServer(ThreadingHTTPServer):
    """Serves from ``begin`` until ``close``, which ends its connections, too."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answering: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), answering)
        self.port: int = self.server_address[1]
        self.connections = 0
        self._open: list[socket] = []

    def begin(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def get_request(self) -> tuple[socket, tuple[str, int]]:
        connection, address = super().get_request()
        self.connections += 1
        self._open.append(connection)
        return connection, address

    def close(self) -> None:
        """It answers nobody any more; may come twice."""
        self.shutdown()
        self.server_close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
