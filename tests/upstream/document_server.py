"""A provider of documents on loopback, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


class DocumentServer:
    """Serves what ``answer`` says; remembers the requests."""

    def __init__(self, answer: Answer) -> None:
        self.answer: Answer | Callable[[Mapping[str, str], str], Answer] = answer
        self.requests: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                answer = outer.answer
                status, headers, body = (
                    answer(self.headers, self.path) if callable(answer) else answer  # type: ignore[arg-type]
                )
                self.send_response(status)
                headers = {"Content-Length": str(len(body)), "Connection": "close", **headers}
                for name, value in headers.items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/get.php?username=ann&password=s3cret"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
