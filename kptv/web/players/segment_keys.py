"""Parts of segments' addresses that nobody can guess, while a login is needed."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from secrets import token_bytes

from kptv.web.players.hls_requests import KEY_LENGTH

_CHANGES_EVERY = 600  # seconds


class SegmentKeys:
    """Gives the key of a channel's segments that are cut at some time.

    Whoever has a playlist has the keys of its segments. So a cache before us may give a segment to
    all who ask with its key, whosever login stands before it.
    """

    def __init__(self, needs_login: Callable[[], bool], secret: bytes | None = None) -> None:
        """``needs_login``: whether there are keys now. ``secret``: None: one of this process."""
        self._needs_login = needs_login
        self._secret = secret or token_bytes(32)

    def __repr__(self) -> str:
        return f"<SegmentKeys needed={self._needs_login()}>"

    def of(self, slug: str, now: float) -> str:
        """The key, for a channel's slug and a Unix time; empty: none is needed."""
        if not self._needs_login():
            return ""
        message = f"{int(now) // _CHANGES_EVERY}\0{slug}".encode("utf-8", "replace")
        return hmac.new(self._secret, message, "sha256").hexdigest()[:KEY_LENGTH]
