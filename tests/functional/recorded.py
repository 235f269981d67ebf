"""The proxy, which writes each name that it looks up and each address that it connects to."""

from __future__ import annotations

import socket
import sys
from typing import Any

from kptv.upstream import resolver


def _tell(what: str) -> None:
    sys.stderr.write(f"RECORDED {what}\n")
    sys.stderr.flush()


def app() -> Any:
    """gunicorn is started with ``tests.functional.recorded:app()``."""
    of_system, of_resolver = socket.getaddrinfo, resolver._getaddrinfo
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def look_up(name: Any, *args: Any, **options: Any) -> Any:
        _tell(f"name {name}")
        return of_system(name, *args, **options)

    def look_up_in_thread(name: Any, *args: Any, **options: Any) -> Any:
        _tell(f"name {name}")
        return of_resolver(name, *args, **options)

    def connect_to(self: Any, address: Any) -> Any:
        _tell(f"port {address[1]}")
        return connect(self, address)

    def connect_to_ex(self: Any, address: Any) -> Any:
        _tell(f"port {address[1]}")
        return connect_ex(self, address)

    patched: Any = socket
    patched.getaddrinfo = look_up
    patched.socket.connect, patched.socket.connect_ex = connect_to, connect_to_ex
    resolver._getaddrinfo = look_up_in_thread
    from wsgi import app

    return app
