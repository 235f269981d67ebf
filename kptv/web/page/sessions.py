"""The page's sessions: what a cookie says itself, and nothing that is kept. Told the time.

A cookie is ``expiry.nonce.mac``, and the session's second secret is made of the same. Whoever has
the key knows them, so several instances need tell each other only which ones have ended before
their time.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import scrypt, sha256
from time import time

SESSION_SECONDS = 12 * 3600
SKEW = 3600  # seconds by which the clock of the instance that began a session may be ahead
MOST_ENDED = 1000  # sessions that ended before their time, remembered until then
_LONGEST_COOKIE = 200
_KEY_LENGTH = 32  # bytes
_CONTEXT = b"kptv page keys 1"  # no secret: it keeps these keys apart from all else made of tokens
_COST = {"n": 1 << 14, "r": 8, "p": 1}  # 16 MiB and some 50 ms: guesses are slow


@dataclass(frozen=True, slots=True)
class PageKeys:
    """What the page's secrets are made with."""

    sessions: bytes = field(repr=False)
    ids: bytes = field(repr=False)


def keys_of(admin_token: str, lists: Iterable[str] = (), *, are_shared: bool) -> PageKeys:
    """Keys of this process; with ``are_shared``, of all that have this token. Takes 50 ms then.

    Ids are seen by people who have no token, and may know what stands behind one: they are made of
    the addresses of ``lists``, too, or each would tell whether a guess of the token is right.
    """
    if are_shared and admin_token:
        material = scrypt(admin_token.encode(), salt=_CONTEXT, dklen=2 * _KEY_LENGTH, **_COST)
    else:
        material = secrets.token_bytes(2 * _KEY_LENGTH)
    ids = hmac.digest(material[_KEY_LENGTH:], "\n".join(lists).encode(), "sha256")
    return PageKeys(material[:_KEY_LENGTH], ids)


@dataclass(frozen=True, slots=True)
class PageSession:
    """Somebody who logged in."""

    cookie: str = field(repr=False)
    csrf: str = field(repr=False)
    name: str  # that no other session has; alone it opens nothing
    expires: int  # Unix time


class Sessions:
    """Begins sessions, and knows those that others began with the same key."""

    def __init__(self, key: bytes, wall: Callable[[], float] = time) -> None:
        self._key = key
        self._wall = wall
        self._ended: dict[str, int] = {}  # expiry, by name
        self._none_until = 0  # sessions that would end by then have ended: too many to remember

    def __repr__(self) -> str:
        return f"<Sessions ended={len(self._ended)}>"

    def begin(self) -> PageSession:
        """A new one."""
        return self._made(f"{int(self._wall()) + SESSION_SECONDS}.{secrets.token_urlsafe(16)}")

    def of(self, cookie: str) -> PageSession | None:
        """The session of a cookie; None: it is nobody's, or over."""
        claim, _, mac = cookie.rpartition(".")
        if len(cookie) > _LONGEST_COOKIE or not self._is_mac(mac, claim):
            return None
        session, now = self._made(claim), self._wall()
        is_over = session.expires <= max(now, self._none_until) or session.name in self._ended
        return session if not is_over and session.expires <= now + SESSION_SECONDS + SKEW else None

    def end(self, name: str, expires: int) -> None:
        """End a session before its time."""
        now = self._wall()
        if not now < expires <= now + SESSION_SECONDS + SKEW:
            return
        self._ended = {name: at for name, at in self._ended.items() if at > now} | {name: expires}
        if len(self._ended) > MOST_ENDED:
            first = min(self._ended, key=lambda name: self._ended[name])
            self._none_until = self._ended.pop(first)

    def _made(self, claim: str) -> PageSession:
        """The session of what a cookie claims, which is true."""
        expires, _, name = claim.partition(".")
        cookie = f"{claim}.{self._mac('cookie', claim)}"
        return PageSession(cookie, self._mac("csrf", claim), name, int(expires))

    def _is_mac(self, mac: str, claim: str) -> bool:
        right = self._mac("cookie", claim).encode()
        return hmac.compare_digest(right, mac.encode("utf-8", "replace"))

    def _mac(self, purpose: str, claim: str) -> str:
        text = f"{purpose} {claim}".encode("utf-8", "replace")
        return hmac.new(self._key, text, sha256).hexdigest()
