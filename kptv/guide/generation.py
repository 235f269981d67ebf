"""Writes a generation of the guide: all of it, then it has its name."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kptv.channels.guide.model import Joined
from kptv.formats.xmltv import writing
from kptv.formats.xmltv.reading import Show
from kptv.guide.job import ChannelLine, ProfileLine, RightsLine
from kptv.guide.report import GenerationReport
from kptv.guide.schema import (
    DATABASE,
    EVERYTHING,
    FINISHED,
    INDEXES,
    REPORT,
    TABLES,
    UNFINISHED,
    file_of_profile,
    file_of_rights,
)
from kptv.guide.scratch import fast_database

_LEVEL = 6  # of gzip
_FAST = 1  # for what there may be a hundred of: a third of the time, and a quarter more bytes
_AT_ONCE = 64 * 1024  # bytes that are packed together


class Packed:
    """A ``.xml.gz``, written once."""

    def __init__(self, path: Path, level: int = _LEVEL) -> None:
        self.path = path
        self._file = path.open("xb")  # the folder is its owner's alone
        self._gzip = zlib.compressobj(level, wbits=31)
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Add ``data``."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._file.write(self._gzip.compress(b"".join(self._waiting)))
        self._waiting, self._size = [], 0

    def finish(self) -> None:
        """All is there, and on the disk."""
        self._flush()
        self._file.write(self._gzip.flush())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Leave it as it is, also on a full disk; may come twice."""
        with suppress(OSError):
            self._file.close()


@dataclass(slots=True)
class _Part:
    """The file of some of the channels."""

    file: Packed
    places: Container[int]
    numbers: Mapping[int, int] | None  # by place; None: those of the channels


class Unfinished:
    """A generation that is being written: all channels first, then their shows in their order."""

    def __init__(
        self,
        folder: Path,
        name: str,
        profiles: Sequence[ProfileLine],
        rights: Sequence[RightsLine] = (),
    ) -> None:
        """``name``: of this generation, unlike all others in ``folder``."""
        self._folder, self._name = folder, name
        self.path = folder / f"{UNFINISHED}{name}"
        self.path.mkdir(mode=0o700, parents=True)
        self._database = fast_database(self.path / DATABASE)
        self._database.executescript(TABLES)
        self._database.execute("BEGIN")
        self._everything = Packed(self.path / EVERYTHING)
        self._profiles = [self._of_profile(each) for each in profiles]
        numbers = {
            line.name: part.numbers for line, part in zip(profiles, self._profiles, strict=True)
        }
        self._rights = [self._of_rights(each, numbers.get(each.profile)) for each in rights]
        self.rights_left_out = 0
        for file in self._files:
            file.write(writing.HEADER)

    def _of_profile(self, line: ProfileLine) -> _Part:
        file = Packed(self.path / file_of_profile(line.name))
        numbers = dict(zip(line.places, line.numbers or line.places, strict=True))
        return _Part(file, numbers, numbers if line.numbers else None)

    def _of_rights(self, line: RightsLine, numbers: Mapping[int, int] | None) -> _Part:
        return _Part(Packed(self.path / file_of_rights(line.tag), _FAST), line.places(), numbers)

    @property
    def _parts(self) -> Iterator[_Part]:
        yield from self._profiles
        yield from self._rights

    @property
    def _files(self) -> Iterator[Packed]:
        yield self._everything
        yield from (part.file for part in self._parts)

    def __repr__(self) -> str:
        return f"<Unfinished {self._name}>"

    def channel(
        self, place: int, line: ChannelLine, guide_id: str, joined: Joined, icon: str
    ) -> None:
        """Add a channel; ``guide_id``: its own in our guide."""
        match = joined.match
        told = (match.rule.name.lower(), match.guide, match.id, match.key) if match else [None] * 4
        suggestions = json.dumps([[one.guide, one.id] for one in joined.suggestions])
        self._database.execute(
            f"INSERT INTO channel VALUES ({','.join('?' * 11)})",
            (place, line.slug, guide_id, line.name, line.number, *told, joined.why, suggestions),
        )
        self._everything.write(writing.channel(guide_id, _names(line.name, line.number), icon))
        for part in self._parts:
            if place in part.places:
                number = str(part.numbers[place]) if part.numbers else line.number
                part.file.write(writing.channel(guide_id, _names(line.name, number), icon))

    def shows(self, place: int, guide_id: str, shows: Iterable[Show]) -> None:
        """Add the shows of a channel: tidied, their children as they may be served."""
        shows = list(shows)
        self._database.executemany(
            "INSERT INTO show VALUES (?, ?, ?, ?)",
            [(place, show.start, show.stop, show.title) for show in shows],
        )
        self._database.executemany(
            "INSERT INTO detail VALUES (?, ?, ?)", [(place, s.start, s.xml) for s in shows]
        )
        text = b"".join([writing.programme(guide_id, s.start, s.stop or 0, s.xml) for s in shows])
        self._everything.write(text)
        for part in self._parts:
            if place in part.places:
                part.file.write(text)

    def leave_out_rights(self) -> None:
        """Remove the files of users' rights: all of them would take too long."""
        self.rights_left_out += len(self._rights)
        for part in self._rights:
            part.file.close()
            part.file.path.unlink()
        self._rights = []

    def finish(self, report: GenerationReport) -> Path:
        """Put all of it on the disk, and give it its name; the finished generation."""
        self._database.execute("COMMIT")
        self._database.execute(INDEXES)
        self._database.close()
        for file in self._files:
            file.write(writing.FOOTER)
            file.finish()
        (self.path / REPORT).write_text(report.written())
        for path in (self.path / DATABASE, self.path / REPORT, self.path):
            _sync(path)
        finished = self._folder / f"{FINISHED}{self._name}"
        self.path.rename(finished)
        _sync(self._folder)
        return finished

    def close(self) -> None:
        """Remove it, unless it is finished; may come twice."""
        self._database.close()
        for file in self._files:
            file.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _names(name: str, number: str) -> tuple[str, ...]:
    return (name, number) if number and number != name else (name,)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
