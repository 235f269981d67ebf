"""What the child is told: a line of JSON for each served channel, then one about all.

A job holds secrets, so that nothing of the guides that tells one is served.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from kptv.channels.secrets import Secrets

MOST_CHANNELS = 100_000  # that a guide is made for; each takes 2 KB of the child's memory


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideFile:
    """A guide that was fetched."""

    number: int  # its place in the order of the user
    tag: str
    paths: tuple[str, ...]  # the newest first; another is read if that is of no use
    reaches: int = 0  # the last stop that the second one tells; 0: nobody knows
    offset: int = 0
    zone: str = ""
    sources: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileLine:
    """A profile of the rules file: its channels by their places, and their numbers in it."""

    name: str
    places: tuple[int, ...]
    numbers: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsLine:
    """What some users may see, as one of their groups: no more of it than the child needs."""

    tag: str  # of the rights, in the name of the file
    members: str  # bits by place, as hexadecimal digits
    profile: str = ""  # whose numbers they see; empty: those of the channels

    def places(self) -> PlaceBits:
        """The places of its channels."""
        return PlaceBits(bytes.fromhex(self.members))


class PlaceBits:
    """A set of places, in a bit for each."""

    __slots__ = ("_bits",)

    def __init__(self, bits: bytes) -> None:
        self._bits = bits

    def __contains__(self, place: object) -> bool:
        assert isinstance(place, int)
        byte = place >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (place & 7) & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is the same for all channels."""

    folder: str  # where generations lie
    now: int
    days: int  # ahead
    filler: bool = False
    parent: int = 0  # its process; 0: nobody's child
    guides: tuple[GuideFile, ...] = ()
    profiles: tuple[ProfileLine, ...] = ()
    rights: tuple[RightsLine, ...] = ()  # of users who may see some groups only
    rights_left_out: int = 0
    prefixes: tuple[str, ...] = ()  # of names, besides countries
    left_out: int = 0  # channels
    made_of: str = ""  # digest of all that does not change with time
    words: tuple[str, ...] = field(default=(), repr=False)  # secrets
    logins: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def secrets(self) -> Secrets:
        """Those of the sources."""
        return Secrets(frozenset(self.words), frozenset(self.logins))


@dataclass(frozen=True, slots=True)
class OfferLine:
    """What one candidate of a channel says of itself."""

    source: int
    tvg_id: str = ""
    names: tuple[str, ...] = ()
    country: str = ""  # as the list has it


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """A served channel."""

    slug: str
    name: str
    tvg_id: str = ""  # that is served
    number: str = ""  # that is shown
    icon: str = ""  # that is served
    shift: str = ""  # tvg-shift, of the channel or its list
    fixed: str | None = None  # see kptv.channels.guide.model.Wanted
    offers: tuple[OfferLine, ...] = ()


def line_of(told: Job | ChannelLine) -> bytes:
    """A line of a job; that of the Job itself is the last."""
    if isinstance(told, Job):
        return json.dumps(asdict(told)).encode() + b"\n"
    offers = [[one.source, one.tvg_id, one.names, one.country] for one in told.offers]
    values = [told.slug, told.name, told.tvg_id, told.number, told.icon, told.shift, told.fixed]
    return json.dumps([*values, offers]).encode() + b"\n"


def read(lines: Iterable[bytes]) -> tuple[Job, list[ChannelLine]]:
    """The job and its channels, at most MOST_CHANNELS. Raises ValueError if it is none."""
    channels: list[ChannelLine] = []
    try:
        for line, _ in zip(lines, range(MOST_CHANNELS + 1), strict=False):
            told = json.loads(line)
            if isinstance(told, dict):
                return _job(told), channels
            channels.append(_channel(told))
    except (TypeError, KeyError, IndexError) as error:
        raise ValueError(f"not a job: {type(error).__name__}") from None
    raise ValueError("a job without an end")


def _job(told: dict[str, Any]) -> Job:
    guides = [GuideFile(**_tuples(guide)) for guide in told.pop("guides")]
    profiles = [ProfileLine(**_tuples(profile)) for profile in told.pop("profiles")]
    rights = [RightsLine(**each) for each in told.pop("rights")]
    logins = [(user, password) for user, password in told.pop("logins")]
    return Job(
        **_tuples(told),
        guides=tuple(guides),
        profiles=tuple(profiles),
        rights=tuple(rights),
        logins=tuple(logins),
    )


def _tuples(told: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in told.items()}


def _channel(told: list[Any]) -> ChannelLine:
    slug, name, tvg_id, number, icon, shift, fixed, offers = told
    read = tuple(OfferLine(source, own, tuple(names), c) for source, own, names, c in offers)
    return ChannelLine(slug, name, tvg_id, number, icon, shift, fixed, read)
