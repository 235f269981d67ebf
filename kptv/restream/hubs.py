"""All channels being played: whoever asks for one shares its hub, or starts it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Mapping
from time import monotonic

from kptv.channels.failover import Failover
from kptv.channels.grouping import slug_of
from kptv.channels.model import Channel, Stream
from kptv.errors import Unavailable
from kptv.ports import FilmBody, OpenFilm, StreamOpener
from kptv.restream.audience import Audience
from kptv.restream.buffer import ChunkBuffer
from kptv.restream.chronicle import Chronicle
from kptv.restream.film import Film, FoundFilm
from kptv.restream.films import Films, NotAFilm
from kptv.restream.housekeeping import Housekeeping
from kptv.restream.hub import Hub
from kptv.restream.lease import Lease
from kptv.restream.output import Output
from kptv.restream.playing import Playing
from kptv.restream.shared import Shared
from kptv.restream.slots import Slot
from kptv.restream.standby import Room
from kptv.restream.supply import Supply

log = logging.getLogger(__name__)


class Hubs:
    """The hubs by channel, and the parts that they share: slots, memory, health."""

    def __init__(
        self, shared: Shared, open_stream: StreamOpener[Stream], open_film: OpenFilm[Stream]
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
        self.films = Films(config, shared.metrics, self.slots, self._new_failover, open_film)
        self._slate_clip = config.slate.read_bytes() if config.slate else b""
        limit = config.buffer_size_per_stream
        self._room = Room(shared.budget, limit) if config.standby else None
        self._hubs: dict[object, Hub] = {}  # by slug; in direct mode each under a key of its own
        self._closed = False
        self._housekeeping = Housekeeping(self.all, self.films, shared)

    def __repr__(self) -> str:
        return f"<Hubs {len(self._hubs)} playing>"

    def __len__(self) -> int:
        return len(self._hubs)

    @property
    def alive(self) -> bool:
        """Whether the housekeeping still runs, and is not stuck."""
        return self._housekeeping.alive

    @property
    def busy(self) -> bool:
        """Whether the event loop has much to do, as hubs want to know."""
        return self._housekeeping.load.busy

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
            hub.stop()
        return bool(hubs)

    @property
    def viewers(self) -> int:
        """Viewers of all hubs and films, and those who wait for a film."""
        return sum(hub.audience.viewers for hub in self._hubs.values()) + self.films.viewers

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
        if lease.dropped:  # while the film was asked for
            raise Unavailable("the channel was stopped", 1.0)
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
        is_whole = byte_range in (None, "bytes=0-")
        # Before the hub is left, which closes a film that nobody took.
        film = found.take(lease if is_whole else Lease())
        hub.leave(lease, monotonic())
        if film is not None:
            if is_whole:
                return film  # the answer that was looked at is the one that is sent
            film.close()
        return self.films.open(channel, byte_range, lease)

    def let_go(self, lease: Lease) -> None:
        """End what ``lease`` holds, or waits for; its holder closes it then. Never waits."""
        lease.drop()
        for hub in self._hubs.values():
            if lease in hub.leases:
                hub.audience.wake()
        self.films.let_go(lease)

    def imported(
        self, find: Callable[[str], Channel | None], numbers: Collection[int] | None = None
    ) -> None:
        """Give running hubs the candidates of a new catalog, and blocked streams another chance.

        ``find`` gives the new catalog's channel of a slug; ``numbers`` are those of the sources
        whose import was good (None: all were).
        """
        self.health.imported(monotonic(), numbers)
        for hub in list(self._hubs.values()):
            if channel := find(hub.channel.slug):
                hub.update(channel)
        self._hubs = _by_slug(self._hubs)  # rules may call them otherwise
        self.slots.look_again()  # a new candidate's source may have room

    def close(self) -> None:
        """End all hubs and refuse new ones; may come twice."""
        self._closed = True
        for hub in list(self._hubs.values()):
            hub.close()
        self._housekeeping.close()

    def _hub_of(self, channel: Channel) -> Hub:
        if self._closed:
            raise Unavailable("the proxy is stopping", 5.0)
        key: object = channel.slug if self._config.enable_restreaming else object()
        hub = self._hubs.get(key)
        if hub is None:
            hub = self._hubs[key] = self._new_hub(channel)
            hub.start()
        return hub

    def _new_hub(self, channel: Channel) -> Hub:
        counters = self._metrics.open(channel.name)
        buffer = ChunkBuffer(self._config.buffer_size_per_stream, self.budget)
        audience = Audience(channel.slug, counters, buffer)
        output = Output(buffer, self._slate_clip, monotonic(), audience.wake, self.rhythms.of)
        failover = self._new_failover(channel)
        supply = Supply(failover, self.slots, self._open_stream, counters, self._room)
        chronicle = Chronicle(channel, counters, self.journal.note)
        return Hub(channel, audience, output, supply, chronicle, self)

    def _new_failover(self, channel: Channel) -> Failover:
        return Failover(
            channel.streams,
            self.health,
            self._policy,
            monotonic(),
            jitter=lambda: random.uniform(0.8, 1.2),
        )

    # --- told by a hub (Keeper) ---

    def film_found(self, hub: Hub, body: FilmBody, slot: Slot) -> FoundFilm:
        """The channel of a hub is a film."""
        return self.films.found(hub.channel, body, slot)

    def idle(self, hub: Hub) -> None:
        """A hub has lost its last lease: it lingers only if that does no harm."""
        may_be_found = self._hubs.get(hub.channel.slug) is hub
        lingers = self._config.stream_linger > 0 and may_be_found
        if not lingers or hub.source_number is None:
            hub.close()
        else:
            hub.linger()

    def ended(self, hub: Hub) -> None:
        """A hub plays no more."""
        for key in [key for key, each in self._hubs.items() if each is hub]:
            del self._hubs[key]
        self._metrics.close(hub.counters, monotonic())


def _by_slug(hubs: Mapping[object, Hub]) -> dict[object, Hub]:
    """The same hubs, each by its channel's slug as it is now.

    Of those whose channels rules have joined, new viewers find one: the one that had the slug, or
    the first. The others play on for those they have, under keys of their own.
    """
    taken = {key for key, hub in hubs.items() if key == hub.channel.slug}
    found: dict[object, Hub] = {}
    for key, hub in hubs.items():
        slug = hub.channel.slug
        if isinstance(key, str) and key != slug:
            key = object() if slug in taken else slug
            taken.add(slug)
        found[key] = hub
    return found
