"""What the guide's child is told: channels, profiles, rights, and the guides that are there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import time

from kptv.channels.catalog import Catalog
from kptv.channels.profiles import MadeProfile, profiles_of
from kptv.channels.users.allowed import Allowed, tag_of
from kptv.channels.users.model import Rights
from kptv.config import Config
from kptv.guide.job import MOST_CHANNELS, GuideFile, Job, ProfileLine, RightsLine
from kptv.guide.job_file import JobParts, profile_line, rights_line, write_job
from kptv.upstream.guide_fetches import GuideFetches
from kptv.upstream.guides import FetchedGuide

MOST_RIGHTS = 200  # of users, for whom a guide is built; each takes 1 MB of the child's memory


def folder_of(config: Config) -> Path:
    """Where all is that has to do with guides."""
    return config.data_dir / "guide"


class GuideJobs:
    """Writes jobs of all that is known at that moment."""

    def __init__(
        self,
        config: Config,
        fetches: GuideFetches,
        profile: Callable[[str], MadeProfile | None],
        allowed: Callable[[Rights], Allowed | None],
    ) -> None:
        """``profile`` and ``allowed`` are of the newest catalog, and may wait."""
        self._config = config
        self._fetches = fetches
        self._profile = profile
        self._allowed = allowed

    def __repr__(self) -> str:
        return f"<GuideJobs {self._fetches}>"

    def write(self, catalog: Catalog, rights: frozenset[Rights]) -> tuple[Path, str]:
        """The job's file, and a digest of what does not change with time. Raises OSError."""
        guides = self._fetches.guides
        parts = JobParts(
            catalog=catalog,
            logo_base=None if rights else self._config.base_url,
            known=[each.known for each in guides],
            files=lambda made_of: tuple(_files(guides, made_of)),
        )
        return write_job(self._job(catalog, rights), parts)

    def _job(self, catalog: Catalog, rights: frozenset[Rights]) -> Job:
        config, secrets = self._config, catalog.secrets | self._fetches.secrets
        of_groups = sorted((each for each in rights if each.groups is not None), key=tag_of)
        return Job(
            folder=str(folder_of(config).absolute()),
            now=int(time()),
            days=config.guide_days,
            filler=config.guide_filler,
            parent=os.getpid(),
            profiles=self._profiles(catalog),
            rights=tuple(self._lines(catalog, of_groups[:MOST_RIGHTS])),
            rights_left_out=len(of_groups[MOST_RIGHTS:]),
            prefixes=catalog.ruled.rules.names.prefixes if catalog.ruled is not None else (),
            left_out=max(len(catalog) - MOST_CHANNELS, 0),
            words=tuple(secrets.words),
            logins=tuple(secrets.logins),
        )

    def _profiles(self, catalog: Catalog) -> tuple[ProfileLine, ...]:
        made = (self._profile(profile.name) for profile in profiles_of(catalog))
        return tuple(profile_line(one) for one in made if one is not None)

    def _lines(self, catalog: Catalog, rights: Sequence[Rights]) -> Iterator[RightsLine]:
        for each in rights:
            allowed = self._allowed(each)
            if allowed is not None and allowed.catalog is catalog:  # if not, there is a newer one
                yield rights_line(each, allowed)


def _files(guides: Sequence[FetchedGuide], channels: str) -> Iterator[GuideFile]:
    """Those that were fetched, but for those of which these channels want nothing."""
    for number, guide in enumerate(guides, start=1):
        is_fruitless = guide.kept.fruitless == channels and not guide.newest.exists()
        if not guide.paths or is_fruitless:
            continue
        known = guide.known
        yield GuideFile(
            number=number,
            tag=known.tag,
            paths=tuple(str(path.absolute()) for path in guide.paths),
            reaches=guide.kept.reaches,
            offset=known.address.offset,
            zone=known.address.zone,
            sources=tuple(sorted(known.sources)),
        )
