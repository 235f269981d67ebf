"""HAProxy's configuration for some instances on this machine, made of the one that is shipped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SERVER = re.compile(r"    server (\S+) +127\.0\.0\.1:([0-9]+) id ([0-9]+)( .*)?")


def router_config(shipped: str, address: str, instances: Sequence[int], host: str) -> str:
    """``shipped``, with the ports of some instances in place of its own.

    ``address``: what it listens on, in HAProxy's words. ``host``: the name by which players reach
    this machine.
    """
    lines = (line for line in shipped.splitlines() if line.split() not in _RIGHTS)
    text = "\n".join(written for line in lines for written in _written(line, instances))
    return f"{text}\n".replace("bind :8080", f"bind {address}").replace(
        "//tv.example:", f"//{host}:"
    )


_RIGHTS = (["user", "haproxy"], ["group", "haproxy"], ["maxconn", "20000"])  # only root may


def name_of(number: int) -> str:
    """The name of the instance with this number, from 1 on."""
    return f"i{number}"


def _written(line: str, instances: Sequence[int]) -> Iterator[str]:
    """What stands in place of a line: of each list of servers the first one stands for all."""
    found = _SERVER.fullmatch(line)
    if found is None:
        yield line
        return
    shipped_name, shipped_port, number, rest = found.groups("")
    if number != "1":
        return
    for count, port in enumerate(instances, start=1):
        own = rest.replace(f"/{shipped_name}", f"/{name_of(count)}")
        own = own.replace(f":{shipped_port}", f":{port}")
        yield f"    server {name_of(count)} 127.0.0.1:{port} id {count}{own}"
