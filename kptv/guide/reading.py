"""A generation of the guide, read by the worker: in statements that take a millisecond or two.

SQLite holds up the event loop while a statement runs, so each asks for AT_ONCE channels at most;
who needs more gives the others a turn between two.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from kptv.guide.report import GenerationReport, read_report
from kptv.guide.schema import DATABASE, EVERYTHING, REPORT, file_of_profile, file_of_rights

AT_ONCE = 50  # channels in one statement
LONGEST = 86400  # seconds of a show; the child cuts those that are longer
STATES = ("joined", "suggested", "none")  # of a channel: it has an id, may have one, has none


class GuideBroken(Exception):
    """A generation that cannot be read."""


class ToldShow(NamedTuple):
    """A show."""

    start: int
    stop: int
    title: str


class Detailed(NamedTuple):
    """A show with all that its guide tells; ``xml``: the children of its element, checked."""

    start: int
    stop: int
    title: str
    xml: bytes


class NowNext(NamedTuple):
    """What a channel shows at a moment, and what comes behind it."""

    now: Detailed | None
    next: Detailed | None


class Join(NamedTuple):
    """What became of a channel as guides were joined to it."""

    slug: str
    id: str  # under which our own guide has it
    name: str
    number: str  # that is shown
    rule: str | None
    guide: int | None  # see ``Generation.report``
    guide_id: str | None
    key: str | None  # that was compared
    why: str  # there is none
    suggestions: tuple[tuple[int, str], ...]  # guide, id

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.rule is not None:
            return "joined"
        return "suggested" if self.suggestions else "none"


class FoundShow(NamedTuple):
    """A show that a search has found, and its channel."""

    slug: str
    name: str
    show: ToldShow


class Generation:
    """One generation; close it when nobody reads it any more."""

    def __init__(self, path: Path, database: sqlite3.Connection, report: GenerationReport) -> None:
        """Use ``open``."""
        self.path, self.report = path, report
        self._database = database

    def __repr__(self) -> str:
        return f"<Generation {self.path.name} channels={self.report.channels}>"

    @classmethod
    def open(cls, path: Path) -> Generation:
        """The generation in the folder ``path``. Raises GuideBroken."""
        try:
            report = read_report((path / REPORT).read_text())
            address = f"{(path / DATABASE).absolute().as_uri()}?mode=ro&immutable=1"
            database = sqlite3.connect(address, uri=True, isolation_level=None)
        except (OSError, ValueError, sqlite3.Error) as error:
            raise GuideBroken(str(error)) from None
        try:
            database.execute("SELECT 1 FROM channel, show, detail LIMIT 1").fetchone()
        except sqlite3.Error as error:
            database.close()
            raise GuideBroken(str(error)) from None
        return cls(path, database, report)

    @property
    def tag(self) -> str:
        """Another one for each generation: for ETags."""
        return self.path.name

    def close(self) -> None:
        """Close its database; may come twice."""
        self._database.close()

    def file(self, profile: str | None = None) -> Path:
        """The finished ``.xml.gz`` of all channels or of a profile; there may be none of one."""
        return self.path / (EVERYTHING if profile is None else file_of_profile(profile))

    def file_of_rights(self, tag: str) -> Path:
        """The same of the channels that some rights allow."""
        return self.path / file_of_rights(tag)

    def ids(self) -> Iterator[list[tuple[str, str]]]:
        """(slug, id) of each channel in the order of the list, AT_ONCE * 10 in each piece.

        The id is the one under which the channel stands in our guide.
        """
        yield from self._pieces("SELECT number, slug, id FROM channel", ())

    def _pieces(self, select: str, given: tuple[object, ...]) -> Iterator[list[tuple[str, str]]]:
        last = -1
        where = f"{select} WHERE number > ? ORDER BY number LIMIT {AT_ONCE * 10}"
        while rows := self._all(where, (*given, last)):
            last = rows[-1][0]
            yield [row[1:] for row in rows]

    def now(self, slugs: Sequence[str], at: int) -> dict[str, NowNext]:
        """What the channels (AT_ONCE at most) show at ``at``, and next; by slug."""
        rows = self._all(
            f"""SELECT c.slug, s.start, s.stop, s.title, d.xml FROM channel c
            JOIN show s ON s.channel = c.number AND s.start IN (
                (SELECT max(start) FROM show WHERE channel = c.number AND start <= ?),
                (SELECT min(start) FROM show WHERE channel = c.number AND start > ?))
            LEFT JOIN detail d ON d.channel = s.channel AND d.start = s.start
            WHERE c.slug IN ({_marks(slugs)}) ORDER BY s.start""",
            (at, at, *slugs),
        )
        found: dict[str, NowNext] = {}
        for slug, start, stop, title, xml in rows:
            had = found.get(slug, NowNext(None, None))
            show = Detailed(start, stop, title, xml or b"")
            if start > at:
                found[slug] = had._replace(next=show)
            elif stop > at:
                found[slug] = had._replace(now=show)
        return found

    def grid(self, slugs: Sequence[str], start: int, end: int) -> dict[str, list[ToldShow]]:
        """The shows of the channels (AT_ONCE at most) that touch [start, end), whole; by slug."""
        rows = self._all(
            f"""SELECT c.slug, s.start, s.stop, s.title FROM channel c
            JOIN show s ON s.channel = c.number AND s.start >= ? AND s.start < ?
            WHERE c.slug IN ({_marks(slugs)}) AND s.stop > ? ORDER BY s.start""",
            (start - LONGEST, end, *slugs, start),
        )
        found: dict[str, list[ToldShow]] = {}
        for slug, *show in rows:
            found.setdefault(slug, []).append(ToldShow(*show))
        return found

    def day(self, slug: str, start: int, end: int) -> list[Detailed]:
        """The shows of a channel that touch [start, end), with all that is told of them."""
        rows = self._all(
            """SELECT s.start, s.stop, s.title, d.xml FROM channel c
            JOIN show s ON s.channel = c.number AND s.start >= ? AND s.start < ?
            LEFT JOIN detail d ON d.channel = s.channel AND d.start = s.start
            WHERE c.slug = ? AND s.stop > ? ORDER BY s.start LIMIT 1000""",
            (start - LONGEST, end, slug, start),
        )
        return [Detailed(begin, stop, title, xml or b"") for begin, stop, title, xml in rows]

    def search(
        self, text: str, slugs: Sequence[str], start: int, end: int, most: int
    ) -> list[FoundShow]:
        """Shows of the channels (AT_ONCE at most) with ``text`` in their titles, at most so many.

        ASCII letters match in any case.
        """
        sought = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        rows = self._all(
            f"""SELECT c.slug, c.name, s.start, s.stop, s.title FROM channel c
            JOIN show s ON s.channel = c.number AND s.start >= ? AND s.start < ?
            WHERE c.slug IN ({_marks(slugs)}) AND s.stop > ?
            AND s.title LIKE ? ESCAPE '\\' ORDER BY s.start LIMIT ?""",
            (start - LONGEST, end, *slugs, start, f"%{sought}%", most),
        )
        return [FoundShow(slug, name, ToldShow(*show)) for slug, name, *show in rows]

    def joins(self, state: str | None, first: int = 0, most: int = AT_ONCE) -> list[Join]:
        """What became of the channels in ``state`` (None: of all), from the ``first`` on."""
        rows = self._all(
            f"""SELECT slug, id, name, number_shown, rule, guide, guide_id, key, why, suggestions
            FROM channel WHERE {_CONDITIONS[state]} ORDER BY number LIMIT ? OFFSET ?""",
            (most, first),
        )
        return list(map(_join, rows))

    def join(self, slug: str) -> Join | None:
        """What became of one channel; None if it is not in this generation."""
        rows = self._all(
            """SELECT slug, id, name, number_shown, rule, guide, guide_id, key, why, suggestions
            FROM channel WHERE slug = ?""",
            (slug,),
        )
        return _join(rows[0]) if rows else None

    def count(self, state: str | None) -> int:
        """How many channels are in ``state``."""
        [(count,)] = self._all(f"SELECT count(*) FROM channel WHERE {_CONDITIONS[state]}", ())
        return int(count)

    def _all(self, statement: str, given: Sequence[object]) -> list[Any]:
        try:
            with closing(self._database.execute(statement, given)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as error:
            raise GuideBroken(str(error)) from None


_CONDITIONS = {
    None: "1",
    "joined": "rule IS NOT NULL",
    "suggested": "rule IS NULL AND suggestions != '[]'",
    "none": "rule IS NULL AND suggestions = '[]'",
}


def _join(row: Sequence[Any]) -> Join:
    *values, suggestions = row
    found = tuple((guide, guide_id) for guide, guide_id in json.loads(suggestions))
    return Join._make([*values, found])


def _marks(slugs: Sequence[str]) -> str:
    if len(slugs) > AT_ONCE:
        raise ValueError(f"more than {AT_ONCE} channels at once")
    return ",".join("?" * len(slugs))
