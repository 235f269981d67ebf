"""SOCKS5 (RFC 1928), with user and password (RFC 1929): the client's side of CONNECT. Pure.

Names are sent as they are: the proxy looks them up.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from kptv.formats.tunnel import LONGEST, ProxyFailed, TargetRefused

_VERSION, _OF_LOGIN = 5, 1
_NO_LOGIN, _LOGIN, _NONE_FITS = 0, 2, 0xFF
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_SIZES = {_IPV4: 4, _IPV6: 16}  # bytes of an address
_PORT = 2  # bytes of one
_SUCCEEDED = 0
_NOT_SOCKS = "it does not speak SOCKS5"
_REFUSALS = {
    1: "failed",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "no answer in time",
}
_Step = Callable[[bytes], bytes]  # as many bytes as are wanted: what is to be said to them


class Socks5:
    """The handshake for a connection to ``host`` and ``port`` (see ``tunnel.Handshake``)."""

    def __init__(self, host: str, port: int, login: tuple[str, str] | None = None) -> None:
        """Raises ValueError for a host that cannot be asked for."""
        self._address = _address(host) + port.to_bytes(2, "big")
        self._login = login
        self._answer = b""
        self._wanted = 2  # bytes, for the next step
        self._step: _Step = self._chosen
        self.done = False
        self.asked = False

    def __repr__(self) -> str:
        return f"<Socks5 asked={self.asked} done={self.done}>"

    def start(self) -> bytes:
        """The ways to log in that we know."""
        ways = (_NO_LOGIN, _LOGIN) if self._login else (_NO_LOGIN,)
        return bytes((_VERSION, len(ways), *ways))

    def feed(self, data: bytes) -> bytes:
        """What is to be said to that. Raises ProxyFailed, TargetRefused."""
        self._answer += data
        said = b""
        while len(self._answer) >= self._wanted and not (said or self.done):
            part, self._answer = self._answer[: self._wanted], self._answer[self._wanted :]
            said = self._step(part)
        if self._answer and (said or self.done):
            raise ProxyFailed("it says more than it was asked")
        return said

    def _chosen(self, answer: bytes) -> bytes:
        version, way = answer
        if version != _VERSION:
            raise ProxyFailed(_NOT_SOCKS)
        if way == _NO_LOGIN:
            return self._ask()
        if way == _LOGIN and self._login is not None:
            self._step = self._let_in
            user, password = (part.encode() for part in self._login)
            return bytes((_OF_LOGIN, len(user))) + user + bytes((len(password),)) + password
        if way != _NONE_FITS:
            raise ProxyFailed("it wants a login of another kind")
        raise ProxyFailed("it wants another login" if self._login else "it wants a login")

    def _let_in(self, answer: bytes) -> bytes:
        if answer[1] != _SUCCEEDED:  # some servers put another version in front
            raise ProxyFailed("it refuses the login")
        return self._ask()

    def _ask(self) -> bytes:
        self._step, self._wanted, self.asked = self._replied, 4, True
        return bytes((_VERSION, _CONNECT, 0)) + self._address

    def _replied(self, answer: bytes) -> bytes:
        version, reply, _, kind = answer
        if version != _VERSION or kind not in (*_SIZES, _NAME):
            raise ProxyFailed(_NOT_SOCKS)
        if reply != _SUCCEEDED:
            raise TargetRefused(_REFUSALS.get(reply, "failed"))
        self._step, self._wanted = self._bound, _SIZES.get(kind, 0) + _PORT
        if kind == _NAME:
            self._step, self._wanted = self._named, 1
        return b""

    def _named(self, answer: bytes) -> bytes:
        self._step, self._wanted = self._bound, answer[0] + _PORT
        return b""

    def _bound(self, _: bytes) -> bytes:
        """The proxy's own address on the other side: nobody needs it."""
        self.done = True
        return b""


def _address(host: str) -> bytes:
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        name = host.encode("ascii")
        if not 0 < len(name) <= LONGEST:
            raise ValueError("a name that is too long") from None
        return bytes((_NAME, len(name))) + name
    return bytes((_IPV4 if address.version == 4 else _IPV6,)) + address.packed
