"""The state of the proxy as JSON for people, without anything of a provider's URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from heapq import nlargest
from itertools import islice
from time import monotonic, time

from kptv import __version__
from kptv.channels.hls_links import HLS_PATH
from kptv.channels.model import Channel, StreamKey
from kptv.channels.profiles import PROFILE_PATH, profiles_of
from kptv.channels.resting import Rest
from kptv.channels.served import STREAM_PATH
from kptv.config import Config
from kptv.logs.filters import CleanLine, RecentLines
from kptv.metrics.source_figures import SOURCE_FIGURES, Figure, Kind, SourceState, Value
from kptv.pace import Pace
from kptv.restream.hubs import Hubs
from kptv.restream.journal import Event
from kptv.web.clients import Clients
from kptv.web.page.hub_view import figures_of, hub_view, signature_of
from kptv.web.page.public import Json, Public, unix
from kptv.web.page.rules_view import rules_file_view
from kptv.web.page.shows import Shows
from kptv.web.state import StateReader

MOST_BLOCKED = 1000  # blocked streams that are shown
MOST_RESTING = 100  # streams, hosts and accounts that are shown as left alone: the newest
_LINES, _EVENTS = 100, 60


class View:
    """Reads everything that is shown; changes nothing."""

    def __init__(
        self,
        config: Config,
        hubs: Hubs,
        state: StateReader,
        recent: RecentLines,
        clients: Clients,
        public: Public,
    ) -> None:
        self._config = config
        self._hubs = hubs
        self._state = state
        self._recent = recent
        self._clients = clients
        self._started = time()
        self._public = public
        self.shows = Shows(state.guide, public)

    @property
    def ready(self) -> bool:
        """Whether there is a channel list."""
        return self._state.current_catalog() is not None

    def status(self) -> Json:
        """All of it."""
        now = monotonic()
        pace = Pace()  # a hub with many streams and viewers takes long

        def paced(value: Json) -> Json:
            pace()
            return value

        catalog = self._state.current_catalog()
        return {
            "time": time(),
            "started": self._started,
            "version": __version__,
            "demo": self._config.demo,
            "proxy_not_believed": self._clients.not_believed,
            "exposed_at": self._clients.exposed_at,
            "needs_login": self._state.needs_login(),
            "base_url": self._config.base_url if self._config.base_url_is_set else "",
            "hdhomerun": self._config.hdhomerun != "off",
            "guide": self.shows.standing,
            "list_url": f"{self._config.base_url}/playlist.m3u8",
            "rules": rules_file_view(self._state.rules, catalog, self._public),
            "profiles": [self._profile(profile.name) for profile in profiles_of(catalog)],
            "stream_url": f"{self._config.base_url}{STREAM_PATH}",
            "hls_url": f"{self._config.base_url}{HLS_PATH}",
            "channels": len(catalog) if catalog is not None else 0,
            "ready": catalog is not None,
            "totals": self._totals(),
            "sources": [paced(self._source(source)) for source in self._state.sources()],
            "hubs": self._playing(now, paced),
            "blocked": [
                self._blocked(*block, now)
                for block in islice(self._hubs.health.blocks(now), MOST_BLOCKED)
            ],
            "resting": [
                paced(self._rest(rest, now))
                for rest in nlargest(MOST_RESTING, self._hubs.health.rests(now), key=_since)
            ],
            "events": [
                paced(self.event(event)) for event in list(self._hubs.journal.events)[-_EVENTS:]
            ],
            "log": [_line(line) for line in list(self._recent.lines)[-_LINES:]],
        }

    def figures(self) -> Json:
        """The figures that may change every second."""
        return {
            "time": time(),
            "totals": self._totals(),
            "sources": [
                {figure.name: figure.read(source) for figure in SOURCE_FIGURES if figure.is_live}
                for source in self._state.sources()
            ],
            "hubs": [figures_of(hub) for hub in self._hubs.all()],
        }

    def brief(self, most: int) -> Json:
        """What other instances show of this one: totals, imports that fail, what plays."""
        imports = [source.imports for source in self._state.sources()]
        return {
            "version": __version__,
            "started": self._started,
            "ready": self.ready,
            "failed": [
                {"source": each.source.number, "error": self._public.text(each.error)}
                for each in imports
                if each.error
            ],
            "totals": self._totals(),
            "playing": [
                {
                    "id": hub.channel.slug,
                    "name": self._public.text(hub.channel.name),
                    "state": str(hub.state),
                    "source": hub.source_number,
                    "viewers": hub.audience.viewers,
                }
                for hub in self._hubs.all()[:most]
            ],
        }

    def signature(self) -> tuple[object, ...]:
        """A value that changes with everything but figures; cheap enough to ask every second."""
        return (
            tuple(signature_of(hub) for hub in self._hubs.all()),
            tuple(
                (source.in_use, source.standing_by, source.imports)
                for source in self._state.sources()
            ),
            id(self._state.current_catalog()),
            self._state.needs_login(),
            self._state.rules.read_at,
            self._state.rules.last.complaints,
            self.shows.signature() if len(self._hubs) else (),
        )

    def playing(self) -> set[str]:
        """The slugs of the channels that play."""
        return {hub.channel.slug for hub in self._hubs.all()}

    def channel(self, channel: Channel) -> Json:
        """Name, group and logo of a channel."""
        return self._public.channel(channel)

    def number(self, channel: Channel, given: int) -> str:
        """The number of a channel: what it was ``given``, or that of its list if this is 0."""
        return str(given) if given else self._public.number(channel)

    def event(self, event: Event) -> Json:
        """An event of the journal."""
        return self._public.event(event)

    def lines_after(self, number: int) -> list[Json]:
        """The last lines of the log, from the one behind this number on."""
        return [_line(line) for line in self._recent.lines if line.number > number]

    def _playing(self, now: float, paced: Callable[[Json], Json]) -> list[Json]:
        hubs = self._hubs.all()
        beside = self.shows.beside([hub.channel.slug for hub in hubs])
        return [
            {
                **paced(hub_view(hub, self._public, self._hubs.rhythms.patience, now)),
                **beside[hub.channel.slug],
            }
            for hub in hubs
        ]

    def _totals(self) -> Json:
        hubs, vitals = self._hubs, self._state.vitals
        return {
            "playing": len(hubs),
            "viewers": hubs.viewers,
            "upstreams": sum(hubs.slots.held(source) for source in self._config.sources),
            "received_rate": round(vitals.received.bit_rate()),
            "sent_rate": round(vitals.sent.bit_rate()),
            "buffer_bytes": hubs.budget.used,
            "buffer_limit": hubs.budget.limit,
            "loop_lag": round(vitals.lag, 4),
        }

    def _profile(self, name: str) -> Json:
        url = f"{self._config.base_url}{PROFILE_PATH}{name}/playlist.m3u8"
        return {"name": name, "list_url": url}

    def _source(self, source: SourceState) -> Json:
        return {figure.name: self._shown(figure, source) for figure in SOURCE_FIGURES}

    def _shown(self, figure: Figure, source: SourceState) -> Value:
        value = figure.read(source)
        if isinstance(value, float) and figure.kind is Kind.SECONDS:
            return round(value, 3)
        return self._public.text(value) if isinstance(value, str) else value

    def _blocked(self, key: StreamKey, name: str, until: float, now: float) -> Json:
        return {
            "id": self._public.ids.stream(key),
            "name": self._public.text(name),
            "source": key[0],
            "until": unix(until, now),
        }

    def _rest(self, rest: Rest, now: float) -> Json:
        return {
            "id": self._public.ids.stream(rest.key),
            "what": str(rest.scope),
            "source": rest.key[0],
            "name": self._public.text(rest.name),
            "reason": str(rest.why.reason),
            "detail": self._public.text(rest.why.detail),
            "since": unix(rest.since, now),
            "until": unix(rest.look_at, now),
        }


def _line(line: CleanLine) -> Json:
    return asdict(line)


def _since(rest: Rest) -> float:
    return rest.since
