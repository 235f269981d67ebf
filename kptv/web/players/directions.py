"""Media is asked for at its channel's own link, so that a router finds the channel by its slug.

Several instances stand behind a router that gives each channel one of them. It knows channels by
their slugs alone: whoever asks for a name, an id or a number is sent to the slug's link, once.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request

from kptv.channels.hls_links import HLS_PATH, PLAYLIST, TAKEN
from kptv.channels.model import Channel
from kptv.channels.served import STREAM_PATH
from kptv.web.caller import caller
from kptv.web.lines import line

_MOST_DIGITS = 7  # of a duration in seconds: 115 days


class Directions:
    """Directs clients to the links that lists have; one instance alone directs nobody."""

    def __init__(self, own_address: Callable[[], str] | None) -> None:
        """``own_address``: the router's; None: there is one instance."""
        self._own_address = own_address

    def __repr__(self) -> str:
        return f"<Directions is_on={self.is_on}>"

    @property
    def is_on(self) -> bool:
        """Whether there are several instances."""
        return self._own_address is not None

    def to_stream(self, channel: Channel) -> Response | None:
        """The answer that names the channel's stream; None: that is what is asked for."""
        return self._to(f"{STREAM_PATH}{channel.slug}")

    def to_playlist(self, channel: Channel) -> Response | None:
        """As ``to_stream``, for its playlist of HLS."""
        is_taken = channel.slug == TAKEN  # the link would be that of a group's list
        return None if is_taken else self._to(f"{HLS_PATH}{channel.slug}{PLAYLIST}")

    def _to(self, path: str) -> Response | None:
        # The path is compared decoded, without the user's secret: however a client or a router
        # writes the link, it is never directed a second time.
        if self._own_address is None or request.path == path:
            return None
        query = f"?{asked}" if (asked := request.query_string.decode("latin-1")) else ""
        response = line(307, "The channel is at its own link.")
        response.headers["Location"] = f"{self._own_address()}{caller().prefix}{path}{query}"
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response


NOBODY_IS_DIRECTED = Directions(None)


def duration_asked() -> float | None:
    """Seconds that a recorder asks for in its query; None: until it leaves."""
    text = request.args.get("duration", "")
    is_whole = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return float(text) or None if is_whole else None
