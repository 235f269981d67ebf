"""The gate: the one place that decides who is let in, before any route is looked for.

Theory of operation. While a login is needed, nothing is open but the paths of a list, compared
whole and as the routes will see them. All else wants a caller: a user, by a secret in the path, the
query or the form; the operator, by ADMIN_TOKEN or a session of the page; or whoever comes from a
network that needs no login. What is the operator's takes no user's secret. Afterwards the caller
stands in the environ, and a secret stands in the path no more.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from ipaddress import ip_address
from time import time
from typing import Protocol
from wsgiref.types import WSGIEnvironment

from cachetools import TTLCache
from flask import Request, Response
from werkzeug.wsgi import get_content_length, get_input_stream

from kptv.channels.users.model import Standing
from kptv.config import Network
from kptv.users.current import CurrentUsers
from kptv.web.caller import ANYONE, CALLER, Caller, CallerKind
from kptv.web.clients import Clients, neighbourhood
from kptv.web.credentials import (
    ACCOUNT_FILES,
    LONGEST_FORM,
    ShownSecret,
    file_of,
    in_fields,
    in_live_path,
    in_own_path,
)
from kptv.web.lines import line
from kptv.web.throttle import TooManyTries
from kptv.web.tries import Tries

log = logging.getLogger(__name__)

METRICS = "/metrics"
OPERATORS = "/api/"  # all below it is the operator's, as METRICS is
ALWAYS_OPEN = frozenset(("/", "/healthz", "/readyz", "/api/session", "/api/login", "/api/logout"))
NO_LOGIN = "A login is needed: ask for a link of your own."
UNKNOWN = "Nobody has this login: ask for a new link."
OPERATORS_ONLY = "ADMIN_TOKEN is needed: as a bearer, in X-Admin-Token, or log in on the page."
NO_REFERRER = "no-referrer"  # whose page links to others' tells them nothing
_FORM = "application/x-www-form-urlencoded"
_TOO_MANY = "Too many wrong logins; try again in a minute."
_STANDINGS = {
    Standing.EXPIRED: "Your login has expired.",
    Standing.DISABLED: "Your login is switched off.",
}
_REASONS = {  # for metrics
    NO_LOGIN: "no login",
    UNKNOWN: "unknown login",
    OPERATORS_ONLY: "not the operator",
    _TOO_MANY: "too many tries",
    **{message: standing.lower() for standing, message in _STANDINGS.items()},
}
_NO_ACCOUNT = {"user_info": {"auth": 0}}  # what Xtream's applications understand
_TOLD_EVERY = 60.0  # seconds, of a neighbourhood whose logins are wrong
_MOST_TOLD = 100  # neighbourhoods in that time


class Operator(Protocol):
    """Knows the operator by what a request shows."""

    def shown_by(self, request: Request) -> bool | None:
        """Whether it shows the token or a session; None: neither. Raises TooManyTries."""
        ...

    def may_scrape(self, request: Request) -> bool | None:
        """As ``shown_by``; METRICS_TOKEN counts too."""
        ...

    def session_shown(self, request: Request) -> str:
        """The cookie of the session that it comes by; empty: it shows a token."""
        ...

    def has_session(self, cookie: str) -> bool:
        """Whether that session still lasts."""
        ...

    @property
    def has_metrics_token(self) -> bool:
        """Whether there is a METRICS_TOKEN."""
        ...


@dataclass(frozen=True, slots=True)
class Openings:
    """What is open without a login, though one is needed."""

    paths: frozenset[str] = ALWAYS_OPEN
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Parties:
    """Those whom the gate knows."""

    users: CurrentUsers
    tries: Tries
    operator: Operator
    clients: Clients
    turned_away: Counter[str] = field(default_factory=Counter)  # requests, by reason


class Gate:
    """Lets in or refuses; see above."""

    def __init__(
        self,
        parties: Parties,
        openings: Openings,
        base_path: str = "",
        learn: Callable[[str], object] = lambda secret: None,
        wall: Callable[[], float] = time,
    ) -> None:
        """``base_path``: of BASE_URL. ``learn`` is told each typed secret that is right."""
        self._users, self._tries = parties.users, parties.tries
        self._operator, self._clients = parties.operator, parties.clients
        self._turned_away = parties.turned_away
        self._openings = openings
        self._base_path = base_path
        self._learn = learn
        self._wall = wall
        self._told: TTLCache[str, bool] = TTLCache(_MOST_TOLD, _TOLD_EVERY)

    def __repr__(self) -> str:
        return f"<Gate closed={self.is_closed}>"

    @property
    def is_closed(self) -> bool:
        """Whether a login is needed."""
        return self._users.is_on

    def still(self, caller: Caller) -> bool:
        """Whether this caller would be let in now; to be asked while something is open to them."""
        if not self._users.is_on:
            return True
        if caller.kind is CallerKind.OPERATOR:
            return not caller.session or self._operator.has_session(caller.session)
        if caller.kind is CallerKind.ANYONE:
            return caller.is_free
        user = self._users.table.still(caller.user_id, caller.secret_number)
        return user is not None and user.standing(self._wall()) is Standing.ACTIVE

    def read(self, environ: WSGIEnvironment) -> ShownSecret | None:
        """What a request shows of a user; the path is without it afterwards.

        A form is read, and is there for others again. Raises OSError if it does not come.
        """
        path = environ["PATH_INFO"]
        shown, rest = in_own_path(path, self._base_path)
        if shown is not None and (self._users.is_on or (shown.is_fit and rest != "/")):
            environ["PATH_INFO"] = rest
            return shown
        shown = in_live_path(path, self._base_path) or in_fields(environ.get("QUERY_STRING", ""))
        if shown is None and environ["REQUEST_METHOD"] == "POST" and file_of(path, self._base_path):
            shown = in_fields(_form(environ))
        return shown

    def refusal(self, environ: WSGIEnvironment, shown: ShownSecret | None) -> Response | None:
        """Why the request is not let in, as its answer; None: it is, and has a caller.

        Its path has to be as the routes will see it.
        """
        asked = _Asked(Request(environ), shown, file_of(environ["PATH_INFO"], self._base_path))
        if self._clients.is_secure(asked.request):
            environ["wsgi.url_scheme"] = "https"
        try:
            found = self._caller(asked)
        except TooManyTries:
            return self._refused(asked, 429, _TOO_MANY, 60)
        if isinstance(found, Response):
            return found
        environ[CALLER] = found
        return None

    def _caller(self, asked: _Asked) -> Caller | Response:
        is_free = self._is_free(asked.request)
        if asked.is_scrape and self._operator.has_metrics_token and not is_free:
            return self._for_operator(asked)
        if not self._users.is_on:
            return Caller(is_free=True) if is_free else ANYONE
        if asked.path in self._openings.paths:
            return ANYONE
        if asked.shown is not None and not asked.is_operators:
            return self._user(asked, asked.shown)
        if self._operator.shown_by(asked.request):
            return self._operators(asked)
        if is_free:
            return Caller(is_free=True)
        return (
            self._for_operator(asked) if asked.is_operators else self._refused(asked, 401, NO_LOGIN)
        )

    def _for_operator(self, asked: _Asked) -> Caller | Response:
        knows = self._operator.may_scrape if asked.is_scrape else self._operator.shown_by
        if knows(asked.request):
            return self._operators(asked)
        return self._refused(asked, 401, OPERATORS_ONLY)

    def _operators(self, asked: _Asked) -> Caller:
        session = self._operator.session_shown(asked.request)
        return Caller(CallerKind.OPERATOR, session=session)

    def _user(self, asked: _Asked, shown: ShownSecret) -> Caller | Response:
        place = neighbourhood(self._clients.address(asked.request))
        found = self._tries.user_of(place, shown)
        if found is None:
            self._tell(place)
            return self._refused(asked, 401, UNKNOWN)
        user, secret = found
        if shown.name:
            self._learn(shown.secret)
        standing = user.standing(self._wall())
        if standing is not Standing.ACTIVE and asked.file not in ACCOUNT_FILES:
            return self._refused(asked, 403, _STANDINGS[standing])
        return Caller(
            CallerKind.USER,
            user,
            secret.number,
            shown.prefix(user.name),
            (shown.name or user.name, shown.secret),
        )

    def _is_free(self, request: Request) -> bool:
        """Whether it comes from a network that needs no login, and through nobody unknown."""
        if not self._openings.networks or self._clients.is_claimed(request):
            return False
        try:
            address = ip_address(self._clients.address(request))
        except ValueError:
            return False
        return any(address in network for network in self._openings.networks)

    def _refused(
        self, asked: _Asked, status: int, message: str, retry_after: int | None = None
    ) -> Response:
        self._turned_away[_REASONS[message]] += 1
        return _answer(asked, status, message, retry_after)

    def _tell(self, place: str) -> None:
        if place not in self._told and len(self._told) < _MOST_TOLD and not self._users.trouble:
            self._told[place] = True
            log.warning("%s shows a login that nobody has", place or "somebody")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, as far as it matters here."""

    request: Request
    shown: ShownSecret | None
    file: str  # of Xtream's protocol; empty: it is for another path

    @property
    def path(self) -> str:
        path: str = self.request.environ["PATH_INFO"]
        return path

    @property
    def is_scrape(self) -> bool:
        return self.path == METRICS

    @property
    def is_operators(self) -> bool:
        return self.is_scrape or self.path.startswith(OPERATORS)


def _form(environ: WSGIEnvironment) -> str:
    """A short form of a request, which others find unread; empty if it has no such body."""
    media_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type != _FORM or (get_content_length(environ) or 0) > LONGEST_FORM:
        return ""
    body = get_input_stream(environ).read(LONGEST_FORM + 1)
    environ["wsgi.input"] = BytesIO(body)
    return "" if len(body) > LONGEST_FORM else body.decode("utf-8", "replace")


def _answer(asked: _Asked, status: int, message: str, retry_after: int | None) -> Response:
    """One line; JSON where that is spoken."""
    response = line(status, message, retry_after)
    if status == 401 and asked.file in ACCOUNT_FILES:
        _speak(response, _NO_ACCOUNT)
    elif asked.path.startswith(OPERATORS):
        _speak(response, {"error": message})
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 15.5.2
    response.headers["Referrer-Policy"] = NO_REFERRER
    return response


def _speak(response: Response, value: object) -> None:
    response.data = json.dumps(value)
    response.content_type = "application/json"
    response.headers["X-Content-Type-Options"] = "nosniff"
