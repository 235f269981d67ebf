"""Clients' sockets: how to end one that a greenlet waits for, and how many more there can be."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple

from gevent.monkey import get_original

_Socket = get_original("socket", "socket")


class SpareDescriptors(NamedTuple):
    """Descriptors that are left free for others."""

    descriptors: int
    part: int  # at most one in so many, if few are allowed

    def of(self, allowed: int) -> int:
        """How many to leave free if the process may have ``allowed``."""
        return min(self.descriptors, allowed // self.part)


# Viewers leave these to upstreams, files, logs and other clients.
VIEWERS_LEAVE = SpareDescriptors(256, part=3)
# All clients leave these to upstreams of a failover and to logs, which keep streams going.
CLIENTS_LEAVE = SpareDescriptors(64, part=8)


def hang_up_of(connection: Any) -> Callable[[], None]:
    """A function that ends a connection without waiting: a read sees the end, a send fails."""

    def hang_up() -> None:
        # After gevent's own shutdown, a send would fail as if this were a fault of ours.
        with suppress(OSError), _Socket(fileno=os.dup(connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    return hang_up


def plain(peer: Any) -> Any:
    """The address of a client, as ``accept`` gives it, without the form that IPv6 has for IPv4's.

    Otherwise whoever compares it with an address of IPv4 finds another.
    """
    if not isinstance(peer, tuple) or not peer[0].startswith("::ffff:"):
        return peer
    return peer[0].removeprefix("::ffff:"), peer[1]


def public_address(host: str) -> str:
    """A public address that leads to what listens on ``host``; empty if there is none."""
    return next((str(a) for a in _addresses(host) if a.is_global), "")


def network_address(host: str) -> str:
    """An address that leads others of the network to what listens on ``host``; or empty."""
    return next((str(a) for a in _addresses(host) if not a.is_loopback and not a.is_link_local), "")


def address_towards(peer: str) -> str:
    """The address by which a peer of IPv4 reaches this machine. Raises OSError if none does.

    Nothing is sent: connecting a datagram socket only chooses a route, and so the address.
    """
    with _Socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect((peer, 9))
        address: str = asking.getsockname()[0]
        return address


def _addresses(host: str) -> Iterator[IPv4Address | IPv6Address]:
    """Those of this machine that lead to ``host``, IPv4 first.

    Nothing is sent: connecting a datagram socket only chooses a route, and so the address.
    """
    if not ip_address(host).is_unspecified:
        yield ip_address(host)
        return
    for family, anywhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), _Socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((anywhere, 9))
            yield ip_address(asking.getsockname()[0])


def most_clients() -> int:
    """How many clients' sockets there may be."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return allowed - CLIENTS_LEAVE.of(allowed)


def are_scarce(descriptor: int, spare: SpareDescriptors) -> bool:
    """True if no more than ``spare`` is free.

    ``descriptor`` was opened just now. It is the lowest one that was free (POSIX, open()), so all
    below it are in use.
    """
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return descriptor >= allowed - spare.of(allowed)
