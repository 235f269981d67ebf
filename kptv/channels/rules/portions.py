"""Some entries of one source, and what conditions look at in them, read for all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kptv.channels.packing import FIELD, attribute_mark, attribute_of

NUMBER, URL, NAME, GROUPS, TEXT = 0, 1, 2, 3, 5  # places of a record's fields
_FIELDS = 6  # of a record


class Portion:
    """So many entries that a yield may wait for all of them."""

    __slots__ = ("_fields", "number", "records")

    def __init__(self, records: Sequence[bytes]) -> None:
        self.records = records
        # Those of all entries in a row: to take one of each is then one step.
        self._fields = FIELD.join(records).split(FIELD)
        self.number = int(self._fields[NUMBER])  # of their source

    def __repr__(self) -> str:
        return f"<Portion {len(self.records)}>"

    def fields(self, place: int) -> list[bytes]:
        """The fields of one entry."""
        return self._fields[place * _FIELDS : (place + 1) * _FIELDS]

    def all_fields(self) -> Iterator[Sequence[bytes]]:
        """The fields of each entry."""
        return zip(*[iter(self._fields)] * _FIELDS, strict=True)

    def names(self) -> list[bytes]:
        """The names."""
        return self._fields[NAME::_FIELDS]

    def groups(self) -> list[bytes]:
        """The groups, packed."""
        return self._fields[GROUPS::_FIELDS]

    def urls(self) -> str:
        """The addresses, one per line."""
        return b"\n".join(self._fields[URL::_FIELDS]).decode()

    def values(self, mark: bytes) -> str:
        """The values of the attribute with this mark, one per line."""
        return "\n".join([value_of(each, mark) for each in self.all_fields()])

    def all_values(self, mark: bytes) -> str:
        """These, those of entries without it left out, and what only seems to be one: quickly."""
        parts = b"\n".join(self._fields[TEXT::_FIELDS]).split(mark)
        del parts[0]
        return b"\n".join([part.partition(b'"')[0] for part in parts]).decode()


def value_of(fields: Sequence[bytes], mark: bytes) -> str:
    """The value of an attribute, empty if the entry with these fields has none."""
    text = fields[TEXT]
    return attribute_of(FIELD + text, mark) if mark in text else ""


def mark_of(field: str) -> bytes:
    """What is in front of the value of a field that conditions name, if it is an attribute."""
    return b"" if field in ("name", "url") else attribute_mark(field)
