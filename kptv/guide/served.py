"""The served channels of a catalog, as the child is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from kptv.channels.catalog import Catalog, records_of
from kptv.channels.grouping import normalised
from kptv.channels.logos import LOGO_PATH, SERVED_AS
from kptv.channels.model import Stream
from kptv.channels.packing import unpack
from kptv.channels.secrets import Finder
from kptv.channels.served import NUMBERED_AS, served_as
from kptv.formats.m3u_attributes import unquoted
from kptv.guide.job import MOST_CHANNELS, ChannelLine, OfferLine

_MOST_OFFERS = 16  # of a channel; those behind have hardly another id
_SHIFT = "tvg-shift"


def lines_of(catalog: Catalog, logo_base: str | None) -> Iterator[ChannelLine]:
    """The first MOST_CHANNELS channels, in the order of the list.

    ``logo_base``: what stands before the paths of logos that are served from here; None: these are
    left out, as where each user has another base.
    """
    secrets, fixed = Finder(catalog.secrets), _fixed(catalog)
    numbers = catalog.numbers
    for place, (slug, row) in enumerate(islice(catalog.rows(), MOST_CHANNELS)):
        number = numbers[place] if numbers is not None else 0
        logo = "" if logo_base is None else f"{logo_base}{LOGO_PATH}{slug}"
        name, text = served_as(row, secrets, logo, number)
        told = unquoted(text)
        streams = [unpack(record, catalog.sources) for record in records_of(row)[:_MOST_OFFERS]]
        header = catalog.list_headers.get(streams[0].source.number, {})
        yield ChannelLine(
            slug,
            name,
            told.get("tvg-id", ""),
            told.get(NUMBERED_AS, ""),
            told.get(SERVED_AS, ""),
            told.get(_SHIFT) or header.get(_SHIFT, ""),
            fixed.get(normalised(name)),
            tuple(map(_offer, streams)),
        )


def _fixed(catalog: Catalog) -> Mapping[str, str]:
    """What the rules say of a channel's guide, by its normalised name; empty: it has none."""
    if catalog.ruled is None:
        return {}
    channels = catalog.ruled.rules.channels
    return {
        normalised(name): rule.guide if isinstance(rule.guide, str) else ""
        for name, rule in channels.items()
        if rule.guide is not None
    }


def _offer(stream: Stream) -> OfferLine:
    told = stream.attributes
    names = (stream.name, stream.listed_name, told.get("tvg-name", ""))
    return OfferLine(
        stream.source.number,
        told.get("tvg-id", ""),
        tuple(dict.fromkeys(filter(None, names))),
        told.get("tvg-country", ""),
    )
