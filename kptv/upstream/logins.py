"""Digest authentication with the user and password in an address."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

import requests
from cachetools import LRUCache
from requests.auth import AuthBase

from kptv.formats.digest import Challenge, authorization, read_challenge

_KEPT = 256  # servers and users; their last challenge is answered before they make it again


class _Digest(AuthBase):
    """Answers a challenge in each request."""

    def __init__(self, login: tuple[str, str], challenge: Challenge) -> None:
        self._login = login
        self._challenge = challenge
        self._count = 0  # requests with the nonce of this challenge

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._count += 1
        asked = (request.method or "GET", request.path_url)
        text = authorization(self._challenge, self._login, asked, self._count, os.urandom(8).hex())
        request.headers["Authorization"] = text.encode()  # type: ignore[assignment]
        return request


class Logins:
    """The challenges of servers, by user and server: each one saves a request per request."""

    def __init__(self) -> None:
        self._digests: LRUCache[str, _Digest] = LRUCache(_KEPT)

    def of(self, url: str) -> AuthBase | None:
        """The login for a request of ``url``; None: requests sends Basic if there is a password."""
        return self._digests.get(_server(url))

    def challenged(self, url: str, response: requests.Response, *, again: bool) -> bool:
        """True if a request was refused, and another one with a login may not be.

        ``again``: that other request has been refused as well. Then only a nonce that is too old is
        a reason to try once more: a wrong password would be sent for ever.
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
