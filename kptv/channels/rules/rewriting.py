"""Changes of packed entries: name, groups, attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kptv.channels.packing import FIELD, LISTED_NAME, RANK, attribute_mark, packed_groups
from kptv.channels.rules.contexts import Fate
from kptv.formats.m3u_attributes import INNER, quoted, unquoted

_GROUP_TITLE, _TVG_NAME = "group-title", "tvg-name"
_NAME, _GROUPS, _HEADERS, _TEXT = 2, 3, 4, 5  # places of a record's fields
_RANK_MARK = attribute_mark(RANK)
_LISTED_MARK = attribute_mark(LISTED_NAME)
_MARKS = {key: attribute_mark(key) for key in (_GROUP_TITLE, _TVG_NAME)}
_INNER = INNER.encode()


# A name and what becomes of it, as a record holds them: the new one, ``tvg-name`` with the old and
# with the new one, and the header that keeps the old one. Empty: it stays.
Renaming = tuple[bytes, ...]


def renaming_of(before: bytes, name: bytes) -> Renaming:
    """What ``changed`` needs to give entries another name, made once for all of a name."""
    if name == before:
        return ()
    mark, end = _MARKS[_TVG_NAME], b'"'
    old, new = before.replace(end, _INNER), name.replace(end, _INNER)
    return name, mark + old + end, mark + new + end, _LISTED_MARK + old + end


def changed(fields: list[bytes], fate: Fate, renaming: Renaming) -> bytes:
    """The record with these fields as the rules want it, which gave its name another."""
    if renaming:
        _rename(fields, renaming)
    if fate.changes:
        if fate.groups is not None:
            regrouped(fields, fate.groups)
        if fate.sets:
            with_attributes(fields, fate.sets)
        if fate.rank:
            ranked(fields, fate.rank)
    return FIELD.join(fields)


def renamed(fields: list[bytes], name: bytes) -> None:
    """Give an entry, of which these are the fields, another name; that of its list is kept."""
    if renaming := renaming_of(fields[_NAME], name):
        _rename(fields, renaming)


def _rename(fields: list[bytes], renaming: Renaming) -> None:
    fields[_NAME], old, new, listed = renaming
    before, is_there, behind = fields[_TEXT].partition(old)
    if is_there and not before.count(b'"') & 1 and _MARKS[_TVG_NAME] not in before:
        fields[_TEXT] = before + new + behind
    else:
        fields[_TEXT] = _with(fields[_TEXT], _TVG_NAME, renaming[0], add=False)
    if not fields[_HEADERS]:
        fields[_HEADERS] = listed
    elif _LISTED_MARK not in fields[_HEADERS]:
        fields[_HEADERS] += listed


def regrouped(fields: list[bytes], groups: Sequence[str]) -> None:
    """Put an entry into other groups."""
    fields[_GROUPS] = packed_groups(groups)
    fields[_TEXT] = _with(fields[_TEXT], _GROUP_TITLE, ";".join(groups).encode(), add=True)


def ranked(fields: list[bytes], rank: int) -> None:
    """Note that candidates of lower ranks are preferred to it."""
    fields[_HEADERS] += b'%b%d"' % (_RANK_MARK, rank)


def rank_of(record: bytes) -> int:
    """What ``ranked`` noted."""
    headers = record.split(FIELD, 5)[_HEADERS]
    start = headers.find(_RANK_MARK)
    if start < 0:
        return 0
    start += len(_RANK_MARK)
    return int(headers[start : headers.index(b'"', start)])


def with_attributes(fields: list[bytes], values: Mapping[str, str]) -> None:
    """Give an entry these attributes; empty ones go."""
    attributes = {**unquoted(fields[_TEXT].decode()), **values}
    text = quoted({key: value for key, value in attributes.items() if value or key not in values})
    fields[_TEXT] = text.encode("utf-8", "replace")


def _with(text: bytes, key: str, value: bytes, *, add: bool) -> bytes:
    """``text`` with another value of an attribute, if it is there or to be added."""
    mark = _MARKS[key]
    at = text.find(mark)
    if at < 0 and not add:
        return text
    value = value.replace(b'"', _INNER)
    if at < 0 or text.count(b'"', 0, at) & 1:  # in a value, another may seem to begin
        values = unquoted(text.decode())
        if key not in values and not add:
            return text
        return quoted({**values, key: value.decode().replace(INNER, '"')}).encode()
    start = at + len(mark)
    return text[:start] + value + text[text.index(b'"', start) :]
