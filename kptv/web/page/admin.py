"""Decides whether a request may change something: by ADMIN_TOKEN, or by a session of the page.

The token comes as a bearer or in a header of its own: behind a proxy that asks for a password,
``Authorization`` holds the password.

A session's cookie alone does nothing: each action must also show the session's second secret in a
header, which another site can neither read nor send (a CSRF token).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import gevent
from cachetools import TTLCache
from flask import Request

from kptv.web.clients import Clients, neighbourhood

COOKIE = "kptv_session"
CSRF_HEADER = "X-CSRF-Token"
TOKEN_HEADER = "X-Admin-Token"
SESSION_SECONDS = 12 * 3600
_NO_TOKEN = f"ADMIN_TOKEN is needed: as a bearer, in {TOKEN_HEADER}, or log in on the page."
WRONG_TOKEN = "That is not the token."
_NO_CSRF = (
    f"You are logged in, but the header {CSRF_HEADER} is missing or wrong: send the value of csrf"
    " in it, which /api/session tells."
)
_MOST_SESSIONS = 100
_FREE_FAILURES = 5  # per address, before its tries are held back
_LONGEST_HOLD = 8.0  # seconds
_MOST_HELD = 64  # tries at once; one more is refused
_FORGET_AFTER = 600.0  # seconds without a failure
_MOST_ADDRESSES = 10_000  # whose failures are remembered


class TooManyTries(Exception):
    """Too many tries are being held back already."""


@dataclass(frozen=True, slots=True)
class PageSession:
    """Somebody who logged in."""

    key: str
    csrf: str


class Admin:
    """Checks tokens in constant time and keeps the sessions.

    After some failures of an address, each further try waits before it is checked, right or wrong
    alike. So guessing is slow, and nobody can lock the operator out.
    """

    def __init__(
        self,
        token: str,
        clients: Clients,
        now: Callable[[], float] = monotonic,
        sleep: Callable[[float], object] = gevent.sleep,
    ) -> None:
        self._token = token.encode()
        self._clients = clients
        self._sleep = sleep
        self._held = 0
        self._sessions: TTLCache[str, PageSession] = TTLCache(_MOST_SESSIONS, SESSION_SECONDS, now)
        self._failures: TTLCache[str, int] = TTLCache(_MOST_ADDRESSES, _FORGET_AFTER, now)

    def __repr__(self) -> str:
        return f"<Admin enabled={self.enabled} sessions={len(self._sessions)}>"

    @property
    def enabled(self) -> bool:
        """Whether there is a token, and so actions at all."""
        return bool(self._token)

    def log_in(self, token: str, request: Request) -> PageSession | None:
        """A new session; None for a wrong token. Raises TooManyTries."""
        if not self._is_token(token, request):
            return None
        session = PageSession(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        self._sessions[session.key] = session
        return session

    def log_out(self, request: Request) -> None:
        """End the session of a request."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)

    def session_of(self, request: Request) -> PageSession | None:
        """The session that a request's cookie names."""
        return self._sessions.get(request.cookies.get(COOKIE, ""))

    def refusal(self, request: Request) -> str:
        """Why a request may change nothing; empty if it may. Raises TooManyTries."""
        token = _token_of(request)
        if token is not None:
            return "" if self._is_token(token, request) else WRONG_TOKEN
        session = self.session_of(request)
        if session is None:
            return _NO_TOKEN
        sent = request.headers.get(CSRF_HEADER, "").encode("utf-8", "replace")
        return "" if hmac.compare_digest(session.csrf.encode(), sent) else _NO_CSRF

    def _is_token(self, token: str, request: Request) -> bool:
        if not self.enabled:
            return False
        origin = neighbourhood(self._clients.address(request))
        self._hold_back(self._failures.get(origin, 0) - _FREE_FAILURES)
        if hmac.compare_digest(token.encode("utf-8", "replace"), self._token):
            return True
        self._failures[origin] = self._failures.get(origin, 0) + 1
        return False

    def _hold_back(self, too_many: int) -> None:
        """Wait 1 s, then 2, 4 and so on, the longer the more failures were ``too_many``."""
        if too_many < 0:
            return
        if self._held >= _MOST_HELD:
            raise TooManyTries
        self._held += 1
        try:
            self._sleep(min(2.0 ** min(too_many, 8), _LONGEST_HOLD))
        finally:
            self._held -= 1


def _token_of(request: Request) -> str | None:
    """The token in a request's headers; None if there is none."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    bearer = credentials if scheme.lower() == "bearer" else None
    token = request.headers.get(TOKEN_HEADER, bearer)
    return None if token is None else token.strip()
