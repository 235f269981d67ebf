"""A provider in the same loop as what is tested, so that its turns are turns like the others."""

from __future__ import annotations

import select
from typing import Any

import gevent
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from gevent.server import StreamServer

from kptv.polling import polled
from tests.restream.radio import Radio

_KEY = bytes(range(16))
_FRAMES = 20  # of a segment
_FILM = b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + b"\0\0\x10\0mdat" + bytes(4096)
_LIST = b"#EXTM3U\n" + b"".join(
    b'#EXTINF:-1 tvg-id="%d" group-title="G",Channel %d\nhttp://h/%d.ts\n' % (n, n, n)
    for n in range(3)
)
_MASTER = b"""#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=100000
gone
#EXT-X-STREAM-INF:BANDWIDTH=200000
moved/media
"""
_MEDIA = b"""#EXTM3U
#EXT-X-TARGETDURATION:1
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-KEY:METHOD=AES-128,URI="/key",IV=0x00000000000000000000000000000000
#EXTINF:1,
/segment
#EXTINF:1,
/segment
#EXTINF:1,
/segment
"""


class Origin:
    """Listens on loopback; ``most_open``: so many connections were open at a time."""

    def __init__(self) -> None:
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self._open: set[Any] = set()
        self.most_open = 0
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def clear(self) -> None:
        """Nobody is connected any more."""
        assert not self._open

    def _serve(self, connection: Any, address: object) -> None:
        self._open = {c for c in self._open if not _has_hung_up(c)} | {connection}
        self.most_open = max(self.most_open, len(self._open))
        try:
            while request := connection.recv(65536):
                self._answer(connection, request.split(b" ")[1].decode().strip("/"))
        except OSError:
            pass
        finally:
            self._open.discard(connection)

    def _answer(self, connection: Any, path: str) -> None:
        if path.startswith("moved/"):
            where = path.removeprefix("moved/").encode()
            head = b"HTTP/1.1 302 Found\r\nLocation: /%b\r\nContent-Length: 4\r\n\r\nmove"
            connection.sendall(head % where)
        elif path in ("live", "short"):
            self._broadcast(connection, 3 if path == "short" else 500)
        elif path in _BODIES:
            body = _BODIES[path]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            connection.sendall(body[:60])
            gevent.sleep(0)
            connection.sendall(body[60:])
        else:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def _broadcast(self, connection: Any, frames: int) -> None:
        radio = Radio()
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(frames):
            connection.sendall(radio.frame(b"on"))
            gevent.sleep(0.002)
            if _has_hung_up(connection):
                return
        connection.shutdown(2)


def _has_hung_up(connection: Any) -> bool:
    if connection.fileno() < 0:
        return True
    return polled(connection.fileno(), select.POLLRDHUP)()


def _encrypted(data: bytes) -> bytes:
    padding = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(_KEY), modes.CBC(bytes(16))).encryptor()
    return encryptor.update(padding.update(data) + padding.finalize()) + encryptor.finalize()


def _segment() -> bytes:
    radio = Radio()
    return b"".join(radio.frame(b"on") for _ in range(_FRAMES))


_BODIES = {
    "master": _MASTER,
    "media": _MEDIA,
    "key": _KEY,
    "segment": _encrypted(_segment()),
    "film": _FILM,
    "list": _LIST,
}
