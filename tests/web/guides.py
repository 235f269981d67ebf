"""Generations of the guide, as the child writes them, for whoever reads them."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kptv.channels.users.allowed import tag_of
from kptv.channels.users.model import Rights
from kptv.formats.xmltv import writing
from kptv.guide.current import CurrentGuide
from kptv.guide.reading import Generation
from kptv.guide.report import GenerationReport, GuideReport
from kptv.guide.schema import (
    DATABASE,
    EVERYTHING,
    INDEXES,
    REPORT,
    TABLES,
    file_of_profile,
    file_of_rights,
)

MADE = 1_790_000_000


@dataclass(frozen=True, slots=True)
class Shown:
    """A channel of a guide and its shows: start, stop, title, what else is told."""

    slug: str
    id: str
    shows: Sequence[tuple[int, int, str, bytes]] = ()
    rule: str | None = "id"
    suggestions: Sequence[tuple[int, str]] = ()
    why: str = ""


def hours(start: int, *titles: str, xml: bytes = b"") -> list[tuple[int, int, str, bytes]]:
    """Shows of an hour each, one behind the other."""
    begins = range(start, start + 3600 * len(titles), 3600)
    return [
        (begin, begin + 3600, title, writing.title_xml(title) + xml)
        for begin, title in zip(begins, titles, strict=True)
    ]


def xml_of(channels: Sequence[Shown]) -> bytes:
    """The guide of these channels."""
    heads = [writing.channel(one.id, [one.slug]) for one in channels]
    shows = [
        writing.programme(one.id, start, stop, xml)
        for one in channels
        for start, stop, _, xml in one.shows
    ]
    return b"".join([writing.HEADER, *heads, *shows, writing.FOOTER])


def generation_of(
    folder: Path,
    channels: Sequence[Shown],
    profiles: Mapping[str, Sequence[Shown]] | None = None,
    rights: Mapping[Rights, Sequence[Shown]] | None = None,
) -> Generation:
    """A generation of these channels; each call makes another one."""
    path = folder / f"generation-{MADE}-{len(list(folder.iterdir()))}"
    path.mkdir()
    database = sqlite3.connect(path / DATABASE)
    database.executescript(TABLES)
    for place, one in enumerate(channels):
        told = [one.rule, 1, one.id, one.slug] if one.rule else [None] * 4
        row = (place, one.slug, one.id, one.slug, "", *told, one.why, json.dumps(one.suggestions))
        database.execute(f"INSERT INTO channel VALUES ({','.join('?' * 11)})", row)
        for start, stop, title, xml in one.shows:
            database.execute("INSERT INTO show VALUES (?, ?, ?, ?)", (place, start, stop, title))
            database.execute("INSERT INTO detail VALUES (?, ?, ?)", (place, start, xml))
    database.executescript(INDEXES)
    database.commit()
    database.close()
    (path / EVERYTHING).write_bytes(gzip.compress(xml_of(channels)))
    for name, some in (profiles or {}).items():
        (path / file_of_profile(name)).write_bytes(gzip.compress(xml_of(some)))
    for each, some in (rights or {}).items():
        (path / file_of_rights(tag_of(each))).write_bytes(gzip.compress(xml_of(some)))
    guides = (GuideReport(number=1, tag="guide-1"),)
    report = GenerationReport(made=MADE, until=MADE, channels=len(channels), guides=guides)
    (path / REPORT).write_text(report.written())
    return Generation.open(path)


def in_force(generation: Generation) -> CurrentGuide:
    """The guide that is ``generation``."""
    guide = CurrentGuide()
    guide.replace(generation)
    return guide
