"""Names that find a row besides its key: those that its entries came with, and what the file says.

Of each a digest is kept: names may have thousands of letters, and most rows have others than their
own.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Sequence

from kptv.channels.grouping import slug_of_normalised
from kptv.channels.indexes import OtherNames
from kptv.channels.ordering import STEP

_NOTED = 8192  # names, so that few are noted twice


class RowNames:
    """Collects the names of rows, and then finds their positions by them."""

    def __init__(self) -> None:
        self.noted: dict[str, int] = {}  # rows by names that were noted last
        self.moved: dict[int, int] = {}  # rows that joined another
        self._came, self._rows = array("q"), array("I")  # entries came with them
        self._more, self._more_rows = array("q"), array("I")  # others that find rows

    def __repr__(self) -> str:
        return f"<RowNames {len(self._came)} and {len(self._more)}>"

    def note(self, name: str, row: int) -> None:
        """Remember a name, normalised, that entries of a row came with."""
        if len(self.noted) >= _NOTED:
            self.noted.clear()
        self.noted[name] = row
        self.add(name, row)

    def add(self, name: str, row: int) -> None:
        """As ``note``, for a name that comes once."""
        self._came.append(hash(slug_of_normalised(name)))
        self._rows.append(row)

    def also_finds(self, slug: str, row: int) -> None:
        """Let ``slug`` find the row, though no entry came with it."""
        self._more.append(hash(slug))
        self._more_rows.append(row)

    def index(
        self, positions: Sequence[int], channels: int
    ) -> Generator[None, None, tuple[OtherNames, array[int]]]:
        """What finds channels by these names, and by position how many their entries came with.

        ``positions`` are those of the rows.
        """
        others = OtherNames(len(self._came) + len(self._more))
        names, moved = array("I", bytes(4 * channels)), self.moved
        for start in range(0, len(self._came), STEP):
            for place in range(start, min(start + STEP, len(self._came))):
                row = self._rows[place]
                position = positions[moved.get(row, row)]
                names[position] += others.add(self._came[place], position)
            yield
        for start in range(0, len(self._more), STEP):
            for place in range(start, min(start + STEP, len(self._more))):
                row = self._more_rows[place]
                others.add(self._more[place], positions[moved.get(row, row)])
            yield
        return others, names
