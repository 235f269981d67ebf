"""Connections through the proxy of a source: the handshake, on a socket."""

from __future__ import annotations

import socket
from collections.abc import Callable
from time import monotonic

from kptv.errors import Reason, UpstreamError
from kptv.formats.http_connect import HttpConnect
from kptv.formats.socks5 import Socks5
from kptv.formats.tunnel import Handshake, ProxyAddress, ProxyFailed, TargetRefused

_AT_ONCE = 4096  # bytes of an answer
# CONNECT for plain http too: what is sent and read behind it is the same as without a proxy, so
# no answer is changed, kept or refused on its way, and the login goes to the proxy once.
_HANDSHAKES: dict[str, Callable[[str, int, tuple[str, str] | None], Handshake]] = {
    "http": HttpConnect,
    "socks5": Socks5,
}


def ask_proxy(
    connection: socket.socket, proxy: ProxyAddress, host: str, port: int, deadline: float
) -> None:
    """Have a connection to the proxy lead on to ``host``, which the proxy looks up.

    ``deadline`` is monotonic. Raises UpstreamError: PROXY if the proxy is at fault, REFUSED or
    TIMEOUT if the address is, BAD_URL for one that cannot be asked for.
    """
    try:
        handshake = _HANDSHAKES[proxy.scheme](host, port, proxy.login)
    except ValueError:
        raise UpstreamError(Reason.BAD_URL, "a host that no proxy can be asked for") from None
    try:
        _exchange(connection, handshake, deadline)
    except TargetRefused as refused:
        raise UpstreamError(Reason.REFUSED, f"behind the proxy: {refused}") from None
    except ProxyFailed as failed:
        raise UpstreamError(Reason.PROXY, str(failed)) from None
    except TimeoutError:
        if handshake.asked:
            raise UpstreamError(Reason.TIMEOUT, "no connection in time behind the proxy") from None
        raise UpstreamError(Reason.PROXY, "it does not answer") from None
    except OSError:
        raise UpstreamError(Reason.PROXY, "it hung up") from None


def _exchange(connection: socket.socket, handshake: Handshake, deadline: float) -> None:
    _send(connection, handshake.start(), deadline)
    while not handshake.done:
        connection.settimeout(_left(deadline))
        data = connection.recv(_AT_ONCE)
        if not data:
            raise ProxyFailed("it hung up")
        _send(connection, handshake.feed(data), deadline)


def _send(connection: socket.socket, data: bytes, deadline: float) -> None:
    if data:
        connection.settimeout(_left(deadline))
        connection.sendall(data)


def _left(deadline: float) -> float:
    """Seconds. Raises TimeoutError if there are none: an answer may drip."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left
