"""The server that several instances share, as those see it that ask it for something."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Protocol

from kptv.channels.model import Source


class Server(Protocol):
    """The server that grants, through the membership of this instance (``kptv.instances``)."""

    @property
    def away(self) -> str:
        """Why nothing can be asked for now; empty: it can."""
        ...

    @property
    def joined(self) -> bool:
        """Whether it can be told something, and what is held is surely this instance's."""
        ...

    def tell(self, op: str, answered: Callable[[Any], object] = ..., **given: Any) -> None:
        """Have it carry out an operation of the script; ``answered`` hears what it says."""
        ...

    def look(self) -> None:
        """Something has changed that may allow to join."""
        ...


def name_of(source: Source) -> str:
    """What the server calls it: the same in each instance, and nothing of its account."""
    return hashlib.sha256(source.url.encode()).hexdigest()[:16]
