"""Who a request comes from, as the gate has found out before any route was looked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from wsgiref.types import WSGIEnvironment

from flask import request

from kptv.channels.users.model import ALL_RIGHTS, Rights, User

CALLER = "kptv.caller"  # in the environ


class CallerKind(StrEnum):
    """On what grounds somebody is let in."""

    ANYONE = "anyone"  # there is no login, or the network needs none
    USER = "user"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is let in."""

    kind: CallerKind = CallerKind.ANYONE
    user: User | None = None
    secret_number: int = 0  # of the user's secret that was shown
    prefix: str = field(default="", repr=False)
    """What stands before the paths of links for this caller, as ``/u/SECRET``; a secret."""
    login: tuple[str, str] = field(default=("", ""), repr=False)
    """A user's name and password, as their request had them; the latter is a secret."""
    is_free: bool = False  # comes from a network that needs no login
    session: str = field(default="", repr=False)
    """The operator's on the page; empty: a token was shown. A secret."""

    @property
    def rights(self) -> Rights:
        """What the caller may see."""
        return ALL_RIGHTS if self.user is None else self.user.rights

    @property
    def user_id(self) -> int:
        """0: nobody's in particular."""
        return 0 if self.user is None else self.user.id

    @property
    def name(self) -> str:
        """For logs and metrics; empty: nobody in particular."""
        return "" if self.user is None else self.user.name


ANYONE = Caller()


def caller() -> Caller:
    """That of the current request."""
    return caller_in(request.environ)


def caller_in(environ: WSGIEnvironment) -> Caller:
    """The one that the gate wrote down."""
    found: Caller = environ.get(CALLER, ANYONE)
    return found
