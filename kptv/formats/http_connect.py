"""HTTP CONNECT (RFC 9110, 9.3.6), the client's side. Pure."""

from __future__ import annotations

from base64 import b64encode

from kptv.formats.http import read_head
from kptv.formats.tunnel import ProxyFailed, TargetRefused, authority

_LONGEST_HEAD = 16 * 1024  # bytes, with all interim answers
_LOGIN_WANTED = 407


class HttpConnect:
    """The handshake for a connection to ``host`` and ``port`` (see ``tunnel.Handshake``)."""

    asked = True  # with the first words

    def __init__(self, host: str, port: int, login: tuple[str, str] | None = None) -> None:
        """Raises ValueError for a host that cannot be asked for."""
        self._target = authority(host, port).encode("ascii")
        if not self._target.decode().isprintable() or b" " in self._target:
            raise ValueError("a name that cannot be sent")
        self._login = login
        self._answer = b""
        self._size = 0  # bytes that came
        self.done = False

    def __repr__(self) -> str:
        return f"<HttpConnect done={self.done}>"

    def start(self) -> bytes:
        """The request."""
        lines = [b"CONNECT " + self._target + b" HTTP/1.1", b"Host: " + self._target]
        if self._login:
            login = b64encode(":".join(self._login).encode())
            lines.append(b"Proxy-Authorization: Basic " + login)
        return b"\r\n".join((*lines, b"", b""))

    def feed(self, data: bytes) -> bytes:
        """Nothing. Raises ProxyFailed, TargetRefused."""
        self._answer += data
        self._size += len(data)
        while (end := _end_of_head(self._answer)) is not None and not self.done:
            head, self._answer = self._answer[:end], self._answer[end:]
            self._read(head)
        if self.done and self._answer:
            raise ProxyFailed("it says more than it was asked")
        if self._size > _LONGEST_HEAD:
            raise ProxyFailed("its answer has no end")
        return b""

    def _read(self, text: bytes) -> None:
        first, *lines = text.lstrip(b"\r\n").split(b"\n")
        head = read_head(first, lines)
        if head is None:
            raise ProxyFailed("it does not speak HTTP")
        if head.interim:
            return
        if head.status == _LOGIN_WANTED:
            raise ProxyFailed("it refuses the login" if self._login else "it wants a login")
        if not 200 <= head.status < 300:
            raise TargetRefused(f"HTTP {head.status}")
        self.done = True


def _end_of_head(text: bytes) -> int | None:
    """Where what follows a head begins; None: it has no end yet."""
    ends = [at + len(end) for end in (b"\n\r\n", b"\n\n") if (at := text.find(end)) >= 0]
    return min(ends, default=None)
