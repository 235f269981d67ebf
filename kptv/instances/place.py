"""Where an instance is: a place that no other process can have while this one lives."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def place_of(name: str, port: int) -> str:
    """The place of the instance called ``name`` that listens on ``port``.

    Whoever comes after it to the same place knows that it has died, as it has its port. So the
    machine and its network are part of it: two that were given the same name by mistake are two.
    """
    machine = "unknown"
    with suppress(OSError):
        machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    network = "0"
    with suppress(OSError):
        network = str(os.stat("/proc/self/ns/net").st_ino)
    return f"{name}|{machine}|{network}|{port}"
