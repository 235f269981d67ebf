"""The state that is read, not counted: of the sources and of the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from kptv.channels.catalog import Catalog
from kptv.channels.health import Health
from kptv.config.rules_file import RulesFile
from kptv.guide.current import CurrentGuide
from kptv.metrics.families import LeaseState, ReadState
from kptv.metrics.source_figures import ImportState, SourceState
from kptv.restream.slots import Slots
from kptv.vitals.process import Vitals


@dataclass(frozen=True, slots=True)
class StateReader:
    """Reads the state of now, for Prometheus and for the page."""

    slots: Slots
    health: Health
    vitals: Vitals
    current_catalog: Callable[[], Catalog | None]
    imports: Callable[[], Sequence[ImportState]]
    stale_names: Callable[[int], int]  # by the number of a source
    rules: RulesFile
    guide: CurrentGuide = field(default_factory=CurrentGuide)
    needs_login: Callable[[], bool] = lambda: False  # whether a login is needed to watch
    leases: Callable[[], LeaseState | None] = lambda: None

    def read(self) -> ReadState:
        """All of it."""
        catalog, sources = self.current_catalog(), self.sources()
        return ReadState(
            sources=sources,
            channels=len(catalog) if catalog is not None else 0,
            blocked_streams=sum(source.blocked for source in sources),
            lag=self.vitals.lag,
            leases=self.leases(),
        )

    def sources(self) -> tuple[SourceState, ...]:
        """The sources, in their order."""
        blocked = Counter(key[0] for key, _, _ in self.health.blocks(monotonic()))
        return tuple(self._source(imports, blocked) for imports in self.imports())

    def _source(self, imports: ImportState, blocked: Counter[int]) -> SourceState:
        number, standing_by = imports.source.number, self.slots.standing_by(imports.source)
        return SourceState(
            imports=imports,
            in_use=self.slots.held(imports.source) - standing_by,
            standing_by=standing_by,
            waiting=self.slots.waiting(number),
            stale_names=self.stale_names(number),
            blocked=blocked[number],
        )
