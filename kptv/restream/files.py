"""Films and recordings: passed through, each viewer on a connection and a slot of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kptv.errors import FileBody
from kptv.restream.limits import SETTLE, Slot


class OpenFile:
    """A file being sent to one viewer: its answer and the slot it is in. A body with ``close``."""

    def __init__(self, body: FileBody, slot: Slot) -> None:
        self._body = body
        self._slot = slot
        self.status = body.status
        self.headers: Mapping[str, str] = body.headers

    def __repr__(self) -> str:
        return f"<OpenFile {self._slot.source.tag} status={self.status}>"

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Close the connection, then give the slot back; may come twice."""
        self._body.close()
        self._slot.close(SETTLE)
