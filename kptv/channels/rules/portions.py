"""Some entries of one source, and what conditions look at in them, read for all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter

from kptv.channels.packing import FIELD, attribute_mark, attribute_of

NUMBER, URL, NAME, GROUPS = 0, 1, 2, 3  # places of a record's fields; the last one has attributes
_NAME_IN, _GROUPS_IN = itemgetter(NAME), itemgetter(GROUPS)


class Portion:
    """So many entries that a yield may wait for all of them."""

    __slots__ = ("fields", "number", "records")

    def __init__(self, records: Sequence[bytes]) -> None:
        self.records = records
        self.fields = [record.split(FIELD) for record in records]
        self.number = int(self.fields[0][NUMBER])  # of their source

    def __repr__(self) -> str:
        return f"<Portion {len(self.records)}>"

    def names(self) -> list[bytes]:
        """The names."""
        return list(map(_NAME_IN, self.fields))

    def groups(self) -> Iterator[bytes]:
        """The groups, packed."""
        return map(_GROUPS_IN, self.fields)

    def urls(self) -> str:
        """The addresses, one per line."""
        return b"\n".join([each[URL] for each in self.fields]).decode()

    def values(self, mark: bytes) -> str:
        """The values of the attribute with this mark, one per line."""
        return "\n".join([value_of(each, mark) for each in self.fields])

    def all_values(self, mark: bytes) -> str:
        """These, those of entries without it left out, and what only seems to be one: quickly."""
        parts = b"\n".join([each[-1] for each in self.fields]).split(mark)
        del parts[0]
        return b"\n".join([part.partition(b'"')[0] for part in parts]).decode()


def value_of(fields: Sequence[bytes], mark: bytes) -> str:
    """The value of an attribute, empty if the entry with these fields has none."""
    text = fields[-1]
    return attribute_of(FIELD + text, mark) if mark in text else ""


def mark_of(field: str) -> bytes:
    """What is in front of the value of a field that conditions name, if it is an attribute."""
    return b"" if field in ("name", "url") else attribute_mark(field)
