"""A way through a proxy: where the proxy is, and what its two protocols have in common.

A handshake is fed what the proxy says, in any pieces, and gives what is to be said next. Until it
is done, a proxy has nothing to say but its answers: whatever comes behind them is a fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Protocol
from urllib.parse import unquote, urlsplit

LONGEST = 255  # bytes of a name, a user or a password (RFC 1928, 1929)


class ProxyFailed(Exception):
    """The proxy does not do its work. The message is for the log."""


class TargetRefused(Exception):
    """The proxy works, but gives no connection to this address. The message is for the log."""


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """Where a proxy is, and how to log in there."""

    scheme: str  # http or socks5
    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)  # user and password


class Handshake(Protocol):
    """What is said to a proxy before the connection behind it is there."""

    @property
    def done(self) -> bool:
        """The connection is there."""

    @property
    def asked(self) -> bool:
        """The proxy knows the address: if it is silent, it may be waiting for that one."""

    def start(self) -> bytes:
        """What is said first."""

    def feed(self, data: bytes) -> bytes:
        """What is to be said to that, maybe nothing. Raises ProxyFailed, TargetRefused."""


def read_proxy(text: str) -> ProxyAddress | None:
    """The proxy at ``http://``, ``socks5://`` or ``socks5h://``; None if it is none of these."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    scheme = {"socks5h": "socks5"}.get(parts.scheme, parts.scheme)
    if scheme not in ("http", "socks5") or not host or not port:
        return None
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if max(len(part.encode()) for part in (host, user, password)) > LONGEST:
        return None
    if "@" in parts.netloc and (not user or (scheme == "http" and ":" in user)):
        return None
    return ProxyAddress(scheme, host, port, (user, password) if user else None)


def authority(host: str, port: int) -> str:
    """Host and port as they stand in a URL."""
    try:
        return f"[{IPv6Address(host.strip('[]'))}]:{port}"
    except ValueError:
        return f"{host}:{port}"
