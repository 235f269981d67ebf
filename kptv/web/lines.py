"""Short answers in plain text."""

from __future__ import annotations

import math

from flask import Response


def line(status: int, message: str, retry_after: float | None = None) -> Response:
    """One line of plain text; ``retry_after`` in seconds."""
    text = " ".join(message.split())  # a channel's name may hold line ends
    response = Response(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    return response


def no_list_yet() -> Response:
    """The line for whoever asks before the first import."""
    return line(503, "No channel list has been imported yet; try again soon.", 5)


def not_ready(what: str, retry_after: float = 5) -> Response:
    """The line for whoever asks for something that takes longer to make than clients wait."""
    return line(503, f"{what} is not ready yet; try again soon.", retry_after)


def where_the_list_is(base_url: str) -> Response:
    """The line for whoever asks for `/`."""
    return line(200, f"KPTV Proxy. The list for your player: {base_url}/playlist.m3u8")
