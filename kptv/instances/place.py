"""Where an instance is: a place that no other process can have while this one lives."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path


def place_of(name: str, port: int) -> str:
    """The place of the instance called ``name`` that listens on ``port``.

    Whoever comes after it to the same place knows that it has died. So the machine and its network
    are part of it: two that were given the same name by mistake are two. On one machine two may
    have one port, at different addresses, or say so and listen elsewhere: hence a ``Claim``.
    """
    machine = "unknown"
    with suppress(OSError):
        machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    network = "0"
    with suppress(OSError):
        network = str(os.stat("/proc/self/ns/net").st_ino)
    return f"{name}|{machine}|{network}|{port}"


class Claim:
    """That no other process of this machine is at a place; the kernel ends it with this one."""

    def __init__(self, place: str) -> None:
        digest = hashlib.sha256(place.encode()).hexdigest()[:32]
        self._address = f"\0kptv-{digest}"  # no file: nothing of it is left behind
        self._held: socket.socket | None = None

    def __repr__(self) -> str:
        return f"<Claim held={self._held is not None}>"

    def stands(self) -> bool:
        """Whether it is this process's, or could be made so just now."""
        if self._held is None:
            try:
                self._held = self._made()
            except OSError as error:  # where the kernel has no such addresses nobody can be told
                return error.errno != errno.EADDRINUSE
        return True

    def close(self) -> None:
        """Give it up; may come twice."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _made(self) -> socket.socket:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            opened.bind(self._address)
        except OSError:
            opened.close()
            raise
        return opened
