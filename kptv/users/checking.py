"""Tells whose a secret is, at the same cost for known and unknown names.

Theory of operation. Applications send name and secret with every request, so that must cost
nothing. A made secret is found by its digest. A typed one takes a slow digest, in threads of its
own; after a good one, a keyed digest of name and secret is remembered until the users change. Which
of both ways a secret takes is told by its form alone, never by who there is.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from secrets import token_bytes

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from kptv.channels.users.model import SecretKind, User
from kptv.channels.users.names import LONGEST_NAME, looks_made, looks_typed
from kptv.channels.users.table import Found
from kptv.users.current import CurrentUsers
from kptv.users.hashing import DIGEST_LENGTH, digest_of, new_salt, slow_digest_of

_THREADS = 2  # each takes 16 MiB while it works
_MOST_AT_ONCE = 64  # slow digests that are waited for
_WITHIN = 10.0  # seconds


class Busy(Exception):
    """Too many secrets are being checked."""


class Checker:
    """Knows users by their secrets; whether they are let in now is for others to say."""

    def __init__(
        self,
        current: CurrentUsers,
        slow: Callable[[str, bytes], bytes] = slow_digest_of,
        within: float = _WITHIN,
    ) -> None:
        self._current = current
        self._slow = slow
        self._within = within
        self._threads = ThreadPool(_THREADS)  # looking up names must not wait for these
        self._key = token_bytes(32)
        self._salt = new_salt()  # for names that nobody has
        self._known: dict[bytes, Found] = {}
        self._in_work: dict[bytes, AsyncResult] = {}
        current.watch(self._known.clear)

    def __repr__(self) -> str:
        return f"<Checker known={len(self._known)} in_work={len(self._in_work)}>"

    def made(self, secret: str) -> Found | None:
        """Whose made secret that is."""
        if not looks_made(secret):
            return None
        digest = digest_of(secret)
        found = self._current.table.by_digest(digest)
        return found if found and hmac.compare_digest(found[1].digest, digest) else None

    def login(self, name: str, secret: str) -> Found | None:
        """Whose name and secret these are; waits for a slow digest. Raises Busy."""
        name = name.lower()
        if looks_made(secret):
            found = self.made(secret)
            return found if found and _same(found[0].name, name) else None
        if not looks_typed(secret) or len(name) > LONGEST_NAME:
            return None
        key = self._key_of(name, secret)
        return self._known.get(key) or self._slowly(name, secret, key)

    def _slowly(self, name: str, secret: str, key: bytes) -> Found | None:
        salt = _salt_of(self._current.table.by_name(name)) or self._salt
        digest = self._digest(secret, salt, key)
        # No switch from here on: what is remembered holds for the users as they are now.
        found = _with(self._current.table.by_name(name), salt, digest)
        if found is not None:
            self._known[key] = found
        return found

    def _digest(self, secret: str, salt: bytes, key: bytes) -> bytes:
        """The slow digest; who asks for the same at once shares it."""
        job = key + salt
        result = self._in_work.get(job)
        if result is None:
            if len(self._in_work) >= _MOST_AT_ONCE:
                raise Busy
            result = self._in_work[job] = AsyncResult()
            gevent.spawn(self._work, job, result, secret, salt)
        try:
            return bytes(result.get(timeout=self._within))
        except gevent.Timeout:
            raise Busy from None

    def _work(self, job: bytes, result: AsyncResult, secret: str, salt: bytes) -> None:
        try:
            result.set(self._threads.apply(self._slow, (secret, salt)))
        finally:
            del self._in_work[job]

    def _key_of(self, name: str, secret: str) -> bytes:
        return hmac.digest(self._key, f"{name}\0{secret}".encode("utf-8", "replace"), sha256)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "replace"))


def _salt_of(user: User | None) -> bytes:
    """That of a user's typed secrets, which share one; empty if there are none."""
    secrets = user.secrets if user is not None else ()
    return next((each.salt for each in secrets if each.kind is SecretKind.TYPED), b"")


def _with(user: User | None, salt: bytes, digest: bytes) -> Found | None:
    """The user, with the good secret of that digest."""
    if user is None:
        return None
    found = None
    for secret in user.secrets:
        is_typed = secret.is_good and secret.kind is SecretKind.TYPED and secret.salt == salt
        if hmac.compare_digest(secret.digest if is_typed else bytes(DIGEST_LENGTH), digest):
            found = user, secret
    return found
