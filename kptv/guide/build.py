"""`python -m kptv.guide.build`: makes a generation of the guide; its job comes on stdin.

It runs beside the worker, niced and bounded, and ends with it. Whatever ends it early, a finished
generation is there whole, or not at all.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median_low
from time import process_time

from kptv.channels.guide.ids import guide_ids
from kptv.channels.guide.joins import Joiner
from kptv.channels.guide.model import GuideOf, Joined, Match, Offer, WantedChannel
from kptv.channels.guide.schedule import (
    Tidy,
    filled,
    filler,
    shift_of,
    shifted,
    tidied,
    with_filler,
    within,
)
from kptv.channels.rules.countries import country_of
from kptv.channels.secrets import Finder
from kptv.formats.xmltv.links import without_links
from kptv.formats.xmltv.reading import Show, title_of
from kptv.formats.xmltv.writing import for_players
from kptv.guide.gathering import Gathered, gather
from kptv.guide.generation import Unfinished
from kptv.guide.job import ChannelLine, Job, read
from kptv.guide.report import GenerationReport
from kptv.guide.schema import UNFINISHED
from kptv.guide.scratch import Scratch

NICENESS = 10
MEMORY = 512 * 1024**2  # bytes of addresses
CPU = 600  # seconds
CPU_WITH_RIGHTS = 300  # seconds; after these the guides of users' rights are left out
BEFORE = 86400  # seconds of the past that are kept
_DAY = 86400
_MARGIN = 86400  # seconds by which a show may begin before the window


class Orphaned(Exception):
    """The worker has ended, so nobody waits for the guide."""


def main() -> int:
    """The exit status; the name of the finished generation goes to stdout, complaints to stderr."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU + 5))
    try:
        job, channels = read(sys.stdin.buffer)
        finished = build(job, channels)
    except Orphaned:
        return 3
    except MemoryError:
        return _failed(f"it needs more than {MEMORY // 1024**2} MB of memory")
    except OSError as error:
        return _failed(error.strerror or type(error).__name__)
    except sqlite3.Error as error:
        return _failed(str(error))
    except ValueError as error:
        return _failed(f"{type(error).__name__}")
    sys.stdout.write(f"{finished.name}\n")
    return 0


def _failed(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


def build(job: Job, channels: Sequence[ChannelLine]) -> Path:
    """The finished generation. Raises OSError, sqlite3.Error, Orphaned."""
    folder, name = Path(job.folder), f"{job.now}-{os.getpid()}"
    scratch_path = folder / f"{UNFINISHED}{name}.scratch"
    shift = max((abs(shift_of(line.shift)) for line in channels), default=0)
    window = (job.now - BEFORE - shift - _MARGIN, job.now + job.days * _DAY + shift)
    unfinished: Unfinished | None = None
    scratch = None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = Scratch(scratch_path, job.now, window)
        unfinished = Unfinished(folder, name, job.profiles, job.rights)
        return _Build(job, channels, scratch, unfinished).run()
    finally:
        if scratch is not None:
            scratch.close()
        scratch_path.unlink(missing_ok=True)
        if unfinished is not None:
            unfinished.close()


@dataclass(slots=True)
class _Tally:
    """What is counted while shows are written."""

    shows: int
    tidied: Counter[Tidy]
    reaches: list[int]  # the last stop of each channel that is joined


class _Build:
    def __init__(
        self, job: Job, channels: Sequence[ChannelLine], scratch: Scratch, out: Unfinished
    ) -> None:
        self._job, self._channels, self._scratch, self._out = job, channels, scratch, out
        self._go_on = _watch(job.parent)
        self._tells = Finder(job.secrets).tells
        self._start, self._end = job.now - BEFORE, job.now + job.days * _DAY
        self._tally = _Tally(0, Counter(), [])

    def run(self) -> Path:
        """Read all guides, join, write."""
        job, scratch = self._job, self._scratch
        guides = [GuideOf(guide.number, frozenset(guide.sources)) for guide in job.guides]
        joiner = Joiner([_wanted(line) for line in self._channels], guides, job.prefixes)
        gathered = [gather(guide, joiner, scratch, self._go_on) for guide in job.guides]
        scratch.ready()
        self._go_on()
        joined = joiner.decide(scratch.later)
        self._write(joined, {guide.report.number: guide.icons for guide in gathered})
        return self._out.finish(self._report(joined, gathered))

    def _write(self, joined: Sequence[Joined], icons: Mapping[int, Mapping[str, str]]) -> None:
        served = ((line.slug, line.tvg_id, line.number) for line in self._channels)
        ids = guide_ids(served)
        for place, (line, one) in enumerate(zip(self._channels, joined, strict=True)):
            icon = line.icon or self._icon(one, icons)
            self._out.channel(place, line, ids[line.slug], one, icon)
        for place, (line, one) in enumerate(zip(self._channels, joined, strict=True)):
            self._go_on()
            if process_time() > CPU_WITH_RIGHTS:
                self._out.leave_out_rights()
            shows = list(self._shows(line, one))
            if one.match is not None and shows:
                self._tally.reaches.append(shows[-1].stop or 0)
            shows = self._with_filler(line, shows)
            self._tally.shows += len(shows)
            self._out.shows(place, ids[line.slug], shows)

    def _icon(self, joined: Joined, icons: Mapping[int, Mapping[str, str]]) -> str:
        """The picture that the guide has of a channel, if it is one that may be told."""
        match = joined.match
        icon = icons.get(match.guide, {}).get(match.id, "") if match is not None else ""
        is_public = icon.lower().startswith(("http://", "https://")) and not self._tells(icon)
        return icon if is_public else ""

    def _shows(self, line: ChannelLine, joined: Joined) -> Iterator[Show]:
        if joined.match is None:
            return
        schedules = [self._schedule(line, match) for match in (joined.match, *joined.fills)]
        for show in within(filled(*schedules), self._start, self._end):
            xml = for_players(without_links(show.xml, self._tells))
            if xml == show.xml:
                yield show
            elif title := title_of(xml):  # with the link, the title may be gone
                yield show._replace(xml=xml, title=title)

    def _schedule(self, line: ChannelLine, match: Match) -> list[Show]:
        told = shifted(self._scratch.shows(match.guide, match.id), shift_of(line.shift))
        return tidied(told, self._tally.tidied)

    def _with_filler(self, line: ChannelLine, shows: list[Show]) -> list[Show]:
        if not self._job.filler:
            return shows
        start = self._start - self._start % 3600
        return with_filler(shows, filler(line.slug, line.name), start, self._end)

    def _report(self, joined: Sequence[Joined], gathered: Sequence[Gathered]) -> GenerationReport:
        matches = [one.match for one in joined if one.match is not None]
        by_guide = Counter(match.guide for match in matches)
        reports = [replace(one.report, joined=by_guide[one.report.number]) for one in gathered]
        tally = self._tally
        return GenerationReport(
            made=self._job.now,
            until=median_low(tally.reaches) if tally.reaches else 0,
            channels=len(joined),
            shows=tally.shows,
            joined=dict(Counter(match.rule.name.lower() for match in matches)),
            guides=tuple(reports),
            tidied={kind.value: count for kind, count in tally.tidied.items() if count},
            seconds=round(process_time(), 2),
            left_out=self._job.left_out,
            rights_left_out=self._job.rights_left_out + self._out.rights_left_out,
            made_of=self._job.made_of,
        )


def _wanted(line: ChannelLine) -> WantedChannel:
    offers = tuple(
        Offer(one.source, one.tvg_id, one.names, country_of(one.tvg_id, one.country))
        for one in line.offers
    )
    return WantedChannel(line.slug, line.name, offers, line.fixed)


def _watch(parent: int) -> Callable[[], None]:
    """Raises Orphaned once the process that began this one has ended."""

    def go_on() -> None:
        if parent and os.getppid() != parent:
            raise Orphaned

    return go_on


if __name__ == "__main__":
    sys.exit(main())
