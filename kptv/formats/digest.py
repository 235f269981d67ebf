"""Digest authentication (RFC 7616): the challenge of an answer read, and what to answer to it.

The one in `requests` reads the refusal to its end, however long, asks again on a connection of its
own choice, and overlooks a challenge that stands behind another.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

_LONGEST = 16 * 1024  # characters of a WWW-Authenticate; real ones have two hundred
# A scheme, or a parameter with its value (RFC 9110, 11.2).
_PIECE = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]++)(?>(?:\s*+=\s*+(\"(?>(?:[^\"\\]++|\\.)*)\"?+|[^\s,\"]*+))?)"
)
_HASHES: dict[str, Callable[[bytes], hashlib._Hash]] = {
    "MD5": partial(hashlib.md5, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
    "SHA-512-256": partial(hashlib.new, "sha512_256"),
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """The digest that a server asks for."""

    realm: str
    nonce: str
    opaque: str | None = None
    algorithm: str = ""  # as told; empty: not told, which is MD5
    qop: str = ""  # "auth", "auth-int", or empty: as in RFC 2069
    stale: bool = False  # only the nonce was wrong


def read_challenge(header: str) -> Challenge | None:
    """The first digest in a WWW-Authenticate that can be answered; None if there is none."""
    found = (_challenge(told) for scheme, told in _schemes(header) if scheme == "digest")
    return next((challenge for challenge in found if challenge), None)


def _schemes(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    scheme, told = "", dict[str, str]()
    for match in _PIECE.finditer(header[:_LONGEST]):
        name, value = match[1].lower(), match[2]
        if value is None:
            yield scheme, told
            scheme, told = name, {}
        else:
            told[name] = re.sub(r"\\(.)", r"\1", value.strip('"')) if value[:1] == '"' else value
    yield scheme, told


def _challenge(told: dict[str, str]) -> Challenge | None:
    algorithm, nonce = told.get("algorithm", ""), told.get("nonce", "")
    offered = [word.strip().lower() for word in told.get("qop", "").split(",") if word.strip()]
    qop = next((word for word in ("auth", "auth-int") if word in offered), "")
    if not nonce or _hash(algorithm)[0] is None or (offered and not qop):
        return None
    return Challenge(
        told.get("realm", ""),
        nonce,
        told.get("opaque"),
        algorithm,
        qop,
        told.get("stale", "").lower() == "true",
    )


def _hash(algorithm: str) -> tuple[Callable[[bytes], hashlib._Hash] | None, bool]:
    """The function, and whether it is to be used with a session's key."""
    name = algorithm.upper() or "MD5"
    return _HASHES.get(name.removesuffix("-SESS")), name.endswith("-SESS")


def authorization(
    challenge: Challenge,
    login: tuple[str, str],
    request: tuple[str, str],
    count: int,
    cnonce: str,
) -> str:
    """The value of Authorization for user and password, and for method and target.

    ``count`` is how often this nonce was used, this time included; ``cnonce`` is random.
    """
    function, session = _hash(challenge.algorithm)
    assert function is not None  # else there were no challenge

    def hashed(*parts: str) -> str:
        return function(":".join(parts).encode()).hexdigest()

    (user, password), (method, target) = login, request
    secret = hashed(user, challenge.realm, password)
    if session:
        secret = hashed(secret, challenge.nonce, cnonce)
    no_body = (hashed(""),) if challenge.qop == "auth-int" else ()
    asked = hashed(method, target, *no_body)
    used = (f"{count:08x}", cnonce, challenge.qop) if challenge.qop else ()
    told = {
        "username": user,
        "realm": challenge.realm,
        "nonce": challenge.nonce,
        "uri": target,
        "response": hashed(secret, challenge.nonce, *used, asked),
    }
    if challenge.opaque is not None:
        told["opaque"] = challenge.opaque
    if challenge.qop or session:
        told["cnonce"] = cnonce
    words = [f'{name}="{_escaped(value)}"' for name, value in told.items()]
    if challenge.algorithm:
        words.append(f"algorithm={challenge.algorithm}")
    if challenge.qop:
        words += [f"qop={challenge.qop}", f"nc={count:08x}"]
    return "Digest " + ", ".join(words)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
