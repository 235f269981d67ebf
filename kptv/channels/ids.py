"""Integers for channels, for protocols that need them: the same in every process, for good.

An id is a digest of the channel's slug. Where two digests are equal, one of the channels has an odd
id instead, which has to be kept: with 5,000 channels that is so in one catalog of 170.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from heapq import merge
from zlib import crc32

HIGHEST = (1 << 31) - 1
_AT_ONCE = 500  # 0.2 ms
_GUESSED_AT_ONCE = 20
_GUESSES = 4  # by the digest, whose collisions can be made at will; then by one that has none


@dataclass(frozen=True, slots=True)
class ChannelIds:
    """The ids of channels: the odd ones by slug, and for all others the digest."""

    odd: Mapping[str, int]
    new: Mapping[str, int]  # of the odd ones: those that have to be kept from now on

    def of(self, slug: str) -> int:
        """The channel's id."""
        return self.odd.get(slug) or digest_of(slug)


def digest_of(slug: str) -> int:
    """31 bits of a channel's slug, never 0."""
    return crc32(slug.encode()) & HIGHEST or 1


def ids_of(
    slugs: Callable[[], Iterable[str]],
    channels: int,
    kept: Mapping[str, int],
    was_there: Callable[[str], bool],
) -> Generator[None, None, ChannelIds]:
    """The ids of so many ``channels``, of which no two have the same; yields often.

    ``slugs`` is asked twice. ``kept`` are odd ids, also of channels that are gone. Of channels with
    equal digests that which ``was_there`` before has the digest, or else the first by slug.
    """
    digests, rivals = _Digests(channels), set(kept.values())
    for number, slug in enumerate(slugs()):
        if slug not in kept and not digests.add(digest := digest_of(slug)):
            rivals.add(digest)
        if number % _AT_ONCE == 0:
            yield
    claims: list[str] = []
    for number, slug in enumerate(slugs() if rivals else ()):
        if slug not in kept and digest_of(slug) in rivals:
            claims.append(slug)
        if number % _AT_ONCE == 0:
            yield
    ordered = yield from _sorted(claims, lambda slug: (not was_there(slug), slug))
    new = yield from _odd_among(ordered, digests, set(kept.values()))
    return ChannelIds({**kept, **new}, new)


def _odd_among(
    claims: Iterable[str], digests: _Digests, taken: set[int]
) -> Generator[None, None, dict[str, int]]:
    """The ids of those that come too late for their digest; ``taken`` are not to be given."""
    new = {}
    for number, slug in enumerate(claims):
        odd = digest = digest_of(slug)
        attempt = 0
        while odd in taken or (odd != digest and odd in digests):
            attempt += 1
            odd = _guessed(f"{slug} {attempt}", attempt)  # no slug has a blank
        taken.add(odd)
        if odd != digest:
            new[slug] = odd
        if number % _GUESSED_AT_ONCE == 0:
            yield
    return new


def _guessed(text: str, attempt: int) -> int:
    if attempt <= _GUESSES:
        return digest_of(text)
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") & HIGHEST or 1


def _sorted(
    texts: list[str], key: Callable[[str], tuple[bool, str]]
) -> Generator[None, None, Iterable[str]]:
    """All of them in order, as one takes them: a list may be made to have many."""
    pieces = []
    for start in range(0, len(texts), _AT_ONCE):
        pieces.append(sorted(texts[start : start + _AT_ONCE], key=key))
        yield
    return merge(*pieces, key=key)


class _Digests:
    """A set of digests in 8 bytes for each; Python's own takes 60, and grows at once."""

    def __init__(self, most: int) -> None:
        size = 1 << (2 * most + 1).bit_length()
        self._mask = size - 1
        self._slots = array("I", bytes(4 * size))  # 0: free

    def __contains__(self, digest: int) -> bool:
        return self._slots[self._slot(digest)] == digest

    def add(self, digest: int) -> bool:
        """Whether it was not there yet."""
        slot = self._slot(digest)
        is_new = self._slots[slot] != digest
        self._slots[slot] = digest
        return is_new

    def _slot(self, digest: int) -> int:
        slot = digest & self._mask
        while self._slots[slot] not in (0, digest):
            slot = (slot + 1) & self._mask
        return slot
