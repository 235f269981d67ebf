"""Changes of packed entries: name, groups, attributes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from kptv.channels.packing import FIELD, LISTED_NAME, RANK, attribute_mark, packed_groups
from kptv.channels.rules.contexts import Fate
from kptv.formats.m3u_attributes import INNER, quoted, unquoted

_GROUP_TITLE, _TVG_NAME = "group-title", "tvg-name"
_NAME, _GROUPS, _HEADERS, _TEXT = 2, 3, 4, 5  # places of a record's fields
_RANK_MARK = attribute_mark(RANK)
_LISTED_MARK = attribute_mark(LISTED_NAME)
_MARKS = {key: attribute_mark(key) for key in (_GROUP_TITLE, _TVG_NAME)}
_TVG_NAME_MARK = _MARKS[_TVG_NAME]
_INNER = INNER.encode()


# A name and what becomes of it, as a record holds them: the new one, ``tvg-name`` with the old and
# with the new one, and the header that keeps the old one. Empty: it stays.
Renaming = tuple[bytes, ...]


def renaming_of(before: bytes, name: bytes) -> Renaming:
    """What ``rename`` needs to give entries another name, made once for all of a name."""
    if name == before:
        return ()
    mark, end = _TVG_NAME_MARK, b'"'
    old, new = before.replace(end, _INNER), name.replace(end, _INNER)
    return name, mark + old + end, mark + new + end, _LISTED_MARK + old + end


def rename(fields: list[bytes], renaming: Renaming) -> None:
    """Give an entry, of which these are the fields, another name; that of its list is kept."""
    fields[_NAME], old, new, listed = renaming
    before, is_there, behind = fields[_TEXT].partition(old)
    # No name begins with a blank, so what is found is no end of a value with the next one's mark.
    if is_there and _TVG_NAME_MARK not in before:
        fields[_TEXT] = before + new + behind
    else:
        fields[_TEXT] = _with(fields[_TEXT], _TVG_NAME, renaming[0], add=False)
    if not fields[_HEADERS]:
        fields[_HEADERS] = listed
    elif _LISTED_MARK not in fields[_HEADERS]:
        fields[_HEADERS] += listed


def change(fields: list[bytes], fate: Fate) -> None:
    """Make of an entry, besides its name, what the rules want."""
    if fate.groups is not None:
        fields[_GROUPS], title = _packed(fate.groups)
        fields[_TEXT] = _with(fields[_TEXT], _GROUP_TITLE, title, add=True)
    if fate.sets:
        with_attributes(fields, fate.sets)
    if fate.rank:
        # Candidates of lower ranks are preferred to it.
        fields[_HEADERS] += b'%b%d"' % (_RANK_MARK, fate.rank)


@lru_cache(maxsize=1024)  # many entries get the same
def _packed(groups: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Groups as records and as attributes have them."""
    return packed_groups(groups), ";".join(groups).encode()


def rank_of(record: bytes) -> int:
    """The rank that the record of an entry got."""
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
