"""Decides whether a request may change something: by ADMIN_TOKEN, or by a session of the page.

The token comes as a bearer or in a header of its own: behind a proxy that asks for a password,
``Authorization`` holds the password.

A session's cookie alone does nothing: each action must also show the session's second secret in a
header, which another site can neither read nor send (a CSRF token).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from time import monotonic

import gevent
from flask import Request

from kptv.web.clients import Clients, neighbourhood
from kptv.web.page.sessions import PageSession, Sessions, keys_of
from kptv.web.throttle import MOST_HELD, Failures, Throttle

COOKIE = "kptv_session"
CSRF_HEADER = "X-CSRF-Token"
TOKEN_HEADER = "X-Admin-Token"
_NO_TOKEN = f"ADMIN_TOKEN is needed: as a bearer, in {TOKEN_HEADER}, or log in on the page."
WRONG_TOKEN = "That is not the token."
_NO_CSRF = (
    f"You are logged in, but the header {CSRF_HEADER} is missing or wrong: send the value of csrf"
    " in it, which /api/session tells."
)
_SHOWN = "kptv.token_is_shown"  # in the environ: whether its headers have the token


class Admin:
    """Checks tokens and sessions, in constant time.

    After some failures of an address, each further try waits before it is checked, right or wrong
    alike. So guessing is slow, and nobody can lock the operator out.
    """

    def __init__(
        self,
        token: str,
        clients: Clients,
        now: Callable[[], float] = monotonic,
        sleep: Callable[[float], object] = gevent.sleep,
        metrics_token: str = "",
        sessions: Sessions | None = None,
    ) -> None:
        """``metrics_token`` lets Prometheus in, and nobody else; ``sessions``: of others too."""
        self._token = token.encode()
        self._metrics_token = metrics_token.encode()
        self._clients = clients
        self._sleep = sleep
        self._throttle = Throttle(lambda seconds: self._sleep(seconds), most_in_all=MOST_HELD)
        self.sessions = sessions or Sessions(keys_of(token, are_shared=False).sessions)
        self._failures = Failures(now)

    def __repr__(self) -> str:
        return f"<Admin enabled={self.enabled} {self.sessions}>"

    @property
    def enabled(self) -> bool:
        """Whether there is a token, and so actions at all."""
        return bool(self._token)

    def log_in(self, token: str, request: Request) -> PageSession | None:
        """A new session; None for a wrong token. Raises TooManyTries."""
        if not self._is_token(token, request):
            return None
        return self.sessions.begin()

    def session_of(self, request: Request) -> PageSession | None:
        """The session that a request's cookie names."""
        return self.sessions.of(request.cookies.get(COOKIE, "")) if self.enabled else None

    def session_shown(self, request: Request) -> str:
        """The cookie of the session by which a request comes from the operator; empty: of none."""
        session = None if _token_of(request) is not None else self.session_of(request)
        return "" if session is None else session.cookie

    def has_session(self, cookie: str) -> bool:
        """Whether the session with this cookie still lasts."""
        return self.sessions.of(cookie) is not None

    @property
    def has_metrics_token(self) -> bool:
        """Whether Prometheus has a token of its own."""
        return bool(self._metrics_token)

    def shown_by(self, request: Request) -> bool | None:
        """Whether a request shows the token, or has a session; None: it has neither.

        So it may see what the operator sees; ``refusal`` says whether it may change something.
        Raises TooManyTries.
        """
        token = _token_of(request)
        if token is not None:
            return self._is_shown(token, request)
        return True if self.session_of(request) is not None else None

    def may_scrape(self, request: Request) -> bool | None:
        """As ``shown_by``; the metrics' own token counts too."""
        token = _token_of(request)
        if token is not None:
            return self._is_one_of(token, request, self._token, self._metrics_token)
        return self.shown_by(request)

    def refusal(self, request: Request) -> str:
        """Why a request may change nothing; empty if it may. Raises TooManyTries."""
        token = _token_of(request)
        if token is not None:
            return "" if self._is_shown(token, request) else WRONG_TOKEN
        session = self.session_of(request)
        if session is None:
            return _NO_TOKEN
        sent = request.headers.get(CSRF_HEADER, "").encode("utf-8", "replace")
        return "" if hmac.compare_digest(session.csrf.encode(), sent) else _NO_CSRF

    def _is_shown(self, token: str, request: Request) -> bool:
        """As ``_is_token``, once for each request, which the gate and a route ask about."""
        known: bool | None = request.environ.get(_SHOWN)
        if known is None:
            known = request.environ[_SHOWN] = self._is_token(token, request)
        return known

    def _is_token(self, token: str, request: Request) -> bool:
        return self.enabled and self._is_one_of(token, request, self._token)

    def _is_one_of(self, token: str, request: Request, *tokens: bytes) -> bool:
        origin = neighbourhood(self._clients.address(request))
        self._throttle.hold_back(origin, self._failures.of(origin))
        if any(_same(token, each) for each in tokens):
            return True
        self._failures.count(origin)
        return False


def _same(shown: str, token: bytes) -> bool:
    """Whether they are the same, in constant time; an empty token is nobody's."""
    return bool(token) and hmac.compare_digest(shown.encode("utf-8", "replace"), token)


def _token_of(request: Request) -> str | None:
    """The token in a request's headers; None if there is none."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    bearer = credentials if scheme.lower() == "bearer" else None
    token = request.headers.get(TOKEN_HEADER, bearer)
    return None if token is None else token.strip()
