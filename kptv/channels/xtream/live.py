"""The live channels and their groups, as JSON in small pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from kptv.channels.catalog import Catalog, Row
from kptv.channels.guide.entry_ids import EntryIds
from kptv.channels.logos import LOGO_PATH, SERVED_AS
from kptv.channels.secrets import Finder
from kptv.channels.served import NUMBERED_AS, PIECE, served_as
from kptv.channels.xtream.account import SOME_DAY
from kptv.channels.xtream.ids import OTHER, XtreamIds
from kptv.formats.m3u_attributes import unquoted

NAME_OF_OTHER = "Other"
_HIGHEST_NUMBER = (1 << 31) - 1
_LOGOS = (SERVED_AS, "logo")  # attributes that players know, the usual one first


@dataclass(frozen=True, slots=True)
class Listed:
    """The channels of a list, in its order."""

    ids: XtreamIds
    positions: Sequence[int] = field(repr=False)  # in the catalog
    numbers: Sequence[int] | None = field(default=None, repr=False)  # by position, if not its own
    groups: frozenset[int] | None = None  # ids of those that may be told; None: all

    @property
    def catalog(self) -> Catalog:
        """The catalog that they are of."""
        return self.ids.catalog

    @property
    def made_numbers(self) -> Sequence[int] | None:
        """The numbers that rules made, by position; None: channels have those of their lists."""
        return self.catalog.numbers if self.numbers is None else self.numbers

    def rows(self, guide_ids: EntryIds | None) -> Iterator[tuple[str, Row]]:
        """Slugs and packed channels, with the ids that they have in the guide."""
        rows = self.catalog.rows(self.positions)
        return rows if guide_ids is None else guide_ids.put_into(rows, self.positions)


def categories(
    catalog: Catalog, ids: XtreamIds, slugs: Iterable[str], *, has_others: bool
) -> Iterator[bytes]:
    """The groups with these slugs, in the order of the catalog."""
    listed, before = set(slugs), b"["
    for slug, name, _ in catalog.groups():
        group_id = ids.of_group(slug) if slug in listed else None
        yield b"" if group_id is None else before + _category(group_id, name)
        before = b"," if group_id is not None else before
    if has_others and (other := ids.of_group(OTHER)) is not None:
        yield before + _category(other, NAME_OF_OTHER)
        before = b","
    yield b"]" if before == b"," else b"[]"


def _category(group_id: int, name: str) -> bytes:
    return compact({"category_id": str(group_id), "category_name": name, "parent_id": 0})


def live_streams(listed: Listed, guide_ids: EntryIds | None, base: str) -> Iterator[bytes]:
    """The channels; ``base`` stands before the path of a logo that this proxy serves.

    ``guide_ids`` are those of our guide; None: channels have those of their lists.
    """
    secrets, numbers = Finder(listed.catalog.secrets), listed.made_numbers
    channels = enumerate(zip(listed.rows(guide_ids), listed.positions, strict=False), 1)
    before = b"["
    while some := list(islice(channels, PIECE)):
        items = []
        for place, ((slug, row), position) in some:
            number = 0 if numbers is None else numbers[position]
            name, text = served_as(row, secrets, f"{base}{LOGO_PATH}{slug}", number)
            groups = listed.ids.groups_of(row)
            items.append(
                _stream(
                    place=place,
                    name=name,
                    told=unquoted(text),
                    stream_id=listed.ids.of(slug),
                    groups=groups if listed.groups is None else _told(groups, listed.groups),
                )
            )
        yield before + b",".join(items)
        before = b","
    yield b"]" if before == b"," else b"[]"


def _told(groups: Sequence[int], allowed: frozenset[int]) -> Sequence[int]:
    return [group for group in groups if group in allowed]


def _stream(
    *, place: int, name: str, told: Mapping[str, str], stream_id: int, groups: Sequence[int]
) -> bytes:
    """One channel, with a type for each field that the strictest clients take."""
    return compact(
        {
            "num": _number(told.get(NUMBERED_AS, "")) or place,
            "name": name,
            "stream_type": "live",
            "stream_id": stream_id,
            "stream_icon": next((told[key] for key in _LOGOS if told.get(key)), ""),
            "epg_channel_id": told.get("tvg-id") or None,
            "added": SOME_DAY,
            "is_adult": "0",
            "category_id": str(groups[0]) if groups else "",
            "category_ids": list(groups),
            "custom_sid": "",
            "tv_archive": 0,
            "direct_source": "",
            "tv_archive_duration": 0,
            "thumbnail": "",
        }
    )


def _number(text: str) -> int:
    """The number that a list gives a channel; 0: that is none which clients can read."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        return 0
    return number if (number := int(text)) <= _HIGHEST_NUMBER else 0


def compact(value: object) -> bytes:
    """JSON without blanks, in ASCII: some clients do not read it as UTF-8."""
    return _ENCODER.encode(value).encode()


_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
