"""Films and recordings: passed through, each viewer on a connection and a slot of its own.

Who leaves is noticed by a failing send, or by the housekeeping where nothing can be sent: before
the film has begun, and while a window is closed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import Any, Protocol

import gevent
from cachetools import TTLCache
from gevent.hub import get_hub

from kptv.channels.failover import Failover
from kptv.channels.model import Channel, Stream
from kptv.config import Config
from kptv.errors import IsLive, Reason, Unavailable, UpstreamError
from kptv.metrics.counters import STOPPED, ChannelCounters, Metrics
from kptv.pace import Pace
from kptv.ports import FileBody
from kptv.restream.attempts import next_attempt
from kptv.restream.feed import settling
from kptv.restream.lease import Lease
from kptv.restream.slots import SETTLE, Slot, Slots

log = logging.getLogger(__name__)

_REMEMBERED = 10_000  # channels


class NotAFile(Unavailable):
    """What was known as a film is live: whoever asks again gets it as such."""


class OpenFileCall(Protocol):
    """Opens a file, or one range of it; raises UpstreamError, IsLive."""

    def __call__(self, stream: Stream, byte_range: str | None) -> FileBody: ...


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
        pace = Pace()  # a fast body and a fast viewer never wait
        try:
            for data in self._body:
                pace()
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
        try:
            self._body.close()
        finally:
            self._slot.close(SETTLE)
            self._counters.upstreams -= 1
            self._counters.ended(self._slot.source.number, self._outcome)
            self._counters.clients -= 1
            self._on_close()


class FoundFile:
    """A file that a hub found where it looked for a live stream: the first who asks gets it."""

    def __init__(self, file: OpenFile) -> None:
        self._file: OpenFile | None = file

    def take(self) -> OpenFile | None:
        """The file, once; whoever gets it closes it."""
        file, self._file = self._file, None
        return file

    def close(self) -> None:
        """Close it, if nobody has taken it."""
        if file := self.take():
            file.close()


class Files:
    """All films being sent, and what is known to be one."""

    def __init__(
        self,
        config: Config,
        metrics: Metrics,
        slots: Slots,
        failover_of: Callable[[Channel], Failover],
        open_file: OpenFileCall,
    ) -> None:
        self._metrics = metrics
        self._slots = slots
        self._failover_of = failover_of
        self._open_file = open_file
        # What is known to be a file, by slug, and what to say of it without asking again.
        self._known: TTLCache[str, Mapping[str, str]] = TTLCache(
            _REMEMBERED, config.cache_duration if config.cache_enabled else 0, monotonic
        )
        self._open: dict[OpenFile, Lease | None] = {}  # None: found, and not given yet
        self._asking: dict[Any, Lease] = {}  # greenlets that wait for one

    def __repr__(self) -> str:
        return f"<Files open={len(self._open)} asking={len(self._asking)}>"

    @property
    def viewers(self) -> int:
        """Who gets one, and who waits for one."""
        return len(self._open) + len(self._asking)

    def headers(self, channel: Channel) -> Mapping[str, str] | None:
        """The headers of the file that ``channel`` is; None: it is live, or not known yet."""
        return self._known.get(channel.slug)

    def open(self, channel: Channel, byte_range: str | None, lease: Lease) -> OpenFile:
        """A film or recording, or one range of it, on a slot of its own.

        Raises Unavailable; NotAFile, which blames no stream, where it is live by now.
        """
        me = gevent.getcurrent()
        self._asking[me] = lease
        try:
            file = self._opened(channel, byte_range)
        finally:
            del self._asking[me]
        return self.give(file, lease)

    def give(self, file: OpenFile, lease: Lease) -> OpenFile:
        """``file``, which is sent to the holder of ``lease`` from now on."""
        self._open[file] = lease
        return file

    def keep(self, channel: Channel, body: FileBody, slot: Slot) -> OpenFile:
        """An answer that is a file, to be sent; who has it closes it."""
        if body.status == 200:
            self._known[channel.slug] = body.headers
        counters = self._metrics.open(channel.name)

        def over() -> None:
            self._open.pop(file, None)
            self._metrics.close(counters, monotonic())

        file = OpenFile(body, slot, counters, on_close=over)
        self._open[file] = None
        if body.status == 206 and (known := self._known.get(channel.slug)):
            # What its first bytes said, not what the provider does.
            file.headers = {**file.headers, "Content-Type": known["Content-Type"]}
        return file

    def forget(self) -> None:
        """Forget which channels are films: each is looked at anew."""
        self._known.clear()

    def look_after(self) -> None:
        """Called twice a second: who has left is let go, though nothing can be sent to show it."""
        for lease in [lease for lease in self._open.values() if lease and lease.departed()]:
            lease.drop()
        for asking in [asking for asking, lease in self._asking.items() if lease.departed()]:
            get_hub().loop.run_callback(self._turn_away, asking)

    def _turn_away(self, asking: Any) -> None:
        if asking in self._asking:  # still: else it has just got its file
            asking.throw(Unavailable("the viewer has left", 1.0))

    def _opened(self, channel: Channel, byte_range: str | None) -> OpenFile:
        failover = self._failover_of(channel)
        counters = self._metrics.open(channel.name)
        try:
            while True:
                attempt = next_attempt(failover, self._slots)
                source = attempt.stream.source
                failover.opened(attempt.stream, monotonic())
                counters.tried(source.number)
                late = UpstreamError(Reason.TIMEOUT, f"no answer within {attempt.timeout:.1f} s")
                outcome: str = STOPPED
                kept = False
                try:
                    with gevent.Timeout(attempt.timeout, late):
                        body = self._open_file(attempt.stream, byte_range)
                    failover.started(monotonic())
                    kept = True
                    return self.keep(channel, body, attempt.slot)
                except IsLive:
                    self._known.pop(channel.slug, None)
                    counters.ended(source.number, STOPPED)
                    raise NotAFile("a film that is live by now", 1.0) from None
                except UpstreamError as error:
                    outcome = error.reason
                    if error.reason is Reason.NOT_MEDIA:
                        self._known.pop(channel.slug, None)  # it may be live now: look again
                    counters.failed(source.number, error.reason)
                    now = monotonic()
                    failover.failed(error, now, now, attempt.slot.others > 0)
                    log.warning("%s: %s: %s", channel.slug, source.tag, error)
                finally:
                    if not kept:
                        attempt.slot.close(settling(outcome))
        finally:
            self._metrics.close(counters, monotonic())
