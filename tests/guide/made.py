"""Small guides, and the child that reads them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kptv.formats.xmltv.writing import FOOTER, HEADER, channel, programme, title_xml
from kptv.guide.job import ChannelLine, GuideFile, Job, OfferLine, line_of

HOUR = 3600
NOW = 1_800_000_000 - 1_800_000_000 % HOUR + HOUR // 2  # half past an hour


def guide_xml(channels: Mapping[str, str], now: int = NOW, shows: int = 24) -> bytes:
    """A guide of channels (id: name): the first show is the one of the hour before."""
    first = now - now % HOUR - HOUR
    parts = [HEADER, *(channel(guide_id, [name]) for guide_id, name in channels.items())]
    for guide_id in channels:
        for number in range(shows):
            start = first + number * HOUR
            title = title_xml(f"Show {number} of {guide_id}")
            parts.append(programme(guide_id, start, start + HOUR, title))
    return b"".join([*parts, FOOTER])


def line(slug: str, tvg_id: str, **more: object) -> ChannelLine:
    """A served channel of one offer."""
    offers = (OfferLine(1, tvg_id, (slug.title(),)),)
    return ChannelLine(slug, slug.title(), tvg_id, offers=offers, **more)  # type: ignore[arg-type]


def job_bytes(job: Job, channels: Sequence[ChannelLine]) -> bytes:
    """A job as the child is given it."""
    return b"".join(map(line_of, [*channels, job]))


def guide_file(*paths: Path, number: int = 1, **more: object) -> GuideFile:
    """A guide that was fetched for source 1."""
    given = {"sources": (1,), **more}
    return GuideFile(
        number=number,
        tag=f"guide-{number}",
        paths=tuple(map(str, paths)),
        **given,  # type: ignore[arg-type]
    )


def start_child() -> subprocess.Popen[bytes]:
    """The child as it is run, with pipes."""
    pipe = subprocess.PIPE
    command = (sys.executable, "-m", "kptv.guide.build")
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
