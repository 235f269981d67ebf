"""The tuners that we are for applications, and the lineup of each.

Theory of operation. A device is a path: the root is one, each profile another, and each user has
them all below the path of their secret, which the gate has taken off by now. Clients keep what they
learned by the id of the device and the number of a channel, so both last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flask import Response

from kptv.channels.catalog import Catalog, records_of
from kptv.channels.lineup import Line, as_json, as_m3u, as_xml
from kptv.channels.model import Channel
from kptv.channels.packing import name_of
from kptv.channels.profiles import PROFILE_PATH
from kptv.channels.tuners import tuner_count
from kptv.channels.users.allowed import Allowed
from kptv.channels.users.model import Rights
from kptv.config import Config
from kptv.kept.device import DeviceIds
from kptv.pace import Pace
from kptv.web.caller import caller
from kptv.web.lines import no_list_yet, not_ready
from kptv.web.players.addresses import own_address
from kptv.web.players.lists import MEDIA_TYPE, ServedLists
from kptv.web.players.numbers import ChannelNumbers
from kptv.web.rendered import OWN_BASE, Renderings, Wanted, answer

_MOST_KEPT = 64  # lineups
_MOST_TRIES = 5  # to have rights and numbers of one catalog
_AT_ONCE = 20_000  # numbers that are looked at between two turns for others: 0.3 ms
FORMS = {
    "json": ("application/json", as_json),
    "xml": ("application/xml; charset=utf-8", as_xml),
    "m3u": (MEDIA_TYPE, as_m3u),
}
"""Of a lineup: its media type, and what writes it."""


@dataclass(frozen=True, slots=True)
class Tuner:
    """A tuner as a client sees it."""

    id: int
    name: str
    rights: Rights
    path: str = field(repr=False)  # behind the caller's base
    base: str = field(repr=False)  # its address
    tuners: int


class Devices:
    """The devices of all who ask, and their lineups."""

    def __init__(
        self, config: Config, ids: DeviceIds, lists: ServedLists, numbers: ChannelNumbers
    ) -> None:
        self._config = config
        self._ids = ids
        self._lists = lists
        self._numbers = numbers
        duration = config.cache_duration if config.cache_enabled else 0
        self._renderings = Renderings(_MOST_KEPT, duration)

    def __repr__(self) -> str:
        return f"<Devices {self._renderings}>"

    @property
    def alive(self) -> bool:
        """Whether no lineup hangs that is being made."""
        return self._renderings.alive and self._numbers.alive

    def replace(self, _: Catalog) -> None:
        """There is another catalog."""
        self._renderings.clear()

    def asked_for(self, profile: str | None) -> Tuner | None:
        """The device that is asked for; None: there is no such profile for this caller."""
        who, path, rights = caller(), "", caller().rights
        if profile is not None:
            within = self._lists.of_profile(profile, rights)
            if within is None:
                return None
            path, rights = f"{PROFILE_PATH}{within.profile}", within
        wanted = self._config.hdhomerun_tuners or (who.user.max_streams if who.user else 0)
        return Tuner(
            self._ids.of(f"user {who.user_id}{path}" if who.user_id else path),
            " ".join(filter(None, ("KPTV Proxy", who.name, path.removeprefix(PROFILE_PATH)))),
            rights,
            path,
            f"{own_address(self._config)}{who.prefix}{path}",
            tuner_count(self._config.sources, wanted),
        )

    def lineup(self, device: Tuner, form: str) -> Response:
        """The lineup, in a form that clients know."""
        if self._lists.catalog is None:
            return no_list_yet()
        rendered = self._renderings.get(lambda: self._wanted(device, form))
        if rendered is None:
            return not_ready("The lineup")
        return answer(rendered, FORMS[form][0], own_base=device.base.removesuffix(device.path))

    def tuned(self, device: Tuner, number: int) -> Channel | None:
        """The channel of this number in the device's lineup; None: there is none."""
        for _ in range(_MOST_TRIES):
            found = self._numbered(device)
            if found is None:
                return None
            allowed, numbers = found
            position = _position_of(number, allowed, numbers)
            if allowed.catalog is self._lists.catalog:  # else another came meanwhile
                return None if position is None else allowed.catalog.channel(position)
        return None

    def _wanted(self, device: Tuner, form: str) -> Wanted | None:
        found = self._numbered(device)
        if found is None:
            return None
        write, key = FORMS[form][1], (device.rights, device.path, form)
        base = f"{OWN_BASE}{device.path}"
        return Wanted(key, lambda: write(_lines(*found), base))

    def _numbered(self, device: Tuner) -> tuple[Allowed, Sequence[int]] | None:
        """What the device has of the newest catalog; waits while that is made."""
        for _ in range(_MOST_TRIES):
            allowed = self._lists.allowed(device.rights)
            if allowed is None:
                return None
            numbers = allowed.numbers or self._numbers.of(allowed.catalog)
            if allowed.catalog is self._lists.catalog:  # else another came meanwhile
                return None if numbers is None else (allowed, numbers)
        return None


def _lines(allowed: Allowed, numbers: Sequence[int]) -> Iterator[Line]:
    rows = allowed.catalog.rows(allowed.positions)
    for position, (_, row) in zip(allowed.positions, rows, strict=False):
        yield Line(numbers[position], name_of(records_of(row)[0]))


def _position_of(number: int, allowed: Allowed, numbers: Sequence[int]) -> int | None:
    """The position of the channel that has ``number``, if it is allowed."""
    pace = Pace()
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        if number in some:
            position = start + some.index(number)
            return position if allowed.has(position) else None
        pace()
    return None
