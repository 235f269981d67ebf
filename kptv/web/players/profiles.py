"""The profiles of the current catalog, made one after the other while all goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

import gevent
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from kptv.channels.catalog import Catalog
from kptv.channels.given import Given, Numbered
from kptv.channels.profiles import MadeProfile, make_profile, profiles_of
from kptv.channels.rules.model import Profile
from kptv.channels.rules.tables import Complaint
from kptv.pace import drive
from kptv.vitals.heartbeat import Heartbeat, beating

log = logging.getLogger(__name__)

DEADLINE = 20.0  # seconds that a client waits; five profiles of 500,000 channels take as long


class Numbers(Protocol):
    """Keeps the numbers that the channels of a profile were given."""

    def given(self, name: str) -> Given:
        """Those of before; may wait."""
        ...

    def keep(self, numbered: Numbered, name: str) -> object:
        """Keep these, too; does not wait for the disk."""
        ...


class Profiles:
    """Makes the profiles of each catalog that it is given."""

    def __init__(self, numbers: Numbers | None = None) -> None:
        """Without ``numbers``, those of profiles are not kept."""
        self._numbers = numbers
        self._keeping = BoundedSemaphore(1)  # one who reads what is being kept would read half
        self._making: _Making | None = None
        self._told: dict[str, Sequence[Complaint]] = {}  # by the name of a profile

    def __repr__(self) -> str:
        return f"<Profiles {self._making}>"

    @property
    def alive(self) -> bool:
        """Whether none hangs that is being made."""
        return self._making is None or not self._making.is_stuck

    def replace(self, catalog: Catalog) -> None:
        """Begin with those of ``catalog``; those of the one before are dropped."""
        if self._making is not None:
            self._making.close()
        profiles = profiles_of(catalog)
        self._making = _Making(catalog, profiles, self._make) if profiles else None

    def called(self, name: str) -> str | None:
        """``name``, if a profile is called so."""
        return name if self._making is not None and name in self._making.made else None

    def is_making(self, name: str) -> bool:
        """Whether ``get`` would wait."""
        making = self._making
        return making is not None and name in making.made and not making.made[name].ready()

    def get(self, name: str) -> MadeProfile | None:
        """A profile of the newest catalog; waits while it is made.

        None if there is no such profile, it cannot be made, or it is not ready in DEADLINE.
        """
        with gevent.Timeout(DEADLINE, False):
            while (making := self._making) is not None and name in making.made:
                made: MadeProfile | None = making.made[name].get()
                if making is self._making:
                    return made
        return None

    def settle(self) -> None:
        """Wait for all that are being made, and until their numbers are on their way."""
        for name in list(self._making.made) if self._making is not None else ():
            self.get(name)
        with self._keeping:
            pass

    def _make(self, catalog: Catalog, profile: Profile, heartbeat: Heartbeat) -> MadeProfile:
        given = self._given(profile) if profile.numbers else None
        steps = beating(make_profile(catalog, profile, given), heartbeat)
        made: MadeProfile = drive(steps)
        if made.numbered is not None and self._numbers is not None:
            self._keeping.acquire()
            gevent.spawn(self._keep, self._numbers, made.numbered, profile.name)
        self._tell(made)
        return made

    def _given(self, profile: Profile) -> Given | None:
        with self._keeping:
            return self._numbers.given(profile.name) if self._numbers is not None else None

    def _keep(self, numbers: Numbers, numbered: Numbered, name: str) -> None:
        """In a greenlet of its own: nobody ends it halfway when the next catalog comes."""
        try:
            numbers.keep(numbered, name)
        finally:
            self._keeping.release()

    def _tell(self, made: MadeProfile) -> None:
        """Log what is strange about it, but not at each import again."""
        name = made.profile.name
        for complaint in made.complaints:
            if complaint not in self._told.get(name, ()):
                log.warning("%s", complaint)
        self._told[name] = made.complaints


_Make = Callable[[Catalog, Profile, Heartbeat], MadeProfile]


class _Making:
    """The profiles of one catalog, being made."""

    def __init__(self, catalog: Catalog, profiles: Sequence[Profile], make: _Make) -> None:
        self.made = {profile.name: AsyncResult() for profile in profiles}  # None: cannot be made
        self._heartbeat = Heartbeat(monotonic())
        self._greenlet = gevent.spawn(self._run, catalog, profiles, make)

    def __repr__(self) -> str:
        ready = sum(result.ready() for result in self.made.values())
        return f"<_Making ready={ready} of={len(self.made)}>"

    @property
    def is_stuck(self) -> bool:
        """Whether it neither ends nor gets on."""
        return not self._greenlet.ready() and not self._heartbeat.alive(monotonic())

    def close(self) -> None:
        """Stop; who waits learns that there is nothing."""
        self._greenlet.kill(block=False)
        self._give_up()

    def _run(self, catalog: Catalog, profiles: Sequence[Profile], make: _Make) -> None:
        try:
            for profile in profiles:
                self.made[profile.name].set(make(catalog, profile, self._heartbeat))
        finally:
            self._give_up()

    def _give_up(self) -> None:
        for result in self.made.values():
            if not result.ready():
                result.set(None)
