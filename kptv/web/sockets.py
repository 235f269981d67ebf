"""Clients' sockets: what ends one under whoever waits for it, and how many more there can be."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from gevent.monkey import get_original

VIEWERS_LEAVE = 256  # descriptors for upstreams, files, logs and other clients
CLIENTS_LEAVE = 64  # for what is open already to go on: upstreams of a failover, files, logs
_Socket = get_original("socket", "socket")


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
    return allowed - _left(CLIENTS_LEAVE, allowed)


def are_scarce(descriptor: int, leave: int) -> bool:
    """True where fewer than ``leave`` descriptors are free; of a small allowance, fewer.

    ``descriptor`` was opened just now: it is the lowest that was free (POSIX, open()), so all
    below it are in use.
    """
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return descriptor >= allowed - _left(leave, allowed)


def _left(leave: int, allowed: int) -> int:
    return min(leave, allowed // (3 if leave == VIEWERS_LEAVE else 8))
