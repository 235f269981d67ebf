"""What each caller's rights allow of the current catalog: made when it is asked for, and kept."""

from __future__ import annotations

from collections.abc import MutableMapping
from time import monotonic
from typing import NamedTuple

import gevent
from cachetools import LRUCache

from kptv.channels.catalog import Catalog
from kptv.channels.model import Channel
from kptv.channels.users.allowed import Allowed, is_in, make_allowed, nothing_allowed, was_in
from kptv.channels.users.model import Rights
from kptv.pace import drive
from kptv.vitals.heartbeat import Heartbeat, beating
from kptv.web.players.profiles import DEADLINE, Profiles

MOST_KEPT = 32  # rights; of 500,000 channels each takes up to 3 MB
_MOST_TOLD = 20_000  # answers, of rights and channels

_Told = MutableMapping[tuple[Rights, str], bool]  # by rights and the channel's slug


class _Making(NamedTuple):
    """Something that is being made."""

    greenlet: gevent.Greenlet
    heartbeat: Heartbeat


class AllowedOfAll:
    """Makes what rights allow of each catalog that it is given, behind ``profiles``."""

    def __init__(self, profiles: Profiles) -> None:
        """Give each catalog to ``profiles`` first."""
        self._profiles = profiles
        self._catalog: Catalog | None = None
        self._kept: MutableMapping[Rights, Allowed] = LRUCache(MOST_KEPT)
        self._making: dict[Rights, _Making] = {}
        self._told: _Told = LRUCache(_MOST_TOLD)
        self._told_before: _Told = {}  # of the catalog before

    def __repr__(self) -> str:
        return f"<AllowedOfAll kept={len(self._kept)} making={len(self._making)}>"

    @property
    def alive(self) -> bool:
        """Whether nothing hangs that is being made."""
        now = monotonic()
        return all(making.heartbeat.alive(now) for making in self._making.values())

    def replace(self, catalog: Catalog) -> None:
        """From now on it is about ``catalog``; what was made of the one before is dropped."""
        self._catalog = catalog
        self._kept.clear()
        gevent.killall([making.greenlet for making in self._making.values()], block=False)
        self._making.clear()
        self._told, self._told_before = LRUCache(_MOST_TOLD), self._told

    def get(self, rights: Rights) -> Allowed | None:
        """What ``rights`` allow of the newest catalog; waits while it is made.

        None if there is no catalog yet, or it is not ready in DEADLINE.
        """
        with gevent.Timeout(DEADLINE, False):
            while (catalog := self._catalog) is not None:
                if rights.is_all:
                    return drive(make_allowed(catalog, None))
                if (ready := self._kept.get(rights)) is not None:
                    return ready
                making = self._making.get(rights) or self._start(rights, catalog)
                making.greenlet.join()
                if catalog is self._catalog:
                    found = making.greenlet.value
                    return found if isinstance(found, Allowed) else None
        return None

    def may_have(self, rights: Rights, channel: Channel) -> bool:
        """Whether ``rights`` allow ``channel``; waits only for a profile that is being made.

        It may be one that the catalog has lost, and that is still played: what was said of it
        before holds. So it does while a profile is being made, which breaks no stream.
        """
        if rights.is_all:
            return True
        key = rights, channel.slug
        said = self._told.get(key)
        return self._decide(rights, channel) if said is None else said

    def _decide(self, rights: Rights, channel: Channel) -> bool:
        key, catalog = (rights, channel.slug), self._catalog
        position = None if catalog is None else catalog.position(channel.slug)
        before = self._told_before.get(key)
        if catalog is None or position is None:
            said = _of_lost(rights, channel) if before is None else before
        elif rights.groups is not None and not is_in(catalog.row(position), rights.groups):
            said = False
        elif not rights.profile:
            said = True
        elif before is not None and self._profiles.is_making(rights.profile):
            return before
        else:
            return self._is_in_profile(rights, channel)
        self._told[key] = said
        return said

    def _is_in_profile(self, rights: Rights, channel: Channel) -> bool:
        allowed = self.get(Rights(None, rights.profile))  # the same for all groups
        if allowed is None:
            return False
        position = allowed.catalog.position(channel.slug)
        said = position is not None and allowed.has(position)
        self._told[rights, channel.slug] = said
        return said

    def _start(self, rights: Rights, catalog: Catalog) -> _Making:
        heartbeat = Heartbeat(monotonic())
        greenlet = gevent.spawn(self._make, rights, catalog, heartbeat)
        making = self._making[rights] = _Making(greenlet, heartbeat)
        return making

    def _make(self, rights: Rights, catalog: Catalog, heartbeat: Heartbeat) -> Allowed | None:
        try:
            allowed = self._made(rights, catalog, heartbeat)
            if allowed is not None and catalog is self._catalog:
                self._kept[rights] = allowed
            return allowed
        finally:
            making = self._making.get(rights)
            if making is not None and making.greenlet is gevent.getcurrent():
                del self._making[rights]

    def _made(self, rights: Rights, catalog: Catalog, heartbeat: Heartbeat) -> Allowed | None:
        profile = None
        if rights.profile:
            if self._profiles.called(rights.profile) is None:
                return nothing_allowed(catalog)
            profile = self._profiles.get(rights.profile)
            if profile is None or catalog is not self._catalog:
                return None
        steps = beating(make_allowed(catalog, rights.groups, profile), heartbeat)
        allowed: Allowed = drive(steps)
        return allowed


def _of_lost(rights: Rights, channel: Channel) -> bool:
    """Of a channel that is in no list: nobody knows whether it would be in a profile."""
    return not rights.profile and rights.groups is not None and was_in(channel, rights.groups)
