"""What a request shows of a user: name and secret in its path, its query or its form. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from kptv.channels.users.links import prefix_of
from kptv.channels.users.names import TAKEN, Unfit, fit_name, looks_made, looks_typed

LONGEST_FORM = 4096  # bytes; an application sends some hundred
_MOST_FIELDS = 64
# Paths whose queries and forms hold a login, in Xtream's protocol.
XTREAM_FILES = frozenset(("/get.php", "/player_api.php", "/panel_api.php", "/xmltv.php"))
# A user who has expired is told so there, in the protocol's own words.
ACCOUNT_FILES = frozenset(("/player_api.php", "/panel_api.php"))
_OWN = re.compile(r"/u/+([^/]*)(/.*)?", re.DOTALL)
_LIVE = re.compile(r"/(?:live|movie|series|timeshift)/([^/]+)/([^/]+)/.+", re.DOTALL)
_SHORT = re.compile(r"/([^/]+)/([^/]+)/[0-9]{1,10}(?:\.(?:ts|m3u8))?")


@dataclass(frozen=True, slots=True)
class ShownSecret:
    """A secret that a request shows, and the name beside it."""

    secret: str = field(repr=False)
    name: str = ""  # empty: the secret came alone

    @property
    def is_fit(self) -> bool:
        """Whether it has the form of a secret, and of a name; it may be nobody's."""
        if not self.name:
            return looks_made(self.secret)
        return (looks_made(self.secret) or looks_typed(self.secret)) and _is_name(self.name)

    def prefix(self, name: str) -> str:
        """What links begin with that show it for the user of this name; it has to be right."""
        return prefix_of(name, self.secret)


def in_own_path(path: str, base_path: str = "") -> tuple[ShownSecret | None, str]:
    """What ``/u/SECRET/…`` or ``/u/NAME:SECRET/…`` shows, and the path without it.

    ``base_path``, of BASE_URL, may stand before it.
    """
    found = _OWN.fullmatch(_inner(path, base_path))
    if found is None:
        return None, path
    name, colon, secret = found[1].partition(":")
    return ShownSecret(secret, name) if colon else ShownSecret(found[1]), found[2] or "/"


def in_live_path(path: str, base_path: str = "") -> ShownSecret | None:
    """What the address of a stream shows, as Xtream's applications make it."""
    path = _inner(path, base_path)
    if found := _LIVE.fullmatch(path):
        return ShownSecret(found[2], found[1])
    found = _SHORT.fullmatch(path)
    return ShownSecret(found[2], found[1]) if found and found[1].lower() not in TAKEN else None


def in_fields(query: str) -> ShownSecret | None:
    """What ``username`` and ``password`` of a query or a form are; the first of each counts."""
    if "username" not in query or "password" not in query:
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:  # too many
        return None
    fields = dict(reversed(pairs))
    name, secret = fields.get("username", "").strip(), fields.get("password", "").strip()
    return ShownSecret(secret, name) if name and secret else None


def file_of(path: str, base_path: str = "") -> str:
    """One of XTREAM_FILES, if that is what a path leads to; else empty."""
    inner = _inner(path, base_path)
    return inner if inner in XTREAM_FILES else ""


def _inner(path: str, base_path: str) -> str:
    path = f"/{path.lstrip('/')}"
    if base_path and path.startswith(f"{base_path}/"):
        return f"/{path[len(base_path) :].lstrip('/')}"
    return path


def _is_name(text: str) -> bool:
    try:
        fit_name(text)
    except Unfit:
        return False
    return True
