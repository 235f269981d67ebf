"""Who may change something: whoever knows ADMIN_TOKEN, as a bearer or by a session of the page.

A session's cookie alone does nothing: each action must also show the session's second secret in a
header, which another site can neither read nor send (a CSRF token).
"""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from cachetools import TTLCache
from flask import Request

from kptv.web.clients import client_of

COOKIE = "kptv_session"
CSRF_HEADER = "X-CSRF-Token"
SESSION_SECONDS = 12 * 3600
_MOST_SESSIONS = 100
_MOST_FAILURES, _FAILURES_WITHIN = 10, 60.0  # of one address; seconds


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who logged in."""

    key: str
    csrf: str


class Admin:
    """Checks tokens in constant time and keeps the sessions."""

    def __init__(self, token: str, now: Callable[[], float] = monotonic) -> None:
        self._token = token.encode()
        self._now = now
        self._sessions: TTLCache[str, Session] = TTLCache(_MOST_SESSIONS, SESSION_SECONDS, now)
        self._failures: TTLCache[str, deque[float]] = TTLCache(1000, _FAILURES_WITHIN, now)

    def __repr__(self) -> str:
        return f"<Admin enabled={self.enabled} sessions={len(self._sessions)}>"

    @property
    def enabled(self) -> bool:
        """Whether there is a token, and so actions at all."""
        return bool(self._token)

    def log_in(self, token: str, address: str) -> Session | None:
        """A new session; None for a wrong token."""
        if not self._is_token(token, address):
            return None
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        self._sessions[session.key] = session
        return session

    def log_out(self, request: Request) -> None:
        """End the session of a request."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)

    def session_of(self, request: Request) -> Session | None:
        """The session that a request's cookie names."""
        return self._sessions.get(request.cookies.get(COOKIE, ""))

    def allows(self, request: Request) -> bool:
        """Whether a request may change something."""
        if not self.enabled:
            return False
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(token.strip(), client_of(request).address)
        session = self.session_of(request)
        sent = request.headers.get(CSRF_HEADER, "")
        return session is not None and hmac.compare_digest(
            session.csrf.encode(), sent.encode("utf-8", "replace")
        )

    def is_barred(self, address: str) -> bool:
        """Whether this address has tried too many wrong tokens of late."""
        failures = self._failures.get(address, ())
        return sum(self._now() - at < _FAILURES_WITHIN for at in failures) >= _MOST_FAILURES

    def _is_token(self, token: str, address: str) -> bool:
        if not self.enabled or self.is_barred(address):
            return False
        if hmac.compare_digest(token.encode("utf-8", "replace"), self._token):
            return True
        failures = self._failures.get(address) or deque(maxlen=_MOST_FAILURES)
        failures.append(self._now())
        self._failures[address] = failures
        return False
