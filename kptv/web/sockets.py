"""Clients' sockets: what ends one under whoever waits for it, and how many more there can be."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, NamedTuple

from gevent.monkey import get_original

_Socket = get_original("socket", "socket")


class Reserve(NamedTuple):
    """Descriptors that are left free for others."""

    descriptors: int
    part: int  # where few are allowed: one of so many

    def of(self, allowed: int) -> int:
        """How many that are of ``allowed``."""
        return min(self.descriptors, allowed // self.part)


VIEWERS_LEAVE = Reserve(256, part=3)  # for upstreams, files, logs and other clients
CLIENTS_LEAVE = Reserve(64, part=8)  # for what is open to go on: upstreams of a failover, logs


def hang_up_of(connection: Any) -> Callable[[], None]:
    """What ends a connection without waiting: a read then sees its end, a send fails."""

    def hang_up() -> None:
        # Not by gevent's own shutdown: the send would fail as if by a fault of ours.
        with suppress(OSError), _Socket(fileno=os.dup(connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    return hang_up


def public_address() -> str:
    """A public address of this machine, by which the world may reach it; empty where it has none.

    Nothing is sent: connecting a datagram socket only chooses the way, and with it the address.
    """
    for family, anywhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), _Socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((anywhere, 9))
            address = ip_address(asking.getsockname()[0])
            if address.is_global:
                return str(address)
    return ""


def most_clients() -> int:
    """How many sockets there may be beside what is open for ourselves."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return allowed - CLIENTS_LEAVE.of(allowed)


def are_scarce(descriptor: int, reserve: Reserve) -> bool:
    """True where no more than ``reserve`` is free.

    ``descriptor`` was opened just now: it is the lowest that was free (POSIX, open()), so all
    below it are in use.
    """
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return descriptor >= allowed - reserve.of(allowed)
