"""What the proxy does now, as JSON values for people; nothing of a provider's URL in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import blake2s
from heapq import nlargest
from itertools import islice
from secrets import token_bytes
from time import monotonic, time
from typing import Any
from urllib.parse import urlsplit

from kptv.channels.failover import Candidate
from kptv.channels.model import Channel, StreamKey
from kptv.channels.resting import Rest
from kptv.channels.served import STREAM_PATH
from kptv.config import Config
from kptv.logs import Log
from kptv.logs.filters import Line
from kptv.metrics.sources import SOURCE_FIGURES, Figure, Kind, SourceState, Value
from kptv.pace import Pace
from kptv.restream.hub import Hub
from kptv.restream.hubs import Hubs
from kptv.restream.journal import Event
from kptv.restream.lease import Lease
from kptv.vitals.meter import Meter
from kptv.web.clients import Clients, app_of
from kptv.web.state import StateReader

MOST_WATCHING = 100  # viewers that are shown of a channel: the furthest behind
MOST_BLOCKED = 1000  # streams that are shown
MOST_RESTING = 100  # that are shown: the newest
_LINES, _EVENTS = 100, 60
_SALT = token_bytes(16)  # an id must not tell whether somebody guessed a URL

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """Reads all that there is to be seen; changes nothing."""

    config: Config
    hubs: Hubs
    state: StateReader
    log: Log
    clients: Clients
    started: float  # Unix time

    # --- for the page ---

    def status(self) -> Json:
        """All of it."""
        now = monotonic()
        catalog = self.state.current_catalog()
        journal = list(self.hubs.journal.events)[-_EVENTS:]
        pace = Pace()  # a hub with many streams and viewers has much to tell

        def paced(value: Json) -> Json:
            pace()
            return value

        return {
            "time": time(),
            "started": self.started,
            "demo": self.config.demo,
            "proxy_not_believed": self.clients.not_believed,
            "exposed_at": self.clients.exposed_at,
            "list_url": f"{self.config.base_url}/playlist.m3u8",
            "stream_url": f"{self.config.base_url}{STREAM_PATH}",
            "channels": len(catalog) if catalog is not None else 0,
            "ready": catalog is not None,
            "totals": self.totals(),
            "sources": [paced(self._source(source)) for source in self.state.sources()],
            "hubs": [paced(self.hub(hub, now)) for hub in self.hubs.all()],
            "blocked": [
                {
                    "id": stream_id(key),
                    "name": self._public(name),
                    "source": key[0],
                    "until": _unix(until, now),
                }
                for key, name, until in islice(self.hubs.health.blocks(now), MOST_BLOCKED)
            ],
            "resting": [
                paced(self._rest(rest, now))
                for rest in nlargest(MOST_RESTING, self.hubs.health.rests(now), key=_since)
            ],
            "events": [paced(self.event(event)) for event in journal],
            "log": [line_of(line) for line in list(self.log.recent.lines)[-_LINES:]],
        }

    def figures(self) -> Json:
        """What changes every second."""
        return {
            "time": time(),
            "totals": self.totals(),
            "sources": [
                {figure.name: figure.read(source) for figure in SOURCE_FIGURES if figure.is_live}
                for source in self.state.sources()
            ],
            "hubs": [
                {
                    "hub": hub.number,
                    "viewers": hub.viewers,
                    "bit_rate": round(hub.meter.bit_rate()),
                    "buffer_bytes": hub.buffer.size,
                    "sent_bytes": hub.counters.bytes_sent,
                    "skips": hub.counters.skips,
                }
                for hub in self.hubs.all()
            ],
        }

    def signature(self) -> tuple[object, ...]:
        """Equal as long as nothing changed but figures: cheap, for asking every second."""
        return (
            tuple(
                (
                    hub.number,
                    hub.state,
                    hub.source_number,
                    hub.viewers,
                    len(hub.chronicle.history),
                )
                for hub in self.hubs.all()
            ),
            tuple((source.in_use, source.imports) for source in self.state.sources()),
            id(self.state.current_catalog()),
        )

    def totals(self) -> Json:
        hubs = self.hubs
        return {
            "playing": len(hubs),
            "viewers": hubs.viewers,
            "upstreams": sum(hubs.slots.held(source) for source in self.config.sources),
            "received_rate": round(self.state.vitals.received.bit_rate()),
            "sent_rate": round(self.state.vitals.sent.bit_rate()),
            "buffer_bytes": hubs.budget.used,
            "buffer_limit": hubs.budget.limit,
            "loop_lag": round(self.state.vitals.lag, 4),
        }

    def hub(self, hub: Hub, now: float) -> Json:
        """A channel that plays."""
        counters = hub.counters
        watching = nlargest(MOST_WATCHING, filter(_watches, hub.leases), key=_trouble_of)
        return {
            "hub": hub.number,
            "id": hub.channel.slug,
            **self.channel(hub.channel),
            "state": str(hub.state),
            "since": hub.begun_at,
            "source": hub.source_number,
            "media": hub.media,
            "bit_rate": round(hub.meter.bit_rate()),
            "rates": hub.meter.history(),
            "buffer_bytes": hub.buffer.size,
            "received_bytes": counters.bytes_received,
            "sent_bytes": counters.bytes_sent,
            "skips": counters.skips,
            "failovers": sum(counters.failovers.values()),
            "viewers": hub.viewers,
            "watching": [_viewer(lease, hub.meter, now) for lease in sorted(watching, key=_joined)],
            "candidates": [self._candidate(c, now) for c in hub.candidates(now)],
            "history": [self.event(event) for event in hub.chronicle.history],
        }

    def playing(self) -> set[str]:
        """The slugs of the channels that play."""
        return {hub.channel.slug for hub in self.hubs.all()}

    def channel(self, channel: Channel) -> Json:
        """Name, group and logo of a channel."""
        return {
            "name": self._public(channel.name),
            "group": self._public(_attribute(channel, "group-title")),
            "logo": self._logo(channel),
        }

    def event(self, event: Event) -> Json:
        """An event of the journal."""
        fields = {**asdict(event), "kind": str(event.kind), "reason": str(event.reason)}
        return {**fields, "name": self._public(event.name), "detail": self._public(event.detail)}

    # --- parts ---

    def _source(self, source: SourceState) -> Json:
        return {figure.name: self._shown(figure, source) for figure in SOURCE_FIGURES}

    def _shown(self, figure: Figure, source: SourceState) -> Value:
        value = figure.read(source)
        if isinstance(value, float) and figure.kind is Kind.SECONDS:
            return round(value, 3)
        return self._public(value) if isinstance(value, str) else value

    def _candidate(self, candidate: Candidate, now: float) -> Json:
        error = candidate.error
        return {
            "id": stream_id(candidate.stream.key),
            "source": candidate.stream.source.number,
            "standing": str(candidate.standing),
            "until": _unix(candidate.until, now),
            "failures": candidate.failures,
            "patience": round(self.hubs.rhythms.patience(candidate.stream, now), 1),
            "reason": str(error.reason) if error else "",
            "detail": self._public(error.detail) if error else "",
            "failed_at": _unix(candidate.failed_at, now),
        }

    def _rest(self, rest: Rest, now: float) -> Json:
        return {
            "id": stream_id(rest.key),
            "what": str(rest.scope),
            "source": rest.key[0],
            "name": self._public(rest.name),
            "reason": str(rest.why.reason),
            "detail": self._public(rest.why.detail),
            "since": _unix(rest.since, now),
            "until": _unix(rest.look_at, now),
        }

    def _public(self, text: str) -> str:
        return self.log.redactor.redact_again(text) if text else ""

    def _logo(self, channel: Channel) -> str:
        """The logo's address, unless it tells of a provider."""
        url = _attribute(channel, "tvg-logo")
        host = _host(url)
        if not host or self.log.redactor.tells(url):
            return ""
        of_streams = {_host(stream.url) for stream in channel.streams}
        return "" if host in of_streams else url


def stream_id(key: StreamKey) -> str:
    """What the API calls a stream, in this process; tells nothing of its URL."""
    return blake2s(f"{key[0]} {key[1]}".encode(), key=_SALT, digest_size=8).hexdigest()


def line_of(line: Line) -> Json:
    """A line of the log."""
    return asdict(line)


def _viewer(lease: Lease, meter: Meter, now: float) -> Json:
    return {
        "viewer": lease.number,
        "address": lease.client.address,
        "app": app_of(lease.client.agent),
        "joined": _unix(lease.since, now),
        "behind": round(0.0 if lease.place is None else meter.behind(lease.place, now), 1),
        "received_bytes": lease.received,
        "skips": lease.skips,
    }


def _watches(lease: Lease) -> bool:
    return lease.is_viewer


def _trouble_of(lease: Lease) -> tuple[int, float]:
    return lease.skips, -lease.since


def _since(rest: Rest) -> float:
    return rest.since


def _joined(lease: Lease) -> float:
    return lease.since


def _unix(moment: float | None, now: float) -> float | None:
    """Unix time of a monotonic one."""
    return None if moment is None else round(time() + moment - now, 1)


def _attribute(channel: Channel, key: str) -> str:
    values: Iterable[str] = (stream.attributes.get(key, "") for stream in channel.streams)
    return next(filter(None, values), "")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
