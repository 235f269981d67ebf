"""All channels being played: a lease on one joins its hub, or starts it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection
from time import monotonic

import gevent
from gevent.greenlet import Greenlet

from kptv.channels.failover import Failover
from kptv.channels.grouping import slug_of
from kptv.channels.model import Channel, Stream
from kptv.errors import Unavailable
from kptv.ports import OpenFile, OpenStream
from kptv.restream.buffer import ChunkBuffer
from kptv.restream.film import Film
from kptv.restream.films import Films, NotAFilm
from kptv.restream.hub import Hub
from kptv.restream.journal import EventKind
from kptv.restream.lease import Lease
from kptv.restream.output import Output
from kptv.restream.playing import Playing
from kptv.restream.shared import Shared
from kptv.vitals.heartbeat import Heartbeat

log = logging.getLogger(__name__)

TICK = 0.5  # seconds between two looks of the housekeeping


class Hubs:
    """The hubs by channel, and what they share: slots, memory, health."""

    def __init__(
        self, shared: Shared, open_stream: OpenStream[Stream], open_film: OpenFile[Stream]
    ) -> None:
        self._config = config = shared.config
        self._policy = shared.policy
        self._metrics = shared.metrics
        self._open_stream = open_stream
        self.health = shared.health
        self.rhythms = shared.rhythms
        self.slots = shared.slots
        self.budget = shared.budget
        self.journal = shared.journal
        self.films = Films(config, shared.metrics, self.slots, self._failover, open_film)
        self._slate_clip = config.slate.read_bytes() if config.slate else b""
        self._hubs: dict[object, Hub] = {}  # by slug; in direct mode each by itself
        self._closed = False
        self._heartbeat = Heartbeat(monotonic())
        self._housekeeper: Greenlet = gevent.spawn(self._keep_house)

    def __repr__(self) -> str:
        return f"<Hubs {len(self._hubs)} playing>"

    def __len__(self) -> int:
        return len(self._hubs)

    @property
    def alive(self) -> bool:
        """Whether the housekeeping still runs, and is not stuck."""
        return not self._housekeeper.ready() and self._heartbeat.alive(monotonic())

    def all(self) -> list[Hub]:
        """The hubs, in the order in which they began."""
        return list(self._hubs.values())

    def switch(self, slug: str, number: int | None) -> bool:
        """Move a channel to the source of this number, or to the next; False: it does not play."""
        hubs = [hub for hub in self._hubs.values() if hub.channel.slug == slug]
        for hub in hubs:
            hub.switch(number)
        return bool(hubs)

    def stop(self, slug: str) -> bool:
        """End a channel and its viewers; False: it does not play."""
        hubs = [hub for hub in self._hubs.values() if hub.channel.slug == slug]
        for hub in hubs:
            log.info("%s: stopped", slug)
            hub.chronicle.note(EventKind.STOPPED)
            hub.close()
        return bool(hubs)

    @property
    def viewers(self) -> int:
        """Viewers of all hubs and films, and those who wait for a film."""
        return sum(hub.viewers for hub in self._hubs.values()) + self.films.viewers

    def playing(self, identifier: str) -> Channel | None:
        """The channel of this slug or name as its running hub knows it.

        A new import may have lost it; its viewers may still come back.
        """
        hub = self._hubs.get(identifier) or self._hubs.get(slug_of(identifier))
        return hub.channel if hub else None

    def start(
        self, channel: Channel, lease: Lease, byte_range: str | None = None
    ) -> Playing | Film:
        """``channel``, as soon as it has media, or the film that it is; the caller closes it.

        ``byte_range`` (a Range header) matters only if it is a film. Raises Unavailable.
        """
        if self.films.headers(channel) is not None:
            try:
                return self.films.open(channel, byte_range, lease)
            except NotAFilm as why:
                log.info("%s: %s", channel.slug, why)
        hub = self._hub_of(channel)
        warm = hub.output.playable
        hub.join(lease)
        try:
            found = hub.wait_for_media(lease)
        except BaseException:
            hub.leave(lease, monotonic())
            raise
        if found is None:
            self._metrics.first_byte(monotonic() - lease.since, warm=warm)
            return Playing(hub, lease, self._config.join_buffer)
        film = found.take(lease)  # before the hub is left, which closes what nobody took
        hub.leave(lease, monotonic())
        if film is not None and byte_range in (None, "bytes=0-"):
            return film  # the answer that was looked at is what is sent
        if film is not None:
            film.close()
        return self.films.open(channel, byte_range, lease)

    def imported(
        self, find: Callable[[str], Channel | None], numbers: Collection[int] | None = None
    ) -> None:
        """Running hubs go on, with the new candidates; blocked streams get another chance.

        ``find`` gives the channel of a slug, as the new catalog has it; ``numbers`` are those of
        the sources whose import was good (None: all were).
        """
        self.health.imported(monotonic(), numbers)
        for hub in self._hubs.values():
            if channel := find(hub.channel.slug):
                hub.update(channel)
        self.slots.look_again()  # a new candidate's source may have room

    def close(self) -> None:
        """End all hubs and refuse new ones; may come twice."""
        self._closed = True
        for hub in list(self._hubs.values()):
            hub.close()
        self._housekeeper.kill(block=False)

    def _hub_of(self, channel: Channel) -> Hub:
        if self._closed:
            raise Unavailable("the proxy is stopping", 5.0)
        key: object = channel.slug if self._config.enable_restreaming else object()
        hub = self._hubs.get(key)
        if hub is None:
            counters = self._metrics.open(channel.name)
            hub = Hub(
                channel,
                self._failover(channel),
                self.slots,
                self._open_stream,
                self._new_output,
                counters,
                on_event=self.journal.note,
                found_film=lambda body, slot: self.films.found(channel, body, slot),
                on_idle=self._idle,
                on_end=lambda hub: self._ended(key, hub),
            )
            self._hubs[key] = hub
            hub.start()
        return hub

    def _new_output(self, wake: Callable[[], None]) -> Output:
        buffer = ChunkBuffer(self._config.buffer_size_per_stream, self.budget)
        return Output(buffer, self._slate_clip, monotonic(), wake, self.rhythms.of)

    def _failover(self, channel: Channel) -> Failover:
        return Failover(
            channel.streams,
            self.health,
            self._policy,
            monotonic(),
            jitter=lambda: random.uniform(0.8, 1.2),
        )

    def _ended(self, key: object, hub: Hub) -> None:
        if self._hubs.get(key) is hub:
            del self._hubs[key]
        self._metrics.close(hub.counters, monotonic())

    def _idle(self, hub: Hub) -> None:
        """A hub has lost its last viewer: it lingers only if that does no harm."""
        lingers = self._config.stream_linger > 0 and self._config.enable_restreaming
        if not lingers or hub.source_number is None:
            hub.close()
        else:
            hub.linger()

    def _is_wanted(self, hub: Hub) -> bool:
        return hub.source_number is not None and self.slots.waiting(hub.source_number) > 0

    def _keep_house(self) -> None:
        while not self._closed:
            gevent.sleep(TICK)
            now = monotonic()
            self._heartbeat.beat(now)
            for hub in list(self._hubs.values()):
                try:
                    self._look_after(hub, now)
                    hub.measure(now)
                except Exception:  # of one hub: the others need this greenlet
                    log.exception("%s: housekeeping failed", hub.channel.slug)
            try:
                self.films.look_after()
            except Exception:  # likewise
                log.exception("housekeeping of films failed")
            self._metrics.forget(now)

    def _look_after(self, hub: Hub, now: float) -> None:
        if not hub.leases:
            if now - hub.idle_since >= self._config.stream_linger or self._is_wanted(hub):
                hub.close()
            return
        hub.output.tick(now)
        hub.look_ahead(now)
        hub.bound(now)
        # One that waits is sent to, and its departure shows by a send that fails. One that does not
        # wait has no room for more: it must be asked, and so must all while nothing is sent.
        silent = now - hub.output.media_at >= TICK
        asked = [lease for lease in hub.leases if silent or not lease.waiting]
        departed = [lease for lease in asked if lease.departed()]
        for lease in departed:
            lease.drop()
        if departed:
            hub.audience.wake()
