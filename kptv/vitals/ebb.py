"""Memory that a crowd needed goes back to the system when it has left.

The C library keeps what was freed among what is still in use: 30 MB after 800 viewers, for as long
as the process runs. `malloc_trim` gives back each page that is free (glibc only).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

CROWD = 100  # connections fewer than before: some 2 MB
CALM = 5.0  # seconds: a crowd that comes back at once needs the memory again


class Ebb:
    """Notices that a crowd has left. Pure: it is told the time."""

    def __init__(self) -> None:
        self._crest = 0  # the most connections since memory was last given back
        self._since = 0.0  # when so many had left; 0: they have not

    def __repr__(self) -> str:
        return f"<Ebb crest={self._crest}>"

    def over(self, connections: int, now: float) -> bool:
        """True once, ``CALM`` seconds after ``CROWD`` or more have left, if they stay away."""
        self._crest = max(self._crest, connections)
        if self._crest - connections < CROWD:
            self._since = 0.0
            return False
        self._since = self._since or now
        if now - self._since < CALM:
            return False
        self._crest, self._since = connections, 0.0
        return True


def trimmer() -> Callable[[], object] | None:
    """Gives back to the system what is free; None: this C library cannot."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return None if trim is None else lambda: trim(0)
