"""The socket on which the proxy listens, and a sentence if there cannot be one.

gunicorn would try five times, a second apart, and then end with several lines for each.
"""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

from kptv.config import ALL_ADDRESSES as ALL
from kptv.errors import ConfigError

_BACKLOG = 2048  # as gunicorn's


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on this address; on ``ALL``, also if the system has no IPv6.

    Raises ConfigError, with one sentence.
    """
    try:
        if host != ALL:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family, backlog=_BACKLOG)
        if not socket.has_dualstack_ipv6():
            return socket.create_server(("0.0.0.0", port), backlog=_BACKLOG)
        return socket.create_server(
            (ALL, port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    except OSError as error:
        raise ConfigError(_why_not(error, host, port)) from None


def _why_not(error: OSError, host: str, port: int) -> str:
    where = f"port {port}" if host == ALL else f"port {port} of {host}"
    if error.errno == errno.EADDRINUSE:
        why = "it is in use by another program. Stop that program, or set another PORT."
    elif error.errno == errno.EACCES:
        why = "the system lets no ordinary user have it. Set a PORT from 1024 on."
    elif error.errno in (errno.EADDRNOTAVAIL, socket.EAI_NONAME):
        why = "this machine has no such address. HOST must be one of its own, or empty for all."
    else:
        why = f"{error.strerror}."
    return f"Cannot listen on {where}: {why}"


def from_here(host: str) -> str:
    """The address by which this machine itself reaches what listens on ``host``."""
    address = ip_address(host)
    if not address.is_unspecified:
        return host
    return "127.0.0.1"
