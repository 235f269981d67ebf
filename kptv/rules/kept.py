"""The channel lists that DATA_DIR keeps, as the proxy would begin with them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.given import Given
from kptv.channels.merging import build_catalog
from kptv.channels.model import Source
from kptv.channels.rules.model import Rules
from kptv.config import Config
from kptv.errors import ImportFailed
from kptv.kept.database import Database, Refused
from kptv.kept.numbers import given_of
from kptv.pace import drive
from kptv.upstream.channel_list import channel_list
from kptv.upstream.documents import Edition, path_of, read_document
from kptv.upstream.store import Store

_PIECE = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class KeptLists:
    """The lists of the sources, and what is missing."""

    listings: tuple[Listing, ...] = ()
    missing: tuple[str, ...] = ()  # in words
    given: Given = field(default_factory=Given)  # numbers that channels have

    def catalog(self, config: Config, rules: Rules | None) -> Catalog:
        """The catalog that the proxy would make of them."""
        copies = [Listing(each.source, list(each.blocks), each.headers) for each in self.listings]
        return drive(
            build_catalog(
                copies,
                rules=rules,
                given=self.given,
                sort_field=config.sort_field,
                descending=config.sort_descending,
            )
        )


def kept_lists(config: Config) -> KeptLists:
    """What DATA_DIR keeps of each source; a list that is a file here is read itself."""
    store, listings, missing = Store(config.data_dir), [], []
    for source in config.sources:
        try:
            listing = _kept(source, store) or _file(source)
        except (ImportFailed, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            missing.append(f"{source.tag}: its list cannot be read: {why}")
            continue
        if listing is None:
            missing.append(f"{source.tag}: no list is kept of it yet")
        else:
            listings.append(listing)
    try:
        given = _given(config)
    except (OSError, sqlite3.Error, Refused) as error:
        given = Given()
        missing.append(f"the numbers that channels have cannot be read: {error}")
    return KeptLists(tuple(listings), tuple(missing), given)


def _given(config: Config) -> Given:
    kept = Database(config.data_dir).read().get("")
    return Given() if kept is None else given_of(kept)


def _kept(source: Source, store: Store) -> Listing | None:
    document = channel_list(source)
    with store.load(document) as kept:
        if kept is None:
            return None
        edition, pieces = kept
        return read_document(document, edition, pieces).listing


def _file(source: Source) -> Listing | None:
    path = path_of(source.url)
    if path is None:
        return None
    if not path.is_file():
        raise ImportFailed("there is no such file")
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(_PIECE), b"")
        edition = Edition(path.absolute().as_uri())
        return read_document(channel_list(source), edition, pieces).listing
