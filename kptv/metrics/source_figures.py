"""A source's figures: one table for Prometheus, for the API and for the API's description.

A new figure is a field of ``ImportState`` or ``SourceState`` and a row of ``SOURCE_FIGURES``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from kptv.channels.model import Source


@dataclass(frozen=True, slots=True)
class ImportState:
    """How a source's imports go."""

    source: Source
    entries: int = 0  # that are served, of the last good import
    skipped: int = 0  # lines in it that made no sense
    cut: int = 0  # names, groups, values in it that were too long
    is_full: bool = False  # it has more than MAX_ENTRIES
    failures: int = 0  # in a row
    error: str = ""  # of the last import; empty if it was good
    last_success: float | None = None  # Unix time
    duration: float = 0.0  # seconds that the last import took
    again_at: float | None = None  # Unix time of the next attempt, after a failure


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as it is now."""

    imports: ImportState
    in_use: int = 0  # slots, without those of standbys
    standing_by: int = 0  # slots of standbys, which give way
    waiting: int = 0  # for a slot
    stale_names: int = 0  # lookups that had no answer, since the start
    blocked: int = 0  # streams


class Kind(Enum):
    """What kind of values a figure has."""

    TEXT = auto()
    FLAG = auto()
    WHOLE = auto()
    SECONDS = auto()
    TIME = auto()  # Unix, in seconds; None: never


Value = str | bool | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A row of the table."""

    name: str  # in the API
    kind: Kind
    read: Callable[[SourceState], Value]
    about: str = ""  # in the API's description, if the name does not say all
    metric: str = ""  # its name for Prometheus, without the prefix; empty: it is not told there
    help: str = ""  # for Prometheus
    rises: bool = False  # for Prometheus: a counter
    is_live: bool = False  # it changes at any moment, so the page gets it every second


SOURCE_FIGURES = (
    Figure(name="number", kind=Kind.WHOLE, read=lambda s: s.imports.source.number, is_live=True),
    Figure(name="name", kind=Kind.TEXT, read=lambda s: s.imports.source.tag),
    Figure(
        name="in_use",
        kind=Kind.WHOLE,
        read=lambda s: s.in_use,
        metric="source_slots_in_use",
        help="Connections in use, without those that stand by.",
        is_live=True,
    ),
    Figure(
        name="standing_by",
        kind=Kind.WHOLE,
        read=lambda s: s.standing_by,
        about="connections kept open in case another one fails (STANDBY); they give way",
        metric="source_slots_standby",
        help="Connections kept open in case another one fails; they give way.",
        is_live=True,
    ),
    Figure(
        name="limit",
        kind=Kind.WHOLE,
        read=lambda s: s.imports.source.max_connections,
        about="connections; 0: any number",
        metric="source_slots_limit",
        help="Connections allowed; 0: any number.",
    ),
    Figure(
        name="waiting",
        kind=Kind.WHOLE,
        read=lambda s: s.waiting,
        metric="source_slots_waiting",
        help="Viewers that wait for a connection.",
        is_live=True,
    ),
    Figure(
        name="entries",
        kind=Kind.WHOLE,
        read=lambda s: s.imports.entries,
        metric="import_entries",
        help="Entries of the last good import.",
    ),
    Figure(
        name="skipped",
        kind=Kind.WHOLE,
        read=lambda s: s.imports.skipped,
        metric="import_skipped_lines",
        help="Lines in it that made no sense.",
    ),
    Figure(
        name="cut",
        kind=Kind.WHOLE,
        read=lambda s: s.imports.cut,
        about="names, groups, values that were too long",
        metric="import_cut_texts",
        help="Names, groups, values in it that were too long.",
    ),
    Figure(
        name="is_full",
        kind=Kind.FLAG,
        read=lambda s: s.imports.is_full,
        about="the list has more than MAX_ENTRIES; the rest is left out",
    ),
    Figure(
        name="import_seconds",
        kind=Kind.SECONDS,
        read=lambda s: s.imports.duration,
        metric="import_duration_seconds",
        help="Time that the last import took.",
    ),
    Figure(
        name="failures",
        kind=Kind.WHOLE,
        read=lambda s: s.imports.failures,
        metric="import_failures",
        help="Imports that failed, in a row.",
    ),
    Figure(name="error", kind=Kind.TEXT, read=lambda s: s.imports.error),
    Figure(
        name="again_at",
        kind=Kind.TIME,
        read=lambda s: s.imports.again_at,
        about="Unix time of the next attempt after a failure, in seconds",
    ),
    Figure(
        name="last_success",
        kind=Kind.TIME,
        read=lambda s: s.imports.last_success,
        metric="import_last_success_timestamp_seconds",
        help="The last good import.",
    ),
    Figure(
        name="stale_names",
        kind=Kind.WHOLE,
        read=lambda s: s.stale_names,
        about="lookups that had no answer",
        metric="source_stale_names",
        help="Lookups that had no answer.",
        rises=True,
    ),
    Figure(name="blocked", kind=Kind.WHOLE, read=lambda s: s.blocked),
)
