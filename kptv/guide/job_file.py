"""Writes a job as the child reads it; see ``job``."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from kptv.channels.catalog import Catalog
from kptv.channels.guide.addresses import KnownGuide
from kptv.channels.profiles import MadeProfile
from kptv.channels.users.allowed import Allowed, tag_of
from kptv.channels.users.model import Rights
from kptv.guide.job import MOST_CHANNELS, GuideFile, Job, ProfileLine, RightsLine, line_of
from kptv.guide.served import lines_of
from kptv.pace import Pace

JOB = ".job-"  # how the names of such files begin


@dataclass(frozen=True, slots=True)
class JobParts:
    """What a job is made of."""

    catalog: Catalog
    logo_base: str | None  # see ``lines_of``
    known: Sequence[KnownGuide]
    files: Callable[[str], tuple[GuideFile, ...]]  # by the digest of what does not change with time


def write_job(job: Job, parts: JobParts) -> tuple[Path, str]:
    """The file of ``job``, and a digest of what does not change with time. Raises OSError."""
    folder = Path(job.folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=JOB, dir=folder)
    try:
        with open(descriptor, "wb") as file:
            return Path(name), _write(file, job, parts)
    except BaseException:  # it holds secrets
        Path(name).unlink(missing_ok=True)
        raise


def _write(file: IO[bytes], job: Job, parts: JobParts) -> str:
    digest, pace = hashlib.sha256(), Pace()
    for channel in lines_of(parts.catalog, parts.logo_base):
        line = line_of(channel)
        file.write(line)
        digest.update(line)
        pace()
    same = [(one.tag, one.address, sorted(one.sources)) for one in parts.known]
    digest.update(repr((job.profiles, job.days, job.filler, job.prefixes, same)).encode())
    digest.update("".join(one.address.url for one in parts.known).encode())
    if job.rights:
        digest.update(repr(job.rights).encode())
    made_of = digest.hexdigest()
    file.write(line_of(replace(job, guides=parts.files(made_of), made_of=made_of)))
    return made_of


def profile_line(made: MadeProfile) -> ProfileLine:
    """What the child is told of a profile."""
    places = [place for place in made.positions if place < MOST_CHANNELS]
    numbers = None if made.numbers is None else tuple(made.numbers[place] for place in places)
    return ProfileLine(name=made.profile.name, places=tuple(places), numbers=numbers)


def rights_line(rights: Rights, allowed: Allowed) -> RightsLine:
    """What the child is told of rights; takes slices of time (see ``pace``)."""
    members, pace = bytearray(-(-min(len(allowed.catalog), MOST_CHANNELS) // 8)), Pace()
    for number, place in enumerate(allowed.positions):
        if place < MOST_CHANNELS:
            members[place >> 3] |= 1 << (place & 7)
        if number % 1000 == 0:
            pace()
    return RightsLine(tag=tag_of(rights), members=members.hex(), profile=rights.profile)
