"""Tells the log, the counters and the journal what happens to one channel while it plays."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Any

from kptv.channels.model import Channel, Stream
from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.metrics.counters import SLOT_LOST, SWITCHED, ChannelCounters
from kptv.restream.journal import REMEMBERED_OF_HUB, Event, EventKind

log = logging.getLogger(__name__)

# What viewers are without a picture after, in a sentence of the log.
_AFTER = {
    Reason.REFUSED: "no connection",
    Reason.PROXY: "trouble with its source's proxy",
    Reason.TIMEOUT: "no answer in time",
    Reason.HTTP_ERROR: "an HTTP error",
    Reason.RATE_LIMITED: "a request to pause",
    Reason.NOT_MEDIA: "something that is no stream",
    Reason.EMPTY: "an empty stream",
    Reason.ENDED: "its end",
    Reason.RESET: "a broken connection",
    Reason.STALLED: "a stall",
    Reason.UNSUPPORTED: "something that cannot be played",
    Reason.DRIP: "a stream that came too slowly",
    Reason.NO_MEDIA: "a stream without picture and sound",
    Reason.SCRAMBLED: "a scrambled stream",
    Reason.LOOP: "a stream that repeated itself",
    Reason.BAD_URL: "a bad address",
    Reason.INTERNAL: "a fault of the proxy",
    SWITCHED: "a switch by hand",
    SLOT_LOST: "a connection needed elsewhere",
}


@dataclass(frozen=True, slots=True)
class _Lapse:
    """Why a stream that was open no longer is."""

    stream: Stream
    reason: str
    silent_since: float  # monotonic; when viewers last got media


class Chronicle:
    """One hub's. Remembers how a lapse began until media is back."""

    def __init__(
        self, channel: Channel, counters: ChannelCounters, on_event: Callable[[Event], object]
    ) -> None:
        self.history: deque[Event] = deque(maxlen=REMEMBERED_OF_HUB)
        self._on_event = on_event
        self.counters = counters
        self._slug, self._name = channel.slug, channel.name
        self._lapse: _Lapse | None = None
        self._shown = False  # viewers have seen something

    def __repr__(self) -> str:
        return f"<Chronicle of {self._slug!r} lapse={self._lapse}>"

    def note(self, kind: EventKind, **fields: Any) -> None:
        """Tell an event that people want to know of."""
        event = Event(time(), kind, self._slug, self._name, **fields)
        self.history.append(event)
        self._on_event(event)

    def started(self, stream: Stream, now: float) -> None:
        """The first media of ``stream`` has come."""
        silence = self._silence(now)
        lapse, self._lapse = self._lapse, None
        if lapse:
            self._recovered(lapse, stream, silence)
        else:
            log.info("%s: %s plays", self._slug, stream.source.tag)
            self.note(EventKind.STARTED, source=stream.source.number)
        self._shown = True

    def failed(self, error: UpstreamError, stream: Stream, verdict: str) -> None:
        """A stream failed that did not play; ``verdict`` is failover's note on it."""
        self._failed(error, stream, verdict, None)

    def stands_by(self, stream: Stream) -> None:
        """The stream is open beside, and viewers can go on with it at any moment."""
        log.info("%s: %s stands by", self._slug, stream.source.tag)
        self.note(EventKind.STANDS_BY, source=stream.source.number)

    def lost(
        self, error: UpstreamError, stream: Stream, verdict: str, now: float, silent_since: float
    ) -> None:
        """The stream failed that was open; ``silent_since``: when viewers last got media."""
        self._begin(_Lapse(stream, error.reason, silent_since))
        self._failed(error, stream, verdict, self._silence(now))

    def switched(self, stream: Stream, now: float, silent_since: float) -> None:
        """Somebody wanted another one."""
        log.info("%s: switched away from %s", self._slug, stream.source.tag)
        self._left(EventKind.SWITCHED, _Lapse(stream, SWITCHED, silent_since), now)

    def slot_lost(self, stream: Stream, now: float, silent_since: float) -> None:
        """Its connection was needed elsewhere; nothing is wrong with it."""
        log.info("%s: %s: its connection was needed elsewhere", self._slug, stream.source.tag)
        self._left(EventKind.SLOT_LOST, _Lapse(stream, SLOT_LOST, silent_since), now)

    def gave_up(self, why: Unavailable) -> None:
        """No stream works."""
        self.note(EventKind.GAVE_UP, detail=str(why))
        log.warning("%s: given up: %s", self._slug, why)

    def closed(self, why: str) -> None:
        """The channel plays no more; ``why`` is empty if something else has told it."""
        log.info("%s: closed%s", self._slug, f": {why}" if why else "")
        self.note(EventKind.CLOSED, detail=why)

    def _failed(
        self, error: UpstreamError, stream: Stream, verdict: str, silence: float | None
    ) -> None:
        self.counters.errors[error.reason] += 1
        then = f"; {verdict}" if verdict else ""
        log.warning("%s: %s: %s%s", self._slug, stream.source.tag, error, then)
        self.note(
            EventKind.FAILED,
            source=stream.source.number,
            reason=error.reason,
            detail=error.detail,
            silence=silence,
        )

    def _left(self, kind: EventKind, lapse: _Lapse, now: float) -> None:
        self._begin(lapse)
        self.note(kind, source=lapse.stream.source.number, silence=self._silence(now))

    def _begin(self, lapse: _Lapse) -> None:
        self._lapse = self._lapse or lapse  # how it began is told

    def _silence(self, now: float) -> float | None:
        """Seconds that viewers have been without media; None if they have had none yet.

        The log, the journal, the page and the metrics all tell this value.
        """
        if self._lapse is None or not self._shown:
            return None
        return round(now - self._lapse.silent_since, 2)

    def _recovered(self, lapse: _Lapse, stream: Stream, silence: float | None) -> None:
        same = lapse.stream == stream
        had, has = lapse.stream.source.tag, stream.source.tag
        log.info(
            "%s: %s after %s%s",
            self._slug,
            f"{has} again" if same else f"{had} → {has}",
            _AFTER[lapse.reason],
            "" if silence is None else f": {_in_words(silence)} without picture",
        )
        if silence is not None:
            self.counters.recovered(lapse.reason, silence, same=same)
        self.note(
            EventKind.STARTED, source=stream.source.number, reason=lapse.reason, silence=silence
        )


def _in_words(seconds: float) -> str:
    return "less than 0.1 s" if seconds < 0.1 else f"{seconds:.1f} s"
