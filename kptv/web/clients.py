"""Who asks: address and application, as far as a request tells; and how long it may take."""

from __future__ import annotations

import ipaddress
import re

from flask import Request, request

from kptv.restream.subscriber import Client

SEND_TIMEOUT = (
    30.0  # seconds in which a client must take a piece of an answer; else it has vanished
)
_LONGEST_AGENT = 200  # letters
# What to call those that do not begin with their name. The first that fits.
_KNOWN = (
    (re.compile(r"\bEdg/([\d.]+)"), "Edge"),
    (re.compile(r"\bOPR/([\d.]+)"), "Opera"),
    (re.compile(r"\bFirefox/([\d.]+)"), "Firefox"),
    (re.compile(r"\bKodi/([\d.]+)"), "Kodi"),
    (re.compile(r"\bTizen ([\d.]+)"), "Samsung TV"),
    (re.compile(r"\bWeb0S"), "LG TV"),
    (re.compile(r"\b(?:Headless)?Chrome/([\d.]+)"), "Chrome"),
    (re.compile(r"\bVersion/([\d.]+).*Safari/"), "Safari"),
    (re.compile(r"\bLavf/([\d.]+)"), "FFmpeg"),
)
_PRODUCT = re.compile(r"([^/(;,]{1,40})(?:/(\d[\w.]*))?")


def client_of(request: Request) -> Client:
    """The client of a request; behind a proxy of this network, the one that it names."""
    agent = request.headers.get("User-Agent", "")[:_LONGEST_AGENT]
    address = request.remote_addr or ""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if forwarded and _is_near(address) and _address(forwarded):
        address = forwarded
    return Client(address, agent)


def bound_sends() -> None:
    """A deadline for each send of the answer: nobody who takes nothing holds a connection."""
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SEND_TIMEOUT)


def app_of(agent: str) -> str:
    """A short name for a User-Agent: ``VLC 3.0.18``, ``Chrome 120``; empty where it is empty."""
    for pattern, name in _KNOWN:
        if found := pattern.search(agent):
            version = (found[1] if pattern.groups else "").partition(".")[0]
            return f"{name} {version}".strip()
    product = _PRODUCT.match(agent)
    if product is None:
        return ""
    return f"{product[1].strip()} {product[2] or ''}".strip()


def _is_near(address: str) -> bool:
    known = _address(address)
    return known is None or known.is_loopback or known.is_private


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
