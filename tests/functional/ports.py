"""Free ports beside each other, for what takes the next ones."""

from __future__ import annotations

import contextlib
import socket

MOST_TRIES = 100


class PortsInARow:
    """So many ports from ``first`` on, which stay ours: bound, but not listening."""

    def __init__(self, count: int) -> None:
        for _ in range(MOST_TRIES):
            self._held = [held(0)]
            self.first: int = self._held[0].getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                self._held += [held(self.first + number) for number in range(1, count)]
                return
            self.release()
        raise AssertionError(f"no {count} free ports beside each other")

    def release(self) -> None:
        for one in self._held:
            one.close()


def held(port: int) -> socket.socket:
    """A socket that has a port; OSError if another has it."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind(("0.0.0.0", port))
    except BaseException:
        one.close()
        raise
    return one
