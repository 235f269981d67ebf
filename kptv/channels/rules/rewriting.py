"""Changes of packed entries: name, groups, attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from kptv.channels.packing import FIELD, LISTED_NAME, RANK, attribute_mark, packed_groups
from kptv.channels.rules.contexts import Fate
from kptv.formats.m3u_attributes import INNER, in_order, quoted, unquoted

_GROUP_TITLE, _TVG_NAME = "group-title", "tvg-name"
_HEADERS = 4  # place of a record's field
_RANK_MARK = attribute_mark(RANK)
_LISTED_MARK = attribute_mark(LISTED_NAME)
_MARKS = {key: attribute_mark(key) for key in (_GROUP_TITLE, _TVG_NAME)}
_TVG_NAME_MARK = _MARKS[_TVG_NAME]
_INNER = INNER.encode()


# A name and what becomes of it, as a record holds them: the new one, ``tvg-name`` with the old and
# with the new one, and the header that keeps the old one. Empty: it stays.
Renaming = tuple[bytes, ...]


def renaming_of(before: bytes, name: bytes) -> Renaming:
    """What ``rewritten`` needs to give entries another name, made once for all of a name."""
    if name == before:
        return ()
    mark, end = _TVG_NAME_MARK, b'"'
    old, new = before.replace(end, _INNER), name.replace(end, _INNER)
    return name, mark + old + end, mark + new + end, _LISTED_MARK + old + end


def rewritten(fields: Sequence[bytes], renaming: Renaming, fate: Fate) -> bytes:
    """The record of an entry, of which these are the fields, as the rules want it.

    If it gets another name, that of its list is kept.
    """
    number, url, name, groups, headers, text = fields
    if renaming:
        name, old, new, listed = renaming
        # No name begins with a blank, so what is found is no end of a value with the next mark.
        before, text = text, text.replace(old, new, 1)
        if text == before:
            text = _with(text, _TVG_NAME, name, add=False)
        if not headers:
            headers = listed
        elif _LISTED_MARK not in headers:
            headers += listed
    if fate.changes:
        if fate.groups is not None:
            groups, title = _packed(fate.groups)
            text = _with(text, _GROUP_TITLE, title, add=True)
        if fate.sets:
            text = _with_attributes(text, fate.sets)
        if fate.rank:
            # Candidates of lower ranks are preferred to it.
            headers += b'%b%d"' % (_RANK_MARK, fate.rank)
    return FIELD.join((number, url, name, groups, headers, text))


@lru_cache(maxsize=1024)  # many entries get the same
def _packed(groups: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Groups as records and as attributes have them."""
    return packed_groups(groups), ";".join(groups).encode()


def rank_of(record: bytes) -> int:
    """The rank that the record of an entry got."""
    if _RANK_MARK not in record:
        return 0
    headers = record.split(FIELD, 5)[_HEADERS]
    start = headers.find(_RANK_MARK)
    if start < 0:
        return 0
    start += len(_RANK_MARK)
    return int(headers[start : headers.index(b'"', start)])


def _with_attributes(text: bytes, values: Mapping[str, str]) -> bytes:
    """``text`` with these attributes; empty ones go."""
    if all(values.values()):
        for key, value in values.items():
            text = _with(text, key, value.encode("utf-8", "replace"), add=True)
        return text
    attributes = {**unquoted(text.decode()), **values}
    left = {key: value for key, value in attributes.items() if value or key not in values}
    return quoted(left).encode("utf-8", "replace")


def _with(text: bytes, key: str, value: bytes, *, add: bool) -> bytes:
    """``text`` with another value of an attribute, if it is there or to be added."""
    mark = _MARKS.get(key) or attribute_mark(key)
    at, value = text.find(mark), value.replace(b'"', _INNER)
    if at < 0:
        return _added(text, key, value) if add else text
    if text.count(b'"', 0, at) & 1:  # in a value, another may seem to begin
        values = unquoted(text.decode())
        if key not in values and not add:
            return text
        return quoted({**values, key: value.decode().replace(INNER, '"')}).encode()
    start = at + len(mark)
    return text[:start] + value + text[text.index(b'"', start) :]


def _added(text: bytes, key: str, value: bytes) -> bytes:
    """``text`` with an attribute that it lacks, at its place among them."""
    parts = text.split(b'"')  # b' tvg-id=', b'value', b' tvg-name=', …, b''
    at = 2 * _place_among(key, tuple(parts[:-1:2]))
    parts[at:at] = f" {key}=".encode(), value
    return b'"'.join(parts)


@lru_cache(maxsize=1024)  # the entries of a list have the same few sets of keys
def _place_among(key: str, others: tuple[bytes, ...]) -> int:
    """Where an attribute stands among others, which are given as ``_added`` cuts them out."""
    return in_order([key, *(other[1:-1].decode() for other in others)]).index(key)
