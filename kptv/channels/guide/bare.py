"""A guide that knows the channels and none of their shows, for whoever asks where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

from kptv.channels.catalog import Catalog
from kptv.channels.guide.ids import id_of_slug
from kptv.channels.secrets import Finder
from kptv.channels.served import NUMBERED_AS, served_as
from kptv.formats.m3u_attributes import unquoted
from kptv.formats.xmltv.writing import FOOTER, HEADER, channel


def bare_guide(
    catalog: Catalog, positions: Sequence[int] | None = None, numbers: Iterable[int] | None = None
) -> Iterator[bytes]:
    """XMLTV of the channels, or of those at ``positions``, in small pieces; see ``render``."""
    secrets = Finder(catalog.secrets)
    if numbers is None and (own := catalog.numbers) is not None:
        numbers = own if positions is None else map(own.__getitem__, positions)
    yield HEADER
    each = repeat(0) if numbers is None else numbers
    for (slug, row), number in zip(catalog.rows(positions), each, strict=False):
        name, text = served_as(row, secrets, "", number)
        shown = unquoted(text).get(NUMBERED_AS, "")
        yield channel(id_of_slug(slug), (name, shown) if shown not in ("", name) else (name,))
    yield FOOTER
