"""Digest authentication as a server does it (RFC 7616, 3.4): each nonce and each count once."""

from __future__ import annotations

import hashlib
import re

from tests.provider.http import Request


class Gate:
    """Lets in who knows ``user`` and ``password``."""

    def __init__(
        self, user: str, password: str, algorithm: str = "MD5", *, qop: str = "auth", uses: int = 0
    ) -> None:
        """``uses``: requests for which a nonce is good; 0: for all."""
        self.user = user
        self.password = password
        self.algorithm = algorithm
        self.qop = qop
        self.uses = uses
        self.before = 'Basic realm="tv", '  # another challenge, in the same line
        self.challenges = 0
        self._count = 0  # of the last request with this nonce

    @property
    def _nonce(self) -> str:
        return f"nonce-{self.challenges}"

    def challenge(self, request: Request) -> str | None:
        """The WWW-Authenticate of a refusal; None: come in."""
        told = dict(_words(request.headers.get("authorization", "")))
        if told.get("nonce") == self._nonce and not (self.uses and self._count >= self.uses):
            counts = not self.qop or int(told["nc"], 16) == self._count + 1
            if counts and told["response"] == self._response(request, told):
                self._count += 1
                return None
        stale = self._count or told.get("nonce", self._nonce) != self._nonce
        self.challenges += 1
        self._count = 0
        algorithm = f", algorithm={self.algorithm}" if self.algorithm else ""
        qop = f', qop="{self.qop}"' if self.qop else ""
        digest = (
            f'Digest realm="tv, all of it", nonce="{self._nonce}", stale={str(bool(stale)).lower()}'
        )
        return f"{self.before}{digest}{algorithm}{qop}"

    def _response(self, request: Request, told: dict[str, str]) -> str:
        assert told["uri"] == request.target
        one = self._hash(f"{self.user}:tv, all of it:{self.password}")
        if self.algorithm.endswith("-sess"):
            one = self._hash(f"{one}:{told['nonce']}:{told['cnonce']}")
        two = self._hash(f"{request.method}:{request.target}")
        used = f":{told['nc']}:{told['cnonce']}:auth" if self.qop else ""
        return self._hash(f"{one}:{told['nonce']}{used}:{two}")

    def _hash(self, text: str) -> str:
        name = "sha256" if self.algorithm.startswith("SHA-256") else "md5"
        return hashlib.new(name, text.encode()).hexdigest()


def _words(header: str) -> list[tuple[str, str]]:
    return [
        (n, quoted or bare) for n, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|(\w+))', header)
    ]
