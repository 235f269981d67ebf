"""Tells the log, the counters and the journal what happens to one channel while it plays."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

from kptv.channels.model import Channel, Stream
from kptv.errors import Unavailable, UpstreamError
from kptv.metrics.counters import SLOT_LOST, SWITCHED, ChannelCounters
from kptv.restream.journal import REMEMBERED_OF_HUB, Event, EventKind

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Lapse:
    """Why a stream that was open no longer is."""

    stream: Stream
    reason: str
    what: str
    since: float  # monotonic
    silent_since: float  # when media last came


class Chronicle:
    """One hub's. Remembers how a trouble began until media is back."""

    def __init__(
        self, channel: Channel, counters: ChannelCounters, on_event: Callable[[Event], object]
    ) -> None:
        self.history: deque[Event] = deque(maxlen=REMEMBERED_OF_HUB)
        self._on_event = on_event
        self.counters = counters
        self._slug, self._name = channel.slug, channel.name
        self._trouble: _Lapse | None = None
        self._shown = False  # viewers have seen something

    def __repr__(self) -> str:
        return f"<Chronicle of {self._slug!r} trouble={self._trouble}>"

    def note(self, kind: EventKind, **fields: Any) -> None:
        """Tell an event that people want to know of."""
        event = Event(time(), kind, self._slug, self._name, **fields)
        self.history.append(event)
        self._on_event(event)

    def started(self, stream: Stream, now: float) -> None:
        """The first media of ``stream`` has come."""
        trouble, self._trouble = self._trouble, None
        if trouble:
            self._recovered(trouble, stream, now)
        else:
            log.info("%s: %s plays", self._slug, stream.source.tag)
            self.note(EventKind.STARTED, source=stream.source.number)
        self._shown = True

    def failed(self, error: UpstreamError, stream: Stream, verdict: str) -> None:
        """A stream failed; ``verdict`` is failover's note on it."""
        self.counters.errors[error.reason] += 1
        then = f"; {verdict}" if verdict else ""
        log.warning("%s: %s: %s%s", self._slug, stream.source.tag, error, then)
        self.note(
            EventKind.FAILED, source=stream.source.number, reason=error.reason, detail=error.detail
        )

    def lost(self, stream: Stream, error: UpstreamError, media_at: float) -> None:
        """The stream that played has failed; ``media_at``: when media last came."""
        self._begin(_Lapse(stream, error.reason, str(error), monotonic(), media_at))

    def switched(self, stream: Stream, media_at: float) -> None:
        """Somebody wanted another one."""
        log.info("%s: switched away from %s", self._slug, stream.source.tag)
        self._begin(_Lapse(stream, SWITCHED, "switching", monotonic(), media_at))
        self.note(EventKind.SWITCHED, source=stream.source.number)

    def slot_lost(self, stream: Stream, media_at: float) -> None:
        """Its connection was needed elsewhere; nothing is wrong with it."""
        log.info("%s: %s: its connection was needed elsewhere", self._slug, stream.source.tag)
        self._begin(_Lapse(stream, SLOT_LOST, "losing the connection", monotonic(), media_at))
        self.note(EventKind.SLOT_LOST, source=stream.source.number)

    def gave_up(self, why: Unavailable) -> None:
        """No stream works."""
        self.note(EventKind.GAVE_UP, detail=str(why))
        log.warning("%s: given up: %s", self._slug, why)

    def _begin(self, trouble: _Lapse) -> None:
        self._trouble = self._trouble or trouble  # how it began is told

    def _recovered(self, trouble: _Lapse, stream: Stream, now: float) -> None:
        silence = now - trouble.silent_since
        same = trouble.stream == stream
        had, has = trouble.stream.source.tag, stream.source.tag
        log.info(
            "%s: %s after %s, picture back after %.1f s",
            self._slug,
            f"{has} again" if same else f"{had} → {has}",
            trouble.what,
            now - trouble.since,
        )
        if self._shown:
            self.counters.recovered(trouble.reason, silence, same=same)
        self.note(
            EventKind.STARTED,
            source=stream.source.number,
            reason=trouble.reason,
            silence=round(silence, 2) if self._shown else None,
        )
