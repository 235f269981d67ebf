"""Digest authentication with the user and password that an address has in it."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

import requests
from cachetools import LRUCache
from requests.auth import AuthBase

from kptv.formats.digest import Challenge, authorization, read_challenge

_KEPT = 256  # servers and users whose last challenge is answered before it is made again


class _Digest(AuthBase):
    """Puts the answer to a challenge into requests."""

    def __init__(self, login: tuple[str, str], challenge: Challenge) -> None:
        self._login = login
        self._challenge = challenge
        self._count = 0  # requests with its nonce

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._count += 1
        asked = (request.method or "GET", request.path_url)
        text = authorization(self._challenge, self._login, asked, self._count, os.urandom(8).hex())
        request.headers["Authorization"] = text.encode()  # type: ignore[assignment]
        return request


class Logins:
    """What servers want to have answered, by user and server: kept, or each request is two."""

    def __init__(self) -> None:
        self._digests: LRUCache[str, _Digest] = LRUCache(_KEPT)

    def of(self, url: str) -> AuthBase | None:
        """What goes with a request of ``url``; None: what is sent unasked, Basic or nothing."""
        return self._digests.get(_server(url))

    def challenged(self, url: str, response: requests.Response, *, again: bool) -> bool:
        """True for a refusal that another request may end.

        ``again``: this is the answer to the one before it; then only a nonce that has become too
        old is a reason, or a wrong password would be sent for ever.
        """
        login = _login(url) if response.status_code == 401 else None
        challenge = read_challenge(response.headers.get("www-authenticate", "")) if login else None
        if login is None or challenge is None or (again and not challenge.stale):
            return False
        self._digests[_server(url)] = _Digest(login, challenge)
        return True


def _server(url: str) -> str:
    """Scheme, user, password, host and port."""
    return "".join(urlsplit(url)[:2])


def _login(url: str) -> tuple[str, str] | None:
    parts = urlsplit(url)
    if not parts.username:
        return None
    return unquote(parts.username), unquote(parts.password or "")
