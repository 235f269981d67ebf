"""What the instance that imports has published, told to those who share its DATA_DIR.

A list lies there before its channels have numbers and ids: these follow when it is published, which
may be seconds later, and together with other lists. Whoever took the list at once would give
others, for a moment. So a file tells of lists whose channels have all that, by their digests.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

NAME = "published"  # a name that comes after that of the database in copies, which go by names
_LARGEST = 1024 * 1024  # bytes; 10,000 sources have 350 KB


class Published:
    """The file in ``folder``: read in no time, as it is small."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._complained = False

    def __repr__(self) -> str:
        return f"<Published {self._path.name!r}>"

    def has(self, digest: str) -> bool:
        """Whether the document is published; also if nobody tells."""
        known = self._read()
        return known is None or digest in known

    def tell(self, digests: Collection[str]) -> None:
        """These are published now, and no others."""
        if self._read() == frozenset(digests):
            return
        new = self._path.with_name(f".{NAME}.new")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w") as file:
                json.dump(sorted(digests), file)
            os.replace(new, self._path)
        except OSError as error:
            self._complain(error)
            with suppress(OSError):
                new.unlink()

    def _read(self) -> frozenset[str] | None:
        with suppress(OSError, ValueError, TypeError), self._path.open("rb") as file:
            return frozenset(map(str, json.loads(file.read(_LARGEST))))
        return None

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            log.warning(
                "DATA_DIR cannot be written (%s): others take new lists a minute later",
                error.strerror,
            )
        self._complained = True
