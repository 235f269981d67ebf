"""The newest good channel lists of all sources, merged into one catalog whenever one changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Protocol

from kptv.channels.catalog import Catalog, Listing
from kptv.channels.given import Given, Numbered
from kptv.channels.merging import build_catalog
from kptv.channels.rows import MOST_OF_ONE
from kptv.channels.rules.model import Rules
from kptv.channels.rules.outcome import Outcome, about_slow
from kptv.metrics.source_figures import ImportState
from kptv.pace import drive
from kptv.upstream.channel_list import ChannelList
from kptv.upstream.last_good import LastGood

log = logging.getLogger(__name__)


class Numbers(Protocol):
    """Keeps the numbers that channels were given."""

    def given(self) -> Given:
        """Those of before; may wait."""
        ...

    def keep(self, numbered: Numbered, /) -> object:
        """Keep these, too; does not wait for the disk."""
        ...


class Merger:
    """Makes catalogs of ``lists``, one per source, in their order."""

    def __init__(
        self,
        lists: Sequence[LastGood[ChannelList]],
        on_catalog: Callable[[Catalog], object],
        *,
        rules: Rules | None = None,
        numbers: Numbers | None = None,
        sort_field: str = "tvg-name",
        descending: bool = False,
    ) -> None:
        """``on_catalog`` is given every new catalog, ``numbers`` what rules give."""
        self.lists = lists
        self.rules = rules  # may be replaced; the next ``merge`` follows them
        self._merged_by = rules
        self._is_stale = False  # the numbers of the catalog are not those that are kept
        self._numbers = numbers
        self._warned: tuple[str, ...] = ()  # of numbers
        self._on_catalog = on_catalog
        self._order = sort_field, descending
        self._merged: list[ChannelList] = []  # that the catalog was made of
        self._catalog: Catalog | None = None
        self._successes = [0] * len(lists)  # of their imports, when somebody asked

    def __repr__(self) -> str:
        return f"<Merger sources={len(self.lists)} catalog={self._catalog}>"

    @property
    def states(self) -> list[ImportState]:
        """How the import of each source goes, in their order."""
        return [_state(item) for item in self.lists]

    def listings(self) -> list[Listing]:
        """What the catalog was made of: copies, which stay whole while others take their place."""
        return [_copied(content.listing) for content in self._merged]

    @property
    def digests(self) -> frozenset[str]:
        """Of the lists that the catalog was made of."""
        return frozenset(content.digest for content in self._merged)

    def take_imported(self) -> set[int]:
        """Numbers of the sources whose import was good since this was asked last."""
        before = self._successes
        self._successes = [item.progress.successes for item in self.lists]
        return {
            item.document.source.number
            for item, old, new in zip(self.lists, before, self._successes, strict=True)
            if new != old
        }

    def renumber(self) -> None:
        """Let the next ``merge`` make a catalog whatever has changed: numbers are others now."""
        self._is_stale = True

    def merge(self) -> None:
        """Build and hand out a new catalog, if a list or the rules changed; then free the old one.

        Nothing is fetched.
        """
        contents = [item.content for item in self.lists if item.content is not None]
        rules = self.rules
        is_same = rules is self._merged_by and _are_same(contents, self._merged)
        if not contents or (is_same and not self._is_stale):
            return
        self._is_stale = False
        given = self._numbers.given() if self._numbers and rules is not None else None
        catalog = drive(self._build([content.listing for content in contents], rules, given))
        self._merged, self._merged_by = contents, rules
        old, self._catalog = self._catalog, catalog
        log.info("catalog: %d channels of %d sources", len(catalog), len(contents))
        if catalog.ruled is not None:
            _tell(catalog.ruled.outcome)
        if catalog.left_out:
            log.warning(
                "catalog: %d entries left out: more than %d of one source have the same name",
                catalog.left_out,
                MOST_OF_ONE,
            )
        self._on_catalog(catalog)
        if catalog.ruled is not None:
            self._keep(catalog.ruled.numbered)
        if old is not None:
            drive(old.take_apart())

    def _keep(self, numbered: Numbered) -> None:
        if self._numbers is not None:
            self._numbers.keep(numbered)
        if numbered.warnings != self._warned:
            self._warned = numbered.warnings
            for warning in numbered.warnings:
                log.warning("numbers: %s", warning)

    def _build(
        self, listings: list[Listing], rules: Rules | None, given: Given | None
    ) -> Generator[None, None, Catalog]:
        copies = [_copied(listing) for listing in listings]
        sort_field, descending = self._order
        return build_catalog(
            copies, rules=rules, given=given, sort_field=sort_field, descending=descending
        )


def _tell(outcome: Outcome) -> None:
    log.info(
        "rules: %d of %d entries dropped; %d names became %d channels",
        outcome.dropped,
        outcome.entries,
        outcome.names,
        outcome.channels,
    )
    for pattern in outcome.switched_off:
        log.warning("%s", about_slow(pattern.line, pattern.text))


def _copied(listing: Listing) -> Listing:
    """With a list of blocks of its own: a listing may be replaced and taken apart meanwhile."""
    return replace(listing, blocks=list(listing.blocks))


def _are_same(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(map(lambda a, b: a is b, some, others))


def _state(item: LastGood[ChannelList]) -> ImportState:
    progress, content = item.progress, item.content
    state = ImportState(
        item.document.source,
        failures=progress.failures,
        error=progress.error,
        last_success=progress.last_success,
        duration=progress.duration,
        again_at=progress.again_at,
    )
    if content is None:
        return state
    return replace(
        state,
        entries=content.count,
        skipped=content.skipped,
        cut=content.cut,
        is_full=content.is_full,
    )
