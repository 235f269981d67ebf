"""A proxy between this machine and providers, on loopback: HTTP CONNECT or SOCKS5, and it counts.

It alone knows the names in ``names``, all of which are this machine, so what did not go through it
did not get there.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from base64 import b64encode
from collections.abc import Collection
from contextlib import closing, suppress
from ipaddress import ip_address
from socketserver import BaseRequestHandler, ThreadingTCPServer
from types import TracebackType


class MiddleProxy:
    """See the module; attributes may be set while it runs."""

    def __init__(
        self,
        kind: str,
        names: Collection[str] = (),
        login: tuple[str, str] | None = None,
        says: bytes | None = None,
    ) -> None:
        """``says``: it says that instead of each answer; then it hangs up if it is empty or ends
        with a full stop, else it is silent.
        """
        self.kind = kind
        self.names = names
        self.login = login
        self.says = says
        self.asked: list[tuple[str, int]] = []
        self.connections = 0  # that came
        self.tunnels = 0  # that were made
        self.open = 0  # now
        self._server = _Server(("127.0.0.1", 0), _Client)
        self._server.middle = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        """What ``proxy`` of a source would say."""
        login = ":".join(self.login) + "@" if self.login else ""
        return f"{self.kind}://{login}127.0.0.1:{self.port}"

    def __enter__(self) -> MiddleProxy:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.over.set()
        self._server.shutdown()
        self._server.server_close()  # waits for its threads
        self._thread.join(10)

    def dial(self, host: str, port: int) -> socket.socket | None:
        """A connection to there; None: refused."""
        self.asked.append((host, port))
        with suppress(ValueError):
            if ip_address(host).is_loopback:
                host = "localhost"
        if host not in (*self.names, "localhost"):
            return None
        with suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", port), 5)
            self.tunnels += 1
            return connection
        return None


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    middle: MiddleProxy

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.over = threading.Event()

    def handle_error(self, *args: object) -> None:
        """A client that left is no trouble."""


class _Client(BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        middle = self.server.middle
        middle.connections += 1
        self.request.settimeout(10)
        if middle.says is not None:
            self._misbehave(middle.says)
            return
        there = self._http() if middle.kind == "http" else self._socks()
        if there is not None:
            middle.open += 1
            try:
                with closing(there):
                    self._relay(there)
            finally:
                middle.open -= 1

    def _misbehave(self, says: bytes) -> None:
        self.request.recv(4096)
        self.request.sendall(says.removesuffix(b"."))
        if says and not says.endswith(b"."):
            while not self.server.over.is_set():
                if _readable(self.request) and not self.request.recv(4096):
                    return

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.request.recv(size - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    def _http(self) -> socket.socket | None:
        middle, head = self.server.middle, b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        wanted = b64encode(":".join(middle.login or ()).encode()).decode()
        if method != "CONNECT":
            self.request.sendall(b"HTTP/1.1 405 Only CONNECT\r\n\r\n")
            return None
        if middle.login and f"Proxy-Authorization: Basic {wanted}" not in lines:
            self.request.sendall(b"HTTP/1.1 407 Who are you\r\n\r\n")
            return None
        host, _, port = target.rpartition(":")
        there = middle.dial(host.strip("[]"), int(port))
        found = b"200 Here you are" if there else b"502 Not there"
        self.request.sendall(b"HTTP/1.1 " + found + b"\r\nVia: the middle\r\n\r\n")
        return there

    def _socks(self) -> socket.socket | None:
        middle = self.server.middle
        version, count = self._read(2)
        assert version == 5
        ways = self._read(count)
        way = 2 if middle.login else 0
        if way not in ways:
            self.request.sendall(b"\x05\xff")
            return None
        self.request.sendall(bytes((5, way)))
        if middle.login:
            user = self._read(self._read(2)[1])
            password = self._read(self._read(1)[0])
            good = (user.decode(), password.decode()) == middle.login
            self.request.sendall(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return None
        _, _, _, kind = self._read(4)
        if kind == 3:
            host = self._read(self._read(1)[0]).decode()
        else:
            host = str(ip_address(self._read(4 if kind == 1 else 16)))
        (port,) = struct.unpack("!H", self._read(2))
        there = middle.dial(host, port)
        reply = 0 if there else 4
        self.request.sendall(bytes((5, reply, 0, 1)) + bytes(6))
        return there

    def _relay(self, there: socket.socket) -> None:
        pairs = {self.request: there, there: self.request}
        while not self.server.over.is_set():
            for side in select.select(list(pairs), [], [], 0.05)[0]:
                data = side.recv(65536)
                if not data:
                    return
                pairs[side].sendall(data)


def _readable(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0.05)[0])
