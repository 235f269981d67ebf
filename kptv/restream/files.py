"""Films and recordings: passed through, each viewer on a connection and a slot of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from kptv.errors import FileBody, UpstreamError
from kptv.metrics import STOPPED, ChannelCounters
from kptv.restream.limits import SETTLE, Slot

log = logging.getLogger(__name__)


class OpenFile:
    """A file being sent to one viewer: its answer and the slot it is in. A body with ``close``."""

    def __init__(
        self, body: FileBody, slot: Slot, counters: ChannelCounters, on_close: Callable[[], None]
    ) -> None:
        """``slot`` is this file's from now on, and counted in ``counters`` until it is closed."""
        self._body = body
        self._slot = slot
        self._counters = counters
        self._on_close = on_close
        self._open = True
        self._outcome: str = STOPPED
        self.status = body.status
        self.headers: Mapping[str, str] = body.headers
        counters.upstreams += 1
        counters.clients += 1

    def __repr__(self) -> str:
        return f"<OpenFile {self._slot.source.tag} status={self.status}>"

    def __iter__(self) -> Iterator[bytes]:
        """The body; where it breaks it ends, and the player asks for the rest with a Range."""
        try:
            for data in self._body:
                self._counters.bytes_sent += len(data)
                yield data
        except UpstreamError as error:
            self._counters.errors[error.reason] += 1
            self._outcome = error.reason
            log.warning("%s: %s: %s", self._counters.name, self._slot.source.tag, error)

    def close(self) -> None:
        """Close the connection, then give the slot back; may come twice."""
        if not self._open:
            return
        self._open = False
        self._body.close()
        self._slot.close(SETTLE)
        self._counters.upstreams -= 1
        self._counters.ended(self._slot.source.number, self._outcome)
        self._counters.clients -= 1
        self._on_close()
