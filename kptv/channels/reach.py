"""Where a provider's list may lead this proxy: never into the operator's own network uninvited.

Others write the channel list, and the redirects and playlists behind it. They could make this
proxy fetch what only this proxy can reach: a router's page, a camera, the keys of a cloud machine.
So we connect to a private address only if the list itself has one.
Pure: told the address that is connected to, looks nothing up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeVar
from urllib.parse import urlsplit

from kptv.channels.hosts import host_of
from kptv.channels.model import Stream

Address = IPv4Address | IPv6Address
T = TypeVar("T")

MOST_SERVERS = 32  # servers of one stream's media that are looked at
_LONGEST_MANIFEST = 1024**2  # bytes
# Where a DASH manifest names addresses of media (ISO/IEC 23009-1, 5.6, 5.3.9), not of schemas.
_ADDRESS = re.compile(
    rb"(?:<(?:BaseURL|Location)(?:\s[^>]{0,500}+)?>"
    rb"|\b(?:media|initialization|sourceURL|index|href)\s{0,9}+=\s{0,9}+[\"'])"
    rb"\s{0,99}+([a-z][a-z0-9+.-]{1,15}+://[^\s\"'<>]{1,2000}+)",
    re.IGNORECASE,
)

# Reachable only from this network or machine (RFC 6890, 1918, 6598, 4193, 4291).
_PRIVATE = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "240.0.0.0/4",  # with the broadcast address
        "::/127",  # unspecified and loopback
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
    )
)
# Where clouds hand out a machine's keys. No stream is ever there.
_METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",
            "169.254.169.253",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
        ),
    )
)
_LOOPBACK = IPv4Address("127.0.0.1")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))  # RFC 6052, RFC 8215


class Private(StrEnum):
    """The setting ALLOW_PRIVATE_UPSTREAMS."""

    AUTO = "auto"  # for lists that are private themselves
    ALWAYS = "true"
    NEVER = "false"


def is_private(address: Address) -> bool:
    """Whether only this network reaches ``address``. Multicast, which carries IPTV, is public."""
    inner = _inside(address)
    return any(inner in network for network in _PRIVATE)


def is_metadata(address: Address) -> bool:
    """Whether a cloud's metadata service answers there."""
    return _inside(address) in _METADATA


def refusal(address: Address, policy: Private, *, list_is_private: bool) -> str:
    """Why ``address`` must not be connected to, for the log; empty if it may."""
    if is_metadata(address):
        return "leads to a cloud's metadata service"
    if not is_private(address) or policy is Private.ALWAYS:
        return ""
    if policy is Private.AUTO and list_is_private:
        return ""
    why = "" if policy is Private.NEVER else ", and its list is from a public one"
    return f"leads to a private address{why}; ALLOW_PRIVATE_UPSTREAMS=true would allow it"


def parse_address(text: str) -> Address | None:
    """The address that ``text`` is, with or without brackets and scope; None for a name."""
    try:
        return ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def written_address(host: str) -> Address | None:
    """The address that ``host`` is by itself, if somebody else looks names up; None for a name.

    Raises ValueError for what only some lookups take for an address: ``127.1``, ``0x7f.1``.
    """
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, 6.3
        return _LOOPBACK
    address = parse_address(host)
    last = host.rpartition(".")[2]
    if address is None and (last.isdigit() or last.startswith("0x")):
        raise ValueError("an address that cannot be read")
    return address


# Headers that any server may see. All others are meant for the host of the entry's link.
_TRAVELLING = frozenset(
    ("user-agent", "referer", "origin", "range", "connection", "if-none-match", "if-modified-since")
)


def travels(name: str) -> bool:
    """Whether any server may see a header of this name."""
    return name.lower() in _TRAVELLING or name.lower().startswith("accept")


def travelling(headers: Mapping[str, T]) -> dict[str, T]:
    """The headers of a request that may go to another host than the link's own."""
    return {name: value for name, value in headers.items() if travels(name)}


def headers_for(stream: Stream, *urls: str) -> Mapping[str, str]:
    """The headers of a stream's entry that are sent with requests for ``urls``."""
    home = host_name(stream.url)
    if all(host_name(url) == home for url in urls):
        return stream.headers
    return travelling(stream.headers)


def one_a_server(urls: Iterable[str]) -> list[str]:
    """One URL per server, the first of ``urls``; MOST_SERVERS at most."""
    found: dict[str, str] = {}
    for url in urls:
        found.setdefault(host_of(url), url)
        if len(found) >= MOST_SERVERS:
            break
    return list(found.values())


def addresses_in(manifest: bytes) -> list[str]:
    """Absolute addresses that a DASH manifest names, one per server."""
    found = _ADDRESS.finditer(manifest[:_LONGEST_MANIFEST])
    return one_a_server(match[1].decode("latin-1") for match in found)


def host_name(url: str) -> str:
    """The host of a URL without its port, in lower case; empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _inside(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if int(address) >> 32 == 0 and int(address) > 1:  # IPv4-compatible (RFC 4291, 2.5.5.1)
        return IPv4Address(int(address))
    return address
