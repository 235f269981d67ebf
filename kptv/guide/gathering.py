"""All guides, read into the scratch; each is read once, and one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kptv.channels.guide.joins import Joiner
from kptv.formats.gzipped import PIECE
from kptv.formats.xmltv.reading import Described, GuideReader, shows_of
from kptv.formats.xmltv.times import ShowTimes, zone_of
from kptv.guide.job import GuideFile
from kptv.guide.report import GuideReport
from kptv.guide.scratch import Scratch

_SOON = 3600  # seconds by which an old file must reach farther than a new one that is cut


@dataclass(frozen=True, slots=True)
class Gathered:
    """A guide that was read, and the pictures of its channels."""

    report: GuideReport
    icons: dict[str, str]  # by id; of ids that may be needed


def gather(
    guide: GuideFile, joiner: Joiner, scratch: Scratch, go_on: Callable[[], None]
) -> Gathered:
    """Read the first of its files that is of use; ``go_on`` raises if nobody waits any more."""
    refused = ""
    for place, path in enumerate(guide.paths):
        gathered = _read(guide, Path(path), joiner, scratch, go_on)
        is_last = place + 1 == len(guide.paths)
        why = _why_not(gathered.report, 0 if is_last else guide.reaches)
        if not why:
            report = replace(gathered.report, used=Path(path).name, refused=refused)
            return Gathered(report, gathered.icons)
        refused = refused or why
        scratch.forget(guide.number)
    return Gathered(GuideReport(number=guide.number, tag=guide.tag, refused=refused), {})


def _why_not(report: GuideReport, reaches: int) -> str:
    """Why a file is of no use; empty if it is."""
    if report.refused:
        return report.refused
    if not report.shows:
        return "no guide: it tells no shows"
    if not report.is_whole and reaches > report.last + _SOON:
        return "it is cut, and the one before reaches farther"
    return ""


def _read(
    guide: GuideFile, path: Path, joiner: Joiner, scratch: Scratch, go_on: Callable[[], None]
) -> Gathered:
    icons: dict[str, str] = {}
    number = guide.number
    zone = _zone(guide.zone)

    def heard(told: Described) -> None:
        joiner.heard(number, told.id, told.names)
        if told.icon and joiner.wants(number, told.id):
            icons.setdefault(told.id, told.icon)

    times = ShowTimes(zone, guide.offset)
    reader = GuideReader(times, heard, lambda guide_id: joiner.wants(number, guide_id))
    refused = ""
    try:
        for _ in scratch.add(number, shows_of(_pieces(path, go_on), reader)):
            go_on()
    except FileNotFoundError:
        refused = "its file is gone"
    if reader.root and reader.root != "tv":
        refused = f"no guide, but {'a page' if reader.root == 'html' else 'something else'}"
    faults = {fault.value: count for fault, count in reader.faults.items()}
    if guide.zone and zone is None:
        faults["unknown_zone"] = faults.get("unknown_zone", 0) + 1
    first, last = scratch.range(number)
    report = GuideReport(
        number=number,
        tag=guide.tag,
        refused=refused,
        channels=reader.channels,
        shows=reader.shows,
        kept=reader.kept,
        first=first,
        last=last,
        is_whole=reader.is_whole,
        faults=faults,
    )
    return Gathered(report, icons)


def _zone(name: str) -> tzinfo | None:
    if not name:
        return None
    try:
        return zone_of(name) or ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _pieces(path: Path, go_on: Callable[[], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            go_on()
            yield piece
