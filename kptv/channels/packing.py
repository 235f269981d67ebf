"""Entries packed into ``bytes``: a third of what an object costs, and nothing for the collector.

200,000 entries take 60 MB in this form, and 200 MB as dicts of parsed attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kptv.channels.model import Source, Stream
from kptv.formats.m3u import Entry
from kptv.formats.m3u_attributes import INNER, quoted, unquoted
from kptv.formats.m3u_extinf import PlainEntry

# Control characters (ASCII's own separators): an Entry holds none of them. A record is source
# number, URL, name, groups, headers and attributes, with FIELD between two of them.
_FIELD, _ITEM = "\x1e", "\x1d"
FIELD = b"\x1e"
_NAME, _GROUPS = 2, 3  # places of fields that are cut out alone

# A list may offer the same a million times, each with something new to say.
_MOST_UNITED = 64  # groups, attributes, headers of a record that is made of several
_LONGEST_UNITED = 16 * 1024  # bytes of one: a list's longest lines have 8,369

# Kept among the headers: none of them can have such a name.
_PROGRAM = ":program"
LISTED_NAME = ":name"  # as its list has it, if it was given another
RANK = ":rank"  # see rules


def pack(number: int, entry: Entry) -> bytes:
    """The record of ``entry``, of the source with this number."""
    return number_mark(number) + body_of(entry).encode("utf-8", "replace")


def body_of(entry: Entry) -> str:
    """The record of ``entry`` as text, without the source's number and the mark behind it."""
    name, url, text, groups, headers, program = entry
    if program:
        headers = {**headers, _PROGRAM: str(program)}
    asked = quoted(headers) if headers else ""
    return _FIELD.join((url, name, _ITEM.join(groups), asked, text))


def bodies_of_plain(entries: Iterable[PlainEntry]) -> list[str]:
    """The same of plain entries."""
    return [
        f"{url}{_FIELD}{name}{_FIELD}{group}{_FIELD}{_FIELD}{text}"
        for text, group, name, url in entries
    ]


def _split(record: bytes) -> list[str]:
    """All fields of ``record``."""
    return record.decode().split(_FIELD)


def number_mark(number: int) -> bytes:
    """The beginning of all records of the source with this number."""
    return f"{number}{_FIELD}".encode()


def unpack(record: bytes, sources: Mapping[int, Source]) -> Stream:
    """The stream that ``record`` stands for."""
    number, url, name, _, headers, text = _split(record)
    asked = unquoted(headers)
    program = int(asked.pop(_PROGRAM, 0))
    listed, _ = asked.pop(LISTED_NAME, ""), asked.pop(RANK, "")
    return Stream(sources[int(number)], url, name, unquoted(text), asked, program, listed)


def offer_of(record: bytes) -> bytes:
    """Source and URL, as one key: equal for entries that offer the same stream."""
    return record[: record.index(FIELD, record.index(FIELD) + 1)]


def united(first: bytes, second: bytes) -> bytes:
    """The record of an offer that is listed twice: ``first``, and what only ``second`` says.

    Groups are those of both; gaps among attributes and headers are filled.
    """
    if first == second or len(first) > _LONGEST_UNITED:
        return first
    number, url, name, groups, headers, text = _split(first)
    _, _, _, more_groups, more_headers, more_text = _split(second)
    if groups != more_groups:
        names = dict.fromkeys(filter(None, (groups + _ITEM + more_groups).split(_ITEM)))
        groups = _ITEM.join([*names][: max(_MOST_UNITED, groups.count(_ITEM) + 1)])
    headers, text = _filled(headers, more_headers), _filled(text, more_text)
    return _FIELD.join((number, url, name, groups, headers, text)).encode()


def _filled(text: str, other: str) -> str:
    """``text`` with the attributes that are empty or missing in it taken from ``other``."""
    if text == other or not other:
        return text
    values = unquoted(text)
    for key, value in unquoted(other).items():
        if not values.get(key) and len(values) < _MOST_UNITED:
            values[key] = value
    return quoted(values)


# The fields that an import asks each record for are cut out alone: that takes a fraction of the
# time of ``_split``.


def url_of(record: bytes) -> bytes:
    """The entry's URL."""
    start = record.index(FIELD) + 1
    return record[start : record.index(FIELD, start)]


def name_of(record: bytes) -> str:
    """The entry's name."""
    return record.split(FIELD, 3)[_NAME].decode()


def names_of(records: Iterable[bytes]) -> str:
    """The entries' names, one per line."""
    return b"\n".join([record.split(FIELD, 3)[_NAME] for record in records]).decode()


def groups_of(record: bytes) -> bytes:
    """The entry's groups, packed: equal if the groups are."""
    return record.split(FIELD, 4)[_GROUPS]


def packed_groups(names: Iterable[str]) -> bytes:
    """What ``groups_of`` gives of an entry in these groups."""
    return _ITEM.join(names).encode("utf-8", "replace")


def group_names(groups: bytes) -> list[str]:
    """The names in what ``groups_of`` gave."""
    return groups.decode().split(_ITEM) if groups else []


def attribute_of(record: bytes, mark: bytes) -> str:
    """The value of an attribute, empty if the entry has none; ``mark`` is ``attribute_mark(key)``.

    In a seventh of the time that unpacking takes.
    """
    at, inside = record.rindex(FIELD), 0
    while (start := record.find(mark, at)) >= 0:
        inside ^= record.count(b'"', at, start) & 1  # a value may end like a mark: a="b key="
        if not inside:
            start += len(mark)
            return record[start : record.index(b'"', start)].decode().replace(INNER, '"')
        at = start + 1
    return ""


def repeats_name(record: bytes, mark: bytes) -> bool:
    """Whether the value of an attribute (see ``attribute_of``) is the entry's name to the letter.

    No name begins with a blank, so ``mark`` before it is not the end of another value.
    """
    name = record.split(FIELD, 3)[_NAME]
    return record.find(mark + name + b'"', record.rindex(FIELD)) >= 0


def attribute_mark(key: str) -> bytes:
    """The text before the value of the attribute ``key`` in a record."""
    return f' {key}="'.encode()


def fields_of(record: bytes) -> list[bytes]:
    """All fields of ``record``, still packed."""
    return record.split(FIELD)


def fields_for_list(record: bytes) -> tuple[str, str, str]:
    """URL, name and attributes as text: what a served list is made of."""
    _, url, name, _, _, text = _split(record)
    return url, name, text
