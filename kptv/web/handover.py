"""A body may go on when its server has done with its request: what is offered, and how to ask.

While a server iterates over a body, it keeps all that belongs to the request and its answer: 10 KB
of each viewer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from wsgiref.types import WSGIEnvironment

HAND_OVER = "kptv.hand_over"  # in the environ: the worker's way to take the rest of a body


class RestOfBody(Protocol):
    """What is still to be sent of a body, by itself, past the server."""

    def send(self) -> None:
        """Send all of it; raises OSError if the client has left."""
        ...

    def close(self) -> None:
        """Called once, in the end."""
        ...


HandOver = Callable[[RestOfBody], object]


def hand_over_of(environ: WSGIEnvironment) -> HandOver | None:
    """To be called by a body instead of giving one more piece; None: there is no such offer.

    The connection has to end with the body.
    """
    found: HandOver | None = environ.get(HAND_OVER)
    return found
