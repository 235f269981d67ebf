"""What DATA_DIR keeps of channels, for one process, or for several that share the folder."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import gevent

from kptv.kept.device import KeptSeed
from kptv.kept.lead import Lead
from kptv.kept.numbers import KeptNumbers
from kptv.kept.odd_ids import KeptOddIds
from kptv.kept.published import Published


class Kept:
    """The numbers and ids that are kept, and who may write."""

    def __init__(self, folder: Path, is_shared: bool = False) -> None:
        """``is_shared``: other processes use the folder too, and one of all writes."""
        self._lead = Lead(folder) if is_shared else None
        self.is_shared = is_shared
        self.numbers = KeptNumbers(folder, leads=self.leads)
        self.odd_ids = KeptOddIds(folder, self.leads)
        self.seed = KeptSeed(folder, self.leads)
        self.published = Published(folder)
        self._telling: gevent.Greenlet | None = None

    def __repr__(self) -> str:
        return f"<Kept {self._lead} {self.numbers} {self.odd_ids}>"

    def leads(self) -> bool:
        """Whether this process is the one that writes now."""
        return self._lead is None or self._lead.leads()

    def look(self) -> bool:
        """Read what another process has given since; whether something of ours is another now."""
        are_numbers_new, are_ids_new = self.numbers.look(), self.odd_ids.look()
        return are_numbers_new or are_ids_new

    def publish(self, give: Callable[[], object], digests: Collection[str]) -> None:
        """Tell the others of the documents with these ``digests``; does not wait.

        First ``give`` gives what their channels are to have, and that is written.
        """
        if self._telling is not None:  # it was of a catalog that nobody has any more
            self._telling.kill(block=False)
        self._telling = gevent.spawn(self._publish, give, digests)

    def _publish(self, give: Callable[[], object], digests: Collection[str]) -> None:
        give()
        self.numbers.settle()
        self.odd_ids.settle()
        if self.leads():
            self.published.tell(digests)
