"""A client's address and application, as far as a request tells, and how long it may take."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import Request, request

from kptv.config import Network
from kptv.restream.lease import Client
from kptv.web.caller import caller_in

log = logging.getLogger(__name__)

SEND_TIMEOUT = 30.0  # seconds; a client that takes nothing for that long has vanished
_LONGEST_AGENT = 200  # letters
# Names of applications whose User-Agent does not begin with one; the first that fits counts.
_KNOWN = (
    (re.compile(r"\bEdg/([\d.]+)"), "Edge"),
    (re.compile(r"\bOPR/([\d.]+)"), "Opera"),
    (re.compile(r"\bFirefox/([\d.]+)"), "Firefox"),
    (re.compile(r"\bKodi/([\d.]+)"), "Kodi"),
    (re.compile(r"\bTizen ([\d.]+)"), "Samsung TV"),
    (re.compile(r"\bWeb0S"), "LG TV"),
    (re.compile(r"\b(?:Headless)?Chrome/([\d.]+)"), "Chrome"),
    (
        re.compile(r"\bVersion/([\d.]++)(?>(?:[^VS]++|V(?!ersion/)|S(?!afari/))*)Safari/"),
        "Safari",
    ),
    (re.compile(r"\bLavf/([\d.]+)"), "FFmpeg"),
)
# What proxies say of whom they speak for.
_CLAIMS = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host", "Via")
_EXPOSED = (
    "anyone who finds the port can watch, as no login is needed. Let only those in whom you make"
    " users (python -m kptv.users add NAME), or let a firewall close the port (docs/security.md)"
)
_EXPOSED_WITH_LOGIN = (
    "only users with a login can watch. Secrets are in addresses: let nginx with a certificate"
    " stand before the port, so that nobody on the way reads them (docs/security.md)"
)
_PRODUCT = re.compile(r"([^/(;,]{1,40})(?:/(\d[\w.]*))?")


class Clients:
    """Tells who sent a request, as far as that can be believed."""

    def __init__(
        self, trusted: Sequence[Network], needs_login: Callable[[], bool] = lambda: False
    ) -> None:
        """``trusted``: the proxies that are believed when they name a client's address."""
        self._trusted = tuple(trusted)
        self._needs_login = needs_login
        self.not_believed = ""
        """A peer that is no trusted proxy, but named another's address; empty: there was none."""
        self._exposed_at = ""

    def __repr__(self) -> str:
        return f"<Clients trusted={len(self._trusted)} not_believed={self.not_believed!r}>"

    @property
    def exposed_at(self) -> str:
        """A public address of this machine, or of a client that reached it, while there is no login

        and anyone who finds the port can watch; empty: none is known.
        """
        return "" if self._needs_login() else self._exposed_at

    def of(self, request: Request) -> Client:
        """The client of a request; behind trusted proxies, the one that they name."""
        agent = request.headers.get("User-Agent", "")[:_LONGEST_AGENT]
        return Client(self.address(request), agent, caller_in(request.environ).name)

    def address(self, request: Request) -> str:
        """Its address; empty for a Unix socket whose proxy names none."""
        peer = request.remote_addr or ""
        forwarded = request.headers.get("X-Forwarded-For", "")
        known = _address(peer)
        if known is not None and known.is_global:
            self.tell_exposed(str(known), f"A client came from {known}, a public address")
        if not forwarded:
            return str(known or peer)
        if known is not None and not self._is_trusted(known):
            self._tell_once(str(known))
            return str(known)
        return str(self._first_not_trusted(forwarded) or known or "")

    def is_claimed(self, request: Request) -> bool:
        """Whether a peer that is no trusted proxy speaks for somebody else, who is not known."""
        known = _address(request.remote_addr or "")
        if known is None or self._is_trusted(known):
            return False
        return any(name in request.headers for name in _CLAIMS)

    def is_secure(self, request: Request) -> bool:
        """Whether a trusted proxy says that its client came by https."""
        proto = request.headers.get("X-Forwarded-Proto")
        if not proto or proto.rpartition(",")[2].strip().lower() != "https":
            return False
        known = _address(request.remote_addr or "")
        return known is None or self._is_trusted(known)

    def tell_exposed(self, address: str, how: str) -> None:
        """Say once what that means: that anyone can watch, or where secrets may be overheard."""
        if self._exposed_at:
            return
        self._exposed_at = address
        if self._needs_login():
            log.info("%s: %s", how, _EXPOSED_WITH_LOGIN)
        else:
            log.warning("%s: %s", how, _EXPOSED)

    def _first_not_trusted(self, forwarded: str) -> IPv4Address | IPv6Address | None:
        """The client as the proxies name it: each adds the address of its peer at the end.

        Whatever stands before the client's address is only its claim.
        """
        found = None
        for text in reversed(forwarded.split(",")):
            address = _address(_without_port(text.strip()))
            if address is None:
                return found
            found = address
            if not self._is_trusted(address):
                return found
        return found

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)

    def _tell_once(self, peer: str) -> None:
        if not self.not_believed:
            self.not_believed = peer
            log.warning(
                "%s sends X-Forwarded-For, but is no trusted proxy: its viewers count as one"
                " client. If it is your proxy, set TRUSTED_PROXIES=%s",
                peer,
                peer,
            )


def neighbourhood(address: str) -> str:
    """The addresses of a household: an IPv4 address, an IPv6 network of 64 bits (RFC 6177)."""
    known = _address(address)
    return str(ip_network((known, 64), strict=False)) if known and known.version == 6 else address


def bound_sends() -> None:
    """Give each send of the answer a deadline: a client that takes nothing holds no connection."""
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SEND_TIMEOUT)


def app_of(agent: str) -> str:
    """A short name for a User-Agent: ``VLC 3.0.18``, ``Chrome 120``; empty if it says nothing."""
    for pattern, name in _KNOWN:
        if found := pattern.search(agent):
            version = (found[1] if pattern.groups else "").partition(".")[0]
            return f"{name} {version}".strip()
    product = _PRODUCT.match(agent)
    if product is None:
        return ""
    return f"{product[1].strip()} {product[2] or ''}".strip()


_PORT = re.compile(r"\[([^\]]{2,45})\](?::\d{1,5})?|([\d.]{7,15}):\d{1,5}")


def _without_port(text: str) -> str:
    """The address of ``192.0.2.1:80`` or ``[2001:db8::1]:80``, as some proxies write it."""
    match = _PORT.fullmatch(text)
    return (match[1] or match[2]) if match else text


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
