"""A user: what lets them in, and what they may see. All immutable."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from kptv.channels.grouping import slug_of

_REMEMBERED = 256  # sets of groups: many users share one, and each request asks for its own


class SecretKind(StrEnum):
    """Where a secret comes from, which says how it is kept."""

    MADE = "made"  # by a machine: long and random, so a fast digest is enough
    TYPED = "typed"  # by a person: kept with scrypt, and good only beside the user's name


@dataclass(frozen=True, slots=True)
class UserSecret:
    """One of a user's secrets, as a rule one for each device; never the secret itself."""

    number: int  # in all users' secrets, never used again
    kind: SecretKind
    label: str
    created: int  # Unix time
    revoked: int | None = None
    digest: bytes = field(default=b"", repr=False)
    salt: bytes = field(default=b"", repr=False)  # of a typed one

    @property
    def is_good(self) -> bool:
        """Whether it still opens anything."""
        return self.revoked is None


class Standing(StrEnum):
    """Whether a user is let in; the names are Xtream's statuses."""

    ACTIVE = "Active"
    EXPIRED = "Expired"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class Rights:
    """Which channels somebody may see and play; equal ones share their lists and guides.

    Whoever has a ``profile`` sees that in place of the main list; ``groups`` narrow either.
    """

    groups: frozenset[str] | None = None  # slugs; None: all
    profile: str = ""  # empty: the main list

    @property
    def is_all(self) -> bool:
        """Nothing is hidden."""
        return self.groups is None and not self.profile


ALL_RIGHTS = Rights()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may watch."""

    id: int  # never used again
    name: str  # in lower case; shown in logs and metrics
    created: int = 0  # Unix time
    enabled: bool = True
    expires: int | None = None  # Unix time, by the wall clock; None: never
    max_streams: int = 0  # 0: no limit
    refuses: bool = False  # beyond the limit: the new stream; otherwise the oldest one goes
    groups: tuple[str, ...] | None = None  # names as they were given; None: all
    profile: str = ""  # empty: the main list
    note: str = ""
    secrets: tuple[UserSecret, ...] = ()

    @property
    def rights(self) -> Rights:
        """What the user may see."""
        return Rights(None if self.groups is None else _slugs(self.groups), self.profile)

    def standing(self, now: float) -> Standing:
        """How the user stands at ``now`` (Unix time)."""
        if not self.enabled:
            return Standing.DISABLED
        if self.expires is not None and self.expires <= now:
            return Standing.EXPIRED
        return Standing.ACTIVE


@lru_cache(_REMEMBERED)
def _slugs(groups: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(slug_of, groups))
