"""The ids of the guide in force, for the lists that name it."""

from __future__ import annotations

import logging
from collections.abc import Generator

from kptv.channels.catalog import Catalog
from kptv.channels.guide.entry_ids import EntryIds
from kptv.guide.current import CurrentGuide, GuideStanding
from kptv.guide.reading import GuideBroken

log = logging.getLogger(__name__)

GUIDE = "/epg.xml.gz"  # below BASE_URL, or a profile's path


class GuideIds:
    """Finds out which ids a catalog's channels have in the guide; keeps those of the last one."""

    def __init__(self, guide: CurrentGuide) -> None:
        self._guide = guide
        self._catalog: Catalog | None = None
        self._tag = ""
        self._made: EntryIds | None = None

    def __repr__(self) -> str:
        return f"<GuideIds {self._made} of={self._tag!r}>"

    @property
    def is_known(self) -> bool:
        """Whether a guide is there, or expected."""
        return self._guide.standing is not GuideStanding.NONE_KNOWN

    @property
    def tag(self) -> str:
        """Of the guide in force; empty: there is none."""
        generation = self._guide.get()
        return "" if generation is None else generation.tag

    def of(self, catalog: Catalog) -> Generator[bytes, None, EntryIds | None]:
        """Those of ``catalog``, in steps that give nothing; None: there is no guide."""
        generation, tag = self._guide.get(), self.tag
        if generation is None:
            return None
        if self._made is None or self._catalog is not catalog or self._tag != tag:
            steps = EntryIds.made(catalog, generation.ids())
            try:
                while True:
                    next(steps)
                    yield b""
            except StopIteration as end:
                self._catalog, self._tag, self._made = catalog, tag, end.value
            except GuideBroken as broken:
                log.warning("The guide cannot be read, so the list has its own ids: %s", broken)
                return None
        return self._made
